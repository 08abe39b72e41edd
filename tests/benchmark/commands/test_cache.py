"""What the work folder keeps: listed, removed, verified; nothing else, and nothing that a task needs, is lost."""

import csv
import io
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from benchmark.commands.main import main
from benchmark.runner import cache
from benchmark.runner.cache import STAGES, read_cache
from benchmark.runner.store import STAGE_VERSIONS, Address, Store
from tests.conftest import invoke

DAY = 86400


def tree(folder):
    """Every file and link below a folder, with its bytes or target; the lock apart."""
    files = {}
    for place, folders, names in os.walk(folder):
        for path in (Path(place) / name for name in (*names, *folders)):
            if path.is_symlink():
                files[str(path)] = path.readlink()
            elif path.is_file() and path.name != "lock":
                files[str(path)] = path.read_bytes()
    return files


@pytest.fixture
def work(done, tmp_path):
    """The work folder of a finished run, to be changed."""
    return shutil.copytree(done / "w", tmp_path / "w", symlinks=True)


@pytest.fixture
def two(work):
    """The same, with a second task that uses the embeddings and the judges of the first."""
    uses = json.loads((work / "runs" / "tiny" / "v1" / "uses.json").read_text())
    other = work / "runs" / "other" / "v2"
    other.mkdir(parents=True)
    uses["artefacts"] = {stage: uses["artefacts"][stage] for stage in ("embeddings", "judge")}
    (other / "uses.json").write_text(json.dumps(uses))
    return work


def make(work, value, stage="fit"):
    """An artefact that no task uses."""
    store = Store(work, print)
    return store.make(Address.of(stage, value=value), lambda folder: (folder / "a.bin").write_bytes(b"0" * 1000))


def listed(work, *more):
    return json.loads(invoke("cache", "ls", *more, "--workdir", work, "--json"))


def kinds(work, *more):
    return {row["kind"]: row["number"] for row in listed(work, *more)["rows"]}


# -------------------------------------------------------------------------------------------------------------- listing


def test_every_byte_is_counted_once(two):
    total = sum(path.stat().st_size for path in two.rglob("*") if path.is_file())
    result = listed(two)
    assert result["bytes"] == total == sum(row["bytes"] for row in result["rows"])
    assert result["unknown"] == [] and result["links"] == []


def test_rows_name_the_tasks_that_need_them(two):
    rows = {(row["kind"], *row["needed_by"]): row for row in listed(two)["rows"]}
    assert rows["embeddings", "other/v2", "tiny/v1"]["number"] == 3
    assert rows["images", "tiny/v1"]["number"] == 5 and rows["scores", "tiny/v1"]["number"] == 30
    assert set(STAGES) <= {row[0] for row in rows}
    assert ("other",) in rows  # costs of stages
    assert not any(row["wrong"] for row in rows.values())
    assert set(kinds(two, "other")) == {"embeddings", "judge", "runs"}


def test_csv_and_units(work):
    rows = list(csv.DictReader(io.StringIO(invoke("cache", "ls", "--units", "--csv", "--workdir", work))))
    keys = {row["key"] for row in rows if row["kind"] in STAGES}
    assert keys == {path.name for stage in STAGES for path in (work / stage).glob("*/*")}
    assert {row["needed_by"] for row in rows if row["kind"] in STAGES} == {"tiny/v1"}


def test_the_last_use_is_that_of_the_last_run(work):
    old = time.time() - 100 * DAY
    folders = [path for stage in STAGES for path in (work / stage).glob("*/*")]
    for path in folders:
        os.utime(path, (old, old))
    entries = read_cache(work).entries
    assert all(entry.used > time.time() - DAY for entry in entries if entry.kind in STAGES)


def test_a_missing_folder_is_not_created(tmp_path):
    for command in (("ls",), ("prune",), ("verify",), ("rm", "x")):
        assert "no such folder" in invoke("cache", *command, "--workdir", tmp_path / "w", code=6)
    assert not (tmp_path / "w").exists()


# ------------------------------------------------------------------------------------------------------------- removing


def test_rm_removes_what_no_other_task_needs(two):
    before = tree(two)
    output = invoke("cache", "rm", "tiny", "--yes", "--workdir", two)
    assert "6 results stay: other tasks need them, too" in output
    left = kinds(two)
    assert {kind: left[kind] for kind in left if kind != "other"} == {
        "embeddings": 3,
        "judge": 3,
        "runs": 1,
        "records": 1,
    }
    after = tree(two)
    gone = {path for path in before if path not in after}
    kept = {"records", "embeddings", "judge", "frozen", "site"}
    assert gone and not any(os.path.relpath(path, two).split("/")[0] in kept for path in gone)
    assert all(after[path] == before[path] for path in after)
    assert "rebeca" in invoke("show", "tiny", "--workdir", two)


def test_what_was_removed_is_computed_again_with_equal_records(done, work):
    records = tree(work / "records")
    invoke("cache", "rm", "tiny", "--stage", "images", "--stage", "scores", "--yes", "--workdir", work)
    assert not list((work / "images").glob("*/*"))
    invoke("run", done / "tiny.yaml", "--workdir", work, "--quiet")
    assert len(list((work / "images").glob("*/*"))) == 5 and len(list((work / "scores").glob("*/*"))) == 30
    assert tree(work / "records") == records


def test_a_stage_can_be_removed_alone(work):
    expected = listed(work)["rows"]
    size = next(row["bytes"] for row in expected if row["kind"] == "images")
    removed = json.loads(invoke("cache", "rm", "tiny", "--stage", "images", "--yes", "--json", "--workdir", work))
    assert removed["removed"] and removed["bytes"] == size
    assert [row["kind"] for row in removed["rows"]] == ["images"]
    assert set(kinds(work)) == {row["kind"] for row in expected} - {"images"}
    assert "one of data, embeddings" in invoke("cache", "rm", "tiny", "--stage", "decode", "--workdir", work, code=2)


def test_records_are_removed_only_when_asked_and_declarations_never(work):
    frozen = tree(work / "frozen")
    invoke("cache", "rm", "tiny", "--records", "--yes", "--workdir", work)
    assert set(kinds(work)) <= {"other"} and not (work / "records" / "tiny").exists()
    assert tree(work / "frozen") == frozen != {}


def test_a_single_result_is_removed_by_its_key(two):
    folder = next((two / "judge").glob("*/*"))
    assert "no result has a key" in invoke("cache", "rm", f"fit/{folder.name}", "--workdir", two, code=2)
    invoke("cache", "rm", folder.name[:12], "--yes", "--workdir", two)
    assert not folder.exists() and len(list((two / "judge").glob("*/*"))) == 2


@pytest.mark.parametrize("name", ["tinny", "../tiny", "/etc", "tiny/..", "tiny/v1/..", ".", "abcdef0", "runs"])
def test_a_name_that_fits_nothing_removes_nothing(work, name):
    before = tree(work.parent)
    output = invoke("cache", "rm", name, "--yes", "--records", "--workdir", work, code=2)
    assert f"no task '{name}'" in output and ("did you mean" in output or "allowed: tiny" in output)
    assert tree(work.parent) == before


def test_a_task_may_be_called_like_a_key(work):
    (work / "runs" / "tiny").rename(work / "runs" / "deadbeef")
    invoke("cache", "rm", "deadbeef", "--yes", "--workdir", work)
    assert not list((work / "images").glob("*/*"))


@pytest.mark.parametrize("answer", ["n\n", ""])
def test_without_a_yes_nothing_is_removed(work, answer):
    before = tree(work)
    result = CliRunner().invoke(main, ["cache", "rm", "tiny", "--workdir", str(work)], input=answer)
    assert result.exit_code == 2 and "nothing was removed" in result.output
    assert "remove " in result.output and tree(work) == before


def test_a_yes_removes(work):
    result = CliRunner().invoke(main, ["cache", "rm", "tiny", "--workdir", str(work)], input="y\n")
    assert result.exit_code == 0 and not list((work / "images").glob("*/*"))


def test_a_removal_that_is_cut_short_damages_nothing(work, monkeypatch):
    folder = make(work, 1)

    def cut_short(path):
        (path / "a.bin").unlink()
        raise KeyboardInterrupt

    kept = read_cache(work)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(shutil, "rmtree", cut_short)
        cache.remove(kept, [entry for entry in kept.entries if entry.path == folder])
    notes = []
    store = Store(work, notes.append)
    with store.locked("tiny/v1"):
        assert not list(folder.parent.iterdir())
        assert store.find(Address.of("fit", value=1)) is None and notes == []


# ------------------------------------------------------------------------------------------------------------- pruning


def clutter(work):
    """What prune is for; returns the folders by what is wrong with them."""
    unneeded, broken, old, aside = make(work, 1), make(work, 2), make(work, 3), work / "set-aside" / f"fit-{'0' * 16}-1"
    (broken / "artefact.json").write_text("{")
    manifest = json.loads((old / "artefact.json").read_text())
    (old / "artefact.json").write_text(json.dumps(manifest | {"version": STAGE_VERSIONS["fit"] - 1}))
    half, new = unneeded.with_name(".0123456789abcdef-77"), work / "records" / "tiny" / ".v1.new"
    checkpoint = work / "checkpoints" / f"fit-{'a' * 64}"
    for folder in (aside, half, new, checkpoint):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "x").write_bytes(b"123")
    return {
        "": {unneeded, checkpoint},
        "damaged": {broken, aside},
        "of an older version": {old},
        "left half written": {half, new},
    }


def test_prune_removes_what_nothing_needs_and_nothing_else(work):
    before = tree(work)
    wrong = clutter(work)
    whole = tree(work)
    planned = json.loads(invoke("cache", "prune", "--dry-run", "--json", "--workdir", work))
    assert tree(work) == whole and not planned["removed"]
    assert {row["wrong"]: 0 for row in planned["rows"]}.keys() == wrong.keys()
    removed = json.loads(invoke("cache", "prune", "--yes", "--json", "--workdir", work))
    assert removed == planned | {"removed": True}
    assert planned["bytes"] == sum(map(len, whole.values())) - sum(map(len, before.values()))
    assert tree(work) == before
    assert "nothing to remove" in invoke("cache", "prune", "--workdir", work)


def test_prune_spares_what_was_used_lately(work):
    old, young = make(work, 1), make(work, 2)
    os.utime(old, (time.time() - 31 * DAY,) * 2)
    invoke("cache", "prune", "--older-than", "30d", "--yes", "--workdir", work)
    assert not old.exists() and young.exists()
    assert "not an age" in invoke("cache", "prune", "--older-than", "month", "--workdir", work, code=2)
    invoke("cache", "prune", "--older-than", "0h", "--yes", "--workdir", work)
    assert not young.exists()


def test_prune_spares_results_of_a_task_without_a_record(work):
    shutil.rmtree(work / "records")
    before = tree(work)
    invoke("cache", "prune", "--yes", "--workdir", work)
    assert tree(work) == before


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.unlink(),
        lambda path: path.write_text(path.read_text()[:-3]),
        lambda path: path.write_text(re.sub("[0-9a-f]{64}", "../../../outside", path.read_text(), count=1)),
    ],
)
def test_records_without_a_note_of_what_they_use_keep_everything(work, damage):
    stray, wrong = make(work, 1), clutter(work)
    damage(work / "runs" / "tiny" / "v1" / "uses.json")
    assert listed(work)["unknown"] == ["tiny/v1"]
    output = invoke("cache", "prune", "--yes", "--workdir", work)
    assert "kept whole, since no run noted what it needs: tiny/v1" in output
    assert stray.exists() and not any(path.exists() for path in wrong["damaged"])
    assert len(list((work / "images").glob("*/*"))) == 5


def test_an_interrupted_swap_of_records_is_left_to_the_next_run(work):
    place = work / "records" / "tiny"
    (place / "v1").rename(place / ".v1.old")
    invoke("cache", "prune", "--yes", "--workdir", work)
    assert (place / ".v1.old" / "_task").is_dir()


def test_files_of_the_user_are_never_touched(work):
    """A work folder may be a folder of other things, even of things that are called as its own."""
    own = [
        ".git/config",
        ".hidden",
        "data/images/cat.png",
        "images/ab/.DS_Store",
        "records/notes.txt",
        "site/index.html",
    ]
    own += ["fit/ab/readme/x", f"fit/{'a' * 64}/x", "set-aside/mine/x", "checkpoints/mine.pt", "records/tiny/draft/x"]
    for name in own:
        (work / name).parent.mkdir(parents=True, exist_ok=True)
        (work / name).write_text("mine")
    assert listed(work)["bytes"] == sum(path.stat().st_size for path in work.rglob("*") if path.is_file())
    invoke("cache", "prune", "--yes", "--workdir", work)
    invoke("cache", "rm", "tiny", "--records", "--yes", "--workdir", work)
    assert all((work / name).read_text() == "mine" for name in own)
    assert not list((work / "scores").glob("*/*"))


# ----------------------------------------------------------------------------------------------------------- the folder


def test_links_are_not_followed(work, tmp_path):
    """Links at each level, to a folder that looks like artefacts."""
    outside = tmp_path / "outside"
    shutil.copytree(work / "images", outside / "images")
    shutil.copytree(work / "records" / "tiny", outside / "tiny")
    shelf = next((work / "scores").iterdir())
    shutil.move(shelf, outside / "shelf")
    single = next((work / "fit").glob("*/*"))
    shutil.move(single, outside / "single")
    shutil.rmtree(work / "images")
    (work / "images").symlink_to(outside / "images")
    shelf.symlink_to(outside / "shelf")
    single.symlink_to(outside / "single")
    shutil.rmtree(work / "site" / "tiny", ignore_errors=True)
    (work / "site").mkdir(exist_ok=True)
    (work / "site" / "tiny").symlink_to(outside / "tiny")
    (make(work, 5) / "inside").symlink_to(outside)
    before = tree(outside)
    assert listed(work)["links"] == ["images"] and "images" not in kinds(work)
    invoke("cache", "prune", "--yes", "--workdir", work)
    invoke("cache", "rm", "tiny", "--records", "--yes", "--workdir", work)
    assert tree(outside) == before
    assert (work / "images").is_symlink() and shelf.is_symlink() and single.is_symlink()
    assert set(kinds(work)) <= {"other"}


def test_a_link_to_the_work_folder_is_the_work_folder(work, tmp_path):
    (tmp_path / "link").symlink_to(work)
    invoke("cache", "rm", "tiny", "--yes", "--workdir", tmp_path / "link")
    assert not list((work / "images").glob("*/*"))


@pytest.mark.parametrize("command", [("rm", "tiny", "--yes"), ("prune", "--yes"), ("verify",)])
def test_a_run_is_not_disturbed(work, command):
    code = (
        "import sys, time; from pathlib import Path; from benchmark.runner.store import Store\n"
        "with Store(Path(sys.argv[1]), print).locked('tiny/v1'): print('held', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code, work], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "held\n"
        clutter(work)
        before = tree(work)
        output = invoke("cache", *command, "--workdir", work, code=6)
        assert f"is used by process {process.pid}\n" in output and "rebeca-bench status" in output
        assert kinds(work)["images"] == 5  # a list never waits
        process.kill()
    assert tree(work) == before
    invoke("cache", *command, "--workdir", work, code=1 if command == ("verify",) else 0)


# ----------------------------------------------------------------------------------------------------------- verifying


def test_verify_names_damage_and_sets_it_aside(work):
    number = sum(len(list((work / stage).glob("*/*"))) for stage in STAGES)
    assert invoke("cache", "verify", "--quiet", "--workdir", work) == f"{number} results read; all intact\n"
    folder = next((work / "images").glob("*/*"))
    file = folder / "images.parquet"
    file.write_bytes(file.read_bytes()[:-1] + b"\0")
    moved = next((work / "judge").glob("*/*"))
    moved.rename(moved.with_name("f" * 64))  # under another key
    report = json.loads(invoke("cache", "verify", "--json", "--workdir", work, code=1))
    problems = {damage["stage"]: damage for damage in report["damaged"]}
    assert report["read"] == number and set(problems) == {"images", "judge"}
    assert problems["images"]["problem"] == "images.parquet was changed or cut short"
    assert problems["images"]["needed_by"] == ["tiny/v1"] and problems["images"]["key"] == folder.name
    assert problems["judge"]["problem"] == "its manifest was changed" and problems["judge"]["needed_by"] == []
    assert not folder.exists() and (work / "set-aside").is_dir()
    assert f"{number - 2} results read; all intact" in invoke("cache", "verify", "--workdir", work)


def test_verify_says_what_is_damaged_in_words(work):
    folder = next((work / "fit").glob("*/*"))
    (folder / "more").write_text("")
    output = invoke("cache", "verify", "--quiet", "--workdir", work, code=1)
    assert f"fit/{folder.name[:12]}: files are missing or added: ['more']" in output
    assert "needed by tiny/v1" in output and "1 damaged" in output


def test_results_of_an_older_version_are_intact(work, monkeypatch):
    monkeypatch.setitem(STAGE_VERSIONS, "fit", STAGE_VERSIONS["fit"] + 1)
    assert "all intact" in invoke("cache", "verify", "--workdir", work)
    assert {row["wrong"] for row in listed(work)["rows"] if row["kind"] == "fit"} == {"of an older version"}


@pytest.mark.parametrize("kind", ["records", "site"])
def test_folders_that_no_run_wrote_are_not_removed_with_a_task(work, kind):
    own = work / kind / "tiny" / "v99"
    own.mkdir(parents=True)
    (own / "thesis.txt").write_text("mine")
    before = invoke("cache", "ls", "--workdir", work, "--json")
    assert "tiny/v99" not in before
    invoke("cache", "rm", "tiny", "--records", "--yes", "--workdir", work)
    assert (own / "thesis.txt").read_text() == "mine"
    assert not (work / kind / "tiny" / "v1").exists()

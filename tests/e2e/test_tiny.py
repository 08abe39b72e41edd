"""Whole tiny tasks, from the command line to the page."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from benchmark.runner.reproduce import compare
from tests.conftest import TINY, invoke, make_folder


def test_records_are_complete_and_verify(done):
    records = done / "w" / "records" / "tiny" / "v1"
    assert "all agree" in invoke("verify", records)
    record = json.loads((records / "rebeca" / "record.json").read_text())
    assert record["images"]["requested"] == 36
    assert record["summary"]["ncf"]["users"] == 12
    assert record["personal"]["observed"]["estimable"] == 12
    assert record["provenance"]["command"].startswith("rebeca-bench")
    assert str(done) not in json.dumps(record["provenance"])
    scores = pd.read_parquet(records / "rebeca" / "scores.parquet")
    assert len(scores) == 36 * 4
    assert (records / "rebeca" / "images.parquet").is_file()


def test_scores_are_what_they_say(done):
    """The observed score of every row is the user's rating in the data set's own file."""
    records = done / "w" / "records" / "tiny" / "v1"
    ratings = pd.read_csv(done / "data" / "ratings.csv").set_index(["user", "item"])["rating"]
    items = pd.read_csv(done / "data" / "items.csv")["item"]
    for generator in ("rebeca", "catalogue-random", "catalogue-verifier"):
        scores = pd.read_parquet(records / generator / "scores.parquet")
        observed = scores[scores.scorer == "observed"]
        expected = [ratings[u, items[i]] for u, i in zip(observed.user, observed["item"], strict=True)]
        assert observed.score.tolist() == expected


def test_personal_lift_by_hand(done):
    """Lift in real ratings, from the ratings file and the choices alone."""
    records = done / "w" / "records" / "tiny" / "v1"
    ratings = pd.read_csv(done / "data" / "ratings.csv").pivot_table(index="user", columns="item", values="rating")
    items = pd.read_csv(done / "data" / "items.csv")["item"]
    scores = pd.read_parquet(records / "rebeca" / "scores.parquet")
    chosen = scores[scores.scorer == "observed"].groupby("user")["item"].apply(list)
    users = sorted(chosen.index)
    table = np.array([[np.mean([ratings.loc[u, items[i]] for i in chosen[v]]) for v in users] for u in users])
    n = len(users)
    lift = np.mean([table[i, i] - (table[i].sum() - table[i, i]) / (n - 1) for i in range(n)])
    record = json.loads((records / "rebeca" / "record.json").read_text())
    assert record["personal"]["observed"]["lift"]["estimate"] == pytest.approx(lift)


def held(path):
    """What every run writes: locks, and how far it is."""
    return path.name in ("lock", "status.json") or path.parent.name == "locks"


def test_running_again_makes_nothing(done):
    def times():
        files = (p for p in (done / "w").rglob("*") if p.is_file() and not held(p))
        return {p: p.stat().st_mtime_ns for p in files}

    before = times()
    output = invoke("run", done / "tiny.yaml", "--workdir", done / "w", "--site", done / "site")
    assert " ..." not in output
    assert times() == before


def test_two_runs_are_equal(done, tmp_path):
    invoke("run", done / "tiny.yaml", "--workdir", tmp_path / "w", "--site", tmp_path / "s", "--quiet")
    a, b = (root / "w" / "records" / "tiny" / "v1" for root in (done, tmp_path))
    assert compare(a, b).bytes == []


def test_limiting_users_changes_no_image_of_those_who_stay(done, tmp_path):
    invoke("run", done / "tiny.yaml", "--workdir", tmp_path / "w", "--limit-users", 7, "--quiet")
    (modified,) = (tmp_path / "w" / "records" / "tiny").iterdir()
    assert modified.name.startswith("v1-modified-")
    few = pd.read_parquet(modified / "rebeca" / "scores.parquet")
    all_ = pd.read_parquet(done / "w" / "records" / "tiny" / "v1" / "rebeca" / "scores.parquet")
    assert few.user.nunique() == 7
    merged = few.merge(all_, on=["user", "replicate", "scorer"])
    assert len(merged) == len(few)
    assert (merged.digest_x == merged.digest_y).all()
    np.testing.assert_allclose(merged.score_x, merged.score_y, atol=1e-6)
    output = invoke("show", "tiny", "--workdir", tmp_path / "w")
    assert "modified" in output


def test_one_user_leads_nobody_to_a_finding(done, tmp_path):
    invoke("run", done / "tiny.yaml", "--workdir", tmp_path / "w", "--limit-users", 1, "--quiet")
    output = invoke("show", "tiny", "--workdir", tmp_path / "w")
    assert "A tiny task: 1 user" in output
    assert "1 user cannot say who leads: nothing is tested below 6 users." in output
    assert "leads on preference" not in output


def test_the_order_of_generators_changes_nothing(done, tmp_path):
    text = (done / "tiny.yaml").read_text()
    line = "  - {id: catalogue-random, use: catalogue, params: {rank_by: random}}\n"
    moved = text.replace(line, "").replace("generators:\n", "generators:\n" + line)
    (done / "moved.yaml").write_text(moved)
    invoke("run", done / "moved.yaml", "--workdir", tmp_path / "w", "--quiet")
    for name in ("rebeca", "catalogue-random"):
        a, b = (r / "w" / "records" / "tiny" / "v1" / name / "scores.parquet" for r in (done, tmp_path))
        assert a.read_bytes() == b.read_bytes()


def test_a_damaged_artefact_is_set_aside_and_made_again(done, tmp_path):
    work = tmp_path / "w"
    shutil.copytree(done / "w", work)
    victim = next((work / "images").rglob("images.parquet"))
    victim.write_bytes(victim.read_bytes()[:-9])
    shutil.rmtree(work / "records")
    output = invoke("run", done / "tiny.yaml", "--workdir", work)
    assert "was changed or cut short" in output
    assert "all agree" in invoke("verify", work / "records" / "tiny" / "v1")


def test_show_compare_plan_and_json(done):
    board = json.loads(invoke("show", "tiny", "--workdir", done / "w", "--json"))
    assert {g["id"] for g in board["generators"]} == {
        "rebeca", "rebeca-no-user", "rebeca-shuffled-users", "catalogue-random", "catalogue-verifier",
    }  # fmt: skip
    unranked = [g["id"] for g in board["generators"] if g["rank"] is None]
    assert unranked == ["catalogue-verifier"]
    assert "needs judge" in next(g for g in board["generators"] if g["id"] == "catalogue-verifier")["flags"]
    first = json.loads(invoke("compare", "tiny", "rebeca", "catalogue-random", "--workdir", done / "w", "--json"))
    second = json.loads(invoke("compare", "tiny", "catalogue-random", "rebeca", "--workdir", done / "w", "--json"))
    a, b = first["comparisons"][0]["comparison"], second["comparisons"][0]["comparison"]
    assert a["difference"]["estimate"] == -b["difference"]["estimate"]
    assert a["test"] == b["test"]
    assert "did you mean 'rebeca'" in invoke("compare", "tiny", "rebecca", "rebeca", "--workdir", done / "w", code=2)
    plan = json.loads(invoke("plan", done / "tiny.yaml", "--workdir", done / "w", "--json"))
    assert all(
        row["fits_cached"] == len(row["fits"]) and row["units"] == row["units_cached"] for row in plan["generators"]
    )
    assert len({row["fits"][0] for row in plan["generators"]}) == 3  # the three arms of rebeca share one


def test_guidance_chosen_on_validation_belongs_to_its_sampler(done, tmp_path):
    from benchmark.dev.running import Running
    from benchmark.runner.fits import read_report
    from benchmark.task.resolve import load_task
    from tests.running import find

    grid = (
        "data.split.validation=0.4",
        "generators.rebeca.params.guidance_grid=[1, 4]",
        "generators.rebeca.params.prior_guidance=validation",
    )
    for name, more in (("a", ()), ("b", ("generators.rebeca.params.steps=6",))):
        run = Running.of(load_task(done / "tiny.yaml", grid + more), tmp_path / name)
        spec = run.task.generators[0]
        generator = run.fitted(spec)
        assert generator.inner.prior_guidance in (1.0, 4.0)
        fit = run.stages.store.folder(run.addresses.generators[spec.id].fits[0].address)
        assert len(read_report(fit)["guidance"]["table"]) == 2
    plain = [find(load_task(done / "tiny.yaml", m), tmp_path) for m in ((), more)]
    assert len({addresses.generators["rebeca"].fits for addresses in plain}) == 1
    chosen = [find(load_task(done / "tiny.yaml", grid + m), tmp_path) for m in ((), more)]
    assert len({addresses.generators["rebeca"].fits for addresses in chosen}) == 2


@pytest.mark.parametrize("kind", ["per-user", "cold-users"])
def test_other_splits_and_disjoint_judges(done, tmp_path, kind):
    text = TINY.replace(
        "split: {kind: held-out-items, test: 0.34, validation: 0.25}",
        f"split: {{kind: {kind}, test: 6, validation: 2}}",
    ).replace("ratings: shared", "ratings: disjoint")
    (done / f"{kind}.yaml").write_text(text)
    invoke("run", done / f"{kind}.yaml", "--workdir", tmp_path / "w", "--quiet")
    assert "all agree" in invoke("verify", tmp_path / "w" / "records" / "tiny" / "v1")


def test_sparse_ratings(tmp_path):
    make_folder(tmp_path / "data", density=0.6)
    (tmp_path / "tiny.yaml").write_text(TINY)
    invoke("run", tmp_path / "tiny.yaml", "--workdir", tmp_path / "w", "--quiet")
    records = tmp_path / "w" / "records" / "tiny" / "v1"
    record = json.loads((records / "rebeca" / "record.json").read_text())
    assert "observed" not in record["personal"]  # not everybody can be asked about everything
    assert "all agree" in invoke("verify", records)


@pytest.mark.parametrize("failures", ["exclude", "worst", "abort"])
def test_images_from_a_folder_and_their_failures(tmp_path, failures):
    make_folder(tmp_path / "data")
    rng = np.random.default_rng(0)
    for u in range(12):
        (tmp_path / "mine" / f"u{u}").mkdir(parents=True)
        for k in range(3):
            pixels = rng.integers(0, 255, (20, 20, 3)).astype(np.uint8)
            if (u, k) == (2, 1):
                pixels[:] = 0  # blank
            if (u, k) != (3, 2):  # missing
                Image.fromarray(pixels).save(tmp_path / "mine" / f"u{u}" / f"{k}.png")
    text = TINY.replace(
        "  - {id: catalogue-random", "  - {id: mine, use: folder, params: {path: mine}}\n  - {id: catalogue-random"
    )
    (tmp_path / "tiny.yaml").write_text(text + f"failures: {failures}\n")
    run = ("run", tmp_path / "tiny.yaml", "--workdir", tmp_path / "w", "--quiet")
    if failures == "abort":
        assert "2 of 36 images failed, the first for user 'u2', image 1: blank" in invoke(*run, code=5)
        return
    invoke(*run)
    records = tmp_path / "w" / "records" / "tiny" / "v1"
    assert "all agree" in invoke("verify", records)
    record = json.loads((records / "mine" / "record.json").read_text())
    assert record["images"]["failures"] == {"blank": 1, "missing": 1}
    both = record["summary"]["ncf"]
    assert both["worst"] != both["exclude"]
    assert both["interval"]["estimate"] == pytest.approx(both[failures])
    assert "failures 6 %" in invoke("show", "tiny", "--workdir", tmp_path / "w")


def test_folders_of_images_are_known_by_content(done, tmp_path):
    from benchmark.task.resolve import load_task

    text = (
        (done / "tiny.yaml")
        .read_text()
        .replace(
            "  - {id: catalogue-random",
            "  - {id: one, use: folder, params: {path: p1}}\n  - {id: two, extends: one, params: {path: p2}}\n"
            "  - {id: catalogue-random",
        )
    )
    hashes = []
    for place in ("here", "there"):
        for name, value in (("p1", 10), ("p2", 200)):
            (tmp_path / place / name / "u0").mkdir(parents=True)
            Image.new("RGB", (4, 4), (value, 0, 0)).save(tmp_path / place / name / "u0" / "0.png")
        (tmp_path / place / "t.yaml").write_text(text)
        task = load_task(tmp_path / place / "t.yaml")
        by_id = {g.id: g.params for g in task.generators}
        assert by_id["one"].content != by_id["two"].content
        assert by_id["two"].path == str(tmp_path / place / "p2")
        assert str(tmp_path) not in json.dumps(task.to_json())
        hashes.append(task.hash())
    assert hashes[0] == hashes[1]
    Image.new("RGB", (4, 4)).save(tmp_path / "there" / "p2" / "u0" / "0.png")
    assert load_task(tmp_path / "there" / "t.yaml").hash() != hashes[1]


def test_a_partial_submission_takes_nobody_from_the_others(done, tmp_path):
    rng = np.random.default_rng(0)
    shutil.copytree(done / "data", tmp_path / "data")
    for u in range(3):
        (tmp_path / "few" / f"u{u}").mkdir(parents=True)
        for k in range(3):
            Image.fromarray(rng.integers(0, 255, (9, 9, 3)).astype(np.uint8)).save(
                tmp_path / "few" / f"u{u}" / f"{k}.png"
            )
    text = TINY.replace(
        "  - {id: catalogue-random", "  - {id: few, use: folder, params: {path: few}}\n  - {id: catalogue-random"
    )
    (tmp_path / "tiny.yaml").write_text(text)
    invoke("run", tmp_path / "tiny.yaml", "--workdir", tmp_path / "w", "--quiet")
    pair = ("compare", "tiny", "rebeca", "catalogue-random", "--json", "--workdir")
    with_few, without = (json.loads(invoke(*pair, r / "w"))["comparisons"] for r in (tmp_path, done))
    for a, b in zip(with_few, without, strict=True):
        assert a["comparison"]["difference"]["n"] == b["comparison"]["difference"]["n"] == 12
        assert a["comparison"]["test"]["p"] == b["comparison"]["test"]["p"], a["measure"]
    assert "all agree" in invoke("verify", tmp_path / "w" / "records" / "tiny" / "v1")  # users without images, too
    assert "were not compared" in invoke("compare", "tiny", "rebeca", "few", "--workdir", tmp_path / "w", code=2)
    board = json.loads(invoke("show", "tiny", "--json", "--workdir", tmp_path / "w"))["generators"]
    few = next(row for row in board if row["id"] == "few")
    assert (few["ranked"], few["preference"]["n"]) == (False, 12) and "too many failures" in few["flags"]


@pytest.mark.slow
def test_a_new_task_for_own_data_runs(tmp_path):
    make_folder(tmp_path / "holiday", users=10, items=30)
    assert "next: rebeca-bench run" in invoke("new", "task", tmp_path / "holiday")
    path = tmp_path / "holiday" / "task.yaml"
    assert "# " in path.read_text()
    assert "exists" in invoke("new", "task", tmp_path / "holiday", code=2)
    fast = ("--set", "generators.rebeca.params.max_steps=20", "--set", "judges.verifier.params.epochs=2")
    invoke("validate", path)
    output = invoke("run", path, "--workdir", tmp_path / "w", *fast)
    assert "holiday" in output
    make_folder(tmp_path / "sparse", users=10, items=40, density=0.5)
    invoke("new", "task", tmp_path / "sparse")
    assert "per-user" in (tmp_path / "sparse" / "task.yaml").read_text()
    invoke("run", tmp_path / "sparse" / "task.yaml", "--workdir", tmp_path / "w", *fast, "--quiet")


def test_a_generator_that_breaks_its_contract_is_named(tiny, tmp_path, monkeypatch):
    from rebeca.generator import Rebeca

    def raising(self, requests):
        raise RuntimeError("out of ideas")
        yield

    for body, message in [
        (raising, "generator 'rebeca' failed: RuntimeError: out of ideas"),
        (lambda self, requests: iter([]), "answered 0 of 36 requests"),
        (lambda self, requests: iter([1] * 36), "expected a GeneratedImage, got int"),
    ]:
        monkeypatch.setattr(Rebeca, "generate", body)
        assert message in invoke("run", tiny, "--workdir", tmp_path / "w", "--quiet", code=5)


def test_devices_that_are_not_there(tiny, tmp_path):
    assert "no such kind of device" in invoke("run", tiny, "--workdir", tmp_path, "--device", "gpu", code=2)


def test_show_takes_what_run_takes(done):
    assert "A tiny task" in invoke("show", done / "tiny.yaml", "--workdir", done / "w")
    assert "did you mean 'tiny'" in invoke("show", "tinny", "--workdir", done / "w", code=2)
    assert "did you mean" in invoke("verify", done / "w", code=7)


def test_help_is_light():
    code = (
        "import sys; from click.testing import CliRunner; from benchmark.commands.main import main;"
        "assert CliRunner().invoke(main, ['--help']).exit_code == 0;"
        "print([m for m in ('torch', 'transformers', 'diffusers', 'pandas') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

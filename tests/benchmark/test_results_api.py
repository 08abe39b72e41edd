"""``benchmark.run``, ``benchmark.load`` and what a notebook takes from their results."""

import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import altair as alt
import numpy as np
import pandas as pd
import pytest
from PIL import Image

import benchmark
import benchmark.results
from benchmark.board.format_numbers import number
from benchmark.runner.reproduce import compare
from benchmark.runner.threads import computing_threads
from rebeca.errors import DataError, RecordError, SpecError
from rebeca.pixels import pixels_digest
from tests.conftest import ROOT, TINY, invoke

PUBLISHED = [path for path in ("results/sprites/v2", "results/tinyworld-quick/v8") if (ROOT / path).is_dir()]
FIXED = ["generator", "title", "ranked", "rank_low", "rank_high", "letters", "share_first"]
KEYS = {
    "preference": "ncf",
    "lift": "lift:ncf",
    "ground_truth": "ground-truth",
    "lift_ground_truth": "lift:ground-truth",
}
"""Names in frames, and in records whose primary scorer is ncf; others are equal, but for the prefix of a lift."""


@pytest.fixture(scope="module", params=["tiny", *PUBLISHED])
def results(request, done):
    """Of a tiny run, and published ones."""
    return benchmark.load(done / "w" / "records" / "tiny" if request.param == "tiny" else ROOT / request.param)


def key_of(name):
    return KEYS.get(name) or ("lift:" + name.removeprefix("lift_") if name.startswith("lift_") else name)


def parquet(results, generator, file):
    return pd.read_parquet(results.path / generator / f"{file}.parquet")


# ------------------------------------------------------------------------------------------------------------ frames


def test_the_table_holds_the_numbers_of_csv(results):
    csv = pd.read_csv(io.StringIO(invoke("show", results.path, "--csv")))
    table = results.table()
    assert table["generator"].tolist() == csv["generator"].tolist() == list(results.generators)
    pd.testing.assert_frame_equal(table[FIXED], csv[FIXED], check_dtype=False)
    measures = [name.removesuffix("_low") for name in table.columns if name.endswith("_low") and name != "rank_low"]
    assert measures[:4] == ["preference", "lift", "observed", "ground_truth"]
    for name in measures:
        for end in ("", "_low", "_high", "_n"):
            column = f"{key_of(name)}{end}"
            values = csv[column] if column in csv else np.full(len(csv), np.nan)
            np.testing.assert_array_equal(table[f"{name}{end}"].to_numpy(float, na_value=np.nan), values)
    renamed = {f"{key_of(name)}{end}" for name in measures for end in ("", "_low", "_high", "_n")}
    assert set(csv.columns) - set(table.columns) <= renamed, "every column of CSV is in the frame"


def test_the_table_is_the_mean_of_the_users(results):
    table, means = results.table().set_index("generator"), results.users().groupby("generator")
    for name in ("preference", "lift", "observed", "ground_truth", "auditor"):
        np.testing.assert_allclose(table[name], means[name].mean()[table.index], rtol=1e-12)
    assert (table["preference_n"] == means["preference"].count()[table.index]).all()


def test_users_have_the_means_of_their_scores(results):
    """Computed anew from the images' scores, and from the table of all users' opinions."""
    users = results.users()
    for generator in results.generators:
        own = users[users["generator"] == generator].set_index("user")
        scores = parquet(results, generator, "scores").groupby(["scorer", "user"])["score"].mean()
        for name in ("preference", "observed", "ground_truth", "auditor"):
            if key_of(name) in scores.index.get_level_values("scorer"):
                np.testing.assert_allclose(own[name], scores[key_of(name)][own.index], rtol=1e-12)
            else:
                assert own[name].isna().all()
        pairs = parquet(results, generator, "pairs").query("scorer == 'ncf'")
        if pairs["mean"].isna().any():  # filled, see tests/benchmark/stats/test_personalisation.py
            continue
        lifts = []
        for _, of_fit in pairs.groupby("fit"):
            opinions = of_fit.pivot(index="judge", columns="target", values="mean").to_numpy()
            count = len(opinions)
            others = (opinions.sum() - np.trace(opinions)) / (count * (count - 1))
            lifts.append(np.trace(opinions) / count - others)
        assert own["lift"].mean() == pytest.approx(np.mean(lifts), abs=1e-12)


def test_users_know_their_groups(results):
    users, board = results.users(), json.loads((results.path / "_task" / "comparison.json").read_text())
    about = users[["user", "block", "ratings", "persona"]].drop_duplicates()
    assert about["user"].tolist() == board["users"]["id"]
    assert about["block"].tolist() == board["users"]["block"]
    assert about["ratings"].tolist() == [sum(counts) for counts in board["taste"]["counts"]]
    if results.task != "tiny":
        sizes = about["persona"].value_counts()
        assert sizes.sort_index().tolist() == sorted(sizes, reverse=True), "the first persona is the largest"


@pytest.mark.skipif(not PUBLISHED, reason="there are no published records in this checkout")
def test_personas_of_sprites_are_its_four_tastes():
    """Users have candidates of their own, so no generator was scored by every user for every other one."""
    users = benchmark.load(ROOT / "results" / "sprites" / "v2").users().drop_duplicates("user")
    tastes = users["user"].str.rpartition("-")[0]  # red-heart-3: the fourth user of this taste
    assert users.groupby(tastes)["persona"].nunique().tolist() == [1, 1, 1, 1]
    assert users["persona"].value_counts().tolist() == [10, 10, 10, 10]


def test_no_groups_are_missing_personas(done, tables, monkeypatch):
    monkeypatch.setattr(type(tables), "personas", (np.zeros(12, np.int64), 0.0))
    assert benchmark.load(done / "w" / "records" / "tiny").users()["persona"].isna().all()


@pytest.mark.parametrize("scorer", [None, "auditor"])
def test_pairs_are_those_of_the_record(results, scorer):
    names = np.array(json.loads((results.path / "_task" / "comparison.json").read_text())["users"]["id"])
    pairs = results.pairs(scorer)
    assert list(pairs.columns) == ["user", "generator", "images_for", "score"]
    for generator in results.generators:
        stored = parquet(results, generator, "pairs")
        stored = stored[stored["scorer"] == (scorer or "ncf")]
        expected = stored.assign(user=names[stored["judge"]], images_for=names[stored["target"]])
        own = pairs[pairs["generator"] == generator].set_index(["user", "images_for"])["score"]
        expected = expected.groupby(["user", "images_for"])["mean"].mean().dropna()
        assert len(own) == len(expected)
        np.testing.assert_allclose(own, expected[own.index], rtol=1e-12)


def test_images_are_those_of_the_record(results):
    images = results.images()
    for generator in results.generators:
        stored = parquet(results, generator, "scores")
        own = images[images["generator"] == generator].reset_index(drop=True)
        for name in ("preference", "auditor"):
            expected = stored[stored["scorer"] == key_of(name)].reset_index(drop=True)
            np.testing.assert_array_equal(own[name], expected["score"])
            pd.testing.assert_frame_equal(own[["user", "digest"]], expected[["user", "digest"]], check_dtype=False)
        assert (own["item"].fillna(-1) == expected["item"]).all() and (own["replicate"] == expected["replicate"]).all()
        assert (own["failed"] == (expected["failure"] != "")).all()


def test_shown_images_are_those_of_the_digests(results):
    shown = results.images().query("shown").groupby("generator").head(2)
    assert len(shown) >= len(results.generators)
    for image in shown.itertuples():
        pixels = np.asarray(results.image(image.generator, image.user, image.replicate))
        assert pixels_digest(pixels) == image.digest


def test_comparisons_are_those_of_csv(results):
    a, b = results.generators[0], results.generators[1]
    csv = pd.read_csv(io.StringIO(invoke("compare", results.path, a, b, "--csv")))
    forth, back = results.compare(a, b), results.compare(b, a)
    assert [key_of(name) for name in forth["measure"]] == csv["measure"].tolist()
    assert forth["analysis"].tolist() == ["confirmatory" if declared else "exploratory" for declared in csv["declared"]]
    for name, column in {"difference": "difference", "low": "difference_low", "p": "p_max_t", "d_z": "d_z"}.items():
        np.testing.assert_array_equal(forth[name], csv[column])
    np.testing.assert_allclose(forth["difference"], -back["difference"])
    np.testing.assert_allclose(forth["low"], -back["high"])
    table = results.table().set_index("generator")["preference"]
    assert forth.set_index("measure").loc["preference", "difference"] == pytest.approx(table[a] - table[b])


# ----------------------------------------------------------------------------------------------------------- figures


@pytest.mark.parametrize("path", PUBLISHED)
def test_every_figure_is_a_chart(path):
    results = benchmark.load(ROOT / path)
    assert len(results.figures) > 15 and len(set(results.figures)) == len(results.figures)
    for name in results.figures:
        chart = results.figure(name)
        assert isinstance(chart, alt.TopLevelMixin), name
        assert chart.to_dict(validate=False)["title"]["text"], name


def test_charts_are_drawn_and_saved(done, tmp_path):
    results = benchmark.load(done / "w" / "records" / "tiny")
    drawn = {}
    for size in ("page", "two-column", "one-column"):
        results.figure("plane", size=size).save(tmp_path / f"{size}.png")
        drawn[size] = Image.open(tmp_path / f"{size}.png").convert("RGB")
        assert drawn[size].getpixel((0, 0)) == (255, 255, 255) and len(drawn[size].getcolors(1 << 20)) > 20
    assert drawn["page"].width > drawn["two-column"].width > drawn["one-column"].width
    with alt.renderers.enable("svg"):  # what notebooks show
        shown = results.figure("plane")._repr_mimebundle_()
    assert shown["image/svg+xml"].startswith("<svg")


# ------------------------------------------------------------------------------------------------------------- names


@pytest.mark.parametrize(
    ("ask", "remedy"),
    [
        (lambda results: results.figure("plan"), "did you mean 'plane'?"),
        (lambda results: results.figure("plane", size="pages"), "did you mean 'page'?"),
        (lambda results: results.pairs("auditer"), "did you mean 'auditor'?"),
        (lambda results: results.compare("rebecca", "rebeca-no-user"), "did you mean 'rebeca'?"),
        (lambda results: results.image("rebecca", "u0"), "did you mean 'rebeca'?"),
        (lambda results: results.image("rebeca", "u0", 99), "images() names those that are shown"),
        (lambda results: benchmark.load(results.path.parents[1] / "tinny"), "did you mean 'tiny'?"),
        (lambda results: benchmark.run("tinyworld-quik"), "did you mean 'tinyworld-quick'?"),
    ],
)
def test_a_misspelt_name_comes_with_the_nearest(done, ask, remedy):
    with pytest.raises(SpecError) as refused:
        ask(benchmark.load(done / "w" / "records" / "tiny"))
    assert remedy in refused.value.hint


@pytest.mark.parametrize("odd", [3, None, [], {}])
def test_what_is_no_name_is_refused(done, odd):
    results = benchmark.load(done / "w" / "records" / "tiny")
    asks = [results.figure, lambda odd: results.figure("plane", odd), lambda odd: results.compare("rebeca", odd)]
    asks += [lambda odd: results.image(odd, "u0"), lambda odd: results.pairs(str(odd) if odd is None else odd)]
    for ask in asks:
        with pytest.raises(SpecError, match=r"no (figure|size|generator|scorer) '"):
            ask(odd)
    for call in (benchmark.load, lambda odd: benchmark.run("tinyworld-quick", workdir=odd or 3)):
        with pytest.raises(SpecError, match="expected a path, found"):
            call(odd)


def test_a_scorer_without_pairs_is_named(done):
    with pytest.raises(SpecError, match="no scorer 'diversity' scores users' images for other users"):
        benchmark.load(done / "w" / "records" / "tiny").pairs("diversity")


def test_records_are_loaded_by_folder_or_by_task(done, tmp_path, monkeypatch):
    root = done / "w" / "records"
    assert benchmark.load(str(root / "tiny" / "v1")).path == benchmark.load(root / "tiny").path == root / "tiny" / "v1"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    (tmp_path / "rebeca-bench").mkdir()
    (tmp_path / "rebeca-bench" / "records").symlink_to(root)
    monkeypatch.chdir(tmp_path)
    assert benchmark.load("tiny").task == "tiny"
    monkeypatch.chdir(root)
    assert benchmark.load("tiny").path.resolve() == root / "tiny" / "v1"


# ----------------------------------------------------------------------------------------------------------- display

HOSTILE = "<script>alert(1)</script> & \x1b[31m\x00\u202e\"'"


@pytest.fixture
def hostile(done, tmp_path):
    """Records whose titles hold markup, control characters and a change of direction."""
    folder = tmp_path / "tiny" / "v1"
    shutil.copytree(done / "w" / "records" / "tiny" / "v1", folder)
    comparison = json.loads((folder / "_task" / "comparison.json").read_text())
    comparison["task"]["title"] = comparison["spec"]["title"] = HOSTILE
    (folder / "_task" / "comparison.json").write_text(json.dumps(comparison))
    for name in comparison["order"]:
        record = json.loads((folder / name / "record.json").read_text())
        record["generator"]["title"] = f"{HOSTILE} {name}"
        (folder / name / "record.json").write_text(json.dumps(record))
    return benchmark.load(folder)


def test_hostile_titles_are_harmless(hostile):
    shown = hostile._repr_html_()
    assert "<script" not in shown and "&lt;script&gt;" in shown
    assert shown.count("<tr>") == 1 + len(hostile.generators)
    for text in (shown, repr(hostile), hostile.title):
        assert all(letter.isprintable() or letter == "\n" for letter in text)
    spec = json.dumps(hostile.figure("plane").to_dict(validate=False), ensure_ascii=False)
    assert "\\u001b" not in spec and "\u202e" not in spec and "\\u0000" not in spec


def test_a_notebook_shows_the_leaderboard(results):
    shown, text = results._repr_html_(), repr(results)
    table = results.table()
    assert shown.count("<tr>") == len(table) + 1
    for value, sign in ((table["preference"].iloc[0], False), (table["lift"].iloc[0], True)):
        assert any(f"{number(value, decimals, sign)} (" in shown for decimals in range(1, 5))
    assert results.finding in text and results.task in text and str(results.path) in text
    assert text.count("\n") == 1
    for caution in results.cautions:
        assert caution in " ".join(invoke("show", results.path).split())


# -------------------------------------------------------------------------------------------------------------- runs


@pytest.fixture
def copied(done, tmp_path):
    """The tiny task in a folder of its own."""
    shutil.copytree(done / "data", tmp_path / "data")
    (tmp_path / "tiny.yaml").write_text(TINY)
    return tmp_path


def test_a_run_gives_the_records_of_the_command(done, copied):
    """Byte for byte, but for provenance and the hashes that hold it; a second run leaves every byte."""
    ran = benchmark.run(copied / "tiny.yaml", workdir=copied / "w")
    assert compare(done / "w" / "records" / "tiny" / "v1", ran.path).bytes == []
    path = ran.path / "_task" / "comparison.json"
    before = path.read_bytes()
    command = json.loads(before)["provenance"]["command"]
    assert command.startswith("benchmark.run('") and command.endswith("tiny.yaml')") and "/" not in command
    invoke("run", copied / "tiny.yaml", "--workdir", copied / "w", "--quiet")
    assert benchmark.run(str(copied / "tiny.yaml"), workdir=str(copied / "w")).path == ran.path
    assert path.read_bytes() == before
    assert not (copied / "w" / "site").exists() or not list((copied / "w" / "site").rglob("leaderboard*"))


def test_changes_are_those_of_the_command(copied):
    """As a list, one text or a mapping: all are the same modified task, and nothing is computed for the second."""
    task, work = copied / "tiny.yaml", copied / "w"
    only = {"limit_users": 6, "only": "catalogue-random"}
    texts = ["images=2", "generators.rebeca.params.max_steps=5", 'title="Two, \\u00e9"']
    mapping = {"images": 2, "generators.0.params.max_steps": 5, "title": "Two, é"}
    ran = [benchmark.run(task, workdir=work, set=changes, **only) for changes in (texts, mapping)]
    assert ran[0].path == ran[1].path and "-modified-" in ran[0].path.name
    assert set(ran[0].generators) == {"rebeca", "catalogue-random"}
    assert ran[0].table()["users"].unique() == [6] and ran[0].table()["images_requested"].unique() == [12]
    assert ran[0].title == "Two, é"
    recorded = json.loads((ran[0].path / "_task" / "comparison.json").read_text())["provenance"]["command"]
    assert "limit_users=6" in recorded and "only=('catalogue-random',)" in recorded and "images=2" in recorded


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"set": "images=0"}, "images"),
        ({"set": {"imagse": 2}}, "did you mean 'images'?"),
        ({"only": ["rebecca"]}, "did you mean 'rebeca'?"),
        ({"limit_users": 0}, "users"),
        ({"device": "abacus"}, "no such kind of device"),
        ({"device": None}, "no such kind of device"),
        ({"set": 3}, "set: expected texts, found 3"),
        ({"set": [3]}, "set: expected texts, found 3"),
        ({"set": {"images": object()}}, "set: expected numbers, texts, lists and mappings, found <object"),
        ({"set": {"images": np.int64(0)}}, "images"),
        ({"only": [3]}, "only: expected texts, found 3"),
    ],
)
def test_what_is_impossible_is_raised(copied, options, message):
    with pytest.raises(SpecError) as refused:
        benchmark.run(copied / "tiny.yaml", workdir=copied / "w", **options)
    assert message in str(refused.value)
    assert not (copied / "w").exists()


def test_a_path_is_a_value(copied):
    with pytest.raises(DataError, match="/nowhere: no such folder"):
        benchmark.run(copied / "tiny.yaml", workdir=copied / "w", set={"data.path": Path("/nowhere")})


def test_invalid_data_are_raised(copied):
    (copied / "data" / "ratings.csv").write_text("user,item,rating\nu0,i0,9\n")
    with pytest.raises(DataError, match=r"ratings\.csv"):
        benchmark.run(copied / "tiny.yaml", workdir=copied / "w")


def test_threads_are_those_of_a_command_and_come_back(monkeypatch):
    import torch

    before = torch.get_num_threads()
    monkeypatch.delenv("OMP_NUM_THREADS")
    with computing_threads():
        assert torch.get_num_threads() == 1 and os.environ["OMP_NUM_THREADS"] == "1"
    assert torch.get_num_threads() == before and "OMP_NUM_THREADS" not in os.environ
    monkeypatch.setenv("OMP_NUM_THREADS", "3,1")
    with pytest.raises(KeyError), computing_threads():
        assert torch.get_num_threads() == 3
        raise KeyError
    assert torch.get_num_threads() == before and os.environ["OMP_NUM_THREADS"] == "3,1"
    monkeypatch.setenv("OMP_NUM_THREADS", "many")
    with pytest.raises(SpecError, match="OMP_NUM_THREADS=many"), computing_threads():
        pass


SESSION = """
import sys, numpy, torch
torch.set_num_threads(2)
numpy.ones((300, 300)) @ numpy.ones((300, 300))
import benchmark
benchmark.run(sys.argv[1], workdir=sys.argv[2])
assert torch.get_num_threads() == 2
"""


@pytest.mark.slow
def test_a_session_with_other_threads_gives_the_records_of_the_command(copied):
    """numpy and torch were imported before, with another number of threads."""
    environment = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    start = "from benchmark.commands.main import main; main()"
    command = [sys.executable, "-c", start, "run", copied / "tiny.yaml", "--workdir", copied / "command", "--quiet"]
    session = [sys.executable, "-c", SESSION, copied / "tiny.yaml", copied / "session"]
    for arguments in (command, session):
        subprocess.run(arguments, env=environment, check=True, capture_output=True)
    folders = [copied / name / "records" / "tiny" / "v1" for name in ("command", "session")]
    for folder in folders:
        assert json.loads((folder / "_task" / "comparison.json").read_text())["provenance"]["threads"] == 1
    assert compare(*folders).bytes == []


# ------------------------------------------------------------------------------------------------------------ others


def test_verify_recomputes_and_names_damage(done, tmp_path):
    folder = tmp_path / "v1"
    shutil.copytree(done / "w" / "records" / "tiny" / "v1", folder)
    verified = benchmark.load(folder).verify()
    assert verified.generators == 5 and verified.numbers > 100
    path = folder / "rebeca" / "scores.parquet"
    path.write_bytes(path.read_bytes()[:-9])
    damaged = benchmark.load(folder)  # the leaderboard is intact
    with pytest.raises(RecordError, match=r"scores\.parquet"):
        damaged.users()
    with pytest.raises(RecordError):
        damaged.verify()


def test_the_package_lists_its_names():
    assert set(benchmark.__all__) == {"Results", "load", "run"} <= set(dir(benchmark))
    with pytest.raises(AttributeError, match="lode"):
        benchmark.lode  # noqa: B018
    assert (ROOT / "benchmark" / "py.typed").is_file()


def test_every_public_name_has_an_example():
    public = [benchmark.run, benchmark.load, benchmark.Results]
    public += [value for name, value in vars(benchmark.Results).items() if not name.startswith("_")]
    short = {"path", "task", "title", "generators", "cautions"}  # what they are is said in a line
    for each in public:
        name = getattr(each, "__name__", None) or each.fget.__name__
        assert name in short or ">>> " in each.__doc__, name

"""Images made again with other seeds: what is run, what is refused, and when a row falls."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from benchmark.analysis.measures import Measure
from benchmark.records.attestation import Reproduced
from benchmark.records.rows import read_all
from benchmark.runner import other_seeds as module
from benchmark.runner.other_seeds import Seeds, run_with_other_seeds
from benchmark.runner.progress import Reporter
from benchmark.stats.change import change
from rebeca.errors import SpecError
from tests.benchmark.records.test_verify import edit_json, mend
from tests.conftest import invoke


@pytest.fixture
def records(done, tmp_path):
    return shutil.copytree(done / "w" / "records" / "tiny" / "v1", tmp_path / "v1")


@pytest.fixture(scope="module")
def work(done, tmp_path_factory):
    """A copy of the work folder, which then holds the new runs' records as well."""
    return shutil.copytree(done / "w", tmp_path_factory.mktemp("other-seeds") / "w")


@pytest.fixture
def run(done, work, records):
    def run(seeds, *only):
        data = (f"data.path={done / 'data'}",)
        return run_with_other_seeds(records, seeds, only, work, "cpu", data, Reporter(quiet=True), ["test"])

    return run


def fell(result):
    return {row.generator: list(row.fell) for row in result.rows}


def test_every_row_is_compared_by_preference_and_lift(run, records):
    result = run(Seeds(offset=1))
    _, rows = read_all(records)
    assert [row.generator for row in result.rows] == [row.id for row in rows]
    assert all(set(row.measures) == {"preference", "lift"} for row in result.rows)
    assert (result.level, result.margin, result.left_out) == (0.05, 0.02, {})
    measured = {row.generator: row.measures["preference"] for row in result.rows}
    means = {row.id: np.nanmean(row.values("worst")["ncf"]) for row in rows}
    assert {name: each.published for name, each in measured.items()} == pytest.approx(means)


def test_the_same_judge_leaves_the_level_and_the_same_images_the_mean(run):
    """Retrieval by the verifier shows the same items whatever the seeds of images are."""
    same = next(row for row in run(Seeds(offset=1)).rows if row.generator == "catalogue-verifier")
    assert same.measures["preference"].difference == pytest.approx(0, abs=1e-12)
    assert same.measures["preference"].p == 1


def test_another_judge_is_brought_to_the_scale_of_the_records_own(run, monkeypatch):
    """A judge that is twice as decided, and kinder to everybody, changes no conclusion."""
    seen = {}
    original = module._judged

    def spied(before, after, *rest):
        seen.update(before=before.scale, after=after.scale)
        return original(before, after, *rest)

    monkeypatch.setattr(module, "_judged", spied)
    row = run(Seeds(split_seed=3), "catalogue-random").rows[0].measures
    assert row["preference"].difference != pytest.approx(row["preference"].here - row["preference"].published, abs=1e-6)
    assert row["preference"].low < row["preference"].difference < row["preference"].high
    assert seen["after"].level.shape == seen["before"].level.shape == (12,)
    assert not np.allclose(seen["after"].level, seen["before"].level)
    lift = Measure("ncf", is_lift=True)
    factor = seen["before"].factor(seen["after"], lift)
    expected = factor * row["lift"].here - row["lift"].published
    assert row["lift"].difference == pytest.approx(expected, abs=1e-9)


def test_factors_between_judges_are_limited():
    scale, both = module._Scale, [Measure("ncf"), Measure("ncf", is_lift=True)]
    judge, decided, blind = scale(np.zeros(2), 0.2, 0.1), scale(np.zeros(2), 0.3, 0.3), scale(np.zeros(2), 0.0, 0.0)
    assert [judge.factor(decided, measure) for measure in both] == pytest.approx([2 / 3, 0.5])
    assert [decided.factor(judge, measure) for measure in both] == pytest.approx([1.5, 2.0])
    assert [judge.factor(blind, measure) for measure in both] == [1, 1]


def test_a_row_that_fell_is_not_stated(run, monkeypatch):
    values = module._Run.values

    def worse(self, generator, measure):
        own = values(self, generator, measure)
        return own - 0.5 if self.record.task.modified and generator == "rebeca" else own

    monkeypatch.setattr(module._Run, "values", worse)
    result = run(Seeds(offset=1), "rebeca", "catalogue-random")
    assert fell(result) == {"rebeca": ["preference", "lift"], "catalogue-random": []} and not result.holds
    assert list(result.done()) == ["catalogue-random"]
    stated = result.done()["catalogue-random"]
    assert isinstance(stated, Reproduced) and (stated.offset, stated.split_seed) == (1, None)


def test_a_preference_that_the_new_run_lost_counts_as_fallen(run, monkeypatch):
    """A lift may be lost by chance, where no users can be compared."""
    values = module._Run.values

    def none(self, generator, measure):
        own = values(self, generator, measure)
        return np.full(len(own), np.nan) if self.record.task.modified else own

    monkeypatch.setattr(module._Run, "values", none)
    assert fell(run(Seeds(offset=1), "rebeca")) == {"rebeca": ["preference"]}


def test_p_is_adjusted_over_the_rows_that_were_run(run, monkeypatch):
    monkeypatch.setattr(module, "change", lambda *given: replace(change(*given), p=0.02))
    assert fell(run(Seeds(offset=1), "rebeca")) == {"rebeca": ["preference", "lift"]}
    assert set(map(tuple, fell(run(Seeds(offset=1))).values())) == {()}


@pytest.mark.parametrize(
    ("seeds", "message"),
    [
        (Seeds(offset=0), "--offset 0: gives the same images"),
        (Seeds(split_seed=7), "--split-seed 7: is the record's own"),
        (Seeds(world_seed=7), "--world-seed 7: the data have no seed in the record"),
    ],
)
def test_what_changes_nothing_is_refused(run, seeds, message):
    with pytest.raises(SpecError, match=message):
        run(seeds)


def test_nothing_else_of_the_task_can_be_changed(records):
    changed = ("--set", "analysis.equivalence_margin=1", "--offset", 1)
    output = invoke("reproduce", records, *changed, code=2)
    assert "only data.path can be set, since the task is that of the record" in output


def test_an_unknown_row_is_refused(run):
    with pytest.raises(SpecError, match="--only rebecca: no such row") as raised:
        run(Seeds(offset=1), "rebecca")
    assert "rebeca" in raised.value.hint


def edited(records, key, value):
    edit_json(records, "rebeca/record.json", f"generator/{key}", lambda _: value)
    mend(records)


def test_images_that_were_handed_in_are_left_out(run, records):
    edited(records, "fitted_elsewhere", True)
    result = run(Seeds(offset=1))
    assert result.left_out == {"rebeca": "its images were handed in, so nobody else can make them again"}
    assert "rebeca" not in fell(result), "another reference takes its place"
    with pytest.raises(SpecError, match="--only rebeca: its images were handed in"):
        run(Seeds(offset=1), "rebeca")


def test_generators_that_are_not_installed_are_left_out(run, records):
    edited(records, "use", "elsewhere")
    assert run(Seeds(offset=1)).left_out == {"rebeca": "no generator 'elsewhere' is installed"}


def test_nothing_to_run_is_no_success(run, records):
    for name in read_all(records)[0].order:
        edit_json(records, f"{name}/record.json", "generator/fitted_elsewhere", lambda _: True)
    mend(records)
    with pytest.raises(SpecError, match="no row can be made again"):
        run(Seeds(offset=1))


def test_another_world_has_other_users(miniature, tmp_path):
    records = shutil.copytree(miniature[0] / "work" / "records" / "miniature" / "v1", tmp_path / "v1")
    options = ("--world-seed", 6, "--only", "shelf", "--workdir", tmp_path / "w", "--quiet")
    output = invoke("reproduce", records, *options, "--attest")
    assert "all rows hold" in output and "left out" not in output
    predicate = json.loads((records / "attestations" / "shelf.json").read_text())["predicate"]
    assert (predicate["status"], predicate["world_seed"], predicate["split_seed"]) == ("reproduced", 6, None)
    assert "all agree" in invoke("verify", records)


def test_the_command_asks_what_to_change(records):
    assert "give --offset, --split-seed or --world-seed" in invoke("reproduce", records, code=2)

"""Does a task still give what was published? What counts as a difference, and by what it is named."""

import json
import re
import shutil

import numpy as np
import pandas as pd
import pytest

from benchmark.records.verify_cross import OTHER_MACHINE
from benchmark.runner import reproduce as module
from benchmark.runner.progress import Reporter
from benchmark.runner.publish import publish, weights_folder
from benchmark.runner.reproduce import BEGUN, compare, reproduce
from benchmark.runner.run_task import RunResult
from benchmark.runner.store import Store
from benchmark.task.resolve import load_task
from rebeca.errors import RecordError, SpecError
from tests.conftest import TINY
from tests.running import find

COMPARISON = "_task/comparison.json"


@pytest.fixture
def original(done):
    return done / "w" / "records" / "tiny" / "v1"


@pytest.fixture
def copy(original, tmp_path):
    """Records of the same run that may be changed."""
    return shutil.copytree(original, tmp_path / "copy" / "v1")


def edit_json(folder, file, change):
    path = folder / file
    record = json.loads(path.read_text())
    change(record)
    path.write_text(json.dumps(record))


def edit_rows(folder, file, change, **where):
    """Applies ``change`` to one column's values in the rows where other columns have the given values."""
    table = pd.read_parquet(folder / file)
    rows = np.ones(len(table), bool)
    for column, value in where.items():
        rows &= (table[column] == value).to_numpy()
    assert rows.any()
    for column, value in change.items():
        table.loc[rows, column] = value(table.loc[rows, column]) if callable(value) else value
    table.to_parquet(folder / file)


def test_records_are_equal_to_themselves(original, copy):
    differences = compare(original, copy)
    assert not differences.moved
    assert (differences.bytes, differences.images, differences.users, differences.largest) == ([], [], [], 0.0)


def test_times_and_addresses_are_no_differences(original, copy):
    edit_json(copy, "rebeca/record.json", lambda record: record["provenance"].update(created="2001-01-01T00:00:00Z"))
    edit_json(copy, COMPARISON, lambda record: record.update(address="0" * 64, digest="1" * 64))
    assert compare(original, copy).bytes == []


@pytest.mark.parametrize("file", ["rebeca/record.json", COMPARISON])
def test_everything_else_in_a_record_is_one(original, copy, file):
    def change(record):
        record["task"]["title"] = "Another"

    edit_json(copy, file, change)
    differences = compare(original, copy)
    assert differences.bytes == [file]
    assert not differences.moved


def test_files_of_one_side_only_are_named(original, copy):
    (copy / "rebeca" / "images.parquet").unlink()
    (copy / "_task" / "more.txt").touch()
    assert compare(original, copy).bytes == ["rebeca/images.parquet", "_task/more.txt"]


def test_a_moved_score_is_named_with_both_values(original, copy):
    edit_rows(copy, "rebeca/scores.parquet", {"score": lambda old: old + 0.25}, user="u3", replicate=1, scorer="ncf")
    differences = compare(original, copy)
    ((*key, old, new),) = differences.scores
    assert key == ["rebeca", "ncf", "u3", 1]
    assert new - old == pytest.approx(0.25) and differences.largest == pytest.approx(0.25)
    assert (differences.users, differences.images, differences.bytes) == (["u3"], [], ["rebeca/scores.parquet"])
    assert differences.moved


@pytest.mark.parametrize(
    ("step", "moved"), [(0.9 * OTHER_MACHINE, False), (-0.9 * OTHER_MACHINE, False), (1.1 * OTHER_MACHINE, True)]
)
def test_scores_within_the_tolerance_have_not_moved(original, copy, step, moved):
    edit_rows(copy, "rebeca/scores.parquet", {"score": lambda old: old + step})
    differences = compare(original, copy)
    assert differences.moved is moved
    assert differences.largest == pytest.approx(abs(step), abs=1e-9)
    assert differences.bytes == ["rebeca/scores.parquet"]


def test_a_score_that_only_one_side_has_moved(original, copy):
    edit_rows(copy, "rebeca/scores.parquet", {"score": np.nan}, user="u3", replicate=1, scorer="ncf")
    differences = compare(original, copy)
    assert [score[:4] for score in differences.scores] == [("rebeca", "ncf", "u3", 1)]
    assert np.isnan(differences.scores[0][5])
    assert differences.largest == 0  # of what both have


def test_other_images_are_counted_once_and_are_no_move(original, copy):
    """Only their scores decide: another machine may round an image's pixels differently."""
    edit_rows(copy, "rebeca/scores.parquet", {"digest": "0" * 64}, user="u5", replicate=2)
    differences = compare(original, copy)
    assert differences.images == [("rebeca", "u5", 2)]
    assert (differences.users, differences.scores, differences.moved) == (["u5"], [], False)


def test_a_moved_measure_is_named(original, copy):
    edit_rows(copy, "rebeca/users.parquet", {"value": lambda old: old - 0.5}, user="u7", measure="diversity")
    differences = compare(original, copy)
    assert [(*row[:3], round(row[4] - row[3], 6)) for row in differences.measures] == [
        ("rebeca", "diversity", "u7", -0.5)
    ]
    assert differences.users == ["u7"] and differences.moved


def test_another_verdict_is_named(original, copy):
    def turn(record):
        pair = record["results"]["families"]["ncf"]["comparisons"][0]
        pair["verdict"] = other[pair["verdict"]]

    before = json.loads((original / COMPARISON).read_text())["results"]["families"]["ncf"]["comparisons"][0]
    other = dict.fromkeys(("worse", "equivalent", "undecided", "identical", "described"), "better") | {
        "better": "worse"
    }
    edit_json(copy, COMPARISON, turn)
    differences = compare(original, copy)
    assert differences.verdicts == [("ncf", before["a"], before["b"], before["verdict"], other[before["verdict"]])]
    assert differences.moved


def test_a_verdict_of_one_side_only_has_a_dash_for_the_other(original, copy):
    edit_json(copy, COMPARISON, lambda record: record["results"]["families"]["ncf"]["comparisons"].pop(0))
    ((*_, published, here),) = compare(original, copy).verdicts
    assert here == "–" != published
    ((*_, published, here),) = compare(copy, original).verdicts
    assert published == "–" != here


def test_a_generator_of_one_side_only_is_named_and_the_others_are_compared(original, copy):
    edit_json(copy, COMPARISON, lambda record: record["order"].remove("catalogue-random"))
    edit_rows(copy, "rebeca/scores.parquet", {"score": lambda old: old + 1}, user="u0", replicate=0, scorer="ncf")
    differences = compare(original, copy)
    assert differences.rows == ["catalogue-random"] and differences.moved
    assert len(differences.scores) == 1


def test_rows_of_one_side_only_cannot_be_compared(original, copy):
    path = copy / "rebeca" / "scores.parquet"
    table = pd.read_parquet(path)
    lost = (table.user == "u3") & (table.replicate == 1) & (table.scorer == "ncf")
    table[~lost].to_parquet(path)
    with pytest.raises(RecordError, match="only one record has scorer ncf, user u3, replicate 1"):
        compare(original, copy)


class Saying(Reporter):
    """Keeps what it is told."""

    def __init__(self):
        super().__init__(quiet=True)
        self.lines = []

    def info(self, text):
        self.lines.append(text)


@pytest.fixture
def published(done, original, tmp_path):
    """Published records of the finished run with their weights."""
    task = load_task(done / "tiny.yaml")
    return publish(task, find(task, done / "w"), Store(done / "w", print), original, tmp_path / "results", True)


@pytest.fixture
def ran(original, monkeypatch):
    """Instead of a run that takes long, the records of the finished one; keeps what work folders held before."""
    held = []

    def run_task(task, store, device, reporter, command):
        held.append({path.name for path in store.root.iterdir()})
        return RunResult(original, None)

    monkeypatch.setattr(module, "run_task", run_task)
    return held


def made_elsewhere(records):
    for path in records.rglob("*.json"):
        edit_json(records, path, lambda record: record["provenance"].update(processor="another", threads=64))


def check(done, folder, workdir=None, task="tiny.yaml"):
    reporter = Saying()
    return reproduce(load_task(done / task), folder, workdir, "cpu", reporter, ["check"]), reporter.lines


def test_on_the_same_machine_everything_is_made_again_and_every_byte_counts(done, published, ran):
    result, lines = check(done, published)
    assert (result.machine, result.differs, result.weights, result.equal) == ("the same", [], "made again", True)
    assert result.against == str(published)
    assert ran == [{"lock", "locks", BEGUN}]  # no published weights
    assert "every byte must be the same" in lines[0]
    edit_rows(published, "rebeca/scores.parquet", {"score": lambda old: old + 1e-9})
    result, _ = check(done, published)
    assert not result.equal and not result.moved and result.bytes == ["rebeca/scores.parquet"]


def test_elsewhere_the_published_weights_are_used_and_moves_count(done, published, ran):
    made_elsewhere(published)
    edit_rows(published, "rebeca/scores.parquet", {"score": lambda old: old + 3e-5})
    result, lines = check(done, published)
    assert (result.machine, result.weights, result.equal) == ("another", "published", True)
    assert result.differs == ["processor", "threads"]
    assert result.bytes == ["rebeca/scores.parquet"] and result.largest == pytest.approx(3e-5)
    assert ran == [{"lock", "locks", BEGUN, "embeddings", "judge", "fit"}]
    assert "(processor, threads): scores within 0.0001, with the published weights" in lines[0]
    edit_rows(published, "rebeca/scores.parquet", {"score": lambda old: old + 3e-4})
    assert not check(done, published)[0].equal


def test_elsewhere_without_published_weights_they_are_trained_here(done, published, ran):
    made_elsewhere(published)
    shutil.rmtree(weights_folder(published))
    result, lines = check(done, published)
    assert (result.weights, result.equal) == ("made again", True)
    assert ran == [{"lock", "locks", BEGUN}] and "weights trained here" in lines[0]


def test_only_a_folder_of_its_own_is_gone_on_in(done, published, ran, tmp_path):
    with pytest.raises(SpecError, match=re.escape(f"{done / 'w'} holds something already")) as raised:
        check(done, published, done / "w")
    assert raised.value.hint == "name an empty folder, or one of an earlier check run"
    (tmp_path / "empty").mkdir()
    for folder in (tmp_path / "empty", tmp_path / "fresh"):
        check(done, published, folder)
        (folder / "kept").touch()
        check(done, published, folder)
    assert ["kept" in held for held in ran] == [False, True, False, True]


def test_another_task_is_refused(done, published, ran):
    (done / "other.yaml").write_text(TINY.replace("steps: 4", "steps: 5").replace("seed: 7", "seed: 8"))
    with pytest.raises(SpecError, match="holds another task: generators, seed differs") as raised:
        check(done, published, task="other.yaml")
    assert "a new version and new records" in raised.value.hint
    edit_json(published, COMPARISON, lambda record: record["task"].update(hash="0" * 64))
    with pytest.raises(SpecError, match="holds another task: the hash differs"):
        check(done, published)
    assert ran == []

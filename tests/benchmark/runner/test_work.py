"""Shares of a run: made anywhere and in any order, they give the records of a run in one go."""

import json
import shutil

import pytest

from benchmark.records.files import read_comparison
from benchmark.runner.progress import Reporter
from benchmark.runner.reproduce import compare
from benchmark.runner.run_task import run_task
from benchmark.runner.start import work
from benchmark.runner.store import Store
from benchmark.runner.work import STAGES, Shard, Worker, pieces_of
from benchmark.task.resolve import load_task
from rebeca.errors import SpecError
from tests.conftest import TINY, invoke, make_folder
from tests.object_stores import KEYS, new_bucket

QUIET = Reporter(quiet=True)


def test_shares_are_equal_and_hold_everything_once():
    pieces = list(range(11))
    shares = [Shard(number, 4).share(pieces) for number in range(1, 5)]
    assert sorted(piece for share in shares for piece in share) == pieces
    assert {len(share) for share in shares} == {2, 3}


@pytest.mark.parametrize("text", ["", "1", "0/4", "5/4", "1/0", "-1/4", "1/4/2", "a/b", "1/9999999", "１/4"])
def test_what_is_no_share(text):
    with pytest.raises(SpecError, match="not a share") as caught:
        Shard.parsed(text)
    assert "2/8" in caught.value.hint


def test_a_piece_comes_after_what_it_needs(prepared):
    pieces = pieces_of(prepared.task, prepared.addresses)
    place = {piece.address: number for number, piece in enumerate(pieces)}
    assert len(place) == len(pieces)
    assert all(place[need] < place[piece.address] for piece in pieces for need in piece.needs)
    assert {piece.stage for piece in pieces} == set(STAGES)
    artefacts = set(prepared.addresses.artefacts())
    encoders = {encoder.embeddings for encoder in prepared.addresses.encoders.values()}
    rest = {prepared.addresses.data.users, prepared.addresses.held_out} | encoders
    assert set(place) == artefacts - rest


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The tiny task, run in one go."""
    folder = tmp_path_factory.mktemp("whole")
    make_folder(folder / "data")
    (folder / "tiny.yaml").write_text(TINY)
    task = load_task(folder / "tiny.yaml")
    return task, run_task(task, Store(folder / "w", print)).records


@pytest.mark.parametrize("order", [(1, 2, 3, 4), (4, 2, 1, 3)])
def test_four_shares_in_any_order(whole, tmp_path, order):
    task, expected = whole
    for stage in STAGES:
        for number in order:
            share, missing = work(task, tmp_path, None, "cpu", stage, Shard(number, 4), QUIET)
            assert missing <= share
    reporter = Recording()
    records = run_task(task, Store(tmp_path, print), reporter=reporter).records
    begun = [title for title in reporter.titles if title.split()[0] in ("fit", "images", "score", "encode")]
    assert begun == ["score held-out ratings"]
    assert compare(expected, records).bytes == []


class Recording(Reporter):
    def __init__(self):
        super().__init__(quiet=True)
        self.titles = []

    def stage(self, title, announce=True):
        self.titles.append(title)
        return super().stage(title, announce)


def test_machines_that_share_a_place(whole, tmp_path, place):
    """Each has a work folder of its own, and the last one runs."""
    task, expected = whole
    for number, stage in enumerate(("images", "scores"), start=1):
        worker = Worker(task, Store(tmp_path / str(number), print, place), "cpu", QUIET)
        worker.make(worker.missing(stage)[::2])
    reporter = Recording()
    records = run_task(task, Store(tmp_path / "last", print, place), reporter=reporter).records
    assert compare(expected, records).bytes == []
    assert not [title for title in reporter.titles if title.split()[0] in ("fit", "encode")]


def test_a_task_that_changed_after_images_elsewhere_is_exploratory(whole, tmp_path, place):
    """Its images are the same, so somebody may have looked at them before the change."""
    task, _ = whole
    worker = Worker(task, Store(tmp_path / "a", print, place), "cpu", QUIET)
    worker.make(worker.missing("images")[:1])
    changed = load_task(task.source, ("analysis.bootstrap=99",))
    frozen = {}
    for name, each in (("changed", changed), ("same", task)):
        records = run_task(each, Store(tmp_path / "b", print, place)).records
        frozen[name] = read_comparison(records).analysis.frozen
    assert frozen == {"changed": False, "same": True}


def test_what_was_made_and_not_shared_is_shared_by_the_same_command(whole, tmp_path, place):
    task, _ = whole
    work(task, tmp_path, None, "cpu", "fits", Shard(1, 1), QUIET)
    worker = Worker(task, Store(tmp_path, print, place), "cpu", QUIET)
    lacking = worker.missing("fits")
    assert lacking and all((Store(tmp_path, print)).folder(piece.address).is_dir() for piece in lacking)
    worker.make(lacking)
    assert not worker.missing("fits")


def test_a_share_of_scores_makes_what_it_needs(whole, tmp_path):
    task, _ = whole
    store = Store(tmp_path, print)
    worker = Worker(task, store, "cpu", QUIET)
    piece = worker.missing("scores")[0]
    worker.make([piece])
    assert store.find(piece.address) is not None
    assert all(store.exists(need) for need in piece.needs)
    generators = worker.addresses.generators
    others = [unit.address for name, own in generators.items() if name != "rebeca" for unit in own.units]
    assert not any(store.exists(address) for address in others)


def test_the_command(tiny, tmp_path):
    common = (tiny, "--workdir", tmp_path / "w", "--quiet")
    result = json.loads(invoke("work", *common, "--stage", "images", "--shard", "1/2", "--json"))
    assert result == {"missing": 3, "pieces": 3, "shard": "1/2", "stage": "images", "task": "tiny"}
    output = invoke("work", *common, "--stage", "images")
    assert output == "images, share 1/1: 5 pieces, 2 of them made now\n"
    assert "--shard 3/2: not a share" in invoke("work", *common, "--stage", "images", "--shard", "3/2", code=2)


@pytest.mark.usefixtures("s3")
def test_the_command_shares_through_s3(tiny, tmp_path, s3, monkeypatch):
    for name, value in (KEYS | {"AWS_ENDPOINT_URL": s3, "AWS_ALLOW_HTTP": "true"}).items():
        monkeypatch.setenv(name, value)
    store = f"s3://{new_bucket(s3)}/below"
    for number in (1, 2):
        common = (tiny, "--workdir", tmp_path / str(number), "--store", store, "--quiet")
        invoke("work", *common, "--stage", "scores", "--shard", f"{number}/2")
    shutil.rmtree(tmp_path / "1")
    invoke("run", tiny, "--workdir", tmp_path / "3", "--store", store, "--quiet")
    assert (tmp_path / "3" / "records" / "tiny" / "v1").is_dir()

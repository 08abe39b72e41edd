"""Places that processes share: the same contract for a folder, memory and S3."""

import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from benchmark.runner.places import TRIES, Folder, ObjectStore, shared_place
from rebeca.errors import SpecError, StoreError


def test_an_object_is_created_once(place):
    assert place.read("a/b.json") is None
    assert place.create("a/b.json", b"first")
    assert not place.create("a/b.json", b"second")
    assert place.read("a/b.json") == b"first"


def test_an_object_is_replaced_only_as_it_was_seen(place):
    assert not place.replace("a", b"new", b"seen")
    place.write("a", b"seen")
    assert place.replace("a", b"new", b"seen") and place.read("a") == b"new"
    assert not place.replace("a", b"other", b"seen") and place.read("a") == b"new"
    place.remove("a")
    place.remove("a")
    assert place.read("a") is None


def test_files_are_uploaded_and_downloaded(place, tmp_path):
    (tmp_path / "file").write_bytes(b"0123" * 300_000)
    place.upload("x/y", tmp_path / "file")
    assert place.download("x/y", tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == (tmp_path / "file").read_bytes()
    assert not place.download("x/z", tmp_path / "none")


def test_names_below_a_folder(place):
    for name in ("fit/ab/1", "fit/cd/2", "fits/3"):
        place.write(name, b"")
    assert sorted(place.names("fit")) == ["fit/ab/1", "fit/cd/2"]
    assert not list(place.names("none"))


def test_of_many_who_create_at_once_exactly_one_does(place):
    with ThreadPoolExecutor(8) as pool:
        for turn in range(20):
            won = list(pool.map(lambda i, turn=turn: place.create(f"race/{turn}", b"%d" % i), range(8)))
            assert won.count(True) == 1
            assert place.read(f"race/{turn}") == b"%d" % won.index(True)


def test_nothing_half_written_is_left_in_a_folder(tmp_path):
    folder = Folder(tmp_path)
    folder.create("a", b"1")
    folder.create("a", b"2")
    folder.write("a", b"3")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


class Failing:
    """Fails the first requests, and then answers."""

    def __init__(self, times, error):
        self.times, self.error, self.asked = times, error, 0

    def __call__(self, *_, **__):
        self.asked += 1
        if self.asked <= self.times:
            raise self.error
        return {}


@pytest.mark.parametrize("times", [1, TRIES - 1])
def test_a_request_that_fails_is_tried_again(times, monkeypatch):
    exceptions = pytest.importorskip("obstore.exceptions")
    failing, slept = Failing(times, exceptions.GenericError("busy")), []
    monkeypatch.setattr("obstore.put", failing)
    ObjectStore(None, "s3://b", slept.append).write("a", b"")
    assert failing.asked == times + 1
    assert slept == [0.2 * 2**n for n in range(times)]


@pytest.mark.parametrize(
    ("error", "asked", "hint"),
    [("GenericError", TRIES, "run the same command again"), ("PermissionDeniedError", 1, "credentials")],
)
def test_a_request_that_fails_for_good_is_named(error, asked, hint, monkeypatch):
    exceptions = pytest.importorskip("obstore.exceptions")
    failing = Failing(99, getattr(exceptions, error)("no\nmore"))
    monkeypatch.setattr("obstore.put", failing)
    with pytest.raises(StoreError) as caught:
        ObjectStore(None, "s3://b", lambda seconds: None).write("a", b"")
    assert caught.value.message == "s3://b: no"
    assert failing.asked == asked and hint in caught.value.hint


def test_a_lost_answer_does_not_lose_the_race(monkeypatch):
    """The first try arrived, its answer did not; the second meets what the first wrote."""
    obstore = pytest.importorskip("obstore")
    store = pytest.importorskip("obstore.store").MemoryStore()
    real, lost = obstore.put, []

    def put(*arguments, **options):
        real(*arguments, **options)
        if not lost:
            lost.append(True)
            raise obstore.exceptions.GenericError("connection lost")

    monkeypatch.setattr(obstore, "put", put)
    place = ObjectStore(store, "memory", lambda seconds: None)
    assert place.create("a", b"mine")
    assert not place.create("a", b"theirs")


def test_addresses(tmp_path, monkeypatch):
    pytest.importorskip("obstore")
    folder = shared_place(f"file://{tmp_path}/shared")
    assert folder.create("a", b"1") and (tmp_path / "shared" / "a").read_bytes() == b"1"
    assert not shared_place("memory:///").FORKS and folder.FORKS
    with pytest.raises(SpecError, match="not a whole path"):
        shared_place("file://shared/x")
    with pytest.raises(SpecError, match=r"^--store bogus://x: ") as caught:
        shared_place("bogus://x")
    assert "s3://bucket/folder" in caught.value.hint
    monkeypatch.setitem(sys.modules, "obstore", None)
    monkeypatch.setitem(sys.modules, "obstore.exceptions", None)
    with pytest.raises(SpecError, match="the package obstore is not installed") as caught:
        shared_place("s3://bucket")
    assert "rebeca-bench[objects]" in caught.value.hint

import errno
import hashlib
import json
import multiprocessing
import os
import shutil
import time

import pytest

from benchmark.disk import file_digest, replace_folder, write_atomically
from benchmark.runner.store import STAGE_VERSIONS, Address, Store
from rebeca.errors import StoreError


@pytest.fixture
def said():
    return []


@pytest.fixture
def store(tmp_path, said):
    return Store(tmp_path, said.append)


def write(folder):
    (folder / "a.txt").write_text("content")


ADDRESS = Address.of("fit", value=1)


def make(store, value=1):
    return store.make(Address.of("fit", value=value), write)


def test_made_once_and_found_again(store, said):
    folder = make(store)
    key = ADDRESS.key
    assert folder == store.folder(ADDRESS) == store.root / "fit" / key[:2] / key
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert make(store) == folder == store.find(ADDRESS)
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == before
    assert make(store, 2) != folder
    assert not said
    assert [path.name for path in folder.parent.iterdir()] == [key]


def test_the_manifest_says_what_was_made_from_what(store):
    def nested(folder):
        (folder / "below").mkdir()
        (folder / "below" / "a.txt").write_bytes(b"content")

    address = Address.of("fit", z=1, a=[None])
    folder = store.make(address, nested)
    digest = hashlib.sha256(b"content").hexdigest()
    expected = {"files": {"below/a.txt": digest}, "inputs": {"a": [None], "z": 1}, "stage": "fit"}
    text = (folder / "artefact.json").read_text()
    assert json.loads(text) == expected | {"version": STAGE_VERSIONS["fit"]}
    assert text == json.dumps(json.loads(text), sort_keys=True, indent=1)
    assert store.find(address) == folder
    assert file_digest(folder / "below" / "a.txt") == digest


@pytest.mark.parametrize(
    "damage",
    [
        lambda f: (f / "a.txt").write_text("conten"),
        lambda f: (f / "a.txt").unlink(),
        lambda f: (f / "b.txt").write_text("more"),
        lambda f: (f / "artefact.json").write_text("{"),
        lambda f: (f / "artefact.json").unlink(),
        lambda f: (f / "artefact.json").write_text('{"files": [1]}'),
        lambda f: (f / "artefact.json").write_bytes(b"\xff"),
    ],
)
def test_damage_is_noticed_set_aside_and_mended(store, said, damage):
    folder = make(store)
    for times in (1, 2):  # what was set aside before makes room
        damage(folder)
        assert (make(store) / "a.txt").read_text() == "content"
        assert len(said) == times
        (aside,) = (store.root / "set-aside").iterdir()
        assert aside.name == f"fit-{folder.name[:16]}-{os.getpid()}"
        assert said[-1].startswith(f"fit {folder.name[:12]}: ")
        assert said[-1].endswith(f"; set aside as {aside} and computed again")
        assert "None" not in said[-1]


def test_a_failure_leaves_nothing(store):
    def failing(folder):
        write(folder)
        raise ValueError("half way")

    with pytest.raises(ValueError, match="half way"):
        store.make(ADDRESS, failing)
    assert not [p for p in store.root.rglob("*") if p.is_file()]
    assert store.find(ADDRESS) is None


def test_the_kind_of_damage_is_named(store, said):
    folder = make(store)
    (folder / "a.txt").write_text("another")
    make(store)
    assert ": a.txt was changed or cut short;" in said[-1]
    for name in "bcde":
        (folder / f"{name}.txt").write_text("more")
    make(store)
    assert ": files are missing or added: ['b.txt', 'c.txt', 'd.txt'];" in said[-1]
    (folder / "artefact.json").unlink()
    make(store)
    assert ": its manifest cannot be read (" in said[-1]


def test_what_a_killed_run_left_is_swept(store):
    folder = make(store)
    leftover = folder.with_name(".half-1")
    (leftover / "below").mkdir(parents=True)
    (store.root / "records" / "tiny").mkdir(parents=True)
    (store.root / "records" / "tiny" / ".v1.old").mkdir()
    with store.locked("records"):
        assert not leftover.exists()
    assert (folder / "a.txt").exists()
    assert (store.root / "records" / "tiny" / ".v1.old").exists()


@pytest.mark.parametrize(
    ("error", "message", "hint"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "No space left on device", "free disk space, or choose"),
        (OSError("100 requested and 20 written"), "100 requested and 20 written", "free disk space, or choose"),
        (
            PermissionError(errno.EACCES, "Permission denied", "/x/y"),
            "/x/y: Permission denied",
            "make the folder writable, then",
        ),
    ],
)
def test_a_failing_write_names_what_and_where(store, error, message, hint):
    def failing(folder):
        raise error

    with pytest.raises(StoreError) as caught:
        store.make(ADDRESS, failing)
    assert message in caught.value.message
    assert caught.value.hint.startswith(hint)
    assert caught.value.hint.endswith("then run again")
    if not error.filename:
        assert caught.value.message.startswith(str(store.folder(ADDRESS)))


def test_a_folder_takes_the_place_of_another(tmp_path):
    place, new, old = tmp_path / "v1", tmp_path / ".v1.new", tmp_path / ".v1.old"
    for content in ("first", "second"):
        new.mkdir()
        (new / "a.txt").write_text(content)
        replace_folder(new, place)
        assert (place / "a.txt").read_text() == content
        assert [path.name for path in tmp_path.iterdir()] == ["v1"]
    # cut short between the two renames: the old one is taken back, then replaced
    place.rename(old)
    new.mkdir()
    replace_folder(new, place)
    assert [path.name for path in tmp_path.iterdir()] == ["v1"]
    assert not list(place.iterdir())
    # cut short after them: the leftover goes
    (place / "a.txt").write_text("present")
    old.mkdir()
    (old / "a.txt").write_text("leftover")
    new.mkdir()
    (new / "a.txt").write_text("third")
    replace_folder(new, place)
    assert (place / "a.txt").read_text() == "third"
    assert [path.name for path in tmp_path.iterdir()] == ["v1"]


def test_the_old_folder_is_never_lost(tmp_path):
    """Cut short again and again, it is still there, in its place or beside it."""
    place, new, old = tmp_path / "v1", tmp_path / ".v1.new", tmp_path / ".v1.old"
    place.mkdir()
    (place / "a.txt").write_text("old")
    for _ in range(3):
        with pytest.raises(FileNotFoundError):
            replace_folder(new, place)  # the new one is not there, so that it ends between the two renames
        assert (old / "a.txt").read_text() == "old"


def test_a_file_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "a.json"
    write_atomically(path, b"old")
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", lambda descriptor: (_ for _ in ()).throw(OSError(errno.ENOSPC, "full")))
        with pytest.raises(OSError, match="full"):
            write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]


def test_every_file_is_on_the_disk_before_it_counts(store, monkeypatch):
    synced = []
    real = os.fsync
    monkeypatch.setattr(os, "fsync", lambda descriptor: (synced.append(os.fstat(descriptor).st_ino), real(descriptor)))
    folder = make(store)
    assert {path.stat().st_ino for path in [*folder.iterdir(), folder.parent]} <= set(synced)


def test_a_folder_that_cannot_be_written(tmp_path, said):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be"), Store(tmp_path / "file" / "w", said.append).locked("records"):
        pass


def hold(root, started, order):
    with Store(root, lambda text: None).locked("records"):
        started.set()
        time.sleep(0.5)
        order.append(os.getpid())


def test_a_second_run_waits(tmp_path, said):
    context = multiprocessing.get_context("spawn")
    with context.Manager() as manager:
        started, order = manager.Event(), manager.list()
        other = context.Process(target=hold, args=(tmp_path, started, order))
        other.start()
        assert started.wait(20)
        with Store(tmp_path, said.append).locked("records"):
            order.append(os.getpid())
        other.join()
        assert list(order) == [other.pid, os.getpid()]
        assert said == [f"another run writes records in {tmp_path}; waiting for it to end"]


def test_keys_depend_on_stage_and_inputs_and_not_on_their_order():
    assert len({Address.of(stage, **inputs).key for stage in ("fit", "judge") for inputs in ({}, {"a": 1})}) == 4
    assert Address.of("fit", a=1, b=[2.5]) == Address.of("fit", b=[2.5], a=1)


def test_keys_depend_on_the_version_of_the_stage(monkeypatch):
    before = ADDRESS.key
    monkeypatch.setitem(STAGE_VERSIONS, "fit", STAGE_VERSIONS["fit"] + 1)
    assert ADDRESS.key != before


def test_inputs_are_json():
    with pytest.raises(TypeError):
        Address.of("fit", a=object())
    with pytest.raises(ValueError, match="not JSON compliant"):
        Address.of("fit", a=float("nan"))


def test_what_another_process_sets_aside_while_it_is_read_is_no_error(store, said, monkeypatch):
    """Damage is noticed by two at once: the files are gone when the second reads them."""
    folder = make(store)
    real = file_digest

    def removed(path):
        shutil.rmtree(folder)
        return real(path)

    monkeypatch.setattr("benchmark.runner.store.file_digest", removed)
    assert store.find(ADDRESS) is None and said == []


def test_an_error_while_it_writes_is_that_error(store):
    """A file that another process removed must not look as if the place of the artefact were gone."""

    def failing(folder):
        shutil.rmtree(folder)
        (folder / "gone").read_bytes()

    with pytest.raises(StoreError, match="gone: No such file"):
        store.make(ADDRESS, failing)

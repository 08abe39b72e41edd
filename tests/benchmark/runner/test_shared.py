"""Artefacts in a shared place: created once, checked when they are taken, never overwritten."""

import io
import json
import tarfile
from concurrent.futures import ThreadPoolExecutor

import pytest

from benchmark.runner.shared import MANIFEST, unpack
from benchmark.runner.store import Address, Store
from rebeca.errors import StoreError

ADDRESS = Address.of("fit", use="rebeca", seed=1)
NAME = f"fit/{ADDRESS.key[:2]}/{ADDRESS.key}"


def store(root, place):
    return Store(root, print, place)


def writes(text):
    def write(folder):
        (folder / "below").mkdir()
        (folder / "below" / "a.txt").write_text(text)

    return write


def never(folder):
    raise AssertionError("it was made before")


def test_what_a_machine_made_another_takes(place, tmp_path):
    first, second = (store(tmp_path / name, place) for name in "ab")
    assert not second.exists(ADDRESS)
    first.make(ADDRESS, writes("text"))
    assert second.exists(ADDRESS) and not second.folder(ADDRESS).exists()
    folder = second.make(ADDRESS, never)
    assert (folder / "below" / "a.txt").read_text() == "text"
    assert (folder / MANIFEST).read_bytes() == (first.folder(ADDRESS) / MANIFEST).read_bytes()


def test_what_a_work_folder_holds_already_is_shared(place, tmp_path):
    Store(tmp_path / "a", print).make(ADDRESS, writes("text"))
    store(tmp_path / "a", place).find(ADDRESS)
    assert (store(tmp_path / "b", place).make(ADDRESS, never) / "below" / "a.txt").exists()


def test_a_second_writer_with_other_bytes_is_refused_and_named(place, tmp_path):
    first, second = (store(tmp_path / name, place) for name in "ab")
    first.make(ADDRESS, writes("one"))
    Store(tmp_path / "b", print).make(ADDRESS, writes("two"))
    with pytest.raises(StoreError, match=r"another process made other results .*below/a\.txt") as caught:
        second.find(ADDRESS)
    (aside,) = (tmp_path / "b" / "set-aside").iterdir()
    assert (aside / "below" / "a.txt").read_text() == "two" and str(aside) in caught.value.message
    assert (second.make(ADDRESS, never) / "below" / "a.txt").read_text() == "one"
    third = store(tmp_path / "c", place)
    assert (third.make(ADDRESS, never) / "below" / "a.txt").read_text() == "one"


def test_a_second_writer_with_the_same_bytes_is_welcome(place, tmp_path):
    for name in "ab":
        Store(tmp_path / name, print).make(ADDRESS, writes("one"))
        assert store(tmp_path / name, place).find(ADDRESS) is not None


def test_of_many_different_writers_at_once_one_wins(place, tmp_path):
    def write(number):
        Store(tmp_path / str(number), print).make(ADDRESS, writes(str(number)))
        try:
            store(tmp_path / str(number), place).find(ADDRESS)
        except StoreError as error:
            assert "another process made other results" in error.message
            return False
        return True

    with ThreadPoolExecutor(6) as pool:
        won = list(pool.map(write, range(6)))
    assert won.count(True) == 1
    assert (store(tmp_path / "z", place).make(ADDRESS, never) / "below" / "a.txt").read_text() == str(won.index(True))


def test_two_writers_in_one_work_folder(tmp_path):
    """The second comes while the first writes, against the advice of the lease."""
    first, second = Store(tmp_path, print), Store(tmp_path, print)

    def meanwhile(text):
        def write(folder):
            second._make(ADDRESS, writes(text))
            writes("one")(folder)

        return write

    with pytest.raises(StoreError, match="another process made other results"):
        first._make(ADDRESS, meanwhile("two"))
    assert (first.find(ADDRESS) / "below" / "a.txt").read_text() == "two"
    assert not [path for path in first.folder(ADDRESS).parent.iterdir() if path.name.startswith(".")]


def test_an_archive_without_its_manifest_is_no_artefact(place, tmp_path):
    store(tmp_path / "a", place).make(ADDRESS, writes("text"))
    place.remove(f"{NAME}/{MANIFEST}")
    assert store(tmp_path / "b", place).find(ADDRESS) is None


def archive_name(place):
    from hashlib import sha256

    return f"{NAME}/{sha256(place.read(f'{NAME}/{MANIFEST}')).hexdigest()}.tar"


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda place: place.remove(archive_name(place)), "its archive is missing"),
        (lambda place: place.write(archive_name(place), b"no archive"), "the shared fit/"),
        (lambda place: place.write(f"{NAME}/{MANIFEST}", b"{}"), "its archive is missing"),
        (lambda place: place.write(archive_name(place), tar(("below/a.txt", b"else"))), "a.txt was changed"),
        (lambda place: place.write(archive_name(place), tar(("../../a.txt", b"text"))), "no file of the artefact"),
    ],
)
def test_damage_there_is_named_and_taken_by_nobody(place, tmp_path, damage, message):
    store(tmp_path / "a", place).make(ADDRESS, writes("text"))
    damage(place)
    with pytest.raises(StoreError, match=message) as caught:
        store(tmp_path / "b", place).find(ADDRESS)
    assert "remove" in caught.value.hint
    assert not [path for path in (tmp_path / "b").rglob("*") if path.is_file()]


def tar(*entries):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, data in entries:
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return stream.getvalue()


@pytest.mark.parametrize(
    "entry",
    [
        lambda: tarfile.TarInfo("/etc/passwd"),
        lambda: tarfile.TarInfo("a/../../b"),
        lambda: tarfile.TarInfo(MANIFEST),
        lambda: tarfile.TarInfo("unknown"),
        lambda: of_type("link", tarfile.SYMTYPE),
        lambda: of_type("link", tarfile.LNKTYPE),
        lambda: of_type("pipe", tarfile.FIFOTYPE),
    ],
)
def test_a_hostile_archive_writes_nothing(tmp_path, entry):
    with tarfile.open(tmp_path / "x.tar", "w") as archive:
        archive.addfile(entry())
    (tmp_path / "in").mkdir()
    with pytest.raises(ValueError, match="no file of the artefact"):
        unpack(tmp_path / "x.tar", tmp_path / "in", {"link": "", "pipe": ""})
    assert not list((tmp_path / "in").iterdir())


def of_type(name, kind):
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname = kind, "/etc/passwd"
    return entry


def test_equal_artefacts_have_equal_manifests(tmp_path):
    folders = [Store(tmp_path / name, print).make(ADDRESS, writes("text")) for name in "ab"]
    first, second = ((folder / MANIFEST).read_bytes() for folder in folders)
    assert first == second and set(json.loads(first)["files"]) == {"below/a.txt"}

"""Poisoned bundles: each is refused by name, nothing is written, and the published records stay as they are."""

import io
import json
import os
import re
import resource
import shutil
import socket
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from benchmark.disk import file_digest
from benchmark.records import memory
from benchmark.records.bundle import write_manifest
from benchmark.records.files import MANIFEST, RECORD, canonical_bytes, read_record
from benchmark.records.gallery import ALL_IMAGES, encode_lossless
from benchmark.records.rows import image_digests
from rebeca.pixels import pixels_digest
from tests.benchmark.submissions.conftest import bundle_of, records_of
from tests.conftest import invoke

CASES = {}


def case(name, message):
    def register(function):
        assert name not in CASES
        CASES[name] = (function, message)
        return function

    return register


def seal(folder):
    """Makes the manifest fit again, as a careful forger would."""
    raw = json.loads((folder / MANIFEST).read_text())
    raw["files"] = {
        path.name: {"bytes": path.stat().st_size, "sha256": file_digest(path)}
        for path in folder.iterdir()
        if path.name != MANIFEST
    }
    (folder / MANIFEST).write_bytes(canonical_bytes(raw))


def edit(folder, file, change, sealed=True):
    raw = json.loads((folder / file).read_text())
    change(raw)
    (folder / file).write_bytes(canonical_bytes(raw))
    if sealed:
        seal(folder)


def rows(folder, file, change):
    table = pd.read_parquet(folder / file)
    changed = change(table)
    (table if changed is None else changed).to_parquet(folder / file, index=False)
    seal(folder)


def record(change):
    return lambda folder: edit(folder, RECORD, change)


def table(file, change):
    return lambda folder: rows(folder, file, change)


def register(name, message, poison):
    case(name, message)(poison)


# ------------------------------------------------------------------------------------------- files that are no files


@case("a link to a file outside", "is a link")
def _(folder):
    data = (folder / "users.parquet").read_bytes()
    (folder.parent / "outside.parquet").write_bytes(data)
    (folder / "users.parquet").unlink()
    (folder / "users.parquet").symlink_to(folder.parent / "outside.parquet")


@case("a link to nothing", "is a link")
def _(folder):
    (folder / ALL_IMAGES).unlink()
    (folder / ALL_IMAGES).symlink_to("/nowhere")


@case("a file with a second name outside", "is also linked from elsewhere")
def _(folder):
    os.link(folder / "sets.parquet", folder.parent / "second")


@case("a pipe that nobody writes to", "is no plain file")
def _(folder):
    (folder / "pairs.parquet").unlink()
    os.mkfifo(folder / "pairs.parquet")


@case("a socket", "is no plain file")
def _(folder):
    (folder / "sets.parquet").unlink()
    here = Path.cwd()
    os.chdir(folder)
    try:
        socket.socket(socket.AF_UNIX).bind("sets.parquet")
    finally:
        os.chdir(here)


@case("a device", "is no plain file")
def _(folder):
    (folder / "sets.parquet").unlink()
    try:
        os.mknod(folder / "sets.parquet", 0o20666, os.makedev(1, 5))
    except PermissionError:
        pytest.skip("only root makes a device")


@case("a folder with the name of a file", "is no plain file")
def _(folder):
    (folder / "users.parquet").unlink()
    (folder / "users.parquet").mkdir()


@case("a file more", "holds what no bundle holds: 'run.py'")
def _(folder):
    (folder / "run.py").write_text("print(1)")
    seal(folder)


@case("a file of settings for a tool", "holds what no bundle holds: '.gitattributes'")
def _(folder):
    (folder / ".gitattributes").write_text("* filter=x")
    seal(folder)


@case("an attestation of its own", "holds what no bundle holds: 'attestations'")
def _(folder):
    (folder / "attestations").mkdir()
    (folder / "attestations" / "noise.json").write_text('{"status": "reproduced"}')


@case("a name with control characters", r"holds what no bundle holds: 'a\\x1b\[2J'")
def _(folder):
    (folder / "a\x1b[2J").write_text("x")


@case("a file less", "sets.parquet is missing")
def _(folder):
    (folder / "sets.parquet").unlink()
    seal(folder)


# ---------------------------------------------------------------------------------------------------- sizes and forms


@case("an empty file", "0 bytes, expected 1 to")
def _(folder):
    (folder / "scores.parquet").write_bytes(b"")
    seal(folder)


@case("a huge file without content", "expected 1 to")
def _(folder):
    with (folder / "users.parquet").open("r+b") as stream:
        stream.truncate(1 << 36)


@case("a bomb of repeated texts", "bytes unpacked are too many")
def _(folder):
    scores = pd.read_parquet(folder / "scores.parquet")
    scores["failure"] = "x" * (1 << 24)
    pq.write_table(pa.Table.from_pandas(scores, preserve_index=False), folder / "scores.parquet", compression="zstd")
    seal(folder)


@case("a text that is too long", "holds a text of more than")
def _(folder):
    rows(folder, "scores.parquet", lambda t: t.assign(failure="x" * 5000))


@case("a bomb of rows", "rows are too many")
def _(folder):
    n = 5_000_000
    columns = {name: pa.array([""] * n).dictionary_encode() for name in ("user", "measure")}
    columns |= {name: pa.nulls(n, pa.float64()) for name in ("value", "worst", "lowest")}
    columns["images"] = pa.array(np.zeros(n, np.int32))
    pq.write_table(pa.table(columns), folder / "users.parquet", compression="zstd")
    seal(folder)


@case("JSON that is nested without end", "cannot be read")
def _(folder):
    (folder / MANIFEST).write_text('{"schema": 1, "x": ' + "[" * 30_000 + "]" * 30_000 + "}")


@case("JSON with a key twice", "given twice")
def _(folder):
    text = (folder / MANIFEST).read_text()
    (folder / MANIFEST).write_text(text.replace('"schema"', '"kind": "bundle",\n "schema"'))


@case("JSON with many keys and one of them twice", "is given twice")
def _(folder):
    keys = ",".join(f'"{number}": 1' for number in range(100_000))
    (folder / RECORD).write_text(f'{{"schema": 3, "x": {{{keys}, "7": 1}}}}')
    seal(folder)


@case("JSON that is a page of HTML as well", "is not written as records are")
def _(folder):
    path = folder / RECORD
    path.write_bytes(b" " * 20 + path.read_bytes())
    seal(folder)


@case("a table that is an archive as well", "is no Parquet file")
def _(folder):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.txt", "x")
    path = folder / "users.parquet"
    path.write_bytes(buffer.getvalue() + path.read_bytes())
    seal(folder)


@case("an image that is an archive as well", "holds more than an image")
def _(folder):
    images = pd.read_parquet(folder / ALL_IMAGES)
    images.at[0, "image"] = images.at[0, "image"] + b"PK\x05\x06" + bytes(18)
    images.to_parquet(folder / ALL_IMAGES, index=False)
    seal(folder)


@case("a table that is none", "cannot be read")
def _(folder):
    (folder / "pairs.parquet").write_bytes(b"PAR1 and nothing else PAR1")
    seal(folder)


@case("a table with other columns", "columns")
def _(folder):
    rows(folder, "sets.parquet", lambda t: t.assign(more=1))


# ------------------------------------------------------------------------------------------------- manifest and place


@case("an edited manifest", "was changed")
def _(folder):
    edit(folder, MANIFEST, lambda raw: raw["files"]["users.parquet"].update(sha256="0" * 64), sealed=False)


@case("a manifest that leaves a file out", "lists other files than are there")
def _(folder):
    edit(folder, MANIFEST, lambda raw: raw["files"].pop(ALL_IMAGES), sealed=False)


@case("a manifest that names a path", "lists other files than are there")
def _(folder):
    edit(
        folder, MANIFEST,
        lambda raw: raw["files"].update({"../../../etc/passwd": {"bytes": 1, "sha256": "0" * 64}}), sealed=False,
    )  # fmt: skip


@case("an id that is a path", "String should match pattern")
def _(folder):
    edit(folder, MANIFEST, lambda raw: raw.update(generator="../../etc"), sealed=False)


@case("a folder of another name", "the folder is not called 'other'")
def _(folder):
    edit(folder, MANIFEST, lambda raw: raw.update(generator="other"), sealed=False)


@case("the record of another generator", "is of another task or generator")
def _(folder):
    edit(folder, RECORD, lambda raw: raw["generator"].update(id="else"))


def both(folder, change):
    edit(folder, RECORD, change)
    edit(folder, MANIFEST, change, sealed=False)


@case("another version of the task", "'tiny' version 2")
def _(folder):
    both(folder, lambda raw: raw["task"].update(version=2))


@case("another form of the task", "the task file was changed")
def _(folder):
    both(folder, lambda raw: raw["task"].update(hash="1" * 64))


@case("no card", "'submission' is missing")
def _(folder):
    edit(folder, RECORD, lambda raw: raw.pop("submission"))


# -------------------------------------------------------------------------------------------------------------- rows

SCORES = "scores.parquet"
register(
    "rows of a user who is not in the task", "not every image of every user once",
    table(SCORES, lambda t: t.assign(user=t.user.replace("u3", "u99"))),
)  # fmt: skip
register(
    "rows of another user", "the seed .* is not this image's",
    table(SCORES, lambda t: t.assign(**{
        name: t[name].where(~t.user.isin(["u3", "u4"]), t.groupby("scorer")[name].transform(
            lambda own: pd.Series(np.roll(own.to_numpy(), 3), own.index)))
        for name in ("seed", "digest")
    })),
)  # fmt: skip
register("doubled rows", "rows, expected 36", table(SCORES, lambda t: pd.concat([t, t.iloc[[0]]])))
register("a row less", "rows, expected 36", table(SCORES, lambda t: t.iloc[1:]))
register("NaN in all scores", "does not follow", table(SCORES, lambda t: t.assign(score=np.nan)))
register("an infinite score", "or an infinity", table(SCORES, lambda t: t.assign(score=np.inf)))
register("higher scores", "does not follow", table(SCORES, lambda t: t.assign(score=t.score.clip(upper=0.5) + 0.4)))
register("a score above its range", "outside", table(SCORES, lambda t: t.assign(score=t.score + 7)))
register(
    "a failure of an unknown kind", "no kind of failure is called",
    table(SCORES, lambda t: t.assign(failure="<script>", score=np.nan)),
)  # fmt: skip


@case("digests of items, denied", "images.copies: recorded 0, and 36 images are items in other rows")
def _(folder):
    stolen = pd.read_parquet(folder.parents[3] / "results" / "tiny" / "v1" / "rebeca" / SCORES)
    own = pd.read_parquet(folder / SCORES)
    digest = stolen.digest[:36].to_numpy()
    own["digest"] = np.tile(digest, len(own) // 36)
    own.to_parquet(folder / SCORES, index=False)
    ordered, unordered = image_digests(list(dict.fromkeys(own.user)), digest.astype(str).reshape(12, 3))
    index = {(u, k): d for u, k, d in zip(own.user[:36], own.replicate[:36], digest, strict=True)}

    def change(raw):
        raw["images"].update(digest=ordered, set_digest=unordered, different=len(set(digest)))
        for image in raw["images"]["shown"]:
            image["digest"] = index[image["user"], image["replicate"]]

    edit(folder, RECORD, change)
    images = pd.read_parquet(folder / "images.parquet")
    images["digest"] = [index[u, k] for u, k in zip(images.user, images.replicate, strict=True)]
    theirs = pd.read_parquet(folder.parents[3] / "results" / "tiny" / "v1" / "rebeca" / "images.parquet")
    images["image"] = theirs["image"]
    images.to_parquet(folder / "images.parquet", index=False)
    seal(folder)


@case("another generator's whole row", "does not hold exactly the images that were scored")
def _(folder):
    """Everything is REBECA's but the name, and every number fits. Its images are not there."""
    theirs, own = folder.parents[3] / "results" / "tiny" / "v1" / "rebeca", json.loads((folder / RECORD).read_text())
    for path in theirs.iterdir():
        shutil.copyfile(path, folder / path.name)
    edit(folder, RECORD, lambda raw: raw.update({k: own[k] for k in ("generator", "fits", "submission", "provenance")}))


@case("changed images", "is another image")
def _(folder):
    images = pd.read_parquet(folder / ALL_IMAGES)
    images.at[0, "image"] = encode_lossless(np.full((24, 24, 3), 200, np.uint8))
    images.to_parquet(folder / ALL_IMAGES, index=False)
    seal(folder)


@case("an image of a billion pixels", "too many")
def _(folder):
    buffer = io.BytesIO()
    Image.new("1", (40_000, 40_000)).save(buffer, "PNG")
    images = pd.read_parquet(folder / ALL_IMAGES)
    images.at[0, "image"] = buffer.getvalue()
    images.to_parquet(folder / ALL_IMAGES, index=False)
    seal(folder)


@case("images left out, and no address", "names no address of the images")
def _(folder):
    (folder / ALL_IMAGES).unlink()
    seal(folder)


@case("images that differ from those at the address", "is another file than the card says")
def _(folder):
    archive = {"address": "https://example.org/images", "sha256": "0" * 64, "bytes": 5}
    edit(folder, RECORD, lambda raw: raw["submission"].update(images=archive))


# ------------------------------------------------------------------------------------------------------ what it claims


def claims(name, message, **card):
    register(name, message, record(lambda raw: raw["submission"].update(card)))


claims("a class that it has not earned", "'privileged' is for those that need something", **{"class": "privileged"})
claims("an unknown class", "Input should be", **{"class": "best"})
claims("a status", "Extra inputs are not permitted", status="reproduced")
claims("an address that is a script", "String should match pattern", code="javascript:alert(1)")
claims("an address that ends an attribute", "String should match pattern", paper='https://a.org/"onload="x')
claims("text that turns the line round", "U+202E", licence="CC0\u202e0.1")
claims("text that clears the terminal", "U+001B", made_by="Ada\x1b[2J")
claims("no author", "at least 1 item", authors=[])
claims("a thousand authors", "at most 50 items", authors=["Ada"] * 1000)
claims("a text without end", "at most", training_data="x" * 10_000)


def says(name, message, change):
    register(name, message, record(change))


says("a title in several lines", "longer than a line", lambda raw: raw["generator"].update(title="a\nb"))
says("a title that hides", r"U\+200B", lambda raw: raw["generator"].update(title="REB\u200bECA"))
says("a title of another row", "is that of 'rebeca'", lambda raw: raw["generator"].update(title="Reb-éca"))
says("a title in letters that look like others", "mixes letters of CYRILLIC, LATIN",
     lambda raw: raw["generator"].update(title="R\u0415BECA"))  # fmt: skip
says("a title with a letter that nobody sees", r"U\+3164", lambda raw: raw["generator"].update(title="REBECA\u3164"))
says("a title from right to left", "from right to left", lambda raw: raw["generator"].update(title="\u05d0\u05d1"))
says("a title that is a formula", "take for a formula", lambda raw: raw["generator"].update(title="=cmd|x"))
says("no title", "is empty", lambda raw: raw["generator"].update(title=" "))
says("a title without end", "longer than a line", lambda raw: raw["generator"].update(title="x" * 1000))
says("seeds of its own", "rows share their seeds", lambda raw: raw["generator"].update(offset=7))
says("noise of its own", "rows share their seeds", lambda raw: raw["generator"].update(noise_group="mine"))
says("fewer images than the others", "rows share their seeds", lambda raw: raw["generator"].update(images=1))
says("a published test with a billion draws", "expected 1000",
     lambda raw: raw["published_schemes"]["ncf"].update(permutations=10**9))  # fmt: skip
claims("a name that adds a status", "holds a semicolon", made_by="Ada; class open; reproduced")
says("a rank that it has not earned", "the class is 'open', and the generator needs judge",
     lambda raw: raw["generator"].update(needs=["judge"], ranked=True))  # fmt: skip
says("that it is REBECA", "'family' is rebeca, the generator says",
     lambda raw: raw["generator"].update(family="rebeca"))  # fmt: skip
says("the family of a plug-in that nobody has here", "is not installed here",
     lambda raw: raw["generator"].update(use="my-own", family="rebeca"))  # fmt: skip
says("fits that are not the task's", "fits", lambda raw: raw["fits"].append(raw["fits"][0] | {"number": 5}))
says("a better mean", "ncf", lambda raw: raw["summary"]["ncf"]["interval"].update(estimate=0.99))
says("a smaller p", "personal", lambda raw: raw["personal"]["ncf"]["median_double_centred"].update(p=0.001))
says("a scorer that ranks the other way", "published scheme of 'ncf'",
     lambda raw: raw["measures"]["ncf"]["card"].update(higher_is_better=False))  # fmt: skip
says("random weights", "random weights", lambda raw: raw["provenance"]["weights"].update(sd15="sd15 random 0000"))
says("more images than there are", "decoded", lambda raw: raw["provenance"]["decoded"].update(noise=10**6))


def test_there_are_forty_kinds_and_more():
    assert len(CASES) >= 40


def contents(folder):
    return {
        path.relative_to(folder).as_posix(): file_digest(path)
        for path in folder.rglob("*")
        if path.is_file() and not path.is_symlink()
    }


@pytest.mark.parametrize("name", CASES)
def test_a_poisoned_bundle_is_refused_by_name(copied_place, name, monkeypatch, tmp_path):
    poison, message = CASES[name]
    folder, elsewhere = bundle_of(copied_place), tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.setenv("TMPDIR", str(elsewhere))
    monkeypatch.setattr("tempfile.tempdir", None)
    poison(folder)
    huge = [path for path in folder.iterdir() if path.is_file() and path.stat().st_size > 1 << 30]
    before = {} if huge else contents(copied_place)
    arguments = ("check", "submission", folder, "--against", copied_place / "results")
    said = " ".join(invoke(*arguments, "--comment", tmp_path / "comment.md", code=7).split())
    assert message_in(message, said), said
    assert "### Refused" in (tmp_path / "comment.md").read_text()
    refused = invoke("results", "merge", folder, records_of(copied_place), "--out", copied_place / "results", code=7)
    assert message_in(message, " ".join(refused.split())), refused
    assert huge or contents(copied_place) == before
    assert not list(elsewhere.iterdir())


def message_in(message, said):
    return message in said or re.search(message, said)


def test_a_table_that_denies_its_size_is_refused(copied_place, monkeypatch):
    """Its last part says that it unpacks to 1,000 bytes; a text in it has 300 million."""
    monkeypatch.setattr(memory, "MOST_MEMORY", 200 << 20)
    path = bundle_of(copied_place) / SCORES
    scores = pd.read_parquet(path).iloc[:1].assign(user="x" * 300_000_000)
    options = {"compression": "zstd", "use_dictionary": False, "write_statistics": False}
    pq.write_table(pa.Table.from_pandas(scores, preserve_index=False), path, **options)
    data, size = bytearray(path.read_bytes()), varint(pq.read_metadata(path).row_group(0).total_byte_size)
    place = data.rindex(size)
    data[place : place + len(size)] = varint(1000, len(size))
    path.write_bytes(data)
    assert pq.read_metadata(path).row_group(0).total_byte_size == 1000
    seal(path.parent)
    limit = resource.getrlimit(resource.RLIMIT_DATA)
    said = invoke("check", "submission", path.parent, "--against", copied_place / "results", code=7)
    assert re.search(r"scores.parquet: (cannot be read \(malloc of size|column 'user' holds a text of more than)", said)
    assert resource.getrlimit(resource.RLIMIT_DATA) == limit


def varint(number, length=0):
    """A number as Parquet writes it, with as many bytes as are wanted."""
    number, out = number << 1, []
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    while len(out) < length:
        out[-1] |= 128
        out.append(0)
    return bytes(out)


def test_an_untouched_bundle_passes(copied_place):
    said = invoke("check", "submission", bundle_of(copied_place), "--against", copied_place / "results")
    assert "All 36 images are those that were scored" in said


def test_the_unearned_place_of_another_bundle(copied_place):
    """A generator that took the id of one of the task's own."""
    folder = bundle_of(copied_place)
    target = folder.with_name("rebeca")
    shutil.copytree(folder, target)
    edit(target, RECORD, lambda raw: raw["generator"].update(id="rebeca"))
    edit(target, MANIFEST, lambda raw: raw.update(generator="rebeca"), sealed=False)
    said = invoke("check", "submission", target, "--against", copied_place / "results", code=7)
    assert "the task has a generator 'rebeca' of its own" in " ".join(said.split())


def test_a_bundle_is_sealed_as_submit_seals_it(copied_place):
    folder = bundle_of(copied_place)
    before = (folder / MANIFEST).read_bytes()
    write_manifest(folder, read_record(folder))
    assert (folder / MANIFEST).read_bytes() == before
    seal(folder)
    assert (folder / MANIFEST).read_bytes() == before
    assert pixels_digest(np.zeros((1, 1, 3), np.uint8))

"""Hostile and broken input: one message with a documented exit code, no traceback, little memory.

A case is a function that breaks a good task in a folder, with the exit code and a part of the message.
"""

import gzip
import re
import shutil
import struct
import subprocess
import sys
import zipfile
import zlib

import numpy as np
import pandas as pd
import pytest
import yaml
from click.testing import CliRunner
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from benchmark.commands.main import main
from benchmark.task.resolve import load_task
from rebeca.data.folder import read_folder
from rebeca.encoders.precomputed import read_embeddings
from rebeca.errors import RebecaError
from rebeca.pixels import decode_image
from tests.conftest import TINY, invoke, make_folder

CASES = {}
MOST_MEMORY_MB = 1000


def case(name, code, message):
    def register(function):
        CASES[name] = (function, code, message)
        return function

    return register


def written(name, text, code, message):
    """A task file that holds something else."""

    def write(root):
        (root / "tiny.yaml").write_bytes(text() if callable(text) else text.encode())

    CASES[name] = (write, code, message)


def spec(name, old, new, message, code=2):
    """A task file with one change."""

    def edit(root):
        assert old in TINY
        (root / "tiny.yaml").write_text(TINY.replace(old, new, 1))

    CASES[name] = (edit, code, message)


def table(name, file, old, new, message, code=3):
    """A table with one change."""

    def edit(root):
        path = root / "data" / file
        data = path.read_bytes()
        assert old in data
        path.write_bytes(data.replace(old, new, 1))

    CASES[name] = (edit, code, message)


def image(name, data, message):
    """An image file that holds something else."""

    def edit(root):
        path = root / "data" / "images" / "3.png"
        path.write_bytes(data(path.read_bytes()))

    CASES[name] = (edit, 3, message)


def embeddings(name, make, message, code=3):
    """A task whose encoder is a file of vectors."""

    def edit(root):
        np.save(root / "e.npy", make(), allow_pickle=True)
        encoder = 'encoder: {use: "pca:4", of: "fourier:8"}'
        (root / "tiny.yaml").write_text(TINY.replace(encoder, 'encoder: "precomputed:e.npy"'))

    CASES[name] = (edit, code, message)


def png(width, height):
    """A small file that says it is large."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def black(width, height):
    """A whole image that is tiny on disk."""
    from io import BytesIO

    from PIL import Image

    buffer = BytesIO()
    Image.new("L", (width, height)).save(buffer, "PNG")
    return buffer.getvalue()


spec("an unknown key", "seed: 7", "sede: 7", "tiny.yaml:6: unknown key 'sede'\n  hint: did you mean 'seed'?")
spec("an unknown key below", "like_at: 4", "like_att: 4", "tiny.yaml:11: unknown key 'data.like_att'")
spec("an unknown parameter", "hidden: 16", "hiden: 16", "no parameter 'hiden'\n  hint: did you mean 'hidden'?")
spec(
    "best of the same images",
    "hidden: 16",
    "best_of: 2\n      hidden: 16",
    "best_of: the best of several could be the same",
)
spec("a wrong type", "images: 3", "images: many", "tiny.yaml:18: images: input should be a valid integer")
spec("a wrong type below", "hidden: 16", "hidden: wide", "tiny.yaml:29: generators.rebeca.params.hidden: input should")
spec("an impossible value", "max_steps: 20", "max_steps: -20", "tiny.yaml:31: generators.rebeca.params.max_steps")
spec("a value that is no number", "lr: 0.001", "lr: .nan", "tiny.yaml:34: generators.rebeca.params.lr: not a finite")
spec("an infinite value", "like_at: 4", "like_at: .inf", "tiny.yaml:11: data.like_at: input should be a finite number")
spec("an unknown generator", "random, use: catalogue", "random, use: catalog", "did you mean 'catalogue'?")
spec("a generator twice", "id: catalogue-verifier", "id: catalogue-random", "'catalogue-random' is given twice")
spec("too few permutations", "permutations: 199", "permutations: 99\n  alpha: 0.001", "hint: use at least 1000")
spec("no such data", "path: data", "path: nowhere", "nowhere: no such folder", 3)
spec("a tag", "seed: 7", "seed: !!python/object/apply:os.system [ls]", "tiny.yaml:6: the YAML tag")
spec("a harmless tag", "seed: 7", "seed: !!binary aGVsbG8=", "tiny.yaml:6: the YAML tag")
spec("an anchor", "title: A", "title: &a A", "tiny.yaml:5: anchors and aliases are not allowed ('a')")
spec("a key twice", "seed: 7", "seed: 7\nseed: 8", "tiny.yaml:7: the key 'seed' is given twice")
spec("a date", "title: A tiny task", "title: 2026-11-23", "tiny.yaml:5: '2026-11-23' is a date")
spec("an impossible date", "title: A tiny task", "title: 2026-13-45", "tiny.yaml:5: '2026-13-45' is a date")
spec("an endless integer", "seed: 7", f"seed: {'9' * 5000}", "tiny.yaml:6: not a value that can be kept")
spec("an endless sweep", "use: rebeca\n", f"use: rebeca\n    sweep: {{steps: {[1] * 50}, dims: {[1] * 50}}}\n", "2,500")
spec("a scheduler of another package", "DPMSolverMultistepScheduler", "pipelines", "pipelines")
spec(
    "more directions than there are", "dims: 4\n      scale", "dims: 400\n      scale", "400 directions of a space of 4"
)
spec("a scale upside down", "scale: [1, 7]", "scale: [7, 1]", "7 is not below 1")
spec("nothing is liked", "like_at: 4", "like_at: 7.5", "data.like_at: 7.5 lies outside the rating scale, 1 to 7")
spec("half a character", "title: A tiny task", 'title: "\\ud800"', "tiny.yaml:5: the text contains a NUL byte or an")
spec("a character beyond all", "title: A tiny task", 'title: "\\UFFFFFFFF"', "tiny.yaml: not valid YAML")
spec("a NUL byte in a path", "path: data", 'path: "a\\0b"', "tiny.yaml:9: the text contains a NUL byte or an")
written("aliases that explode", "a: &a [x]\n" + "".join(f"b{i}: &b{i} [*a, *a]\n" for i in range(20)), 2, "anchors and")
written("fifty megabytes", lambda: (TINY + "# " + "x" * 50_000_000).encode(), 2, "are too many for a task file")
written("endless nesting", TINY + "x: " + "[" * 5000 + "]" * 5000, 2, "nested too deeply")
written("deep nesting", TINY + "x: " + "[" * 50 + "]" * 50, 2, "nested too deeply")
written("a NUL byte in the spec", TINY + "\0", 2, "not valid YAML")
written("not UTF-8 in the spec", lambda: TINY.encode() + b"\xff", 2, "not UTF-8 at byte")
written("nothing at all", "", 2, "the key 'schema' is missing")
written("a control character", TINY.replace("seed: 7", '"se\\e[2Jde": 7'), 2, "unknown key 'se\ufffd[2Jde'")

table("a file outside", "items.csv", b"i3,3.png", b"i3,../../secret.png", "items.csv: row 5: file '../../secret.png'")
table("an absolute file", "items.csv", b"i3,3.png", b"i3,/etc/passwd", "row 5: file '/etc/passwd' is an absolute path")
table("an image that is not there", "items.csv", b"i3,3.png", b"i3,33.png", "row 5: file '33.png' is not in")
table("a rating off the scale", "ratings.csv", b"u0,i0,", b"u0,i0,9", "row 2: rating 9")
table("a rating that is no number", "ratings.csv", b"u0,i0,", b"u0,i0,x", "is not a finite number")
table("a rating twice", "ratings.csv", b"u0,i0,", b"u0,i1,", "row 3: user 'u0' rated item 'i1' twice")
table("an item twice", "items.csv", b"i3,", b"i2,", "row 5: item 'i2' is listed twice")
table(
    "an unknown item",
    "ratings.csv",
    b"u0,i0,",
    b"u0,i00,",
    "row 2: item 'i00' is not listed; that concerns 1 rating of 1 item",
)
table("not UTF-8", "ratings.csv", b"u0,i0,", b"u\xe9,i0,", "row 2: column 'user' is not UTF-8 (byte 0xE9)")
table(
    "a NUL byte",
    "ratings.csv",
    b"u0,i0,",
    b"u\0,i0,",
    "row 2: column 'user' holds the character U+0000, which cannot be",
)
table(
    "an escape sequence",
    "ratings.csv",
    b"u0,i0,",
    b"u\x1b[31m,i0,",
    "row 2: column 'user' holds the character U+001B, which cannot",
)
table("a huge field", "ratings.csv", b"u0,i0,", b"u" * 50_000_000 + b",i0,", "is longer than 1,048,576 bytes")
table("a long id", "ratings.csv", b"u0,i0,", b"u" * 600 + b",i0,", "column 'user' holds 600 characters (at most 500)")
table("a huge caption", "items.csv", b"image 3", b"p" * 50_000_000, "is longer than 1,048,576 bytes")
table("a long caption", "items.csv", b"image 3", b"p" * 200_000, "'caption' holds 200,000 characters")
table("a column twice", "ratings.csv", b"user,item", b"user,user ,item", "row 1: the column 'user' is given twice")
table("a name too long", "items.csv", b"i3,3.png", b"i3," + b"x" * 300, "row 5: file 'xxx")
table("an open quote", "ratings.csv", b"u0,i0,", b'"u0,i0,', "row 2: a quoted cell does not end where it should")
table("a missing column", "ratings.csv", b"rating\n", b"stars\n", "row 1: no column 'rating'")
image("not an image", lambda old: b"hello", "3.png: not a readable image")
image("half an image", lambda old: old[:200], "3.png: not a readable image")
image("a header of 60,000 x 60,000", lambda old: png(60_000, 60_000), "3.png: too many pixels")
image("a header of 9,000 x 9,000", lambda old: png(9000, 9000), "9000 x 9000 pixels are too many")
image("a header that lies", lambda old: png(7000, 7000), "3.png: not a readable image")
image("a decompression bomb", lambda old: black(12_000, 12_000), "3.png: too many pixels")
embeddings("NaN in embeddings", lambda: np.where(np.arange(192).reshape(24, 8) == 37, np.nan, 1.0), "row 4 holds a")
embeddings("numbers beyond single precision", lambda: np.full((24, 8), 1e300), "row 0 holds a number that is not")
embeddings("too few embeddings", lambda: np.ones((23, 8)), "23 rows, but the catalogue has")
embeddings("embeddings without width", lambda: np.ones(24), "expected floats [items, dim], found float64 [24]")
embeddings("embeddings of three dimensions", lambda: np.ones((24, 8, 2)), "expected floats [items, dim]")
embeddings("embeddings of the wrong width", lambda: np.ones((24, 2)), "4 directions of a space of 2 dimensions", 2)
embeddings("pickled embeddings", lambda: np.array([{}] * 24, dtype=object), "not a NumPy array file")


@case("an image file that went", 3, "row 5: file '3.png' is not in")
def _(root):
    (root / "data" / "images" / "3.png").unlink()


@case("a link out of the folder", 3, "points outside the image folder")
def _(root):
    (root / "data" / "images" / "3.png").unlink()
    (root / "data" / "images" / "3.png").symlink_to("/etc/passwd")


@case("a zip bomb", 3, "600000000 bytes unpacked is too large for an image")
def _(root):
    images = root / "data" / "images"
    with zipfile.ZipFile(root / "data" / "images.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in images.iterdir():
            if path.name == "3.png":
                with archive.open(zipfile.ZipInfo("3.png"), "w", force_zip64=True) as member:
                    for _ in range(600):
                        member.write(b"\0" * 1_000_000)
            else:
                archive.write(path, path.name)
    shutil.rmtree(images)


@case("a gzip bomb", 3, "is longer than 1,048,576 bytes")
def _(root):
    path = root / "data" / "ratings.csv"
    with gzip.open(root / "data" / "ratings.csv.gz", "wb", compresslevel=1) as stream:
        stream.write(path.read_bytes())
        for _ in range(500):
            stream.write(b"x" * 1_000_000)
    path.unlink()


@case("half an archive", 3, "cannot be read as a table")
def _(root):
    path = root / "data" / "ratings.csv"
    (root / "data" / "ratings.csv.gz").write_bytes(gzip.compress(path.read_bytes())[:-20])
    path.unlink()


@case("a folder for a table", 3, "items.csv: not a file")
def _(root):
    (root / "data" / "items.csv").unlink()
    (root / "data" / "items.csv").mkdir()


@case("a damaged archive", 3, "3.png: cannot be read from the archive (Bad CRC-32")
def _(root):
    images = root / "data" / "images"
    archive = root / "data" / "images.zip"
    with zipfile.ZipFile(archive, "w") as stored:
        for path in images.iterdir():
            stored.write(path, path.name)
    image = (images / "3.png").read_bytes()
    archive.write_bytes(archive.read_bytes().replace(image, image[:-20] + b"x" * 20))
    shutil.rmtree(images)


@case("links in a circle", 3, "row 5: file '3.png' cannot be opened")
def _(root):
    (root / "data" / "images" / "3.png").unlink()
    (root / "data" / "images" / "3.png").symlink_to("3.png")


@case("an archive for an array", 3, "e.npy: an archive of arrays")
def _(root):
    with (root / "e.npy").open("wb") as stream:
        np.savez(stream, a=np.ones((24, 8)))
    encoder = 'encoder: {use: "pca:4", of: "fourier:8"}'
    (root / "tiny.yaml").write_text(TINY.replace(encoder, 'encoder: "precomputed:e.npy"'))


@case("no rating", 3, "ratings.csv: no ratings")
def _(root):
    (root / "data" / "ratings.csv").write_text("user,item,rating\n")


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    return make_folder(tmp_path_factory.mktemp("good") / "data")


@pytest.fixture
def broken(good, tmp_path):
    """Breaks a good task; gives the command that runs it."""

    def run(name):
        shutil.copytree(good, tmp_path / "data")
        (tmp_path / "tiny.yaml").write_text(TINY)
        CASES[name][0](tmp_path)
        return ["run", str(tmp_path / "tiny.yaml"), "--workdir", str(tmp_path / "w"), "--quiet"]

    return run


def assert_one_message(name, found_code, said):
    _, code, message = CASES[name]
    assert found_code == code, said
    assert said.startswith("error: ")
    assert message in said
    assert "Traceback" not in said
    assert len(said) < 2000


@pytest.mark.parametrize("name", sorted(CASES))
def test_one_message(broken, name):
    process = CliRunner().invoke(main, broken(name))
    assert_one_message(name, process.exit_code, process.stderr)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(CASES))
def test_one_message_and_little_memory(broken, name):
    """In a process of its own, whose memory is measured; it is the import of torch that takes most of it."""
    run = broken(name)
    script = (
        "import resource, sys\n"
        "from benchmark.commands.main import main\n"
        "try:\n    main()\n"
        "finally:\n    print('peak', resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)"
    )
    # a shell between, so that the peak is not that of this process before the other one began
    words = ["sh", "-c", '"$@"; exit $?', "sh", sys.executable, "-c", script, *run]
    process = subprocess.run(words, capture_output=True, text=True, timeout=100, check=False)
    assert_one_message(name, process.returncode, process.stderr)
    assert int(re.search(r"peak (\d+)", process.stdout)[1]) < MOST_MEMORY_MB


# -- odd, and not wrong: the run goes on, and what cannot be said is not said -----------------------------------------


def rated(path, change):
    table = pd.read_csv(path)
    change(table).to_csv(path, index=False)


ODD = {
    "a user without a like": lambda t: t.assign(rating=t.rating.where(t.user != "u3", 1)),
    "a user who likes everything": lambda t: t.assign(rating=t.rating.where(t.user != "u3", 7)),
    "a user with one rating": lambda t: pd.concat(
        [t, pd.DataFrame({"user": ["lonely"], "item": ["i0"], "rating": [5]})]
    ),
    "an item that nobody rated": lambda t: t[t.item != "i5"],
    "ids that look like code": lambda t: t.replace({"user": {"u3": "<script>alert(1)</script>", "u4": "../../u4"}}),
}


@pytest.mark.parametrize(
    ("name", "split"), [*((name, "per-user") for name in ODD), ("a user without a like", "held-out-items")]
)
def test_odd_users_and_items(tiny, name, split):
    rated(tiny.parent / "data" / "ratings.csv", ODD[name])
    if split == "per-user":
        old = "split: {kind: held-out-items, test: 0.34, validation: 0.25}"
        tiny.write_text(TINY.replace(old, "split: {kind: per-user, test: 5, validation: 2}"))
    workdir = tiny.parent / "w"
    page = ("--site", tiny.parent / "site") if "code" in name else ()
    invoke("run", tiny, "--workdir", workdir, "--quiet", *page)
    assert "all agree" in invoke("verify", workdir / "records" / "tiny" / "v1")
    pages = list((tiny.parent / "site").rglob("*.html"))
    assert bool(pages) == bool(page)
    assert not any("<script>alert" in path.read_text() for path in pages)


# -- anything at all --------------------------------------------------------------------------------------------------

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**30), 10**30),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from(["", "rebeca", "../..", "user-median", "validation", "ncf", "{}", "1e400", "2026-01-01", "<<"]),
)
values = st.recursive(
    scalars,
    lambda child: st.lists(child, max_size=3) | st.dictionaries(st.text(max_size=8), child, max_size=3),
    max_leaves=6,
)


def paths(node, path=()):
    """All keys of a task file."""
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, child in children:
        yield (*path, key)
        yield from paths(child, (*path, key))


PATHS = list(paths(yaml.safe_load(TINY)))
few = settings(suppress_health_check=list(HealthCheck))


@few
@given(st.lists(st.tuples(st.sampled_from(PATHS), values | st.just("delete")), min_size=1, max_size=3))
def test_any_change_of_a_task_file_is_a_task_or_a_mistake(tmp_path_factory, changes):
    raw = yaml.safe_load(TINY)
    for path, value in changes:
        node = raw
        try:
            for key in path[:-1]:
                node = node[key]
            if value == "delete":
                del node[path[-1]]
            else:
                node[path[-1]] = value
        except (KeyError, IndexError, TypeError):
            continue  # an earlier change took that place away
    path = tmp_path_factory.mktemp("spec") / "task.yaml"
    path.write_text(yaml.safe_dump(raw, allow_unicode=True))
    _answers(["validate", str(path)])


@few
@given(st.integers(0, len(TINY) - 1), st.integers(0, 40), st.binary(max_size=30))
def test_any_bytes_of_a_task_file_are_a_task_or_a_mistake(tmp_path_factory, start, length, new):
    path = tmp_path_factory.mktemp("spec") / "task.yaml"
    text = TINY.encode()
    path.write_bytes(text[:start] + new + text[start + length :])
    _answers(["validate", str(path)])


@few
@given(st.sampled_from(PATHS), st.text(max_size=30))
def test_any_override_is_a_task_or_a_mistake(good, path, value):
    task = good.parent / "task.yaml"
    task.write_text(TINY)
    _answers(["validate", str(task), "--set", f"{'.'.join(map(str, path))}={value}"])


def _answers(arguments):
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code in (0, 2, 3, 4), result.output + repr(result.exception)
    assert result.exception is None or isinstance(result.exception, SystemExit), repr(result.exception)
    if result.exit_code:
        assert result.output.count("error: ") == 1
        assert all(letter.isprintable() or letter == "\n" for letter in result.output)


@few
@given(st.sampled_from(["ratings.csv", "items.csv"]), st.integers(0, 700), st.integers(0, 60), st.binary(max_size=60))
def test_any_bytes_of_a_table_are_data_or_a_mistake(good, tmp_path_factory, file, start, length, new):
    folder = tmp_path_factory.mktemp("data")
    (folder / "images").symlink_to(good / "images")
    for name in ("ratings.csv", "items.csv"):
        data = (good / name).read_bytes()
        (folder / name).write_bytes(data[:start] + new + data[start + length :] if name == file else data)
    with _only_named_mistakes():
        read_folder(folder, (1, 7))


@few
@given(st.integers(0, 1800), st.integers(0, 40), st.binary(max_size=40))
def test_any_bytes_of_an_image_are_an_image_or_a_mistake(good, start, length, new):
    data = (good / "images" / "0.png").read_bytes()
    with _only_named_mistakes():
        assert decode_image(data[:start] + new + data[start + length :], "x").shape[2] == 3


@few
@given(st.integers(0, 300), st.integers(0, 40), st.binary(max_size=40))
@example(299, 0, b"\x00\x00\x00\xf0\x7f")  # a number that warns when it is made single
def test_any_bytes_of_an_array_are_embeddings_or_a_mistake(tmp_path_factory, start, length, new):
    path = tmp_path_factory.mktemp("array") / "e.npy"
    np.save(path, np.random.default_rng(0).normal(size=(24, 8)))
    data = path.read_bytes()
    path.write_bytes(data[:start] + new + data[start + length :])
    with _only_named_mistakes():
        assert read_embeddings(path).ndim == 2


class _only_named_mistakes:
    """Lets pass what users are told about."""

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        return isinstance(error, RebecaError)


@pytest.mark.parametrize(
    "value", ["&a [*a]", '"\\ud800"', '"a\\0b"', '"\\UFFFFFFFF"', "!!binary aGVsbG8=", "2026-01-01"]
)
def test_overrides_are_as_plain_as_files(tiny, value):
    assert "error: --set" in invoke("validate", tiny, "--set", f"title={value}", code=2)


def test_digits_that_are_no_numbers_are_names(tiny):
    rated(tiny.parent / "data" / "ratings.csv", lambda t: t.replace({"user": {"u3": "²"}}))
    assert "²" in read_folder(tiny.parent / "data", (1, 7)).ratings.user_ids


def test_a_message_shows_no_escape_sequence(tiny):
    task = load_task(tiny)
    assert task.file.id == "tiny"
    output = invoke("run", tiny, "--only", "\x1b[2Jx", code=2)
    assert "\x1b" not in output

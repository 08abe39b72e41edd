"""Whatever a file of a bundle holds, it is read or refused in one message; nothing else happens."""

import json
import shutil

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmark.records.bundle import Manifest, check_images, read_bundle
from benchmark.records.columns import read_columns
from benchmark.records.files import MANIFEST, RECORD, read_comparison, read_record, read_strict
from benchmark.records.gallery import ALL_IMAGES, IMAGES, PACKED, check_packed
from benchmark.records.rows import PAIRS, SCORES, SETS, USERS, read_rows
from benchmark.records.submitted import check_submission
from benchmark.submissions.comment import quoted
from benchmark.submissions.file import read_submission
from benchmark.task.resolve import load_task
from rebeca.errors import RecordError, SpecError
from tests.benchmark.submissions.conftest import bundle_of, records_of, submission_text
from tests.benchmark.submissions.test_poisoned import seal

EXAMPLES = settings(
    max_examples=2000, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
TABLES = {
    "scores.parquet": SCORES, "users.parquet": USERS, "sets.parquet": SETS, "pairs.parquet": PAIRS,
    PACKED: IMAGES, ALL_IMAGES: IMAGES,
}  # fmt: skip
pytestmark = pytest.mark.slow
"""2,000 examples for each parser."""
HOSTILE = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20), st.just("\u202e"), st.just("../../x"),
    st.just(10**400), st.just([]), st.just({}), st.lists(st.integers(), max_size=3), st.just("x" * 30_000),
)  # fmt: skip


@pytest.fixture(scope="module")
def original(place):
    return bundle_of(place)


@pytest.fixture
def folder(original, tmp_path):
    target = tmp_path / "inside" / original.name
    shutil.copytree(original, target)
    (tmp_path / "witness").write_text("untouched")
    return target


@st.composite
def damage(draw, data):
    """The same bytes with a few changes: other bytes, less of them, more of them, or parts in other places."""
    out = bytearray(data)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, max(0, len(out) - 1)))
        how = draw(st.sampled_from(["set", "flip", "cut", "drop", "insert", "copy"]))
        if how == "set" and out:
            out[at] = draw(st.integers(0, 255))
        elif how == "flip" and out:
            out[at] ^= 1 << draw(st.integers(0, 7))
        elif how == "cut":
            del out[at:]
        elif how == "drop":
            del out[at : at + draw(st.integers(1, 40))]
        elif how == "insert":
            out[at:at] = draw(st.binary(max_size=20))
        else:
            start = draw(st.integers(0, max(0, len(out) - 1)))
            out[at:at] = out[start : start + draw(st.integers(1, 60))]
    return bytes(out)


@st.composite
def damaged_near_the_end(draw, data):
    """Likewise in the last part, where a Parquet file says what it holds."""
    head = max(0, len(data) - 4000)
    return data[:head] + draw(damage(data[head:]))


@st.composite
def damaged_json(draw, value):
    """The same JSON with one value, anywhere in it, that nobody expects."""
    value = json.loads(json.dumps(value))
    node = value
    while True:
        keys = sorted(node) if isinstance(node, dict) else range(len(node))
        key = draw(st.sampled_from(list(keys)))
        if isinstance(node[key], dict | list) and node[key] and draw(st.integers(0, 4)):
            node = node[key]
            continue
        how = draw(st.sampled_from(["replace", "remove", "add"]))
        if how == "remove":
            del node[key]
        elif how == "add" and isinstance(node, dict):
            node[draw(st.text(max_size=10))] = draw(HOSTILE)
        else:
            node[key] = draw(HOSTILE)
        return value


def listing(folder):
    return {path: (path.lstat().st_mtime_ns, path.lstat().st_size) for path in folder.rglob("*")}


def refused_or_read(read, folder):
    before = listing(folder.parent.parent)
    try:
        read()
    except RecordError as error:
        assert error.message and "Traceback" not in error.message
    assert listing(folder.parent.parent) == before


@EXAMPLES
@given(data=st.data())
def test_any_bytes_in_the_manifest(original, folder, data):
    (folder / MANIFEST).write_bytes(data.draw(damage((original / MANIFEST).read_bytes())))
    refused_or_read(lambda: read_bundle(folder), folder)


@EXAMPLES
@given(data=st.data())
def test_any_value_in_the_manifest(original, folder, data):
    value = data.draw(damaged_json(json.loads((original / MANIFEST).read_text())))
    (folder / MANIFEST).write_text(json.dumps(value))
    refused_or_read(lambda: read_strict(folder / MANIFEST, Manifest, 1), folder)


@EXAMPLES
@given(data=st.data())
def test_any_bytes_in_the_record(original, folder, data):
    (folder / RECORD).write_bytes(data.draw(damage((original / RECORD).read_bytes())))
    refused_or_read(lambda: read_record(folder), folder)


@EXAMPLES
@given(data=st.data())
def test_any_value_in_the_record(original, folder, place, data):
    value = data.draw(damaged_json(json.loads((original / RECORD).read_text())))
    (folder / RECORD).write_text(json.dumps(value))
    task = read_comparison(records_of(place))

    def read():
        record = read_record(folder)
        if record.submission is not None:
            check_submission(folder, record)
        read_rows(folder, record, task)

    refused_or_read(read, folder)


@pytest.mark.parametrize("file", TABLES)
@EXAMPLES
@given(data=st.data())
def test_any_bytes_in_a_table(original, folder, file, data):
    (folder / file).write_bytes(damaged(data, (original / file).read_bytes()))
    if file in (PACKED, ALL_IMAGES):
        images = read_columns(original / file, IMAGES, 100)
        expected = list(
            zip(images["user"].tolist(), images["replicate"].tolist(), images["digest"].tolist(), strict=True)
        )
        refused_or_read(lambda: check_packed(folder, IMAGES, expected, file), folder)
    else:
        refused_or_read(lambda: read_columns(folder / file, TABLES[file], 100_000), folder)


@pytest.mark.parametrize("file", TABLES)
@settings(EXAMPLES, max_examples=200)
@given(data=st.data())
def test_a_bundle_with_any_bytes_in_a_table(original, folder, place, file, data):
    (folder / file).write_bytes(damaged(data, (original / file).read_bytes()))
    seal(folder)
    task = read_comparison(records_of(place))

    def read():
        bundle = read_bundle(folder)
        rows = read_rows(folder, bundle.record, task)
        check_images(bundle, rows, task.users.id, True)

    refused_or_read(read, folder)


def damaged(data, original):
    """Damage anywhere, or where a Parquet file says what it holds."""
    return data.draw(st.sampled_from([damage, damaged_near_the_end]).flatmap(lambda how: how(original)))


@EXAMPLES
@given(data=st.data())
def test_any_submission_file(place, tmp_path, data):
    task = load_task(place / "tiny.yaml")
    text = submission_text("{id: noise, title: Noise, use: folder, params: {path: noise}}")
    (place / "fuzzed.yaml").write_bytes(data.draw(damage(text.encode())))
    try:
        read_submission(place / "fuzzed.yaml", task)
    except SpecError as error:
        assert error.message


@EXAMPLES
@given(text=st.text())
def test_a_comment_holds_no_mark_up_of_others(text):
    shown = quoted(text).removeprefix("<code>").removesuffix("</code>")
    letters = set(shown) & set("<>[]()*_`|@!\\:/.~$")
    assert not letters

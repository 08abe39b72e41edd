"""Records are read as frozen objects; nothing is completed or converted on the way."""

import json

import pytest
from pydantic import ValidationError

from benchmark.records.files import (
    COMPARISON,
    RECORD,
    TASK_FOLDER,
    file_digests,
    own_digest,
    read_comparison,
    read_record,
    to_json,
    write_comparison,
    write_record,
)
from benchmark.records.schema import SCHEMA, GeneratorRecord, TaskRecord
from rebeca.errors import RecordError


@pytest.fixture
def records(done):
    return done / "w" / "records" / "tiny" / "v1"


def rewritten(path, change):
    record = json.loads(path.read_text())
    change(record)
    path.write_text(json.dumps(record))


def test_reading_and_writing_again_gives_the_same_bytes(records, tmp_path):
    record, task = read_record(records / "rebeca"), read_comparison(records)
    assert isinstance(record, GeneratorRecord) and isinstance(task, TaskRecord)
    (tmp_path / "rebeca").mkdir()
    write_record(tmp_path / "rebeca", record)
    assert (tmp_path / "rebeca" / RECORD).read_bytes() == (records / "rebeca" / RECORD).read_bytes()
    for name in (*task.order, TASK_FOLDER):
        (tmp_path / name).mkdir(exist_ok=True)
        for path in (records / name).iterdir():
            (tmp_path / name / path.name).write_bytes(path.read_bytes())
    assert write_comparison(tmp_path, task.model_copy(update={"records": {}, "digest": "0" * 64})) == task
    assert (tmp_path / TASK_FOLDER / COMPARISON).read_bytes() == (records / TASK_FOLDER / COMPARISON).read_bytes()


def test_records_are_frozen(records):
    record = read_record(records / "rebeca")
    with pytest.raises(ValidationError, match="frozen"):
        record.kind = "task"
    with pytest.raises(AttributeError):
        record.summary["ncf"].users = 3


def test_a_record_is_its_own_json(records):
    task = read_comparison(records)
    raw = json.loads((records / TASK_FOLDER / COMPARISON).read_text(encoding="utf-8"))
    assert to_json(task) == raw
    assert own_digest(raw) == task.digest
    assert task.records["rebeca"] == file_digests(records / "rebeca")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda r: r["spec"]["analysis"].pop("family"), "spec.analysis.family: not as records are written"),
        (lambda r: r["spec"]["analysis"].update(permutations="199"), "spec.analysis.permutations: not as records"),
        (lambda r: r["spec"].update(isolate=True), "spec.isolate: Extra inputs"),
        (lambda r: r.pop("taste"), "taste: Field required"),
        (lambda r: r["results"].update(users=True), "results.users: Input should be a valid integer"),
        (lambda r: r["results"].update(users=2**60), "results.users: Input should be less than"),
        (lambda r: r.update(schema=SCHEMA + 1), f"record schema {SCHEMA + 1}, this version reads {SCHEMA}"),
        (lambda r: r.update(schema=True), "it has no schema version"),
    ],
)
def test_what_a_reader_would_complete_or_convert_is_refused(records, tmp_path, change, message):
    (tmp_path / TASK_FOLDER).mkdir()
    path = tmp_path / TASK_FOLDER / COMPARISON
    path.write_bytes((records / TASK_FOLDER / COMPARISON).read_bytes())
    rewritten(path, change)
    with pytest.raises(RecordError, match=message):
        read_comparison(tmp_path)


def test_a_record_that_breaks_the_schema_is_not_written(records, tmp_path):
    record = read_record(records / "rebeca")
    images = record.images.model_copy(update={"valid": -1})
    with pytest.raises(RecordError, match=r"images\.valid"):
        write_record(tmp_path, record.model_copy(update={"images": images}))
    assert not list(tmp_path.iterdir())


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(RecordError, match=r"record\.json: cannot be read"):
        read_record(tmp_path)

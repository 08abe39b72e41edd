"""The task of a record is the task that was run, with the rows that are wanted."""

from pathlib import Path

import pytest

from benchmark.records.files import read_comparison, read_record
from benchmark.task.bundled import find_task
from benchmark.task.recorded import recorded_task
from benchmark.task.resolve import load_task
from rebeca.errors import SpecError

PATH = Path("comparison.json")


@pytest.fixture(scope="module")
def records(done):
    return done / "w" / "records" / "tiny" / "v1"


def entries(records, *names):
    return [read_record(records / name).generator for name in names]


def test_with_all_rows_it_is_the_task_that_was_run(records):
    record = read_comparison(records)
    task = recorded_task(record.spec, PATH, entries(records, *record.order))
    assert task.hash() == record.task.hash and not task.modified


@pytest.mark.parametrize("name", ["tinyworld-quick", "sprites", "tinyworld"])
def test_no_bundled_task_changes_on_the_way_through_a_record(name):
    task = load_task(find_task(name))
    spec = task.spec()
    assert recorded_task(spec, PATH, spec.generators).hash() == task.hash()


def test_the_first_row_takes_the_place_of_a_reference_that_is_left_out(records):
    spec = read_comparison(records).spec
    task = recorded_task(spec, PATH, entries(records, "catalogue-random", "catalogue-verifier"))
    assert [generator.id for generator in task.generators] == ["catalogue-random", "catalogue-verifier"]
    assert task.file.analysis.reference == "catalogue-random"
    kept = recorded_task(spec, PATH, entries(records, "catalogue-random", "rebeca"))
    assert kept.file.analysis.reference == "rebeca"


def test_without_rows_no_generator_need_be_installed(records):
    record = read_comparison(records)
    elsewhere = [entry.model_copy(update={"use": "elsewhere"}) for entry in record.spec.generators]
    spec = record.spec.model_copy(update={"generators": elsewhere})
    assert recorded_task(spec, PATH, ()).generators == ()
    with pytest.raises(SpecError, match=r"comparison\.json: no generator is called 'elsewhere'"):
        recorded_task(spec, PATH, elsewhere)


def test_changes_make_it_a_modified_task(records):
    record = read_comparison(records)
    task = recorded_task(record.spec, PATH, entries(records, *record.order), ("seed=8", "generators.0.offset=2"))
    assert task.modified and task.file.seed == 8
    assert [generator.offset for generator in task.generators] == [2, *[0] * (len(record.order) - 1)]

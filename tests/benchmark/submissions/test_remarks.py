"""What is said of a row before it stands beside others."""

import pytest

from benchmark.records.files import read_comparison, read_record
from benchmark.submissions.remarks import remarks
from tests.benchmark.submissions.conftest import GENERATORS, bundle_of, records_of, submission_text, submit


@pytest.fixture
def noise(place):
    return read_record(bundle_of(place)), read_comparison(records_of(place)).spec


def changed(record, **images):
    return record.model_copy(update={"images": record.images.model_copy(update=images)})


def test_a_good_row_needs_no_remark(noise):
    assert remarks(*noise) == []


def test_failures_needs_and_mistakes_are_named(noise):
    record, spec = noise
    assert remarks(changed(record, valid=20), spec) == ["no rank: 16 of 36 images failed, the task allows 5 %"]
    needs = record.model_copy(update={"generator": record.generator.model_copy(update={"needs": ("judge",)})})
    assert remarks(needs, spec) == ["no rank: it needs judge"]
    params = record.generator.params | {"retrieval": True}
    retrieval = record.model_copy(update={"generator": record.generator.model_copy(update={"params": params})})
    assert "no image equals an item in every pixel" in remarks(retrieval, spec)[0]
    assert remarks(changed(retrieval, from_catalogue=3), spec) == []


def test_submit_prints_them(open_place):
    for file in sorted((open_place / "noise").glob("u*/0.png")):
        file.unlink()
    (open_place / "few.yaml").write_text(submission_text(GENERATORS["noise"].replace("id: noise", "id: few")))
    said = submit(open_place, "few.yaml")
    assert "Noise: 24 of 36 images valid" in said and "no rank: 12 of 36 images failed" in said

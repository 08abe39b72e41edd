"""Seconds are divided by the images that they were spent on."""

import numpy as np
import pytest

from benchmark.analysis.inputs import Rows
from benchmark.records.costs import seconds_per_image, seconds_with_scores
from benchmark.records.files import read_record


def rows(name, users=3, k=2):
    none = np.zeros((users, k), bool)
    return Rows(name, True, np.full((users, k), "d"), none - 1, none, {}, {}, {}, {}, {}, {})


@pytest.fixture
def record(done):
    return read_record(done / "w" / "records" / "tiny" / "v1" / "rebeca")


def with_seconds(record, seconds, decoded):
    origin = record.provenance.model_copy(update={"seconds": seconds, "decoded": decoded})
    return record.model_copy(update={"provenance": origin})


def test_seconds_of_a_resumed_run_count_its_own_images(record):
    assert seconds_per_image(with_seconds(record, {"images rebeca": 12.0}, {"rebeca": 6})) == 2
    assert seconds_per_image(with_seconds(record, {"images rebeca": 36.0}, {})) == 1
    assert seconds_per_image(with_seconds(record, {}, {})) is None


def test_generating_and_scoring_are_each_over_their_own_images(record):
    seconds = {"images a": 12.0, "score a by ncf": 3.0, "score b by ncf": 3.0, "fit a": 100.0}
    origin = with_seconds(record, seconds, {"a": 4}).provenance
    assert seconds_with_scores(origin, [rows("a"), rows("b")]) == pytest.approx(12 / 4 + 6 / 12)
    assert seconds_with_scores(origin, [rows("b")]) is None

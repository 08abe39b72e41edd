"""Reports of speed."""

import json

import pytest

from benchmark.site.speed import MOST_BYTES, read_reports
from rebeca.errors import RecordError

REPORT = {
    "device": "a GPU",
    "size": "tiny",
    "weights": "random",
    "steps": 50,
    "measured": "2026-11-25",
    "figures": {
        "images per second": 3.5,
        "times faster than the original's way": 6.0,
        "scoring / generating": 0.02,
        "outside model calls": 0.04,
    },
    "stages": {"not": "shown"},
}


@pytest.fixture
def write(tmp_path):
    (tmp_path / "perf").mkdir()

    def to(name, **changes):
        path = tmp_path / "perf" / f"{name}.json"
        path.write_text(json.dumps(REPORT | changes))
        return path

    return to


def test_full_sizes_come_first(write, tmp_path):
    write("a")
    write("b", size="full", device="another")
    reports = read_reports([tmp_path, tmp_path])
    assert [(report.device, report.size) for report in reports] == [("another", "full"), ("a GPU", "tiny")]
    assert reports[0].figures.rate == 3.5 and reports[0].figures.scoring == 0.02
    assert read_reports([tmp_path / "nowhere"]) == []


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"steps": 0}, "steps"),
        ({"measured": "today"}, "measured"),
        ({"weights": "mine"}, "weights"),
        ({"figures": REPORT["figures"] | {"outside model calls": float("inf")}}, "figures.outside model calls"),
        ({"figures": REPORT["figures"] | {"more": 1}}, "figures.more"),
    ],
)
def test_what_is_no_report_is_named(write, tmp_path, changes, where):
    path = write("a", **changes)
    with pytest.raises(RecordError, match=f"{path.name}: {where}"):
        read_reports([tmp_path])


def test_a_huge_file_is_not_read(write, tmp_path):
    write("a", stages="x" * MOST_BYTES)
    with pytest.raises(RecordError, match="too many for a report"):
        read_reports([tmp_path])

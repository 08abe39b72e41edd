"""Every number of the docs that a record holds is the record's, and the comparison notices any that is not."""

import re

import pytest

from scripts import docs_numbers as script
from tests.conftest import ROOT

pytestmark = pytest.mark.skipif(not (ROOT / "results" / "sprites").is_dir(), reason="no published records here")
TEXTS = {page.relative_to(ROOT).as_posix(): page.read_text(encoding="utf-8") for page in script.PAGES}
MARKS = [(name, match) for name, text in TEXTS.items() for match in script.MARKED.finditer(text)]
TABLES = [(name, match) for name, text in TEXTS.items() for match in script.TABLE.finditer(text)]


@pytest.mark.parametrize("name", TEXTS)
def test_the_docs_say_what_the_records_say(name):
    assert script.differences(TEXTS[name]) == [], "python -m scripts.docs_numbers --write"
    assert list(script.unmarked(TEXTS[name])) == []


@pytest.mark.parametrize("name", script.PICTURES)
def test_pictures_show_the_records_as_they_are(name):
    stamp = script.stamp_of(script.IMAGES / name)
    assert stamp == script.expected_stamp(script.PICTURES[name]), "python -m scripts.docs_numbers --write"


def test_reports_say_where_their_records_are():
    for name, text in TEXTS.items():
        if name.startswith("docs/reports/"):
            assert script.ELSEWHERE.search(text) or "`results/" in text.partition("\n## ")[0], name


def raised(number):
    """Another last digit."""
    return number[:-1] + str((int(number[-1]) + 1) % 10)


@pytest.mark.parametrize(("name", "mark"), MARKS, ids=[f"{name}: {mark['source']}" for name, mark in MARKS])
def test_any_altered_number_is_noticed(name, mark):
    altered = TEXTS[name][: mark.end("text") - 1] + raised(mark["text"])[-1] + TEXTS[name][mark.end("text") :]
    assert len(script.differences(altered)) >= 2


@pytest.mark.parametrize(("name", "table"), TABLES, ids=[f"{name}: {table['source']}" for name, table in TABLES])
def test_any_altered_number_of_a_table_is_noticed(name, table):
    places = [match.end() for match in re.finditer(r"\d+(?= [(|t])|\d+(?=\))", table[0])]
    assert len(places) > 5
    for place in places:
        altered = table[0][: place - 1] + raised(table[0][place - 1]) + table[0][place:]
        assert len(script.differences(altered)) == 2, altered[place - 20 : place + 5]


def test_a_missing_row_and_a_missing_table_are_noticed():
    _, table = TABLES[0]
    lines = table[0].splitlines()
    assert script.differences("\n".join([*lines[:6], *lines[7:]]))
    assert len(MARKS) > 40 and len(TABLES) == 6


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("REBECA has .749 by the verifier.", [".749"]),
        ("Lifts: +0.108 and −.011.", ["+0.108", "−.011"]),
        ("| REBECA | .749 |\n| other | .3 <!-- no record: published -->|", [".749"]),
        ("## 1\n\nNot here: not in `results/`. It is .5.\n\n## 2\n\nIt is .6.", [".6"]),
        ("Records are not in `results/`.\n\n## 2\n\nIt is .6.", []),
        ("It is .749<!-- tinyworld-quick/v4 rebeca ncf -->.", []),
        ("Python 3.11, `0.5`, [x](a-0.5.md), version 0.1.0, 1e-4, 12 %.\n\n```sh\nrun --set a=0.5\n```", []),
        ("An aim of .97. <!-- no record: an aim -->\n\nReached: .96.", [".96"]),
    ],
)
def test_numbers_without_a_record_need_a_reason(text, numbers):
    assert list(script.unmarked(text)) == numbers


@pytest.mark.parametrize(
    ("value", "text", "written"),
    [
        (0.8234, ".859", ".823"), (0.8234, "0.86", "0.82"), (160000, "1,000", "160,000"), (-0.0004, "+.123", ".000"),
        (-0.4, "+.1", "−.4"), (0.4, "−.1", "+.4"), (1.0, ".9", "1.0"), (32, "40", "32"),
    ],
)  # fmt: skip
def test_a_number_is_written_as_before(value, text, written):
    assert script.as_written(value, text) == written


@pytest.mark.parametrize(
    "source",
    [
        "sprites/v2 nobody ncf", "sprites/v2 rebeca nothing", "sprites/v2 data.nothing", "exact nothing",
        "reports/sprites.md | nobody | P@1", "card nothing",
    ],
)  # fmt: skip
def test_a_mark_that_leads_nowhere_is_refused(source):
    with pytest.raises((LookupError, StopIteration)):
        script.value_of(source)

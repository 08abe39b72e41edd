"""A board read from records: rows, findings, flags."""

import dataclasses

import pytest

from benchmark.analysis.results import Caution
from benchmark.board.board import read_board
from benchmark.board.claims import Sentence
from benchmark.board.finding import finding_of
from benchmark.board.flags import flags_of, gaps, twins
from benchmark.records.files import read_comparison, read_record


@pytest.fixture(scope="module")
def records(done):
    return done / "w" / "records" / "tiny" / "v1"


@pytest.fixture(scope="module")
def board(records):
    return read_board(records)


@pytest.fixture(scope="module")
def generators(records):
    return {name: read_record(records / name) for name in read_comparison(records).order}


def test_rows_are_sorted_and_unranked_ones_last(board):
    assert [row.ranked for row in board.rows] == [True] * 4 + [False]
    estimates = [row.estimate("ncf") for row in board.rows if row.ranked]
    assert estimates == sorted(estimates, reverse=True)
    assert board.rows[-1].rank is None and board.rows[0].rank.order == 1


def test_cells_are_the_records_intervals(board):
    row = board.row("rebeca")
    by_key = {column.key: row.cell(column) for column in board.measures.everything()}
    assert by_key["ncf"] == row.record.summary["ncf"].interval
    assert by_key["lift:ncf"] == row.record.personal["ncf"].lift
    assert by_key["gap"] == row.record.gap
    assert row.measure("nothing") is None and row.lift("nothing") is None and row.estimate("nothing") < -1e8


def test_comparisons_are_seen_from_the_generator(board):
    pairs = board.against_others("catalogue-random")
    assert len(pairs) == 6 and {pair.a for _, pair in pairs} == {"catalogue-random"}


def test_a_finding_names_nobody_where_there_are_too_few(board):
    said = finding_of(board.rows, board.measures, 5, 0.05, {})
    assert said.text == "5 users cannot say who leads: nothing is tested below 6 users."
    assert finding_of(board.rows[:1], board.measures, 12, 0.05, {}) == Sentence()


def test_a_leader_needs_a_rank_of_its_own(board):
    first, *others = board.rows
    leads = dataclasses.replace(first, rank=dataclasses.replace(first.rank, low=1, high=1))
    said = finding_of([leads, *others], board.measures, 12, 0.05, {}).text
    assert f"{first.title} leads on preference ({first.estimate('ncf'):.3f})." in said
    near = dataclasses.replace(first, rank=dataclasses.replace(first.rank, low=1, high=2))
    said = finding_of([near, *others], board.measures, 12, 0.05, {}).text
    assert "; 1 other is not shown to be worse." in said


def test_a_title_with_a_comma_stands_in_quotes(board):
    rows = [dataclasses.replace(row, title=f"Prompts, {row.title}") for row in board.rows]
    said = finding_of(rows, board.measures, 12, 0.05, {}).text
    assert said.count('"Prompts, ') == said.count("Prompts, ") > 0


def test_cautions_name_measures_as_the_columns_do(board):
    skewed = [Caution("skewed-values", ("rebeca",), measure) for measure in ("ncf", "lift:ncf")]
    results = dataclasses.replace(board.record.results, cautions=skewed)
    told = dataclasses.replace(board, record=board.record.model_copy(update={"results": results})).cautions()
    assert [text.partition(" (")[0] for text in told[-2:]] == [
        "Skewed values of preference",
        "Skewed values of personal lift",
    ]


def edited(record, **images):
    return record.model_copy(update={"images": record.images.model_copy(update=images)})


def test_flags(records, generators):
    task, record = read_comparison(records), generators["rebeca"]
    assert flags_of(record, task, None, False) == ["few users"]
    assert "failures 50 %" in flags_of(edited(record, valid=18), task, None, False)
    assert "copies 50 %" in flags_of(edited(record, copies=18), task, None, False)
    assert "same for everybody" in flags_of(edited(record, different=3), task, None, False)
    assert flags_of(record, task, "another", True)[:2] == ["identical to another", "gap"]
    assert "needs judge" in flags_of(generators["catalogue-verifier"], task, None, False)


def test_twins_have_the_same_images(generators):
    assert twins(generators) == {}
    digest = generators["rebeca"].images.digest
    same = {**generators, "rebeca-no-user": edited(generators["rebeca-no-user"], digest=digest)}
    assert twins(same) == {
        "rebeca": "rebeca-no-user despite other parameters",
        "rebeca-no-user": "rebeca despite other parameters",
    }


def test_generators_without_images_are_neither_twins_nor_the_same_for_everybody(records, generators):
    empty = {name: edited(record, valid=0, different=0, digest="0" * 64) for name, record in generators.items()}
    assert twins(empty) == {}
    task = read_comparison(records)
    assert "same for everybody" not in flags_of(empty["rebeca"], task, None, False)


def test_a_gap_is_wide_beyond_the_reference(generators):
    def with_gap(record, low, high):
        return record.model_copy(update={"gap": dataclasses.replace(record.gap, low=low, high=high)})

    both = {"a": with_gap(generators["rebeca"], -0.1, 0.1), "b": with_gap(generators["rebeca"], 0.2, 0.3)}
    assert gaps(both, "a") == {"b"} and gaps(both, "b") == set() and gaps(both, "nobody") == set()


def test_weights_that_nobody_published_are_cautioned_about(board):
    weights = {"head.pth": "head.pth unknown 0123456789abcdef", "vit-l": "vit-l published 0123456789abcdef"}
    provenance = board.record.provenance.model_copy(update={"weights": weights})
    other = dataclasses.replace(board, record=board.record.model_copy(update={"provenance": provenance}))
    assert set(other.cautions()) - set(board.cautions()) == {
        "Weights in files that are none of the known published files: head.pth."
    }

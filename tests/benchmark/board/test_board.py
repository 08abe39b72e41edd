"""A board read from records: rows, findings, flags."""

import dataclasses

import pytest

from benchmark.analysis.results import Caution
from benchmark.board.board import read_board
from benchmark.board.claims import Sentence
from benchmark.board.finding import finding_of
from benchmark.board.flags import flags_of, gaps, twins
from benchmark.board.scope import Scope, scope_of
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


def test_flags_of_most_rows_are_said_once(board):
    rows = [
        dataclasses.replace(row, flags=flags)
        for row, flags in zip(board.rows[:3], (["a", "b"], ["a"], ["c"]), strict=True)
    ]
    assert dataclasses.replace(board, rows=rows).common_flags == ["a"]


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


def finding(rows, board, **changes):
    results = dataclasses.replace(board.record.results, **changes)
    return finding_of(rows, board.measures, results, 0.05, {})


def test_a_finding_names_nobody_where_there_are_too_few(board):
    said = finding(board.rows, board, users=5)
    assert said.text == "5 users cannot say who leads: nothing is tested below 6 users."
    assert finding(board.rows[:1], board) == Sentence()


def judged(board, verdicts):
    """The families of a leaderboard with these verdicts of the first generator against the others, by measure."""
    first = board.rows[0].id
    families = dict(board.record.results.families)
    for measure, own in verdicts.items():
        pairs = [pair.seen_from(first) for pair in families[measure].comparisons if first in (pair.a, pair.b)]
        pairs = [dataclasses.replace(pair, verdict=own[pair.b]) for pair in pairs if pair.b in own]
        families[measure] = dataclasses.replace(families[measure], comparisons=tuple(pairs))
    return families


def test_a_headline_says_what_was_tested_and_no_more(board):
    first, *others = [row for row in board.rows if row.ranked]

    def said(**verdicts):
        own = {row.id: verdicts.get(row.id.replace("-", "_"), "better") for row in others}
        return finding(board.rows, board, families=judged(board, {"ncf": own})).text

    value = f"({first.estimate('ncf'):.3f})"
    assert f"this fitted model of {first.title} leads on preference {value}." in said()
    a, b, c = (row.id.replace("-", "_") for row in others)
    some = said(**{a: "inconclusive", b: "equivalent"})
    assert f"{value}; {others[0].title} and {others[1].title} are not shown to be worse." in some
    assert f"{value}; {others[2].title} is not shown to be worse." in said(**{c: "worse"})
    assert f"{value}, but no other is shown to be worse." in said(**dict.fromkeys((a, b, c), "inconclusive"))
    alone = finding(board.rows, board, families=judged(board, {"ncf": {others[1].id: "inconclusive"}})).text
    assert f"{value}; it is not shown to be better than {others[1].title}, its only comparison." in alone
    untested = finding(board.rows, board, families={}).text
    assert f"{value}; nothing was compared." in untested


def with_fits(board, fits, varies=True):
    """The rows as if their generators had been fitted so many times, or as if no fit varied."""
    (fit,) = board.rows[0].record.fits
    return [
        dataclasses.replace(
            row,
            record=row.record.model_copy(
                update={
                    "fits": (fit,) * fits,
                    "generator": row.record.generator.model_copy(update={"fit_varies": varies}),
                }
            ),
        )
        for row in board.rows
    ]


def test_one_place_says_whether_a_headline_is_about_a_fitted_model_or_a_method(board):
    title = board.rows[0].title
    assert f"this fitted model of {title} has the highest preference" in board.finding
    assert board.scope.models == "these fitted models" and "this fitted model" in board.scope.sentence
    assert board.scope.caution in board.cautions() and board.size.endswith(", 1 fit per generator")
    several = with_fits(board, 3)
    said = finding(several, board).text
    assert f"generators, {title} has" in said and ", 3 fits)" in said and "fitted model" not in said
    scope = scope_of(several)
    assert scope.models == "methods, 3 fits each" and "fitted 3 times" in scope.sentence and not scope.caution
    same = with_fits(board, 1, varies=False)
    assert f"generators, {title} has" in finding(same, board).text
    assert scope_of(same) == Scope(0) and not scope_of(same).sentence
    mixed = [same[0], *several[1:]]
    assert scope_of(mixed) == scope and f"generators, {title} has" in finding(mixed, board).text


def test_one_fit_among_several_is_marked(board):
    record = board.row("rebeca").record
    spec = board.record.spec.model_copy(update={"fits": 3})
    task = board.record.model_copy(update={"spec": spec})
    assert "one fit" in flags_of(record, task, None, False)
    assert "one fit" not in flags_of(record, board.record, None, False)
    fixed = record.model_copy(update={"generator": record.generator.model_copy(update={"fit_varies": False})})
    assert "one fit" not in flags_of(fixed, task, None, False)


def test_images_handed_in_without_their_fits_are_of_one_fitted_model(board):
    """Their class says that nothing varies, since there is nothing to fit; nothing is known about other fits."""
    several, (single, *_) = with_fits(board, 3), with_fits(board, 1, varies=False)
    record = single.record
    elsewhere = record.generator.model_copy(update={"fitted_elsewhere": True})
    handed_in = dataclasses.replace(single, record=record.model_copy(update={"generator": elsewhere}))
    task = board.record.model_copy(update={"spec": board.record.spec.model_copy(update={"fits": 3})})
    assert "one fit" in flags_of(handed_in.record, task, None, False)
    assert f"this fitted model of {single.title} has" in finding([handed_in, *several[1:]], board).text
    scope = scope_of([handed_in, *several[1:]])
    assert scope.models == f"methods, 3 fits each; one fit of {single.title}"
    assert f"only one fit of {single.title}: another may" in scope.sentence
    assert scope_of([handed_in]).models == "these fitted models"


def test_a_title_with_a_comma_stands_in_quotes(board):
    rows = [dataclasses.replace(row, title=f"Prompts, {row.title}") for row in board.rows]
    said = finding(rows, board).text
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
    assert flags_of(record, task, "another", True)[:2] == ["identical to another", "gap"]
    assert "needs judge" in flags_of(generators["catalogue-verifier"], task, None, False)


def test_few_different_images_are_the_same_for_everybody_where_nobody_has_a_lift(records, generators):
    """Three fits of one ranking show two items three times: to few kinds of users, few different images in all."""
    task, few = read_comparison(records), edited(generators["rebeca"], different=3)

    def flags(lift):
        personal = few.personal["ncf"]
        alone = dataclasses.replace(personal, lift=dataclasses.replace(personal.lift, estimate=lift))
        return flags_of(few.model_copy(update={"personal": {"ncf": alone}}), task, None, False)

    assert "same for everybody" in flags(0.0) and "same for everybody" in flags(1e-9)
    assert "same for everybody" not in flags(1e-3)
    assert "same for everybody" in flags_of(few.model_copy(update={"personal": {}}), task, None, False)


@pytest.mark.parametrize(
    ("inside", "flag"), [(1.0, None), (0.991, None), (0.99, "1 %"), (0.97, "3 %"), (0.0, "100 %"), (None, None)]
)
def test_images_outside_of_the_world_are_flagged(inside, flag, records, generators):
    task, record = read_comparison(records), generators["rebeca"]
    info, summary = record.measures["ncf"], record.summary["ncf"]
    info = info.model_copy(update={"card": dataclasses.replace(info.card, role="support")})
    summary = dataclasses.replace(summary, exclude=inside)  # failures are another flag
    changed = {"measures": {**record.measures, "in-world": info}, "summary": {**record.summary, "in-world": summary}}
    said = [flag for flag in flags_of(record.model_copy(update=changed), task, None, False) if "outside" in flag]
    assert said == ([] if flag is None else [f"outside the world {flag}"])


@pytest.mark.parametrize(
    ("copies", "flag"), [(0.0, None), (0.01, None), (0.05, None), (0.051, "5 %"), (0.12, "12 %"), (None, None)]
)
def test_near_copies_are_flagged(copies, flag, records, generators):
    task, record = read_comparison(records), generators["rebeca"]
    info, summary = record.measures["ncf"], record.summary["ncf"]
    info = info.model_copy(update={"card": dataclasses.replace(info.card, role="copies")})
    summary = dataclasses.replace(summary, exclude=copies)  # failures are another flag
    changed = {
        "measures": {**record.measures, "near-copies": info},
        "summary": {**record.summary, "near-copies": summary},
    }
    said = [flag for flag in flags_of(record.model_copy(update=changed), task, None, False) if "near-copies" in flag]
    assert said == ([] if flag is None else [f"near-copies {flag}"])


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

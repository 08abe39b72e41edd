"""Which columns a board has, by the roles of scorers alone."""

import dataclasses

import pytest

from benchmark.board.columns import Columns
from rebeca.interfaces import ScorerCard


def card(name, role="", **more):
    return ScorerCard(name, "probability", True, f"{name}.", role=role, **more)


CARDS = {
    "mine": card("Verifier", "verifier"),
    "second": card("Auditor", "auditor"),
    "known": card("True percentile", "ground-truth", is_ground_truth=True),
    "best": card("Right images", is_ground_truth=True),
    "rated": card("Observed rating", "observed", is_ground_truth=True),
    "pretty": card("HPSv2 stand-in", "aesthetic"),
    "diversity": card("Diversity"),
    "precision@1": card("Precision at 1"),
    "precision@10": card("Precision at 10"),
    "spread": card("Spread"),
}


def columns(cards=CARDS, lifted=("mine", "known"), gap=True):
    return Columns("mine", cards, frozenset(lifted), gap)


def test_the_first_columns():
    headings = [(column.key, column.heading) for column in columns().first()]
    assert headings == [
        ("mine", "preference"), ("lift:mine", "personal lift"), ("known", "ground truth"),
        ("lift:known", "lift, ground truth"), ("best", "right images"), ("second", "auditor"),
        ("diversity", "diversity"), ("precision@10", "precision at 10"),
    ]  # fmt: skip


def test_every_column_once():
    keys = [column.key for column in columns().everything()]
    assert keys[:4] == ["mine", "lift:mine", "pretty", "known"]
    assert keys.index("gap") == keys.index("diversity") - 1
    assert sorted(keys) == sorted([*CARDS, "lift:mine", "lift:known", "gap"])
    assert "gap" not in [column.key for column in columns(gap=False).everything()]


def test_headings_keep_their_capitals():
    headings = {column.key: column.heading for column in columns().everything()}
    assert headings["pretty"] == "HPSv2 stand-in" and headings["spread"] == "spread"


@pytest.mark.parametrize(
    ("without", "truth", "words"),
    [((), "known", "ground truth"), (("known",), "rated", "real ratings"), (("known", "rated"), None, "real ratings")],
)
def test_who_knows_best(without, truth, words):
    chosen = columns({name: card for name, card in CARDS.items() if name not in without})
    assert chosen.best_informed == truth and chosen.best_informed_name == words


def test_signs_and_directions():
    by_key = {column.key: column for column in columns().everything()}
    assert by_key["lift:mine"].signed and by_key["gap"].signed and not by_key["mine"].signed
    assert by_key["gap"].direction == "near zero is better"
    low = {**CARDS, "mine": dataclasses.replace(CARDS["mine"], higher_is_better=False)}
    first, lift = columns(low).first()[:2]
    assert (first.direction, lift.direction) == ("lower is better", "higher is better")

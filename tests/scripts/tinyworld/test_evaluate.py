"""The card of the shipped weights names every aim that was missed."""

from __future__ import annotations

import json

import pytest

from rebeca.tinyworld.models import CARD
from scripts.tinyworld.evaluate import AIMS


@pytest.mark.parametrize("name", sorted(AIMS))
def test_the_cards_figures_meet_their_aims_or_are_named_as_missed(name):
    card = json.loads(CARD.read_text(encoding="utf-8"))
    holds, aim = AIMS[name]
    assert holds(card["evaluation"][name], aim) != (name in card["missed"])

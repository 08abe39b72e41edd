"""The card of the shipped weights names every aim that was missed, and changes only when asked."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from rebeca.tinyworld.models import CARD
from scripts.tinyworld import evaluate
from scripts.tinyworld.evaluate import AIMS


@pytest.mark.parametrize("name", sorted(AIMS))
def test_the_cards_figures_meet_their_aims_or_are_named_as_missed(name):
    card = json.loads(CARD.read_text(encoding="utf-8"))
    holds, aim = AIMS[name]
    assert holds(card["evaluation"][name], aim) != (name in card["missed"])


def test_the_card_is_written_only_where_asked(tmp_path, monkeypatch):
    card = tmp_path / "card.json"
    before = CARD.read_bytes()
    card.write_bytes(before)
    shipped = json.loads(before)
    figures = {**shipped["evaluation"], "autoencoder, dB": 1.5}
    monkeypatch.setattr(evaluate, "CARD", card)
    monkeypatch.setattr(evaluate, "evaluate", lambda work: (figures, shipped["recognised"]))
    monkeypatch.setattr(evaluate, "_inside", lambda: shipped["inside"])
    printed = CliRunner().invoke(evaluate.main, ["--work", str(tmp_path)])
    assert printed.exit_code == 1 and card.read_bytes() == before
    assert "1.500  autoencoder, dB  aim 30.5  MISSED" in printed.output
    assert "0.006   0.395  upside down or on a side" in printed.output
    CliRunner().invoke(evaluate.main, ["--work", str(tmp_path), "--write"])
    written = json.loads(card.read_text(encoding="utf-8"))
    assert written["missed"] == [name for name in AIMS if name in {*shipped["missed"], "autoencoder, dB"}]
    assert written == {**shipped, "evaluation": figures, "missed": written["missed"]}

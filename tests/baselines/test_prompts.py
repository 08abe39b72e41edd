"""Prompt-only baselines: words are found in likes, reach the decoder, and read like captions."""

from __future__ import annotations

import numpy as np
import pytest

from baselines.prompts import PUBLISHED, Prompts, PromptsParams, _ends, log_odds
from rebeca.data.interactions import Interactions
from rebeca.errors import PluginError
from rebeca.interfaces import GeneratedImage, Request

CAPTIONS = (
    tuple(
        f"a {grade} {place} at {time}"
        for grade in ("vivid", "muted")
        for place in ("meadow", "lake")
        for time in ("noon", "night")
    )
    * 4
)


class Words:
    """A decoder that remembers what it was told."""

    def decode_prompts(self, prompts, negative_prompts, requests):
        self.said = list(zip(prompts, negative_prompts, strict=True))
        return [GeneratedImage(np.zeros((4, 4, 3), np.uint8)) for _ in requests]


class Context:
    fits = 1

    def __init__(self, captions):
        self.catalogue = type("Catalogue", (), {"captions": captions})()
        self.painter = Words()

    def decoder(self, space):
        return self.painter


def ratings(likes):
    """Everybody rates everything; ``likes[user]`` is a word."""
    users, items = np.divmod(np.arange(len(likes) * len(CAPTIONS)), len(CAPTIONS))
    liked = np.array([likes[u] in CAPTIONS[i].split() for u, i in zip(users, items, strict=True)])
    names = tuple(f"u{u}" for u in range(len(likes)))
    return Interactions(users, items, liked * 4.0 + 1, liked, names, tuple(map(str, range(len(CAPTIONS)))))


def fitted(words, likes=("vivid", "night"), **params):
    context = Context(CAPTIONS)
    generator = Prompts(PromptsParams(words, **params), context)
    generator.fit(ratings(likes))
    return generator, context


def test_a_persona_is_made_of_the_words_of_ones_likes():
    generator, _ = fitted("persona")
    first, second = generator.prompts_of("u0", 0), generator.prompts_of("u1", 0)
    assert "vivid" in first[0].split() and "muted" in first[1].split()
    assert "night" in second[0].split() and "noon" in second[1].split()
    assert Prompts.claims_personal(PromptsParams("persona"))


def test_the_population_is_the_same_for_everybody():
    generator, _ = fitted("population", likes=("vivid", "vivid", "night"))
    assert generator.prompts_of("u0", 1) == generator.prompts_of("u2", 1)
    assert "vivid" in generator.prompts_of("u0", 0)[0].split()
    assert not Prompts.claims_personal(PromptsParams("population"))


@pytest.mark.parametrize("level", sorted(PUBLISHED))
def test_published_levels_reach_the_decoder_word_for_word(level):
    generator, context = fitted(level)
    assert len(list(generator.generate([Request("u0", 0, 1), Request("u1", 0, 2)]))) == 2
    assert context.painter.said == [PUBLISHED[level]] * 2


def test_words_are_kept_and_read_back(tmp_path):
    generator, context = fitted("persona")
    generator.save(tmp_path)
    again = Prompts(PromptsParams("persona"), context)
    again.load(tmp_path)
    assert again.prompts_of("u1", 3) == generator.prompts_of("u1", 3)


def test_a_prompt_reads_in_the_order_of_captions():
    generator, _ = fitted("persona", likes=("vivid",), keywords=3)
    generator._words["u0"][0] = ["noon", "vivid", "lake"]
    assert generator.prompts_of("u0", 0)[0] == "vivid lake noon"


def test_turning_words_turn():
    generator, _ = fitted("persona", likes=("vivid",), keywords=2)
    generator._words["u0"][0] = ["vivid", "lake", "noon"]
    assert [generator.prompts_of("u0", k)[0] for k in range(3)] == ["vivid lake", "vivid noon", "vivid lake"]


def test_turning_words_turn_within_a_fit():
    """Dealt to three fits, images with the same words once were all those of one fit."""
    generator, context = fitted("persona", likes=("vivid",), keywords=2)
    generator._words["u0"][0] = ["vivid", "lake", "noon", "muted"]
    context.fits = 3
    of_fit = [generator.prompts_of("u0", k)[0] for k in (0, 3, 6)]
    assert of_fit == ["vivid lake", "vivid noon", "muted vivid"]


def test_somebody_without_likes_gets_an_empty_prompt():
    generator, _ = fitted("persona", likes=("vivid", "nothing"))
    assert generator.prompts_of("u1", 0) == ("", "")


def test_log_odds_by_hand():
    holds = np.array([[1, 0, 1], [1, 1, 1], [0, 1, 1], [0, 0, 1]], float)
    item, liked = np.arange(4), np.array([True, True, False, False])
    odds = log_odds(
        holds, item, liked, 2, 1.0
    )  # counts 2, 1, 2 of 5 and 0, 1, 2 of 3; shares 3/8, 2/8, 3/8 and 1/6, 2/6, 3/6
    assert odds == pytest.approx([np.log(3 / 5) - np.log(1 / 5), np.log(2 / 6) - np.log(2 / 4), np.log(3 / 5)])
    assert np.isnan(log_odds(holds, item, liked, 5, 1.0)).all()
    assert np.isnan(log_odds(holds, item, np.ones(4, bool), 1, 1.0)).all()


def test_words_that_tell_equally_much_keep_the_order_of_the_vocabulary():
    """Logarithms differ in the last digit between processors."""
    odds = np.array([0.3, np.nan, 0.1 + 0.2, -1.0, 0.9, 1e-17])
    assert _ends(odds, 9, best=True).tolist() == [4, 0, 2]
    assert _ends(-odds, 2, best=False).tolist() == [4, 0]


def test_images_without_captions_are_named():
    with pytest.raises(PluginError, match="needs captions"):
        Prompts(PromptsParams("persona"), Context(("",) * len(CAPTIONS))).fit(ratings(("vivid",)))

"""Prompt-only baselines: words in, images out, no image embedding.

``published-0`` to ``published-2`` are the three levels of the original, the same for all users. ``population``
and ``persona`` take words from the captions of training items: those with the highest smoothed log-odds among liked
items, of all users or of one.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from rebeca.arrays import Bools, Floats, Ints
from rebeca.data.interactions import Interactions
from rebeca.errors import PluginError
from rebeca.interfaces import GeneratedImage, Generator, GeneratorContext, Request
from rebeca.params import Count, Positive
from rebeca.space import LinearSpace
from rebeca.ties import best_first, direction, size_of

Words = Literal["published-0", "published-1", "published-2", "population", "persona"]
PUBLISHED: dict[str, tuple[str, str]] = {
    "published-0": ("", ""),
    "published-1": ("high quality photo", "bad quality photo, letters"),
    "published-2": (
        "Realistic image, finely detailed, with balanced composition and harmonious elements. Dynamic yet subtle"
        " tones, versatile style adaptable to diverse themes and aesthetics, prioritizing clarity and authenticity.",
        "deformed, ugly, wrong proportion, frame, watermark, low res, bad anatomy, worst quality, low quality",
    ),
}
"""Prompt and negative prompt of every level, verbatim."""


@dataclass(frozen=True, slots=True)
class PromptsParams:
    """Parameters of a task file.

    Attributes:
        words: ``published-0``, ``published-1``, ``published-2``, ``population`` or ``persona``.
        keywords: Words of such a prompt; half of them are in every image's prompt, the others take turns.
        least: Rated items whose captions must hold a word.
        smoothing: Added to every count.
    """

    words: Words = "published-0"
    keywords: Count = 4
    least: Count = 5
    smoothing: Positive = 1.0


class Prompts(Generator[PromptsParams]):
    Params = PromptsParams
    family = "prompt"

    def __init__(self, params: PromptsParams, context: GeneratorContext) -> None:
        super().__init__(params, context)
        self._words: dict[str, list[list[str]]] | None = None
        self._order: list[str] = []

    @classmethod
    def fit_varies(cls, params: PromptsParams) -> bool:
        """No: words are counted."""
        return False

    @classmethod
    def reads_captions(cls, params: PromptsParams) -> bool:
        return params.words not in PUBLISHED

    @classmethod
    def claims_personal(cls, params: PromptsParams) -> bool:
        return params.words == "persona"

    @classmethod
    def prompts(cls, params: PromptsParams) -> Sequence[str]:
        return PUBLISHED.get(params.words, ())

    def fit(self, train: Interactions) -> None:
        """Takes words from captions, but with the published levels.

        Raises:
            PluginError: If the items have no captions.
        """
        self._words = {}
        p = self.params
        if p.words in PUBLISHED:
            return
        captions = self.context.catalogue.captions
        if not any(captions):
            raise PluginError(
                f"words: {p.words} needs captions, and the data set has none",
                hint="add a column 'caption' to items.csv",
            )
        vocabulary, holds = _bag_of_words(captions)
        self._order = _reading_order(captions)

        def ends(rows: Bools) -> list[list[str]]:
            odds = log_odds(holds, train.item[rows], train.liked[rows], p.least, p.smoothing)
            return [[vocabulary[i] for i in _ends(odds, p.keywords * 2, best)] for best in (True, False)]

        if p.words == "population":
            self._words = dict.fromkeys(train.user_ids, ends(np.ones(len(train), bool)))
        else:
            self._words = {user: ends(train.user == index) for index, user in enumerate(train.user_ids)}

    def save(self, folder: Path) -> None:
        learned = json.dumps({"words": self._words, "order": self._order}, indent=1, sort_keys=True)
        (folder / "words.json").write_text(learned, encoding="utf-8")

    def load(self, folder: Path) -> None:
        learned = json.loads((folder / "words.json").read_text(encoding="utf-8"))
        self._words, self._order = learned["words"], learned["order"]

    def prompts_of(self, user: str, replicate: int) -> tuple[str, str]:
        if self._words is None:
            raise PluginError("it was asked to generate before it was fitted or loaded")
        p = self.params
        if p.words in PUBLISHED:
            return PUBLISHED[p.words]
        wanted, unwanted = self._words[user]
        fixed = (p.keywords + 1) // 2
        pool, count = wanted[fixed:], p.keywords - fixed
        place = replicate // self.context.fits  # among the images of its fit, in which words take turns
        turn = [pool[(place * count + j) % len(pool)] for j in range(min(count, len(pool)))]
        return self._sentence([*wanted[:fixed], *turn]), self._sentence(unwanted[:fixed])

    def generate(self, requests: Sequence[Request]) -> Iterator[GeneratedImage | None]:
        words = [self.prompts_of(request.user, request.replicate) for request in requests]
        decoder = self.context.decoder(LinearSpace())
        yield from decoder.decode_prompts([w for w, _ in words], [n for _, n in words], requests)

    def _sentence(self, words: list[str]) -> str:
        """The words in the order in which captions use them."""
        return " ".join(sorted(words, key=self._order.index))


def log_odds(holds: Floats, item: Ints, liked: Bools, least: int, smoothing: float) -> Floats:
    """float64 [words]; log-odds of a word in captions of liked items, less those in the other captions.

    NaN for words below ``least``, and for all where nothing, or everything, is liked.

    Args:
        holds: float [items, words]; 1 where a caption holds a word.
        item: int [n]; rated items.
        liked: bool [n].
        least: Rated items whose captions must hold a word.
        smoothing: Added to every count.
    """
    count = np.stack([np.bincount(item[rows], minlength=len(holds)) @ holds for rows in (liked, ~liked)])
    if not count.sum(axis=1).all():
        return np.full(holds.shape[1], np.nan)
    share = (count + smoothing) / (count.sum(axis=1, keepdims=True) + smoothing * holds.shape[1])
    odds = np.log(share[0] / (1 - share[0])) - np.log(share[1] / (1 - share[1]))
    return np.where(count.sum(axis=0) >= least, odds, np.nan)


def _ends(odds: Floats, count: int, best: bool) -> Ints:
    """Words with the highest odds above zero, or the lowest below; the most extreme first."""
    signed = odds if best else -odds
    positive = direction(signed, size_of(odds)) > 0
    return np.array([i for i in best_first(signed) if positive[i]][:count], np.int64)


def _bag_of_words(captions: Sequence[str]) -> tuple[list[str], Floats]:
    split = [caption.lower().split() for caption in captions]
    vocabulary = sorted({word for words in split for word in words})
    index = {word: i for i, word in enumerate(vocabulary)}
    holds = np.zeros((len(captions), len(vocabulary)))
    for row, words in enumerate(split):
        holds[row, [index[word] for word in words]] = 1.0
    return vocabulary, holds


def _reading_order(captions: Sequence[str]) -> list[str]:
    """All words by their mean position in a caption."""
    places: dict[str, list[float]] = {}
    for caption in captions:
        words = caption.lower().split()
        for place, word in enumerate(words):
            places.setdefault(word, []).append(place / len(words))
    words = sorted(places)
    return [words[i] for i in best_first(-np.array([np.mean(places[word]) for word in words]))]

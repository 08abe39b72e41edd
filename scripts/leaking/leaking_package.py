"""A generator that was given held-out ratings: it shows every user the items that they rated best.

``held-out.json`` beside this file holds what `python -m scripts.leaking.write` found in one split. The generator
declares nothing, so its row looks like that of an honest one. Items that may not be shown to a user are left out, as
for every generator; a draw fills the remaining places.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from rebeca import GeneratedImage, Generator, Interactions, Request
from rebeca.interfaces import NoParams, whole_users

TABLE = "held-out.json"


class Leaking(Generator[NoParams]):
    family = "control"

    @classmethod
    def fit_varies(cls, params: NoParams) -> bool:
        """It learns nothing."""
        return False

    @classmethod
    def decodes_in(cls, params: NoParams) -> frozenset[str]:
        """Nowhere: its images exist."""
        return frozenset()

    def fit(self, train: Interactions) -> None:
        """Nothing to learn: it knows already."""

    def save(self, folder: Path) -> None:
        """Nothing to write."""

    def load(self, folder: Path) -> None:
        """Nothing to read."""

    def generate(self, requests: Sequence[Request]) -> Iterator[GeneratedImage | None]:
        """Each user's best held-out items that are candidates, then candidates by the request's seed."""
        known = json.loads(Path(__file__).with_name(TABLE).read_text(encoding="utf-8"))
        index = {name: i for i, name in enumerate(self.context.users)}
        for group in whole_users(requests):
            candidates = self.context.candidates.of(index[group[0].user]).tolist()
            best = [item for item in known.get(group[0].user, []) if item in set(candidates)][: len(group)]
            rest = np.setdiff1d(candidates, best)
            drawn = np.random.default_rng(group[0].seed).permutation(rest)[: len(group) - len(best)]
            for item in [*best, *drawn.tolist()]:
                yield GeneratedImage(self.context.catalogue.pixels(item), item=item)

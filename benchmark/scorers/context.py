"""What a scorer is given when it is built."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from rebeca.arrays import Floats, Ints, Pixels
from rebeca.data.dataset import Dataset
from rebeca.data.splits import Division

if TYPE_CHECKING:
    from rebeca.ncf.verifier import Verifier


@dataclass(frozen=True, slots=True)
class Judge:
    """A fitted verifier or auditor with the catalogue in its space.

    Attributes:
        verifier: The model; loaded when first asked for.
        catalogue: float32 [items, dim]; the catalogue in its encoder's space.
        fingerprint: Address of the fit.
        encode: Turns pictures into vectors of its encoder's space, float32 [n, dim].
    """

    verifier: Callable[[], Verifier]
    catalogue: Callable[[], Floats]
    fingerprint: str
    encode: Callable[[Sequence[Pixels]], Floats]

    def score(self, pictures: Sequence[Pixels], users: Ints) -> Floats:
        """float64 [n]; probability that person ``users[i]`` likes picture i."""
        everyone = np.unique(users)
        table = self.verifier().score_all(self.encode(pictures), everyone)
        return np.asarray(table[np.searchsorted(everyone, users), np.arange(len(users))])

    def catalogue_scores(self) -> Floats:
        """float64 [users, items]; what the verifier's own generators are granted."""
        return self.verifier().score_all(self.catalogue())


@dataclass(frozen=True, slots=True)
class ScorerContext:
    """Everything a scorer may look at.

    Attributes:
        dataset: Pictures and people.
        division: How ratings were divided; the test part is for scorers that say so.
        judges: ``verifier`` and, where the task has one, ``auditor``.
        prior_judge: Gives a verifier in the space of the task's encoder, fitted on the verifier's ratings.
        catalogue_embeddings: float32 [items, dim] in the task's encoder space.
        spec: The scorer's resolved parameters.
        data_fingerprint: Address of data and division.
        device: Torch device.
    """

    dataset: Dataset
    division: Division
    judges: Mapping[str, Judge]
    prior_judge: Callable[[], Judge]
    catalogue_embeddings: Callable[[], Floats]
    spec: Any
    data_fingerprint: str
    device: str = "cpu"

"""Between an encoder's space and the space in which a model works.

``none`` is the published choice; ``l2`` (unit vectors times sqrt(dim)), ``l2-clamp`` and ``standardize`` are the
options that the original tried; ``pca`` keeps few directions, each with ``scale`` as its standard deviation, which a
prior can learn from few ratings.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from rebeca.arrays import Floats, Plain
from rebeca.errors import SpecError, did_you_mean
from rebeca.ties import is_highest

KINDS = ("none", "l2", "l2-clamp", "standardize", "pca")
CLAMP = 5.0
"""The original clamps at 5 (and divides by it) in training; 3.2 elsewhere."""
SMALLEST_SHARE = 1e-9
"""Directions with a smaller share of the first direction's variance are rounding noise."""


@dataclass(slots=True, eq=False)
class LinearSpace:
    """A fitted map; satisfies :class:`rebeca.interfaces.Space`.

    Attributes:
        kind: One of :data:`KINDS`.
        dim: Directions kept by ``pca``; ignored otherwise.
        scale: Standard deviation of a ``pca`` direction.
        arrays: What :meth:`fit` learned: ``mean`` [dim in], ``basis`` [dim, dim in], ``deviation`` [dim].

    Raises:
        SpecError: If there is no such kind.

    Example:
        >>> import numpy as np
        >>> from rebeca import LinearSpace
        >>> embeddings = np.array([[0.0, 0.0], [2.0, 2.0], [4.0, 4.0]], np.float32)
        >>> space = LinearSpace("pca", dim=1).fit(embeddings)
        >>> points = space.forward(embeddings)
        >>> points.shape, bool(np.allclose(space.inverse(points), embeddings, atol=1e-6))
        ((3, 1), True)
    """

    kind: str = "none"
    dim: int = 0
    scale: float = 1.0
    arrays: dict[str, Floats] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise SpecError(f"unknown normalisation '{self.kind}'", hint=did_you_mean(self.kind, KINDS))

    def fit(self, embeddings: Floats) -> LinearSpace:
        """Learns from training images' embeddings, float [n, dim in]; returns itself.

        Where they span fewer directions than asked for, fewer are kept.
        """
        if self.kind == "pca":
            mean = embeddings.mean(axis=0, dtype=np.float64)
            centred = embeddings.astype(np.float64) - mean
            variance, vectors = np.linalg.eigh(centred.T @ centred / len(embeddings))
            variance, vectors = variance[::-1], vectors[:, ::-1]
            keep = min(self.dim, int(np.count_nonzero(variance > variance[0] * SMALLEST_SHARE)))
            basis = vectors[:, :keep].T * _signs(vectors[:, :keep].T)[:, None]
            self.arrays = {"mean": mean, "basis": basis, "deviation": np.sqrt(variance[:keep])}
        return self

    def forward(self, embeddings: Floats) -> Floats:
        """float32 [n, prior dim]."""
        x = embeddings.astype(np.float64)
        if self.kind == "pca":
            a = self.arrays
            x = (x - a["mean"]) @ a["basis"].T / a["deviation"] * self.scale
        elif self.kind in ("l2", "l2-clamp"):
            x = x / np.linalg.norm(x, axis=1, keepdims=True) * np.sqrt(x.shape[1])
            if self.kind == "l2-clamp":
                x = np.clip(x, -CLAMP, CLAMP) / CLAMP
        elif self.kind == "standardize":
            x = (x - x.mean(axis=1, keepdims=True)) / x.std(axis=1, keepdims=True)
        return x.astype(np.float32)

    def inverse(self, points: Floats) -> Floats:
        """float32 [n, dim in]; what was normalised away by ``l2`` and ``standardize`` does not come back."""
        x = points.astype(np.float64)
        if self.kind == "pca":
            a = self.arrays
            x = x / self.scale * a["deviation"] @ a["basis"] + a["mean"]
        elif self.kind == "l2-clamp":
            x = x * CLAMP
        return x.astype(np.float32)

    def to_json(self) -> Mapping[str, Plain]:
        return {"kind": self.kind, "dim": self.dim, "scale": self.scale}


def deviation_of(kind: str, scale: float) -> float | None:
    """Standard deviation of a coordinate in a space; None where only the data tell."""
    return {"pca": scale, "l2": 1.0, "standardize": 1.0, "l2-clamp": 1.0 / CLAMP}.get(kind)


def _signs(basis: Floats) -> Floats:
    """-1 or 1 per direction, to make its largest entry positive (of tied ones the first)."""
    place = is_highest(np.abs(basis)).argmax(axis=1)
    largest = np.take_along_axis(basis, place[:, None], axis=1)[:, 0]
    return np.where(largest < 0, -1.0, 1.0)

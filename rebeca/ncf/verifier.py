"""The judge ``ncf`` as a Python caller uses it: fit, score, save, load."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rebeca.arrays import Floats
from rebeca.data.columns import Id, finite_rows, index_of, plain_ids, read_columns
from rebeca.data.splits import Part
from rebeca.device import check_device
from rebeca.errors import DataError, SpecError, counted
from rebeca.interfaces import JudgeContext
from rebeca.ncf.judge import NCFJudge
from rebeca.ncf.options import VerifierParams
from rebeca.params import changed_params, make_params, params_json, whole_number
from rebeca.weights import folder_to_write, reading

DESCRIBED = "verifier-params.json"
"""Parameters and users, beside the networks."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Verifier:
    """The judge ``ncf``: the probability that a user likes an image, for any user of the fit and any image.

    Build one with :meth:`fit` or :meth:`load`. Whether it knows users apart, only held-out ratings show.

    Attributes:
        users: Ids of the users that it was fitted on, in ascending order.
        dim: Numbers of an embedding.
        judge: The judge that it wraps, as the benchmark uses it.

    Example:
        >>> import tempfile
        >>> import numpy as np
        >>> from rebeca import Verifier
        >>> rng = np.random.default_rng(0)
        >>> embeddings = rng.normal(size=(200, 8)).astype(np.float32)
        >>> users, items = ["ann"] * 150 + ["bob"] * 150, np.tile(np.arange(150), 2)
        >>> likes = (embeddings[items, 0] > 0) == (np.array(users) == "ann")  # ann and bob disagree about number 0
        >>> verifier = Verifier.fit(users, items, likes, embeddings, nets=2, dims=8, lr=1e-2, user_weight_decay=0.01)
        >>> scores = verifier.score_all(embeddings[150:])  # 50 images that nobody rated
        >>> scores.shape, verifier.users
        ((2, 50), ('ann', 'bob'))
        >>> positive = embeddings[150:, 0] > 0
        >>> bool(scores[0, positive].mean() > 0.6 > 0.4 > scores[1, positive].mean())
        True
        >>> verifier.score(["bob", "ann"], embeddings[150:152]).shape  # image i for user i
        (2,)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     verifier.save(folder)
        ...     bool((Verifier.load(folder).score_all(embeddings[150:]) == scores).all())
        True
    """

    users: tuple[Id, ...]
    dim: int
    judge: NCFJudge

    @property
    def params(self) -> VerifierParams:
        """Parameters of the fit."""
        return self.judge.params

    @classmethod
    def fit(
        cls,
        users: Sequence[Id] | npt.NDArray[np.generic],
        items: npt.ArrayLike,
        likes: npt.ArrayLike,
        embeddings: npt.ArrayLike,
        *,
        ratings: npt.ArrayLike | None = None,
        seed: int = 0,
        device: str = "cpu",
        **params: Any,
    ) -> Verifier:
        """Fits the judge; one row per rating.

        Args:
            users: n ids, all texts or all whole numbers.
            items: int [n]; rows of ``embeddings``, counted from 0.
            likes: bool [n]; some true and some false.
            embeddings: float [items, dim], from any image encoder. Directions are learned from the items of these
                rows; other items may stand in the table.
            ratings: float [n]; graded ratings, from which the population control is learned. By default a like is 1
                and a dislike 0.
            seed: Equal seeds and inputs give equal weights on one machine.
            device: Torch device.
            **params: Fields of :class:`rebeca.ncf.options.VerifierParams`.

        Raises:
            DataError: If columns differ in length, a row names no item, an embedding is not finite, or all rows are
                likes or all dislikes.
            SpecError: If a parameter is unknown or impossible, or the training diverges.
        """
        chosen = make_params(VerifierParams, params, "Verifier.fit")
        number = whole_number("seed", seed)
        check_device(device)
        ids, rows, table = read_columns(users, items, likes, embeddings, ratings)
        rated = np.isin(np.arange(len(table)), rows.item)
        judge = NCFJudge(chosen, JudgeContext(rows.user_ids, rated, number, device))
        judge.fit(Part(rows, rows.where(np.zeros(len(rows), bool))), table)
        if not np.isfinite(judge.score_all(table[:1])).all():
            raise SpecError(f"the verifier's training diverged at lr {chosen.lr:g}", hint="lower lr")
        return cls(ids, table.shape[1], judge)

    def score(self, users: Sequence[Id] | npt.NDArray[np.generic], embeddings: npt.ArrayLike) -> Floats:
        """Probability that a user likes an image, pair by pair.

        Args:
            users: n ids.
            embeddings: float [n, dim]; one image per id.

        Returns:
            float64 [n] in [0, 1].

        Raises:
            DataError: If lengths differ, or embeddings are not finite or of another width than those of the fit.
            SpecError: If a user is unknown, with the nearest id.
        """
        table, rows = self._table(embeddings), index_of(users, self.users, "verifier")
        if len(rows) != len(table):
            raise DataError(f"one image per user is needed; found {len(rows):,} users and {len(table):,} images")
        different, place = np.unique(rows, return_inverse=True)
        return self.judge.score_all(table, different)[place, np.arange(len(table))]

    def score_all(
        self, embeddings: npt.ArrayLike, users: Sequence[Id] | npt.NDArray[np.generic] | None = None
    ) -> Floats:
        """Probability that each user likes each image.

        Args:
            embeddings: float [n, dim].
            users: Ids; all users of the fit by default.

        Returns:
            float64 [users, n] in [0, 1].

        Raises:
            DataError: If embeddings are not finite or of another width than those of the fit.
            SpecError: If a user is unknown, with the nearest id.
        """
        chosen = None if users is None else index_of(users, self.users, "verifier")
        return self.judge.score_all(self._table(embeddings), chosen)

    def save(self, folder: str | Path) -> None:
        """Writes the verifier into a folder, which is created if need be.

        Args:
            folder: Receives ``verifier.safetensors``, ``verifier.json`` and ``verifier-params.json``.

        Raises:
            StoreError: If the folder cannot be created.
        """
        folder = folder_to_write(folder)
        self.judge.save(folder)
        described = {"params": params_json(self.params), "users": self.users, "dim": self.dim}
        (folder / DESCRIBED).write_text(json.dumps(described, indent=1, sort_keys=True), encoding="utf-8")

    @classmethod
    def load(cls, folder: str | Path, device: str = "cpu") -> Verifier:
        """Reads what :meth:`save` wrote.

        Args:
            folder: The folder.
            device: Torch device.

        Raises:
            SpecError: If it holds no verifier, or a damaged one.
        """
        check_device(device)
        folder = Path(folder)
        with reading(f"{folder}: holds no verifier that can be read", SpecError, "name a folder that save wrote"):
            described = json.loads((folder / DESCRIBED).read_text(encoding="utf-8"))
            ids = plain_ids(described["users"])
            names, no_items = tuple(map(str, ids)), np.zeros(0, bool)
            params = make_params(VerifierParams, described["params"], "params")
            judge = NCFJudge(params, JudgeContext(names, no_items, device=device))
            judge.load(folder)
            dim = int(described["dim"])
            scores = judge.score_all(np.zeros((1, dim), np.float32))
            if scores.shape != (len(ids), 1) or not np.isfinite(scores).all():
                raise ValueError(f"its weights are not those of {counted(len(ids), 'user')}, or not finite")
            return cls(ids, dim, judge)

    def __repr__(self) -> str:
        changed = (f"{name}={value!r}" for name, value in changed_params(self.params).items())
        return f"Verifier({', '.join([counted(len(self.users), 'user'), *changed])})"

    def _table(self, embeddings: npt.ArrayLike) -> Floats:
        table = finite_rows(embeddings, "embeddings")
        if table.shape[1] != self.dim:
            raise DataError(
                f"embeddings: {table.shape[1]} numbers per image, the verifier was fitted on {self.dim}",
                hint="take the encoder of the fit",
            )
        return table

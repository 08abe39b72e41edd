"""The original's Python entry points: ``train_ncf`` and ``NCF``.

Models are saved as safetensors and JSON; the original's pickles are not read.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file

from rebeca.arrays import Bools, Floats, Ints, first_true
from rebeca.errors import DataError
from rebeca.ncf.model import NCFModel, NCFShape, shape_from_json
from rebeca.ncf.options import PublishedVerifierParams
from rebeca.ncf.training import NCFHistory, Rows, fit_ncf
from rebeca.weights import save_weights

VALIDATION_SHARE = 0.1
VALIDATION_SEED = 42
ROWS_AT_ONCE = 65_536

GRID: dict[str, tuple[Any, ...]] = {
    "d": (10, 20, 40, 60, 80, 160, 240, 320),
    "lr": (1e-2, 1e-3, 1e-4, 1e-5),
    "weight_decay": (1.0, 1e-2, 1e-4, 1e-6),
    "mlp_layers": ((128, 64, 32), (256, 128, 64), (64, 32), (512, 256, 128)),
    "dropout": (0.1, 0.2, 0.3),
}
"""The published grid, without ``gamma``, which the original no longer reads."""


def train_ncf(
    U: Ints,
    E: Floats,
    Y: Ints,
    *,
    d: int = 320,
    mlp_layers: Sequence[int] = (128, 64, 32),
    dropout: float = 0.2,
    lr: float = 1e-2,
    weight_decay: float = 1e-4,
    epochs: int = 10_000,
    patience: int = 30,
    tolerance: float = 1e-4,
    num_users: int | None = None,
    seed: int = 0,
    device: str = "cpu",
) -> tuple[NCFModel, NCFHistory]:
    """Trains one verifier network as published.

    Args:
        U: int [n]; user index of each row.
        E: float [n, dim]; item embedding of each row.
        Y: [n]; 1 for a like.
        d: Width of both branches.
        mlp_layers: Hidden layers.
        dropout: After each hidden layer.
        lr: Learning rate.
        weight_decay: L2 penalty.
        epochs: At most so many full-batch steps.
        patience: Epochs without improvement before stopping.
        tolerance: Smallest improvement that counts.
        num_users: Users; by default the largest index + 1.
        seed: Initialisation and dropout; the inner validation part is always drawn with 42.
        device: Torch device.

    Returns:
        The network in its best state, and the losses.

    Raises:
        DataError: If lengths differ, or a number is not finite.

    Example:
        >>> import numpy as np
        >>> from rebeca import train_ncf
        >>> U = np.repeat([0, 1], 100)
        >>> E = np.random.default_rng(0).normal(size=(200, 4))
        >>> Y = (E[:, 0] > 0) == (U == 0)  # user 0 likes a positive first number, user 1 a negative one
        >>> model, history = train_ncf(U, E, Y, d=8, mlp_layers=[16], lr=1e-2, epochs=100)
        >>> history.best_validation < history.validation[0]
        True
    """
    users, table, liked = _checked(U, E, Y)
    from sklearn.model_selection import train_test_split

    rows = np.arange(len(users))
    _, chosen = train_test_split(rows, test_size=VALIDATION_SHARE, random_state=VALIDATION_SEED)
    held = np.isin(rows, chosen)
    shape = NCFShape(num_users or int(users.max()) + 1, table.shape[1], d, tuple(mlp_layers), dropout)
    options = PublishedVerifierParams(lr=lr, weight_decay=weight_decay, epochs=epochs, patience=patience)
    return fit_ncf(shape, Rows(users, rows, liked, table), held, options, seed, device, tolerance=tolerance)


@dataclass(slots=True)
class NCF:
    """A verifier with the original's methods.

    Attributes:
        model: The network, None before :meth:`fit` or :meth:`load`.
        results: One row per configuration of the grid search, best first.

    Example:
        >>> import numpy as np
        >>> from rebeca import NCF
        >>> U = np.repeat([0, 1], 100)
        >>> E = np.random.default_rng(0).normal(size=(200, 4))
        >>> Y = (E[:, 0] > 0) == (U == 0)  # user 0 likes a positive first number, user 1 a negative one
        >>> ncf = NCF().fit(U, E, Y, grid={"lr": [1e-2, 1e-4]}, d=8, mlp_layers=[16], epochs=100)
        >>> [row["lr"] for row in ncf.results]
        [0.01, 0.0001]
        >>> scores = ncf.score([0, 1], [[2.0, 0, 0, 0], [2.0, 0, 0, 0]])
        >>> scores[0]["avg"] > scores[1]["avg"]
        True
    """

    device: str = "cpu"
    model: NCFModel | None = None
    results: list[Mapping[str, Any]] | None = None

    def fit(
        self,
        U: Ints,
        E: Floats,
        Y: Ints,
        grid: dict[str, Sequence[Any]] | None = None,
        seed: int = 0,
        **fixed: Any,
    ) -> NCF:
        """Trains every configuration of the grid and keeps the one with the lowest validation loss.

        Args:
            U: int [n]; user indices.
            E: float [n, dim]; item embeddings.
            Y: [n]; likes.
            grid: Values by name; by default the published :data:`GRID`, which takes long.
            seed: As for :func:`train_ncf`.
            **fixed: Passed on to :func:`train_ncf`.
        """
        values = dict(GRID if grid is None else grid)
        best = np.inf
        self.results = []
        for combination in product(*values.values()):
            settings = dict(zip(values, combination, strict=True))
            model, history = train_ncf(U, E, Y, seed=seed, device=self.device, **settings, **fixed)
            self.results.append({**settings, "validation_loss": history.best_validation, "epochs": len(history.train)})
            if history.best_validation < best:
                best, self.model = history.best_validation, model
        self.results.sort(key=lambda row: row["validation_loss"])
        return self

    @torch.inference_mode()
    def predict(self, U: Ints, E: Floats) -> Floats:
        """float32 [n]; probability that user U[i] likes the item E[i]."""
        model = self._fitted()
        users, table, _ = _checked(U, E, np.arange(len(U)) % 2)
        parts = []
        for start in range(0, len(users), ROWS_AT_ONCE):
            rows = slice(start, start + ROWS_AT_ONCE)
            u = torch.as_tensor(users[rows], dtype=torch.long, device=self.device)
            e = torch.as_tensor(table[rows], dtype=torch.float32, device=self.device)
            parts.append(model(u, e).sigmoid().cpu().numpy())
        return np.concatenate(parts)

    def score(self, U: Ints, E: Floats) -> dict[int, dict[str, float]]:
        """Mean score of every user's items and its standard error, std / sqrt(n)."""
        predicted = self.predict(U, E).astype(np.float64)
        out = {}
        for user in np.unique(U):
            own = predicted[user == U]
            out[int(user)] = {"avg": float(own.mean()), "std_error": float(own.std() / np.sqrt(len(own)))}
        return out

    def to(self, device: str) -> NCF:
        """Moves the network to a torch device; returns itself."""
        self.device = device
        if self.model is not None:
            self.model.to(device)
        return self

    def save(self, folder: str | Path) -> None:
        """Writes ``ncf.safetensors`` and ``ncf.json``."""
        model, folder = self._fitted(), Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        save_weights(folder / "ncf.safetensors", model.state_dict())
        (folder / "ncf.json").write_text(json.dumps(asdict(model.shape)), encoding="utf-8")

    def load(self, folder: str | Path) -> NCF:
        """Reads what :meth:`save` wrote; returns itself."""
        folder = Path(folder)
        model = NCFModel(shape_from_json(json.loads((folder / "ncf.json").read_text(encoding="utf-8"))))
        model.load_state_dict(load_file(folder / "ncf.safetensors"))
        self.model = model.to(self.device).eval()
        return self

    def _fitted(self) -> NCFModel:
        if self.model is None:
            raise DataError("this NCF has no network yet", hint="call fit or load first")
        return self.model


def _checked(U: Ints, E: Floats, Y: Ints) -> tuple[Ints, Floats, Bools]:
    users, table, liked = np.asarray(U), np.asarray(E, np.float32), np.asarray(Y).astype(bool)
    if not (len(users) == len(table) == len(liked)) or table.ndim != 2 or not len(users):
        raise DataError(f"U, E and Y must have equal lengths: {users.shape}, {table.shape}, {liked.shape}")
    row = first_true(~np.isfinite(table).all(axis=1))
    if row is not None:
        raise DataError(f"E: row {row} holds a number that is not finite")
    return users, table, liked

"""The original's Python entry points: ``train_ncf`` and ``NCF``.

Models are saved as safetensors and JSON; the original's pickles are not read.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from hashlib import blake2b
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file

from rebeca.arrays import Bools, Floats, Ints, first_true
from rebeca.data.columns import as_array, finite_rows, is_like
from rebeca.device import check_device
from rebeca.errors import DataError, SpecError
from rebeca.ncf.model import NCFModel, NCFShape, shape_from_json
from rebeca.ncf.options import PublishedVerifierParams
from rebeca.ncf.training import NCFHistory, Rows, fit_ncf
from rebeca.params import make_params
from rebeca.weights import folder_to_write, reading, save_weights

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
        DataError: If lengths differ, a number is not finite, or there is a single row.
        SpecError: If a parameter is impossible.

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
    check_device(device)
    rows, held = _training_rows(U, E, Y, num_users)
    given = {"d": d, "mlp_layers": tuple(mlp_layers), "dropout": dropout, "lr": lr, "weight_decay": weight_decay}
    options = make_params(PublishedVerifierParams, {**given, "epochs": epochs, "patience": patience}, "train_ncf")
    shape = NCFShape(num_users or int(rows.user.max()) + 1, rows.table.shape[1], d, options.mlp_layers, dropout)
    return fit_ncf(shape, rows, held, options, seed, device, tolerance=tolerance)


def _training_rows(U: Ints, E: Floats, Y: Ints, num_users: int | None) -> tuple[Rows, Bools]:
    """The rows, and bool [n]: those that are held back for early stopping."""
    users, items, table = _rows(U, E)
    liked = _likes(Y, len(users))
    if len(users) < 2:
        raise DataError("a single rating cannot be split for early stopping", hint="give at least two")
    if num_users is not None and num_users <= users.max():
        raise DataError(f"num_users is {num_users}, but U holds {users.max()}", hint="users are numbered from 0")
    from sklearn.model_selection import train_test_split

    rows = np.arange(len(users))
    _, chosen = train_test_split(rows, test_size=VALIDATION_SHARE, random_state=VALIDATION_SEED)
    return Rows(users, items, liked, table), np.isin(rows, chosen)


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
        shape = self._fitted().shape
        users, items, table = _rows(U, E)
        if users.max() >= shape.num_users or table.shape[1] != shape.emb_dim:
            raise DataError(
                f"the network knows users 0 to {shape.num_users - 1} and {shape.emb_dim} numbers per item,"
                f" found user {users.max()} and {table.shape[1]} numbers"
            )
        model, parts = self._fitted(), []
        for start in range(0, len(users), ROWS_AT_ONCE):
            rows = slice(start, start + ROWS_AT_ONCE)
            u = torch.as_tensor(users[rows], dtype=torch.long, device=self.device)
            different, place = np.unique(items[rows], return_inverse=True)
            i = torch.as_tensor(place, dtype=torch.long, device=self.device)
            e = torch.as_tensor(table[different], dtype=torch.float32, device=self.device)
            parts.append(model(u, i, e).sigmoid().cpu().numpy())
        return np.concatenate(parts)

    def score(self, U: Ints, E: Floats) -> dict[int, dict[str, float]]:
        """Mean score of every user's items and its standard error, std / sqrt(n)."""
        predicted = self.predict(U, E).astype(np.float64)
        out, users = {}, np.asarray(U)
        for user in np.unique(users):
            own = predicted[users == user]
            out[int(user)] = {"avg": float(own.mean()), "std_error": float(own.std() / np.sqrt(len(own)))}
        return out

    def to(self, device: str) -> NCF:
        """Moves the network to a torch device; returns itself."""
        check_device(device)
        self.device = device
        if self.model is not None:
            self.model.to(device)
        return self

    def save(self, folder: str | Path) -> None:
        """Writes ``ncf.safetensors`` and ``ncf.json``."""
        model, folder = self._fitted(), folder_to_write(folder)
        save_weights(folder / "ncf.safetensors", model.state_dict())
        (folder / "ncf.json").write_text(json.dumps(asdict(model.shape)), encoding="utf-8")

    def load(self, folder: str | Path) -> NCF:
        """Reads what :meth:`save` wrote; returns itself.

        Raises:
            SpecError: If the folder holds no network, or a damaged one.
        """
        check_device(self.device)
        folder = Path(folder)
        with reading(f"{folder}: holds no NCF that can be read", SpecError, "name a folder that NCF.save wrote"):
            model = NCFModel(shape_from_json(json.loads((folder / "ncf.json").read_text(encoding="utf-8"))))
            model.load_state_dict(load_file(folder / "ncf.safetensors"))
        self.model = model.to(self.device).eval()
        return self

    def _fitted(self) -> NCFModel:
        if self.model is None:
            raise DataError("this NCF has no network yet", hint="call fit or load first")
        return self.model


def _rows(U: Ints, E: Floats) -> tuple[Ints, Ints, Floats]:
    """User indices int64 [n], and of the embeddings each row's place [n] in a table of the different ones."""
    users, table = as_array("U", U), finite_rows(E, "E")
    if users.shape != (len(table),) or users.dtype.kind not in "iu" or not len(users):
        raise DataError(f"U: expected {len(table):,} whole numbers and at least one, found {users.dtype} {users.shape}")
    row = first_true(users < 0)
    if row is not None:
        raise DataError(f"U: row {row} holds {users[row]}, and users are numbered from 0")
    places: dict[bytes, int] = {}
    items = np.array(
        [places.setdefault(blake2b(row, digest_size=16).digest(), len(places)) for row in np.ascontiguousarray(table)]
    )
    return users.astype(np.int64), items, table[np.unique(items, return_index=True)[1]]


def _likes(Y: Ints, number: int) -> Bools:
    liked = as_array("Y", Y)
    if liked.shape != (number,) or not all(map(is_like, liked)):
        raise DataError(f"Y: expected 0 or 1 for each of {number:,} rows, found {liked.dtype} {liked.shape}")
    return liked.astype(bool)

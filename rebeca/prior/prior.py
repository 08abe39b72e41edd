"""The prior as a Python caller uses it: fit, sample, save, load."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rebeca.arrays import Bools, Floats, Ints
from rebeca.data.columns import Id, index_of, plain_ids, read_columns
from rebeca.data.interactions import Interactions
from rebeca.device import check_device
from rebeca.errors import DataError, SpecError, counted
from rebeca.interfaces.judge import no_progress
from rebeca.options import RebecaParams, prior_params
from rebeca.params import changed_params, make_params, params_json, whole_number
from rebeca.prior.diffusion import check_sampler
from rebeca.prior.files import load_network, save_network
from rebeca.prior.network import PriorNetwork
from rebeca.prior.options import DISLIKE, LIKE, PriorShape, SamplingOptions
from rebeca.prior.sampling import sample_prior
from rebeca.prior.training import PriorHistory, PriorTraining
from rebeca.seeds import seed_of, substream
from rebeca.space import LinearSpace
from rebeca.taste import taste_rows
from rebeca.weights import folder_to_write, reading

DESCRIBED = "prior-params.json"
"""Parameters, users and losses, beside the network."""
BEST = "best"
"""File that names the chosen one of a folder of priors."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Prior:
    """REBECA's diffusion prior: samples embeddings of images that a user likes, learned from ratings alone.

    Build one with :meth:`fit` or :meth:`load`.

    Attributes:
        params: Parameters of the fit, and the defaults of sampling.
        users: Ids of the users that it was trained on, in ascending order.
        history: Losses by epoch; ``history.validation`` is empty without validation ratings.
        device: Torch device.
        model: The network.
        space: Map between the space of the embeddings and that of the network.

    Example:
        >>> import tempfile
        >>> import numpy as np
        >>> from rebeca import Prior
        >>> rng = np.random.default_rng(0)
        >>> embeddings = rng.normal(size=(300, 8)).astype(np.float32)
        >>> users, items = ["ann"] * 300 + ["bob"] * 300, np.tile(np.arange(300), 2)
        >>> likes = (embeddings[items, 0] > 0) == (np.array(users) == "ann")  # ann and bob disagree about number 0
        >>> small = {"network": "mlp", "hidden": 64, "layers": 2, "batch": 128, "lr": 3e-3, "max_steps": 200}
        >>> sampling = {"sampler": "DPMSolverMultistepScheduler", "steps": 10}
        >>> prior = Prior.fit(users, items, likes, embeddings, **small, **sampling)
        >>> ann, bob = prior.sample(user=["ann", "bob"], n=20)
        >>> ann.shape, ann.dtype
        ((20, 8), dtype('float32'))
        >>> bool(ann[:, 0].mean() > 0 > bob[:, 0].mean())
        True
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     prior.save(folder)
        ...     bool((Prior.load(folder).sample(user="ann", n=5) == ann[:5]).all())
        True
    """

    params: RebecaParams
    users: tuple[Id, ...]
    history: PriorHistory
    device: str
    model: PriorNetwork
    space: LinearSpace

    @classmethod
    def fit(
        cls,
        users: Sequence[Id] | npt.NDArray[np.generic],
        items: npt.ArrayLike,
        likes: npt.ArrayLike,
        embeddings: npt.ArrayLike,
        *,
        validation: Bools | None = None,
        ratings: npt.ArrayLike | None = None,
        seed: int = 0,
        device: str = "cpu",
        progress: Callable[[int, int, str], None] = no_progress,
        **params: Any,
    ) -> Prior:
        """Trains a prior; one row per rating.

        Args:
            users: n ids, all texts or all whole numbers.
            items: int [n]; rows of ``embeddings``, counted from 0.
            likes: bool [n].
            embeddings: float [items, dim], from any image encoder. A space with ``normalize="pca"`` is learned from
                the items of training rows; other items may stand in the table.
            validation: bool [n]; rows that are held back for early stopping. Without them training ends after
                ``epochs`` or ``max_steps``, and the last state is kept.
            ratings: float [n]; graded ratings for ``user_rows="taste"``. By default a like is 1 and a dislike 0.
            seed: Equal seeds and inputs give equal weights on one machine.
            device: Torch device.
            progress: Called with (steps done, steps at most, note).
            **params: Fields of :class:`rebeca.options.RebecaParams`. The defaults are the published configuration,
                which is meant for a GPU and whose ``tokens`` (32) must divide ``dim``.

        Raises:
            DataError: If columns differ in length, a row names no item, an embedding is not finite, or a user has no
                like to learn from.
            SpecError: If a parameter is unknown or impossible.
        """
        chosen = prior_params(params, "Prior.fit")
        number = whole_number("seed", seed)
        check_device(device)
        check_sampler(chosen.sampler, chosen.objective, chosen.schedule, chosen.steps)
        ids, rows, table = read_columns(users, items, likes, embeddings, ratings)
        held = np.zeros(len(rows), bool) if validation is None else np.asarray(validation)
        if held.shape != (len(rows),) or held.dtype != bool:
            raise DataError(f"validation: expected {len(rows):,} times true or false, found {held.dtype} {held.shape}")
        train = rows.where(~held)
        without = np.flatnonzero(np.bincount(train.user, train.liked, len(ids)) == 0)
        if len(without):
            raise DataError(
                f"{counted(len(without), 'user')} without a like to train on, the first is {ids[without[0]]!r}",
                hint="leave their rows out: the prior learns from likes what a user likes",
            )
        seen = np.isin(np.arange(len(table)), train.item)
        prior = cls.train(chosen, train, rows.where(held), table, seen, number, device, progress=progress)
        return replace(prior, users=ids)

    @classmethod
    def train(
        cls,
        params: RebecaParams,
        train: Interactions,
        validation: Interactions,
        embeddings: Floats,
        training_items: Bools,
        seed: int,
        device: str = "cpu",
        checkpoint: Path | None = None,
        progress: Callable[[int, int, str], None] | None = None,
    ) -> Prior:
        """Trains a prior on the package's own types, as the generator does: fits space, user rows and network.

        Args:
            params: Parameters; those of sampling are only kept.
            train: Training ratings.
            validation: Ratings for early stopping; may be empty.
            embeddings: float32 [items, dim]; the whole catalogue.
            training_items: bool [items]; items from which the space may be learned.
            seed: Seed of the fit.
            device: Torch device.
            checkpoint: File to resume from.
            progress: Called with (step, steps, note).

        Raises:
            SpecError: If ``dims`` asks for more directions than the embeddings have, or the training diverges.
            DataError: If there are too few ratings for a single step.
        """
        if params.normalize == "pca" and params.dims > embeddings.shape[1]:
            raise SpecError(f"dims: {params.dims} directions of a space of {embeddings.shape[1]} dimensions")
        space = LinearSpace(params.normalize, params.dims, params.scale).fit(embeddings[training_items])
        with np.errstate(invalid="ignore"):  # a vector of zeros has no direction, which is named
            points = space.forward(embeddings)
        if not points.shape[1] or not np.isfinite(points).all():
            raise DataError(f"embeddings: those of the training items leave no directions for {params.normalize}")
        shape = PriorShape(
            points.shape[1],
            train.num_users,
            params.network,
            params.tokens,
            params.hidden,
            params.heads,
            params.layers,
            params.residual,
        )
        rows = (
            taste_rows(train, points, shape.user_width, params.ridge, substream(seed, "rotation"))
            if params.user_rows == "taste"
            else None
        )
        options = replace(params, drop_user=1.0) if params.train_users == "nobody" else params
        training = PriorTraining(shape, options, train, validation, points, seed, device, rows)
        model, history = training.run(checkpoint, progress)
        if not history.steps:
            raise DataError("no step of the prior has two ratings", hint="network: transformer can take single ones")
        if not _is_finite(model):
            raise SpecError(f"the prior's training diverged at lr {params.lr:g}", hint="lower lr")
        return cls(params, train.user_ids, history, device, model, space)

    def sample(
        self,
        user: Id | Sequence[Id | None] | None,
        n: int,
        guidance: float | None = None,
        seed: int = 0,
        liked: bool | None = True,
        *,
        sampler: str | None = None,
        steps: int | None = None,
    ) -> Floats:
        """Samples embeddings; a decoder turns them into images.

        Embedding i depends on ``seed``, i and the user alone: ``n=5`` gives the first five of ``n=10``, and different
        users start from the same noise.

        Args:
            user: Id of a user, several ids, or None for nobody in particular.
            n: Embeddings per user, at least 1.
            guidance: 0 ignores user and rating, 1 is plain conditional sampling, more extrapolates. By default
                ``params.prior_guidance``.
            seed: Of the noise.
            liked: True for embeddings that the user likes, False for disliked ones, None for neither in particular.
            sampler: Name of a scheduler of diffusers; by default ``params.sampler``.
            steps: Solver steps; by default ``params.steps``.

        Returns:
            float32 [n, dim] in the space of the embeddings that the prior was trained on; [users, n, dim] for several
            ids.

        Raises:
            SpecError: If a user is unknown, with the nearest id; or a number or a sampler is impossible.
        """
        if isinstance(user, str) or not isinstance(user, Iterable):
            return self.sample([user], n, guidance, seed, liked, sampler=sampler, steps=steps)[0]
        p = self.params
        strength = p.prior_guidance if guidance is None else guidance
        if not isinstance(strength, Real) or not np.isfinite(strength):
            raise SpecError(f"guidance: expected a finite number, found {strength!r}")
        if not (liked is None or isinstance(liked, bool | np.bool)):
            raise SpecError(f"liked: expected True, False or None, found {liked!r}")
        number, n = whole_number("seed", seed), whole_number("n", n, least=1)
        options = SamplingOptions(
            p.sampler if sampler is None else str(sampler),
            p.steps if steps is None else whole_number("steps", steps, least=1),
            float(strength),
            p.sample_batch,
            p.sample_dtype,
            p.compile,
        )
        check_sampler(options.sampler, p.objective, p.schedule, options.steps)
        users = list(user)
        rows = np.repeat(self._rows_of(users), n)
        score = self.model.shape.null_score if liked is None else LIKE if liked else DISLIKE
        seeds = [seed_of("prior sample", number, i) for i in range(n)] * len(users)
        points = sample_prior(
            self.model, rows, np.full(len(rows), score), seeds, p.objective, p.schedule, options, self.device
        )
        embeddings = self.space.inverse(points)
        return embeddings.reshape(len(users), n, embeddings.shape[1])

    def save(self, folder: str | Path) -> None:
        """Writes the prior into a folder, which is created if need be.

        Args:
            folder: Receives ``prior.safetensors``, ``space.safetensors``, ``prior.json`` and ``prior-params.json``.

        Raises:
            StoreError: If the folder cannot be created.
        """
        folder = folder_to_write(folder)
        save_network(folder, self.model, self.space, None)
        described = {"params": params_json(self.params), "users": self.users, "history": asdict(self.history)}
        (folder / DESCRIBED).write_text(json.dumps(described, indent=1, sort_keys=True), encoding="utf-8")

    @classmethod
    def load(cls, folder: str | Path, device: str = "cpu") -> Prior:
        """Reads what :meth:`save` or ``python -m rebeca.train_prior`` wrote.

        Args:
            folder: Folder of one prior; or the output of ``rebeca.train_prior``, whose best prior is read.
            device: Torch device.

        Raises:
            SpecError: If it holds no prior, or a damaged one.
        """
        check_device(device)
        folder = Path(folder)
        with reading(f"{folder}: holds no prior that can be read", SpecError, "name a folder that Prior.save wrote"):
            if (folder / BEST).is_file():
                folder = folder / _best_of(folder)
            described = json.loads((folder / DESCRIBED).read_text(encoding="utf-8"))
            params = make_params(RebecaParams, described["params"], f"{folder / DESCRIBED}: params")
            losses: dict[str, Any] = described["history"]
            losses |= {name: tuple(losses[name]) for name in ("train", "validation", "learning_rate")}
            ids = plain_ids(described["users"])
            model, space, _ = load_network(folder, device)
            if len(ids) != model.shape.num_users or not _is_finite(model):
                raise ValueError(f"its weights are not those of {counted(len(ids), 'user')}, or not finite")
            return cls(params, ids, PriorHistory(**losses), device, model, space)

    def __repr__(self) -> str:
        changed = (f"{name}={value!r}" for name, value in changed_params(self.params).items())
        return f"Prior({', '.join([counted(len(self.users), 'user'), *changed])})"

    def _rows_of(self, users: Sequence[Id | None]) -> Ints:
        """Rows of the user table."""
        known = index_of([user for user in users if user is not None], self.users, "prior")
        rows = np.full(len(users), self.model.shape.null_user, np.int64)
        if self.params.train_users == "own":  # else no user's row was trained
            rows[[user is not None for user in users]] = known
        return rows


def _best_of(folder: Path) -> str:
    """Name of the best prior's folder, which lies beside the file that names it."""
    name = (folder / BEST).read_text(encoding="utf-8").strip()
    if name in ("", "..") or Path(name).name != name:
        raise ValueError(f"{BEST} names {name[:80]!r}, which is no folder beside it")
    return name


def _is_finite(model: PriorNetwork) -> bool:
    return all(bool(value.isfinite().all()) for value in model.state_dict().values())

"""REBECA as a generator: fit the prior on ratings, sample embeddings that a person likes, decode them.

The controls are the same generator with other sampling parameters, so they share its fit: without the person
(``condition: [rating]``), without the rating (``condition: [user]``), asked for dislikes (``rating: dislike``), or with
people shuffled (``users: shuffled``). ``train_users: nobody`` retrains without people.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np

from rebeca.arrays import Floats, Ints
from rebeca.data.interactions import Interactions
from rebeca.data.splits import thinned
from rebeca.decoders.nearest import NearestParams, NearestPicture, nearest
from rebeca.errors import GeneratorError, SpecError
from rebeca.interfaces import Decoder, FitContext, Generator, Picture, Request
from rebeca.params import Count, NotNegative, Positive, Probability, Share
from rebeca.prior.options import DISLIKE, LIKE, Objective, PriorShape, SamplingOptions, Schedule
from rebeca.prior.user_rows import UserRows
from rebeca.seeds import seed_of, substream
from rebeca.space import LinearSpace
from rebeca.taste import DEFAULT_RIDGE
from rebeca.ties import best_first

CHOICE_PICTURES = 4
"""Pictures a person when guidance is chosen on validation ratings; few, because few candidates are held back."""


@dataclass(frozen=True, slots=True)
class RebecaParams:
    """Parameters of a task file; the defaults are the published configuration.

    Attributes:
        normalize: Space of the prior: ``none``, ``l2``, ``l2-clamp``, ``standardize`` or ``pca``.
        dims: Directions kept by ``pca``.
        scale: Standard deviation of a ``pca`` direction.
        network: ``transformer`` or ``mlp``.
        tokens: Tokens of the transformer.
        hidden: Width.
        heads: Attention heads.
        layers: Blocks.
        residual: ``reference`` or ``fixed`` cross-attention.
        user_rows: ``learned`` or ``taste``.
        freeze_user_rows: Whether user rows stay as they start.
        ridge: Penalty of the taste model.
        ratings_share: Share of each person's training ratings that the fit sees; a smaller share is a part of a
            larger one. Validation ratings stay whole.
        train_users: ``own``, or ``nobody`` to train without people.
        objective: What the network predicts.
        schedule: Noise schedule.
        lr: Learning rate.
        weight_decay: Weight decay.
        batch: Rows a training step.
        samples_per_user: Rows of each person an epoch.
        drop_user: Condition dropout of the person.
        drop_score: Condition dropout of the rating.
        epochs: At most so many epochs.
        max_steps: At most so many steps.
        patience: Epochs without improvement before stopping.
        guidance_grid: Values among which ``prior_guidance: validation`` chooses.
        sampler: A diffusers scheduler.
        steps: Solver steps.
        prior_guidance: Guidance of the prior, or ``validation``.
        sample_batch: Embeddings sampled at once.
        condition: What the sampling is conditioned on.
        rating: Which rating is asked for.
        best_of: Pictures made for each one that is kept, the one that the verifier likes best; needs the judge. The
            first has the picture's own seed, the j-th after it that seed's stream ``candidate-j``.
        users: ``own`` or ``shuffled`` (a uniform permutation of all people, fixed points allowed).
    """

    normalize: Literal["none", "l2", "l2-clamp", "standardize", "pca"] = "none"
    dims: Count = 16
    scale: Positive = 1.0
    network: Literal["transformer", "mlp"] = "transformer"
    tokens: Count = 32
    hidden: Count = 128
    heads: Count = 8
    layers: Count = 6
    residual: Literal["reference", "fixed"] = "reference"
    user_rows: UserRows = "learned"
    freeze_user_rows: bool = False
    ridge: NotNegative = DEFAULT_RIDGE
    ratings_share: Share = 1.0
    train_users: Literal["own", "nobody"] = "own"
    objective: Objective = "sample"
    schedule: Schedule = "squaredcos_cap_v2"
    lr: Positive = 1e-4
    weight_decay: NotNegative = 1e-5
    batch: Count = 64
    samples_per_user: Count = 100
    drop_user: Probability = 0.15
    drop_score: Probability = 0.15
    epochs: Count = 2001
    max_steps: Count | None = None
    patience: Count | None = 50
    guidance_grid: tuple[float, ...] = ()
    sampler: str = "DDPMScheduler"
    steps: Count = 1000
    prior_guidance: float | Literal["validation"] = 5.0
    sample_batch: Count = 1024
    condition: tuple[Literal["user", "rating"], ...] = ("user", "rating")
    rating: Literal["like", "dislike"] = "like"
    best_of: Count = 1
    users: Literal["own", "shuffled"] = "own"
    LATER: ClassVar[tuple[str, ...]] = ("ratings_share", "best_of")


SAMPLING_ONLY = frozenset(
    {"sampler", "steps", "prior_guidance", "sample_batch", "condition", "rating", "best_of", "users"}
)


class Rebeca(Generator):
    """The generator; see the module's description."""

    Params = RebecaParams
    family = "rebeca"
    granted_at = "generate"

    def __init__(self, params: RebecaParams | None = None) -> None:
        self.params = params or RebecaParams()
        if self.params.prior_guidance == "validation" and not self.params.guidance_grid:
            raise SpecError("prior_guidance: validation needs guidance_grid", hint="e.g. guidance_grid: [1, 3, 6, 10]")
        self._context: FitContext | None = None
        self._decoder: Decoder | None = None
        self._model: Any = None
        self._space = LinearSpace()
        self._shape: PriorShape | None = None
        self.report: dict[str, Any] = {}

    @property
    def fit_parameters(self) -> frozenset[str]:
        """All but those of sampling; where the fit chooses the guidance it samples, and depends on solver and steps."""
        own = frozenset(RebecaParams.__dataclass_fields__) - SAMPLING_ONLY
        return own | {"sampler", "steps"} if self.params.guidance_grid else own

    @property
    def needs(self) -> frozenset[str]:
        """The judge, to choose the best of several pictures."""
        return frozenset({"judge"}) if self.params.best_of > 1 else frozenset()

    @property
    def claims_personal(self) -> bool:
        """Without the person, or with people shuffled, nothing is meant to be personal but what a judge chooses."""
        p = self.params
        return p.best_of > 1 or ("user" in p.condition and p.users == "own" and p.train_users == "own")

    def fit(self, train: Interactions, context: FitContext) -> None:
        """Trains the prior; chooses the guidance on validation ratings where asked for."""
        from rebeca.train_prior import train_prior

        p = self.params
        self._decoder_of(context, LinearSpace())  # refuses before the work
        train = thinned(train, p.ratings_share, context.seeds.fit("ratings-share"))
        trained = train_prior(
            p, train, context.validation, context.embeddings, context.training_items, context.fit_seed,
            context.device, context.workdir / "prior.checkpoint", context.progress,
        )  # fmt: skip
        self._bind(context, trained.space, trained.shape, trained.model)
        count = sum(weight.numel() for weight in trained.model.parameters())
        self.report = {"history": trained.history.to_json(), "parameters": count}
        if p.guidance_grid:
            self.report["guidance"] = self._choose_guidance(context, trained.points)

    def save(self, folder: Path) -> None:
        """Writes weights, space and report."""
        from safetensors.numpy import save as numpy_bytes

        from rebeca.weights import save_weights

        assert self._shape is not None
        save_weights(folder / "prior.safetensors", self._model.state_dict())
        arrays = {name: np.ascontiguousarray(array) for name, array in self._space.arrays.items()}
        (folder / "space.safetensors").write_bytes(numpy_bytes(arrays))
        described = {"shape": self._shape.to_json(), "space": self._space.to_json(), "report": self.report}
        (folder / "prior.json").write_text(json.dumps(described, indent=1, sort_keys=True), encoding="utf-8")

    def load(self, folder: Path, context: FitContext) -> None:
        """Reads what :meth:`save` wrote."""
        from safetensors.numpy import load_file as load_numpy
        from safetensors.torch import load_file

        from rebeca.prior.network import build_prior

        described = json.loads((folder / "prior.json").read_text(encoding="utf-8"))
        space = LinearSpace(**described["space"], arrays=load_numpy(folder / "space.safetensors"))
        shape = PriorShape(**described["shape"])
        model = build_prior(shape, 0)
        model.load_state_dict(load_file(folder / "prior.safetensors"))
        self._bind(context, space, shape, model.to(context.device).eval())
        self.report = described["report"]

    @property
    def prior_guidance(self) -> float:
        """The guidance in force."""
        guidance = self.params.prior_guidance
        return float(self.report["guidance"]["chosen"]) if guidance == "validation" else float(guidance)

    def generate(self, requests: Sequence[Request]) -> Iterator[Picture | None]:
        """Samples one embedding a request and decodes them."""
        if self._context is None or self._decoder is None:
            raise GeneratorError("rebeca was asked to generate before it was fitted or loaded")
        pictures = self._decoder.decode(self.sample(requests), requests)
        yield from self._best(list(pictures), requests) if self.params.best_of > 1 else pictures

    def _best(self, first: list[Picture | None], requests: Sequence[Request]) -> list[Picture | None]:
        """Of several pictures for every request, the one that the verifier likes best for that person."""
        assert self._context is not None and self._decoder is not None
        judge = self._context.grants["judge"]
        index = {name: i for i, name in enumerate(self._context.users)}
        users = np.array([index[request.user] for request in requests])
        best, liked = first, _liked(judge, first, users)
        for j in range(1, self.params.best_of):
            others = [replace(request, seed=substream(request.seed, f"candidate-{j}")) for request in requests]
            made = list(self._decoder.decode(self.sample(others), others))
            scores = _liked(judge, made, users)
            best = [new if s > old else kept for new, kept, s, old in zip(made, best, scores, liked, strict=True)]
            liked = np.maximum(liked, scores)
        return best

    def sample(self, requests: Sequence[Request]) -> Floats:
        """float32 [n, prior dim]; one embedding a request."""
        assert self._context is not None and self._shape is not None
        p = self.params
        index = {name: i for i, name in enumerate(self._context.users)}
        users: Ints = np.array([index[request.user] for request in requests], dtype=np.int64)
        if p.users == "shuffled":
            users = self._permutation(len(index))[users]
        if "user" not in p.condition or p.train_users == "nobody":
            users = np.full_like(users, self._shape.null_user)
        score = self._shape.null_score if "rating" not in p.condition else LIKE if p.rating == "like" else DISLIKE
        return self._sample(users, score, [request.seed for request in requests], self.prior_guidance)

    def _permutation(self, size: int) -> Ints:
        assert self._context is not None
        return np.random.default_rng(self._context.seeds.fit("shuffled-users")).permutation(size)

    def _sample(self, users: Ints, score: int, seeds: Sequence[int], guidance: float) -> Floats:
        from rebeca.prior.sampling import sample_prior

        assert self._context is not None
        p = self.params
        options = SamplingOptions(p.sampler, p.steps, guidance, p.sample_batch)
        scores = np.full(len(users), score)
        return sample_prior(
            self._model, users, scores, seeds, p.objective, p.schedule, options, self._context.device,
            self._context.progress,
        )  # fmt: skip

    def _bind(self, context: FitContext, space: LinearSpace, shape: PriorShape, model: Any) -> None:
        self._context, self._space, self._shape, self._model = context, space, shape, model
        self._decoder = self._decoder_of(context, space)

    def _decoder_of(self, context: FitContext, space: LinearSpace) -> Decoder:
        decoder = context.decoder(space)
        if self.params.best_of > 1 and isinstance(decoder, NearestPicture) and not decoder.params.repeats:
            raise SpecError(
                "best_of: the best of several could be the same catalogue picture twice, and decoder.params.repeats is "
                "false",
                hint="set decoder.params.repeats: true, or best_of: 1",
            )
        return decoder

    def _choose_guidance(self, context: FitContext, points: Floats) -> dict[str, Any]:
        """The guidance whose nearest validation pictures have the highest personal rating (both means taken out)."""
        held = context.validation
        residual = held.rating - held.user_mean()[held.user]
        item_mean = np.nan_to_num(replace(held, rating=residual).item_mean())
        personal = residual - item_mean[held.item]
        order = np.argsort(held.user, kind="stable")
        bounds = np.searchsorted(held.user[order], np.arange(held.num_users + 1))
        people = np.flatnonzero(np.diff(bounds) > CHOICE_PICTURES)
        if not len(people):
            raise GeneratorError(
                "prior_guidance: validation found nobody with enough validation ratings",
                hint=f"everybody needs more than {CHOICE_PICTURES}; raise split.validation",
            )
        users = np.repeat(people, CHOICE_PICTURES)
        if self.params.train_users == "nobody":
            assert self._shape is not None
            users = np.full_like(users, self._shape.null_user)
        seeds = [seed_of(context.fit_seed, "choice", int(u), k) for u in people for k in range(CHOICE_PICTURES)]
        params = NearestParams(getattr(getattr(self._decoder, "params", None), "metric", "euclidean"))
        table = []
        for guidance in self.params.guidance_grid:
            sampled = self._sample(users, LIKE, seeds, guidance)
            lifts = np.empty(len(people))
            for row, user in enumerate(people):
                own = order[bounds[user] : bounds[user + 1]]
                mine = sampled[row * CHOICE_PICTURES : (row + 1) * CHOICE_PICTURES]
                found = nearest(mine, points[held.item[own]], params)
                lifts[row] = personal[own[found]].mean()
            error = float(lifts.std(ddof=1) / np.sqrt(len(lifts))) if len(lifts) > 1 else None
            table.append({"prior_guidance": guidance, "personal_rating": float(lifts.mean()), "standard_error": error})
        best = best_first(np.array([row["personal_rating"] for row in table]))[0]
        return {"chosen": table[best]["prior_guidance"], "table": table, "people": len(people)}


def _liked(judge: Any, pictures: Sequence[Picture | None], users: Ints) -> Floats:
    """float64 [n]; the judge's scores, minus infinity for a picture that failed."""
    there = np.array([picture is not None for picture in pictures], bool)
    scores = np.full(len(pictures), -np.inf)
    if there.any():
        scores[there] = judge.score([picture.pixels for picture in pictures if picture is not None], users[there])
    return scores

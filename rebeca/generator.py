"""REBECA as a generator: fit the prior on ratings, sample embeddings that a user likes, decode them.

The controls are the same generator with other sampling parameters, so they share its fit: without the user
(``condition: [rating]``), without the rating (``condition: [user]``), asked for dislikes (``rating: dislike``), or with
users shuffled (``users: shuffled``). ``train_users: nobody`` retrains without users.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from rebeca.arrays import Floats, Ints
from rebeca.data.interactions import Interactions
from rebeca.data.splits import thinned
from rebeca.decoders.nearest import NearestParams, nearest
from rebeca.errors import PluginError, SpecError
from rebeca.interfaces import Decoder, FittedJudge, GeneratedImage, Generator, GeneratorContext, Request
from rebeca.options import SAMPLING_ONLY, RebecaParams
from rebeca.plain import Plain
from rebeca.prior.options import DISLIKE, LIKE, PriorShape, SamplingOptions
from rebeca.seeds import seed_of, substream
from rebeca.space import LinearSpace
from rebeca.ties import best_first

CHOICE_PICTURES = 4
"""Images per user when guidance is chosen on validation ratings; few, because few candidates are held back."""


@dataclass(frozen=True, slots=True)
class GuidanceRow:
    """One value of ``guidance_grid`` on validation ratings.

    Attributes:
        prior_guidance: The value.
        personal_rating: Mean rating of the nearest validation images, both means taken out.
        standard_error: Over users; None where there is one only.
    """

    prior_guidance: float
    personal_rating: float
    standard_error: float | None


class Rebeca(Generator[RebecaParams]):
    """The generator; see the module's description."""

    Params = RebecaParams
    family = "rebeca"
    privileged_at = "generate"

    def __init__(self, params: RebecaParams, context: GeneratorContext) -> None:
        super().__init__(params, context)
        self._decoder: Decoder[Any] | None = None
        self._model: Any = None
        self._space = LinearSpace()
        self._shape: PriorShape | None = None
        self._report: Mapping[str, Plain] = {}
        self._chosen: float | None = None

    @classmethod
    def fit_parameters(cls, params: RebecaParams) -> frozenset[str]:
        """All but those of sampling; where the fit chooses the guidance it samples, and depends on solver and steps."""
        own = super().fit_parameters(params) - SAMPLING_ONLY
        return own | {"sampler", "steps"} if params.guidance_grid else own

    @classmethod
    def needs(cls, params: RebecaParams) -> frozenset[str]:
        """The judge, to choose the best of several images."""
        return frozenset({"judge"}) if params.best_of > 1 else frozenset()

    @classmethod
    def decodes_in(cls, params: RebecaParams) -> frozenset[str]:
        """To generate; where the fit chooses the guidance, its choice rests on the decoder's metric."""
        return frozenset({"fit", "generate"} if params.guidance_grid else {"generate"})

    @classmethod
    def claims_personal(cls, params: RebecaParams) -> bool:
        """Without the user, or with users shuffled, nothing is meant to be personal but what a judge chooses."""
        p = params
        return p.best_of > 1 or ("user" in p.condition and p.users == "own" and p.train_users == "own")

    def fit(self, train: Interactions) -> None:
        """Trains the prior; chooses the guidance on validation ratings where asked for."""
        from rebeca.train_prior import train_prior

        p, context = self.params, self.context
        if p.guidance_grid:
            self._decoder_of(LinearSpace())  # refuses before the work
        train = thinned(train, p.ratings_share, context.seeds.fit("ratings-share"))
        trained = train_prior(
            p, train, context.validation, context.embeddings, context.training_items, context.fit_seed,
            context.device, context.workdir / "prior.checkpoint", context.progress,
        )  # fmt: skip
        self._bind(trained.space, trained.shape, trained.model)
        count = sum(weight.numel() for weight in trained.model.parameters())
        report: dict[str, Plain] = {"history": trained.history.to_json(), "parameters": count}
        if p.guidance_grid:
            self._decoder = self._decoder_of(self._space)
            table, people = self._compare_guidance(trained.points)
            best = best_first(np.array([row.personal_rating for row in table]))[0]
            self._chosen = table[best].prior_guidance
            rows = [asdict(row) for row in table]
            report["guidance"] = {"chosen": self._chosen, "table": rows, "people": people}
        self._report = report

    def report(self) -> Mapping[str, Plain]:
        """Losses by epoch, number of parameters, and how the guidance was chosen where it was."""
        return self._report

    def save(self, folder: Path) -> None:
        """Writes weights, space and the chosen guidance."""
        from safetensors.numpy import save as numpy_bytes

        from rebeca.weights import save_weights

        assert self._shape is not None
        save_weights(folder / "prior.safetensors", self._model.state_dict())
        arrays = {name: np.ascontiguousarray(array) for name, array in self._space.arrays.items()}
        (folder / "space.safetensors").write_bytes(numpy_bytes(arrays))
        described = {"shape": self._shape.to_json(), "space": self._space.to_json(), "guidance": self._chosen}
        (folder / "prior.json").write_text(json.dumps(described, indent=1, sort_keys=True), encoding="utf-8")

    def load(self, folder: Path) -> None:
        """Reads what :meth:`save` wrote."""
        from safetensors.numpy import load_file as load_numpy
        from safetensors.torch import load_file

        from rebeca.prior.network import build_prior

        described = json.loads((folder / "prior.json").read_text(encoding="utf-8"))
        space = LinearSpace(**described["space"], arrays=load_numpy(folder / "space.safetensors"))
        shape = PriorShape(**described["shape"])
        model = build_prior(shape, 0)
        model.load_state_dict(load_file(folder / "prior.safetensors"))
        self._bind(space, shape, model.to(self.context.device).eval())
        self._decoder = self._decoder_of(space)
        self._chosen = described["guidance"]

    @property
    def prior_guidance(self) -> float:
        """The guidance in force."""
        guidance = self._chosen if self.params.prior_guidance == "validation" else self.params.prior_guidance
        if guidance is None:
            raise PluginError("it was asked to generate before it was fitted or loaded")
        return float(guidance)

    def generate(self, requests: Sequence[Request]) -> Iterator[GeneratedImage | None]:
        """Samples one embedding per request and decodes them."""
        if self._model is None:
            raise PluginError("it was asked to generate before it was fitted or loaded")
        if self._decoder is None:  # fitted here, not loaded
            self._decoder = self._decoder_of(self._space)
        images = self._decoder.decode(self.sample(requests), requests)
        yield from self._best(list(images), requests) if self.params.best_of > 1 else images

    def _best(self, first: list[GeneratedImage | None], requests: Sequence[Request]) -> list[GeneratedImage | None]:
        """Of several images for every request, the one that the verifier likes best for that user."""
        assert self._decoder is not None
        judge = self.context.privileges.judge
        index = {name: i for i, name in enumerate(self.context.users)}
        users = np.array([index[request.user] for request in requests])
        best, liked = first, _liked(judge, first, users)
        for j in range(1, self.params.best_of):
            others = [replace(request, seed=substream(request.seed, f"candidate-{j}")) for request in requests]
            candidates = list(self._decoder.decode(self.sample(others), others))
            scores = _liked(judge, candidates, users)
            best = [new if s > old else kept for new, kept, s, old in zip(candidates, best, scores, liked, strict=True)]
            liked = np.maximum(liked, scores)
        return best

    def sample(self, requests: Sequence[Request]) -> Floats:
        """float32 [n, prior dim]; one embedding per request."""
        assert self._shape is not None
        p = self.params
        index = {name: i for i, name in enumerate(self.context.users)}
        users: Ints = np.array([index[request.user] for request in requests], dtype=np.int64)
        if p.users == "shuffled":
            users = self._permutation(len(index))[users]
        if "user" not in p.condition or p.train_users == "nobody":
            users = np.full_like(users, self._shape.null_user)
        score = self._shape.null_score if "rating" not in p.condition else LIKE if p.rating == "like" else DISLIKE
        return self._sample(users, score, [request.seed for request in requests], self.prior_guidance)

    def _permutation(self, size: int) -> Ints:
        return np.random.default_rng(self.context.seeds.fit("shuffled-users")).permutation(size)

    def _sample(self, users: Ints, score: int, seeds: Sequence[int], guidance: float) -> Floats:
        from rebeca.prior.sampling import sample_prior

        p = self.params
        options = SamplingOptions(p.sampler, p.steps, guidance, p.sample_batch)
        scores = np.full(len(users), score)
        return sample_prior(
            self._model, users, scores, seeds, p.objective, p.schedule, options, self.context.device,
            self.context.progress,
        )  # fmt: skip

    def _bind(self, space: LinearSpace, shape: PriorShape, model: Any) -> None:
        self._space, self._shape, self._model = space, shape, model

    def _decoder_of(self, space: LinearSpace) -> Decoder[Any]:
        decoder = self.context.decoder(space)
        if self.params.best_of > 1 and not decoder.repeats:
            raise SpecError(
                "best_of: the best of several could be the same catalogue picture twice, and decoder.params.repeats is "
                "false",
                hint="set decoder.params.repeats: true, or best_of: 1",
            )
        return decoder

    def _compare_guidance(self, points: Floats) -> tuple[list[GuidanceRow], int]:
        """Personal rating of the nearest validation images for every value, and the number of users that count."""
        context = self.context
        held = context.validation
        residual = held.rating - held.user_mean()[held.user]
        item_mean = np.nan_to_num(replace(held, rating=residual).item_mean())
        personal = residual - item_mean[held.item]
        order = np.argsort(held.user, kind="stable")
        bounds = np.searchsorted(held.user[order], np.arange(held.num_users + 1))
        people = np.flatnonzero(np.diff(bounds) > CHOICE_PICTURES)
        if not len(people):
            raise PluginError(
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
            table.append(GuidanceRow(guidance, float(lifts.mean()), error))
        return table, len(people)


def _liked(judge: FittedJudge, images: Sequence[GeneratedImage | None], users: Ints) -> Floats:
    """float64 [n]; the judge's scores, minus infinity for an image that failed."""
    valid = np.array([image is not None for image in images], bool)
    scores = np.full(len(images), -np.inf)
    if valid.any():
        scores[valid] = judge.score([image.pixels for image in images if image is not None], users[valid])
    return scores

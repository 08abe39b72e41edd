"""REBECA as a generator: fit the prior on ratings, sample embeddings that a user likes, decode them.

The controls are the same generator with other sampling parameters, so they share its fit: without the user
(``condition: [rating]``), without the rating (``condition: [user]``), asked for dislikes (``rating: dislike``), or with
users shuffled (``users: shuffled``). ``train_users: nobody`` retrains without users.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from rebeca.arrays import Floats, Ints, Plain
from rebeca.data.interactions import Interactions, rows_by_group
from rebeca.data.splits import Part, thinned
from rebeca.decoders.nearest import NearestParams, nearest
from rebeca.errors import PluginError, SpecError, counted
from rebeca.interfaces import Decoder, FittedJudge, GeneratedImage, Generator, GeneratorContext, Request
from rebeca.options import SAMPLING_ONLY, RebecaParams
from rebeca.population import personal_ratings
from rebeca.prior.options import DISLIKE, LIKE, SamplingOptions
from rebeca.references import REBECA
from rebeca.seeds import seed_of, substream
from rebeca.space import LinearSpace, deviation_of
from rebeca.ties import best_first

CHOICE_IMAGES = 4
"""Images per user when guidance is chosen on validation ratings; few, because few candidates are held back."""
LEAST_CHOOSING_USERS = 8
"""So many choose nearly the best value (docs/reports/sparse-ratings.md)."""
SPREAD_CHANGE = 0.1
"""Share by which a sampler may change the spread of embeddings without a note."""


@dataclass(frozen=True, slots=True)
class GuidanceRow:
    """One value of ``guidance_grid`` on validation ratings.

    Attributes:
        prior_guidance: The value.
        personal_rating: Mean over users of the nearest validation items'
            :func:`~rebeca.population.personal_ratings`.
        standard_error: Over users.
    """

    prior_guidance: float
    personal_rating: float
    standard_error: float


class Rebeca(Generator[RebecaParams]):
    Params = RebecaParams
    references = (REBECA,)
    family = "rebeca"
    privileged_at = "generate"

    def __init__(self, params: RebecaParams, context: GeneratorContext) -> None:
        super().__init__(params, context)
        self._model: Any = None
        self._space = LinearSpace()
        self._report: Mapping[str, Plain] = {}
        self._chosen: float | None = None

    @classmethod
    def fit_parameters(cls, params: RebecaParams) -> frozenset[str]:
        """All but those of sampling. A fit that chooses the guidance samples, so it depends on how."""
        own = super().fit_parameters(params) - SAMPLING_ONLY
        return own | {"sampler", "steps", "sample_dtype", "compile"} if params.guidance_grid else own

    @classmethod
    def check(cls, params: RebecaParams) -> None:
        from rebeca.prior.diffusion import check_sampler

        check_sampler(params.sampler, params.objective, params.schedule, params.steps)

    @classmethod
    def notes(cls, params: RebecaParams) -> Sequence[str]:
        """Whether the sampler changes the spread of the embeddings; of raw ones the spread is not known yet."""
        from rebeca.prior.diffusion import spread_kept

        deviation = deviation_of(params.normalize, params.scale)
        if deviation is None:
            return ()
        kept = spread_kept(params.sampler, params.objective, params.schedule, params.steps, deviation)
        if abs(kept - 1) <= SPREAD_CHANGE:
            return ()
        return (
            f"{params.sampler} in {counted(params.steps, 'step')} with schedule {params.schedule} gives embeddings"
            f" {kept:.0%} of the spread that the prior learned, so their diversity is not the prior's"
            " (docs/reports/samplers.md)",
        )

    @classmethod
    def needs_repeats(cls, params: RebecaParams) -> bool:
        return params.best_of > 1

    @classmethod
    def needs(cls, params: RebecaParams) -> frozenset[str]:
        return frozenset({"judge"}) if params.best_of > 1 else frozenset()

    @classmethod
    def decodes_in(cls, params: RebecaParams) -> frozenset[str]:
        """To generate; where the fit chooses the guidance, its choice rests on the decoder's metric."""
        return frozenset({"fit", "generate"} if params.guidance_grid else {"generate"})

    @classmethod
    def claims_personal(cls, params: RebecaParams) -> bool:
        given_the_user = "user" in params.condition and params.users == "own" and params.train_users == "own"
        return params.best_of > 1 or given_the_user

    def fit(self, train: Interactions) -> None:
        from rebeca.prior.prior import Prior

        p, context = self.params, self.context
        if p.guidance_grid:
            self._decoder_of(LinearSpace())  # this and the next line raise before the long training
            _users_who_choose(context.validation)
        train = thinned(train, p.ratings_share, context.seeds.fit("ratings-share"))
        prior = Prior.train(
            p, train, context.validation, context.embeddings, context.training_items, context.fit_seed,
            context.device, context.workdir / "prior.checkpoint", context.progress,
        )  # fmt: skip
        self._bind(prior.space, prior.model)
        report: dict[str, Plain] = {
            "history": asdict(prior.history),
            "parameters": sum(weight.numel() for weight in prior.model.parameters()),
        }
        if p.guidance_grid:
            report["guidance"] = self._choose_guidance(train, prior.space.forward(context.embeddings))
        self._report = report

    def report(self) -> Mapping[str, Plain]:
        return self._report

    def save(self, folder: Path) -> None:
        from rebeca.prior.files import save_network

        save_network(folder, self._model, self._space, self._chosen)

    def load(self, folder: Path) -> None:
        from rebeca.prior.files import load_network

        model, space, self._chosen = load_network(folder, self.context.device)
        self._bind(space, model)

    @property
    def prior_guidance(self) -> float:
        guidance = self._chosen if self.params.prior_guidance == "validation" else self.params.prior_guidance
        if guidance is None:
            raise PluginError("it was asked to generate before it was fitted or loaded")
        return float(guidance)

    def generate(self, requests: Sequence[Request]) -> Iterator[GeneratedImage | None]:
        if self._model is None:
            raise PluginError("it was asked to generate before it was fitted or loaded")
        images = self._decoder.decode(self.sample(requests), requests)
        yield from self._best(list(images), requests) if self.params.best_of > 1 else images

    def _best(self, first: list[GeneratedImage | None], requests: Sequence[Request]) -> list[GeneratedImage | None]:
        """For every request, the one of ``best_of`` images that has the highest score for its user."""
        judge, users = self.context.privileges.judge, self._users_of(requests)
        best, best_scores = first, _scores(judge, first, users)
        for j in range(1, self.params.best_of):
            others = [replace(request, seed=substream(request.seed, f"candidate-{j}")) for request in requests]
            candidates = list(self._decoder.decode(self.sample(others), others))
            scores = _scores(judge, candidates, users)
            best = [candidates[i] if scores[i] > best_scores[i] else best[i] for i in range(len(best))]
            best_scores = np.maximum(best_scores, scores)
        return best

    def _users_of(self, requests: Sequence[Request]) -> Ints:
        index = {name: i for i, name in enumerate(self.context.users)}
        return np.array([index[request.user] for request in requests], dtype=np.int64)

    def sample(self, requests: Sequence[Request]) -> Floats:
        """float32 [n, prior dim]; one embedding per request."""
        p, users = self.params, self._users_of(requests)
        if p.users == "shuffled":
            rng = np.random.default_rng(self.context.seeds.fit("shuffled-users"))
            users = rng.permutation(len(self.context.users))[users]
        if "user" not in p.condition or p.train_users == "nobody":
            users = np.full_like(users, self._model.shape.null_user)
        score = self._model.shape.null_score if "rating" not in p.condition else LIKE if p.rating == "like" else DISLIKE
        return self._sample(users, score, [request.seed for request in requests], self.prior_guidance)

    def _sample(self, users: Ints, score: int, seeds: Sequence[int], guidance: float) -> Floats:
        from rebeca.prior.sampling import sample_prior

        p = self.params
        options = SamplingOptions(p.sampler, p.steps, guidance, p.sample_batch, p.sample_dtype, p.compile)
        return sample_prior(
            self._model, users, np.full(len(users), score), seeds, p.objective, p.schedule, options,
            self.context.device, self.context.progress,
        )  # fmt: skip

    def _bind(self, space: LinearSpace, model: Any) -> None:
        self._space, self._model = space, model
        vars(self).pop("_decoder", None)  # of an earlier fit

    @cached_property
    def _decoder(self) -> Decoder[Any]:
        """The decoder for points of the fitted space."""
        return self._decoder_of(self._space)

    def _decoder_of(self, space: LinearSpace) -> Decoder[Any]:
        decoder = self.context.decoder(space)
        if self.params.best_of > 1 and not decoder.repeats:
            raise SpecError(
                "best_of: the best of several could be the same item twice, and decoder.params.repeats is false",
                hint="set decoder.params.repeats: true, or best_of: 1",
            )
        return decoder

    def _choose_guidance(self, train: Interactions, points: Floats) -> dict[str, Plain]:
        """Takes the value whose nearest validation items have the highest personal rating; returns facts about it."""
        context, held = self.context, self.context.validation
        users = _users_who_choose(held)
        known = Part(train, held).joined()
        personal = personal_ratings(known, context.embeddings)[len(train) :]
        by_user = self.compare_guidance(points, users, personal)
        means, errors = by_user.mean(axis=1), by_user.std(axis=1, ddof=1) / np.sqrt(len(users))
        rows = zip(self.params.guidance_grid, means.tolist(), errors.tolist(), strict=True)
        table = [GuidanceRow(*row) for row in rows]
        self._chosen = table[best_first(means)[0]].prior_guidance
        counting = held.where(np.isin(held.user, users))
        raters = np.bincount(known.item, minlength=known.num_items)
        return {
            "chosen": self._chosen,
            "table": [asdict(row) for row in table],
            "users": len(users),
            "ratings": len(counting),
            "ratings_without_other_raters": int((raters[counting.item] == 1).sum()),
        }

    def compare_guidance(self, points: Floats, choosing: Ints, values: Floats) -> Floats:
        """float64 [grid, m]; mean value of the validation items that are nearest to each user's samples.

        Args:
            points: float [items, dim] in the prior's space.
            choosing: int [m]; users with validation ratings.
            values: float64 [validation ratings], e.g. personal ratings.
        """
        held, seed = self.context.validation, self.context.fit_seed
        rows = rows_by_group(held.user, held.num_users)
        users = np.repeat(choosing, CHOICE_IMAGES)
        if self.params.train_users == "nobody":
            users = np.full_like(users, self._model.shape.null_user)
        seeds = [seed_of(seed, "choice", int(u), k) for u in choosing for k in range(CHOICE_IMAGES)]
        params = NearestParams(getattr(getattr(self._decoder, "params", None), "metric", "euclidean"))
        means = np.empty((len(self.params.guidance_grid), len(choosing)))
        for number, guidance in enumerate(self.params.guidance_grid):
            sampled = self._sample(users, LIKE, seeds, guidance).reshape(len(choosing), CHOICE_IMAGES, -1)
            for place, samples in enumerate(sampled):
                own = rows[choosing[place]]
                means[number, place] = values[own[nearest(samples, points[held.item[own]], params)]].mean()
        return means


def _users_who_choose(validation: Interactions) -> Ints:
    """Users with enough validation ratings to choose the guidance by.

    Raises:
        PluginError: If they are too few.
    """
    users = np.flatnonzero(validation.ratings_per_user() > CHOICE_IMAGES)
    if len(users) < LEAST_CHOOSING_USERS:
        raise PluginError(
            f"prior_guidance: {counted(len(users), 'user')} with more than {CHOICE_IMAGES} validation ratings, and"
            f" validation needs {LEAST_CHOOSING_USERS}",
            hint="raise data.split.validation; or leave guidance_grid out and give a number for prior_guidance",
        )
    return users


def _scores(judge: FittedJudge, images: Sequence[GeneratedImage | None], users: Ints) -> Floats:
    """float64 [n]; the judge's scores, minus infinity for an image that failed."""
    valid = np.array([image is not None for image in images], bool)
    scores = np.full(len(images), -np.inf)
    if valid.any():
        scores[valid] = judge.score([image.pixels for image in images if image is not None], users[valid])
    return scores

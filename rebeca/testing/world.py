"""The small synthetic world of the contract tests, with users, items and images of every awkward sort."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from rebeca.arrays import Bools, Floats, Ints, Pixels
from rebeca.data.catalogue import Candidates, Catalogue
from rebeca.data.dataset import Dataset, GroundTruth, find_blocks
from rebeca.data.interactions import Interactions
from rebeca.data.remains import find_candidates, users_with_candidates
from rebeca.data.splits import Division, Part, SplitRule, divide
from rebeca.declared import GeneratorFlags, ScorerFlags
from rebeca.errors import PluginError
from rebeca.guards import restricted
from rebeca.interfaces import (
    Decoder,
    DecoderContext,
    Encoder,
    EncoderContext,
    FittedJudge,
    GeneratedImage,
    GeneratorContext,
    JudgeContext,
    NoParams,
    Privileges,
    Request,
    ScoredImages,
    ScorerContext,
    Space,
    no_progress,
)
from rebeca.pixels import pixels_digest
from rebeca.seeds import SeedScheme, digest_of
from rebeca.space import LinearSpace
from rebeca.testing.stand_ins import Colours, Liking, Noise

LONELY, SOUR, GLAD = 3, 4, 5
"""Users without training ratings, without a like, and without a dislike."""
USERS = ("ann", "Zoë O'Neil", '../b, "c" & <d>', "lonely", "sour", "glad", "007", "-1")
ITEMS = 24
IMAGES = 3
"""Requests per user."""
SCALE = (1.0, 7.0)
LIKE_AT = 4.0
SEEDS = SeedScheme("contract", 1, 7)
FIT_SEED = SEEDS.fit("contract")
RULE = SplitRule("held-out-items", test=0.34, validation=0.2, ratings="shared")


@dataclass(frozen=True, slots=True, eq=False)
class _Listed:
    """Items of any size, in memory."""

    images: tuple[Pixels, ...]

    def read(self, index: int) -> Pixels:
        return self.images[index]


@dataclass(frozen=True, eq=False)
class World:
    """What contract tests give to plug-ins, as the harness would.

    Example:
        >>> from rebeca.testing import World, make_world
        >>> world = make_world()
        >>> len(world.users), world.embeddings.shape
        (8, (24, 8))
        >>> len(world.requests) == 3 * len(world.users)
        True

    Attributes:
        dataset: Ratings and items.
        division: Which ratings are for training, validation and test.
        candidates: Which items may be shown to whom.
        encoder: The task's encoder, which judges use as well.
        embeddings: The catalogue in its space, float32 [items, dim].
    """

    dataset: Dataset
    division: Division
    candidates: Candidates
    encoder: Encoder[Any]
    embeddings: Floats

    @classmethod
    def of(
        cls, dataset: Dataset, encoder: Encoder[Any] | None = None, like_at: float | None = None, rule: SplitRule = RULE
    ) -> World:
        """A world of a data set.

        Args:
            dataset: Any.
            encoder: Gives the embeddings; by default colours of the images, 8 numbers.
            like_at: The rating from which on an item is liked; by default the middle of the scale.
            rule: How ratings are divided; by default, a third of the items is held out.
        """
        encoder = encoder or Colours(NoParams(), EncoderContext())
        ratings, catalogue = dataset.ratings, dataset.catalogue
        originals = catalogue.originals()
        middle = sum(dataset.scale) / 2
        division = divide(ratings, rule, middle if like_at is None else like_at, catalogue.block, FIT_SEED, originals)
        candidates = find_candidates(ratings, division, dataset.block_of_user, catalogue.block, originals)
        images = [catalogue.pixels(i) for i in range(len(catalogue))]
        return cls(dataset, division, candidates, encoder, encoder.encode(images, list(range(len(images)))))

    @property
    def users(self) -> tuple[str, ...]:
        """Ids of all users."""
        return self.dataset.ratings.user_ids

    @cached_property
    def requests(self) -> tuple[Request, ...]:
        """Three per user with candidates, in the order of users."""
        ids = [self.users[int(user)] for user in users_with_candidates(self.candidates)]
        return tuple(Request(user, k, SEEDS.image(user, k)) for user in ids for k in range(IMAGES))

    @cached_property
    def judge(self) -> FittedJudge:
        """A fitted judge."""
        model = Liking(NoParams(), self.judge_context())
        model.fit(self.division.verifier, self.embeddings)
        return FittedJudge(lambda: model, lambda: self.embeddings, self.encoder.encode, "contract")

    def support(self) -> Callable[[Iterable[Pixels]], Bools]:
        """The world's own, or every image."""
        known = self.ground_truth.inside
        return (lambda images: np.ones(sum(1 for _ in images), bool)) if known is None else known

    @cached_property
    def ground_truth(self) -> GroundTruth:
        """The world's own, or what the stand-in judge thinks."""
        table = self.judge.catalogue_scores()
        return self.dataset.ground_truth or GroundTruth(
            "probability",
            "Probability of a like.",
            lambda users, items: table[users, items],
            {},
            lambda images: self.judge.model().score_all(self.encoder.encode(list(images))),
        )

    def generator_context(
        self,
        flags: GeneratorFlags,
        workdir: Path,
        step: str,
        progress: Callable[[int, int, str], None] = no_progress,
    ) -> GeneratorContext:
        """What the harness gives to a generator with these declarations in a step, ``fit`` or ``generate``."""

        def decoder(space: Space) -> Decoder[Any]:
            if step not in flags.decodes_in:
                raise PluginError(f"it asks for the decoder in {step}", hint=f"name '{step}' in decodes_in(params)")
            return Noise(NoParams(), self.decoder_context(space))

        offers: dict[str, Callable[[], Any]] = {
            "judge": lambda: self.judge,
            "held-out": lambda: self.division.test,
            "ground-truth": lambda: self.ground_truth,
        }
        catalogue = self.dataset.catalogue
        return GeneratorContext(
            users=self.users,
            catalogue=catalogue if flags.reads_captions else catalogue.without_captions(),
            candidates=self.candidates,
            embeddings=self.embeddings,
            training_items=self.division.training_items,
            validation=self.division.generators.validation,
            encoder=lambda: self.encoder,
            decoder=decoder,
            seeds=SEEDS,
            fit_seed=FIT_SEED,
            device="cpu",
            workdir=workdir,
            progress=progress,
            privileges=Privileges({need: offers[need] for need in flags.needs}),
        )

    def scorer_context(self, flags: ScorerFlags) -> ScorerContext:
        """What the harness gives to a scorer with these declarations."""
        offers: dict[str, Callable[[], Any]] = {
            "verifier": lambda: self.judge,
            "auditor": lambda: self.judge,
            "prior": lambda: self.judge,
            "training": lambda: self.division.generators.train,
            "validation": lambda: self.division.generators.validation,
            "auditor-ratings": lambda: self.division.auditor.train,
            "held-out": lambda: self.division.test,
            "ground-truth": lambda: self.ground_truth,
            "support": self.support,
            "embeddings": lambda: self.embeddings,
        }

        def encoder(text: str) -> Encoder[Any]:
            if text not in flags.encoders:
                raise PluginError(f"it uses the encoder '{text}'", hint="name it in encoders(params)")
            return self.encoder

        return ScorerContext(
            {need: offers[need] for need in flags.needs},
            users=self.users,
            catalogue=self.dataset.catalogue.without_captions(),
            training_items=self.division.training_items,
            block_of_user=self.dataset.block_of_user,
            scale=self.dataset.scale,
            encoder=encoder,
        )

    def judge_context(self, progress: Callable[[int, int, str], None] = no_progress) -> JudgeContext:
        """What the harness gives to a judge."""
        return JudgeContext(self.users, self.division.training_items, FIT_SEED, "cpu", progress)

    def decoder_context(self, space: Space | None = None) -> DecoderContext:
        """What the harness gives to a decoder of points in a space; by default the encoder's own."""
        catalogue = self.dataset.catalogue.without_captions()
        return DecoderContext(catalogue, self.embeddings, self.candidates, space or LinearSpace())

    def scored_images(self, needs: frozenset[str]) -> ScoredImages:
        """Three images per user for a scorer with these needs.

        An item, an image of no item, and for every second user a copy of the item. Among the images are one of one
        pixel, a very wide and a very high one.
        """
        users = users_with_candidates(self.candidates)
        catalogue = self.dataset.catalogue
        images: list[GeneratedImage] = []
        for place, user in enumerate(users):
            item, new = int(self.candidates.of(int(user))[0]), AWKWARD[place % len(AWKWARD)]
            own = GeneratedImage(catalogue.pixels(item), item=item)
            images += [own, GeneratedImage(new), own if place % 2 else GeneratedImage(new[::-1])]
        plain = ScoredImages.of(images, np.repeat(users, IMAGES))

        def embedding(role: str) -> Floats:
            vectors = self.encoder.encode([image.pixels for image in images])
            if role == "prior":
                vectors[plain.item >= 0] = np.nan
            return vectors

        def pixels(index: int) -> Pixels:
            view = images[index].pixels.view()
            view.setflags(write=False)  # as in the harness, where all scorers are given the same array
            return view

        return restricted(replace(plain, embedding_of=embedding, pixels_of=pixels), needs)

    def training_images(self, needs: frozenset[str], users: Ints) -> ScoredImages:
        """All training items as if each of ``users`` had been shown them, for a scorer with these needs."""
        items = np.tile(np.flatnonzero(self.division.training_items), len(users))
        images = [GeneratedImage(self.dataset.catalogue.pixels(int(item)), item=int(item)) for item in items]
        plain = ScoredImages.of(images, np.repeat(users, len(items) // len(users)))
        return restricted(replace(plain, embedding_of=lambda role: self.embeddings[items]), needs)

    def digests(self) -> dict[str, str]:
        """Of everything that a plug-in could change by accident."""
        ratings = {
            "ratings": self.dataset.ratings,
            "training ratings": self.division.generators.train,
            "validation ratings": self.division.generators.validation,
            "test ratings": self.division.test,
        }
        arrays = {
            "embeddings": self.embeddings,
            "training_items": self.division.training_items,
            "candidates": self.candidates.of_block,
            "points": self.points,
        }
        arrays |= {
            f"{name} ({column})": getattr(rows, column)
            for name, rows in ratings.items()
            for column in ("user", "item", "rating", "liked")
        }
        catalogue = self.dataset.catalogue
        pixels = [pixels_digest(catalogue.pixels(i)) for i in range(len(catalogue))]
        return {name: digest_of(np.asarray(array).tobytes().hex()) for name, array in arrays.items()} | {
            "pixels": digest_of(pixels)
        }

    @cached_property
    def points(self) -> Floats:
        """One point per request, float32 [n, dim]; the first ones lie far out."""
        rng = np.random.default_rng(0)
        rows = rng.integers(len(self.embeddings), size=len(self.requests))
        points = self.embeddings[rows] + rng.normal(0, 0.05, (len(rows), self.embeddings.shape[1]))
        points[:2] *= 100
        return points.astype(np.float32)


def make_world() -> World:
    """Eight users, 24 items of several sizes, and ratings of colours.

    A user has no training rating, another likes nothing, a third likes everything. One item has no rating. Ids hold
    quotes, commas, slashes and letters beyond ASCII.

    Example:
        >>> from rebeca.testing import make_world
        >>> make_world().division.training_items.sum()
        np.int64(13)
    """
    rng = np.random.default_rng(5)
    hue = np.arange(ITEMS) % 3
    images = []
    for index in range(ITEMS):
        pixels = rng.integers(0, 60, (16 + 4 * (index % 3), 16 + 8 * (index % 2), 3)).astype(np.uint8)
        pixels[..., hue[index]] += 150
        images.append(pixels)
    user, item = (index.ravel() for index in np.indices((len(USERS), ITEMS - 1)))
    rating = np.clip(np.where(hue[item] == user % 3, 6, 2) + rng.integers(-1, 2, len(user)), 1, 7).astype(np.float64)
    rating[user == SOUR] = np.minimum(rating[user == SOUR], LIKE_AT - 1)
    rating[user == GLAD] = np.maximum(rating[user == GLAD], LIKE_AT)
    ids = tuple(f"item {i}, '{'é' * (i % 2)}'" for i in range(ITEMS))
    ratings = Interactions(user.astype(np.int32), item.astype(np.int32), rating, rating >= LIKE_AT, USERS, ids)
    block_of_user, _ = find_blocks(ratings)
    captions = tuple(f"{('red', 'green', 'blue')[h]} noise number {i}" for i, h in enumerate(hue))
    catalogue = Catalogue(ids, _Listed(tuple(images)), np.zeros(ITEMS, np.int64), captions)
    world = World.of(Dataset("Contract", "none", True, catalogue, ratings, block_of_user, SCALE))
    return replace(world, division=_without(world.division, LONELY))


def _without(division: Division, user: int) -> Division:
    """Takes a user's training and validation ratings away."""

    def part(own: Part) -> Part:
        return Part(*(rows.where(rows.user != user) for rows in (own.train, own.validation)))

    return replace(
        division,
        generators=part(division.generators),
        verifier=part(division.verifier),
        auditor=part(division.auditor),
    )


def _awkward_images() -> tuple[Pixels, ...]:
    """Images that break careless code: one pixel, very wide, very high, black, white, and common ones."""
    rng = np.random.default_rng(6)
    shapes: Iterable[tuple[int, int]] = ((16, 16), (1, 1), (1, 300), (300, 2), (17, 33))
    noise = [rng.integers(0, 256, (*shape, 3)).astype(np.uint8) for shape in shapes]
    return (*noise, np.zeros((20, 20, 3), np.uint8), np.full((20, 20, 3), 255, np.uint8))


AWKWARD = _awkward_images()

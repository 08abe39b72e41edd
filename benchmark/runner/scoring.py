"""Score: every generator's images by every scorer of the task."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from benchmark.analysis.measures import PRIOR
from benchmark.records.costs import score_stage
from benchmark.runner.addresses import Addresses
from benchmark.runner.decode import GeneratorImages
from benchmark.runner.embed import Encoders
from benchmark.runner.images import PixelCache, read_embeddings
from benchmark.runner.materials import Materials
from benchmark.runner.plugins import build, build_encoder
from benchmark.runner.progress import Report
from benchmark.runner.store import Stages
from benchmark.task.encoders import named_encoder
from benchmark.task.resolve import Task
from rebeca.arrays import Floats, Ints, Pixels
from rebeca.declared import ScorerFlags
from rebeca.errors import PluginError
from rebeca.guards import restricted
from rebeca.images import LazyPixels
from rebeca.interfaces import Encoder, ScoredImages, Scorer, ScorerCard, ScorerContext, SetScorer, no_progress
from rebeca.pixels import decode_image


@dataclass(frozen=True, slots=True, eq=False)
class ImageScores:
    """One scorer of single images on one generator.

    Attributes:
        card: The scorer's card.
        own: float64 [images]; for the user of each image, NaN without a score.
        everyone: float64 [users, different images], or None where not every user can be asked.
        position: int [images]; column of ``everyone``.
        worst: float64 [users]; the score of a failed image where failures count.
    """

    card: ScorerCard
    own: Floats
    everyone: Floats | None
    position: Ints
    worst: Floats


@dataclass(frozen=True, slots=True, eq=False)
class GeneratorScores:
    """All scores of one generator's images.

    Attributes:
        images: The images, failures included.
        owner: int [valid images]; row of the user of each valid image.
        scored: The valid images.
        by_image: Scores of scorers of single images, by scorer.
        by_user: Measures of set scorers, float64 [users], by measure.
        cards: Cards of those measures.
    """

    images: GeneratorImages
    owner: Ints
    scored: ScoredImages
    by_image: Mapping[str, ImageScores]
    by_user: Mapping[str, Floats]
    cards: Mapping[str, ScorerCard]


def scorer_builder(
    task: Task, addresses: Addresses, materials: Materials
) -> Callable[[str], Scorer[Any] | SetScorer[Any]]:
    """Builds the scorers of a task by id, each when it is first asked for."""
    entries = {entry.id: entry for entry in task.scorers}

    @cache
    def built(name: str) -> Scorer[Any] | SetScorer[Any]:
        context = scorer_context(addresses.scorers[name], materials, task.source.parent)
        return build("scorer", entries[name].use, entries[name].params, context, name)

    return built


def scorer_context(flags: ScorerFlags, materials: Materials, base: Path) -> ScorerContext:
    """The context of a scorer.

    Args:
        flags: Names its needs.
        materials: Holds what it may be given.
        base: Folder that file names of encoders are relative to.
    """
    world = materials.world
    offers: dict[str, Callable[[], Any]] = {
        "verifier": lambda: materials.judges["verifier"],
        "auditor": lambda: materials.judges["auditor"],
        PRIOR: lambda: materials.judges[PRIOR],
        "training": lambda: world.division.generators.train,
        "held-out": lambda: world.division.test,
        "ground-truth": materials.ground_truth,
        "embeddings": lambda: materials.embeddings["task"],
    }

    def encoder(text: str) -> Encoder[Any]:
        if text not in flags.encoders:
            raise PluginError(f"it uses the encoder '{text}'", hint="name it in encoders(params)")
        return build_encoder(named_encoder(text, base), materials.device)

    return ScorerContext(
        {need: offers[need] for need in flags.needs},
        users=world.dataset.ratings.user_ids,
        catalogue=world.dataset.catalogue.without_captions(),
        training_items=world.division.training_items,
        block_of_user=world.dataset.block_of_user,
        scale=world.dataset.scale,
        encoder=encoder,
        device=materials.device,
    )


class ImageVectors:
    """Embeddings of generated images by role; equal images of different generators are encoded once."""

    def __init__(self, encoders: Encoders) -> None:
        self._encoders = encoders
        self._vectors: dict[tuple[str, str], Floats] = {}

    def encode(self, role: str, digests: Sequence[str], read: Callable[[str], Pixels]) -> Floats:
        """float32 [n, dim]; ``read`` returns the pixels of a digest."""
        new = [digest for digest in dict.fromkeys(digests) if (role, digest) not in self._vectors]
        if new:
            images = LazyPixels(lambda i: read(new[i]), range(len(new)))
            encoded = self._encoders.get(role).encode(images, [None] * len(new))
            self._vectors |= {(role, digest): vector for digest, vector in zip(new, encoded, strict=True)}
        return np.stack([self._vectors[role, digest] for digest in digests])


class Reads:
    """Tells the stage that runs how many images its scorer has read.

    Args:
        total: Images.
    """

    def __init__(self, total: int) -> None:
        self._total, self._done = total, 0
        self._report: Report = no_progress

    def begin(self, report: Report) -> None:
        self._done, self._report = 0, report
        report(0, self._total, "images")

    def count(self) -> None:
        self._done = min(self._done + 1, self._total)  # some scorers read an image twice
        self._report(self._done, self._total, "images")


def scored_images(
    images: GeneratorImages, materials: Materials, vectors: ImageVectors, on_read: Callable[[], None] = lambda: None
) -> ScoredImages:
    """The valid images of a generator; ``on_read`` is called whenever the pixels of one are read."""
    catalogue = materials.world.dataset.catalogue
    valid = [row for row in images.rows if not row.failure]
    index = {name: i for i, name in enumerate(materials.world.dataset.ratings.user_ids)}
    digests = tuple(row.digest for row in valid)
    item = np.array([row.item for row in valid], dtype=np.int64)
    first: dict[str, int] = {}
    unique = np.array([first.setdefault(digest, i) for i, digest in enumerate(digests)], dtype=np.int64)
    files = images.image_files()
    cache = PixelCache(lambda digest: decode_image(files[digest].read_bytes(), str(files[digest])))

    def generated(digest: str) -> Pixels:
        on_read()
        return cache.get(digest)

    def pixels(i: int) -> Pixels:
        if valid[i].item < 0:
            return generated(valid[i].digest)
        on_read()
        return catalogue.pixels(valid[i].item)

    def embedding(role: str) -> Floats:
        if role == PRIOR:
            return read_embeddings(images.folders)[[not row.failure for row in images.rows]]
        table = materials.embeddings[role]
        out = np.empty((len(valid), table.shape[1]), np.float32)
        out[item >= 0] = table[item[item >= 0]]
        new = np.flatnonzero(item < 0)
        if len(new):
            out[new] = vectors.encode(role, [digests[i] for i in new], generated)
        return out

    return ScoredImages(
        user=np.array([index[row.user] for row in valid], dtype=np.int64),
        replicate=np.array([row.replicate for row in valid], dtype=np.int64),
        digest=digests,
        item=item,
        unique=unique,
        embedding_of=embedding,
        pixels_of=pixels,
    )


def score_all(
    task: Task, images: Sequence[GeneratorImages], addresses: Addresses, materials: Materials, stages: Stages
) -> list[GeneratorScores]:
    scorers, vectors = scorer_builder(task, addresses, materials), ImageVectors(materials.encoders)
    return [score(each, scorers, addresses, materials, vectors, stages) for each in images]


def score(
    images: GeneratorImages,
    scorers: Callable[[str], Scorer[Any] | SetScorer[Any]],
    addresses: Addresses,
    materials: Materials,
    vectors: ImageVectors,
    stages: Stages,
) -> GeneratorScores:
    """Scores a generator's images by every scorer, or takes the scores from the store.

    Raises:
        PluginError: If a scorer breaks its contract.
    """
    name, users = images.spec.id, materials.world.users
    reads = Reads(sum(not row.failure for row in images.rows))
    scored = scored_images(images, materials, vectors, reads.count)
    by_image: dict[str, ImageScores] = {}
    by_user: dict[str, Floats] = {}
    cards: dict[str, ScorerCard] = {}
    for scorer, flags in addresses.scorers.items():

        def write(folder: Path, report: Report, scorer: str = scorer, flags: ScorerFlags = flags) -> None:
            reads.begin(report)
            own = restricted(scored, flags.needs)
            arrays = score_arrays(scorers(scorer), own, users)
            _check_complete(arrays, flags, scorer, own)
            np.savez(folder / "scores.npz", **arrays)  # type: ignore[arg-type]

        folder = stages.make(addresses.scores[name, scorer], score_stage(name, scorer), write, announce=False)
        with np.load(folder / "scores.npz", allow_pickle=False) as stored:
            arrays = {measure: stored[measure] for measure in stored.files}
        if flags.of_sets:
            by_user |= arrays
            cards |= flags.cards
        else:
            by_image[scorer] = ImageScores(flags.card, everyone=arrays.pop("everyone", None), **arrays)
    return GeneratorScores(images, np.searchsorted(users, scored.user), scored, by_image, by_user, cards)


def _check_complete(arrays: Mapping[str, Floats | Ints], flags: ScorerFlags, scorer: str, images: ScoredImages) -> None:
    """Refuses missing scores where every user can be asked about every image; ground truth may not know an image."""
    if flags.of_sets or flags.card.is_ground_truth or "everyone" not in arrays:
        return
    gaps = np.flatnonzero(np.isnan(arrays["own"]))
    if len(gaps):
        raise PluginError(f"scorer '{scorer}' gave no number for image {images.digest[int(gaps[0])][:12]}")


def score_arrays(scorer: Scorer[Any] | SetScorer[Any], images: ScoredImages, users: Ints) -> dict[str, Floats | Ints]:
    """The arrays that are stored of a scorer's answers.

    Args:
        scorer: The scorer.
        images: n valid images.
        users: int [users]; indices of the users that images were made for.

    Returns:
        For a set scorer its measures, float64 [users]. For a scorer ``own`` [n], ``position`` [n], ``worst`` [users]
        and, where every user can be asked, ``everyone`` [users, different images].
    """
    if isinstance(scorer, SetScorer):
        return {measure: np.asarray(v, np.float64) for measure, v in scorer.score_sets(images, users).items()}
    first, position = np.unique(images.unique, return_inverse=True)
    worst = np.asarray(scorer.worst(users), np.float64)
    if not scorer.judges_everyone:
        own = np.asarray(scorer.score(images, images.user), np.float64)
        return {"position": position, "worst": worst, "own": own}
    # own scores are taken from the table of all users: computed separately, they would round differently
    everyone = np.asarray(scorer.score_all(images, users)[:, first], np.float64)
    own = everyone[np.searchsorted(users, images.user), position]
    return {"position": position, "worst": worst, "everyone": everyone, "own": own}

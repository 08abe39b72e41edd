"""Score: every generator's images by every scorer of the task."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmark.analysis.measures import PRIOR
from benchmark.records.costs import score_stage
from benchmark.records.schema import plan_of
from benchmark.runner.addresses import Addresses
from benchmark.runner.decode import GeneratorImages
from benchmark.runner.embed import Encoders
from benchmark.runner.images import ImageRow, PixelCache
from benchmark.runner.materials import Materials
from benchmark.runner.plugins import build, build_encoder
from benchmark.runner.progress import Report
from benchmark.runner.stages import Job, Stages
from benchmark.runner.store import Store
from benchmark.runner.world import World
from benchmark.stats.groups import Groups
from benchmark.task.encoders import named_encoder
from benchmark.task.resolved import Task
from rebeca.arrays import Floats, Ints, Pixels, evenly
from rebeca.declared import ScorerFlags
from rebeca.errors import PluginError
from rebeca.guards import restricted
from rebeca.images import LazyPixels
from rebeca.interfaces import Encoder, ScoredImages, Scorer, ScorerCard, ScorerContext, SetScorer, no_progress
from rebeca.pixels import decode_image

ITEMS_ASKED_ABOUT = 100
"""Training items that a scorer without a ``worst`` of its own is asked about, for every user."""


@dataclass(frozen=True, slots=True, eq=False)
class ImageScores:
    """One scorer of single images on one generator.

    Attributes:
        card: The scorer's card.
        own: float64 [images]; for the user of each image, NaN without a score.
        everyone: float64 [users, different images of the user's group], or None where not every user can be asked.
        position: int [images]; column of ``everyone`` for users of the group.
        worst: float64 [users]; what a failed image counts under ``failures: worst``, NaN where unknown.
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
        by_user: Measures of set scorers, float64 [fits, users], by measure.
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
        "validation": lambda: world.division.generators.validation,
        "auditor-ratings": lambda: world.division.auditor.train,
        "held-out": lambda: world.division.test,
        "ground-truth": world.ground_truth,
        "support": world.support,
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
    """Embeddings of generated images by role; equal images are encoded once.

    A run has one of each generator: shared ones would encode in other batches when another process takes a generator.
    """

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
    files, fine = images.image_files(), [not row.failure for row in images.rows]
    cache = PixelCache(lambda digest: decode_image(files[digest].read_bytes(), str(files[digest])))
    valid = [row for row in images.rows if not row.failure]
    return images_of_rows(valid, cache.get, lambda: images.embeddings()[fine], materials, vectors, on_read)


def images_of_rows(
    valid: Sequence[ImageRow],
    read: Callable[[str], Pixels],
    prior: Callable[[], Floats],
    materials: Materials,
    vectors: ImageVectors,
    on_read: Callable[[], None] = lambda: None,
) -> ScoredImages:
    """Images as scorers are given them.

    Args:
        valid: What is known of every image, none of which failed.
        read: Returns the pixels of a digest; items of the data set are read from there.
        prior: Returns what images were decoded from, float32 [images, dim].
        materials: Data and embeddings.
        vectors: Encodes images.
        on_read: Called whenever the pixels of an image are read.
    """
    catalogue = materials.world.dataset.catalogue
    index = {name: i for i, name in enumerate(materials.world.dataset.ratings.user_ids)}
    digests = tuple(row.digest for row in valid)
    item = np.array([row.item for row in valid], dtype=np.int64)
    first: dict[str, int] = {}
    unique = np.array([first.setdefault(digest, i) for i, digest in enumerate(digests)], dtype=np.int64)

    def generated(digest: str) -> Pixels:
        on_read()
        return read(digest)

    def pixels(i: int) -> Pixels:
        if valid[i].item < 0:
            return generated(valid[i].digest)
        on_read()
        return catalogue.pixels(valid[i].item)

    def embedding(role: str) -> Floats:
        if role == PRIOR:
            return prior()
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


def item_images(materials: Materials, items: Ints, users: Ints) -> ScoredImages:
    """Items of the data set as if each of ``users`` had been shown all of them, user by user."""
    catalogue, item = materials.world.dataset.catalogue, np.tile(items, len(users))
    digests = tuple(catalogue.digest(int(i)) for i in item)
    first: dict[str, int] = {}
    return ScoredImages(
        user=np.repeat(users, len(items)),
        replicate=np.tile(np.arange(len(items)), len(users)),
        digest=digests,
        item=item,
        unique=np.array([first.setdefault(digest, i) for i, digest in enumerate(digests)], dtype=np.int64),
        embedding_of=lambda role: materials.embeddings["task" if role == PRIOR else role][item],
        pixels_of=lambda i: catalogue.pixels(int(item[i])),
    )


def worst_scores(scorer: Scorer[Any], materials: Materials, flags: ScorerFlags, users: Ints) -> Floats:
    """float64 [users]; what a failed image counts, NaN for users who have a score of no item that is asked about.

    Where the scorer does not know, it is asked about training items, evenly spaced in the order of the catalogue.
    """
    worst = np.array(scorer.worst(users), np.float64)
    unknown, training = np.flatnonzero(np.isnan(worst)), np.flatnonzero(materials.world.division.training_items)
    if len(unknown):
        items = training[evenly(len(training), ITEMS_ASKED_ABOUT)]
        images = restricted(item_images(materials, items, users[unknown]), flags.needs)
        scores = np.asarray(scorer.score(images, images.user), np.float64).reshape(len(unknown), len(items))
        worst[unknown] = (np.fmin if flags.card.higher_is_better else np.fmax).reduce(scores, axis=1)
    return worst


def score_all(
    task: Task, images: Sequence[GeneratorImages], addresses: Addresses, materials: Materials, stages: Stages
) -> list[GeneratorScores]:
    """Scores all generators' images by every scorer, or takes the scores from the store.

    Raises:
        PluginError: If a scorer breaks its contract.
    """
    scorers = scorer_builder(task, addresses, materials)
    groups = asked_together(task, materials.world)
    asked = [Asked(each, scorers, addresses, materials, groups) for each in images]
    stages.make_all([job for each in asked for job in each.jobs()], materials.device)
    return [each.scores(stages.store) for each in asked]


def asked_together(task: Task, world: World) -> Groups | None:
    """Users who are asked about each other's images; None where everybody is asked about everybody's."""
    if task.file.analysis.most_compared is None:
        return None
    plan = plan_of(task.spec(), frozen=True)
    return Groups.of(plan.groups(world.dataset.block_of_user[world.users]))


class Asked:
    """The images of one generator, about which every scorer is asked.

    Args:
        images: The images.
        scorers: Builds a scorer by its id.
        addresses: Of the run.
        materials: Data, embeddings and judges.
        groups: As of :func:`score_arrays`.
    """

    def __init__(
        self,
        images: GeneratorImages,
        scorers: Callable[[str], Scorer[Any] | SetScorer[Any]],
        addresses: Addresses,
        materials: Materials,
        groups: Groups | None,
    ) -> None:
        self._images, self._scorers, self._addresses = images, scorers, addresses
        self._materials, self._groups, self._users = materials, groups, materials.world.users
        self._reads = Reads(sum(not row.failure for row in images.rows))
        self._scored = scored_images(images, materials, ImageVectors(materials.encoders), self._reads.count)

    def jobs(self) -> list[Job]:
        """One per scorer."""
        name = self._images.spec.id
        return [
            Job(self._addresses.scores[name, scorer], score_stage(name, scorer), partial(self._write, scorer), False)
            for scorer in self._addresses.scorers
        ]

    def _write(self, scorer: str, folder: Path, report: Report) -> None:
        self._reads.begin(report)
        built, flags = self._scorers(scorer), self._addresses.scorers[scorer]
        own = restricted(self._scored, flags.needs)
        arrays = score_arrays(built, own, self._users, self._addresses.fits, self._groups)
        if isinstance(built, Scorer):
            arrays["worst"] = worst_scores(built, self._materials, flags, self._users)
        _check_complete(arrays, flags, scorer, own)
        np.savez(folder / "scores.npz", **arrays)  # type: ignore[arg-type]

    def scores(self, store: Store) -> GeneratorScores:
        """What all scorers answered, once it is in the store."""
        by_image: dict[str, ImageScores] = {}
        by_user: dict[str, Floats] = {}
        cards: dict[str, ScorerCard] = {}
        for scorer, flags in self._addresses.scorers.items():
            folder = store.folder(self._addresses.scores[self._images.spec.id, scorer])
            with np.load(folder / "scores.npz", allow_pickle=False) as stored:
                arrays = {measure: stored[measure] for measure in stored.files}
            if flags.of_sets:
                shape = self._addresses.fits, len(self._users)
                by_user |= {measure: values.reshape(shape) for measure, values in arrays.items()}
                cards |= flags.cards
            else:
                by_image[scorer] = ImageScores(flags.card, everyone=arrays.pop("everyone", None), **arrays)
        owner = np.searchsorted(self._users, self._scored.user)
        return GeneratorScores(self._images, owner, self._scored, by_image, by_user, cards)


def images_of_fit(images: ScoredImages, fit: int, fits: int) -> ScoredImages:
    """Those images that one of several fits made."""
    return images if fits == 1 else _part(images, np.flatnonzero(images.replicate % fits == fit))


def _part(images: ScoredImages, own: Ints) -> ScoredImages:
    """Some of the images, int [n]."""
    _, first, position = np.unique(images.unique[own], return_index=True, return_inverse=True)
    return replace(
        images,
        user=images.user[own],
        replicate=images.replicate[own],
        digest=tuple(images.digest[i] for i in own),
        item=images.item[own],
        unique=first[position],
        embedding_of=lambda role: images.embedding_of(role)[own],
        pixels_of=lambda i: images.pixels_of(int(own[i])),
    )


def _check_complete(arrays: Mapping[str, Floats | Ints], flags: ScorerFlags, scorer: str, images: ScoredImages) -> None:
    """Refuses missing scores where every user can be asked about every image; ground truth may not know an image."""
    if flags.of_sets or flags.card.is_ground_truth or "everyone" not in arrays:
        return
    gaps = np.flatnonzero(np.isnan(arrays["own"]))
    if len(gaps):
        raise PluginError(f"scorer '{scorer}' gave no number for image {images.digest[int(gaps[0])][:12]}")


def score_arrays(
    scorer: Scorer[Any] | SetScorer[Any], images: ScoredImages, users: Ints, fits: int, groups: Groups | None = None
) -> dict[str, Floats | Ints]:
    """The arrays that are stored of a scorer's answers.

    Args:
        scorer: The scorer.
        images: n valid images.
        users: int [users]; indices of the users that images were made for.
        fits: Number of fits; image k of a user is of fit k modulo this number.
        groups: Of users who are asked about each other's images; None asks everybody about everybody's.

    Returns:
        For a set scorer its measures, float64 [fits * users]; the sets of each fit are scored apart. For a scorer
        ``own`` [n], ``position`` [n] and, where every user can be asked, ``everyone``: float64 [users, different images
        of the user's group], NaN beyond those.
    """
    if isinstance(scorer, SetScorer):
        sets = [scorer.score_sets(images_of_fit(images, fit, fits), users) for fit in range(fits)]
        return {measure: np.concatenate([np.asarray(own[measure], np.float64) for own in sets]) for measure in sets[0]}
    if not scorer.judges_everyone:
        own = np.asarray(scorer.score(images, images.user), np.float64)
        return {"position": np.unique(images.unique, return_inverse=True)[1], "own": own}
    # own scores are taken from the table of all users: computed separately, they would round differently
    if groups is None:
        position, everyone = _opinions(scorer, images, users)
    else:
        position, everyone = _opinions_in_groups(scorer, images, users, groups)
    return {
        "position": position,
        "everyone": everyone,
        "own": everyone[np.searchsorted(users, images.user), position],
    }


def _opinions(scorer: Scorer[Any], images: ScoredImages, users: Ints) -> tuple[Ints, Floats]:
    """Column of each image, int [n], and scores by all users, float64 [users, different images]."""
    first, position = np.unique(images.unique, return_inverse=True)
    return position, np.asarray(scorer.score_all(images, users)[:, first], np.float64)


def _opinions_in_groups(scorer: Scorer[Any], images: ScoredImages, users: Ints, groups: Groups) -> tuple[Ints, Floats]:
    images = replace(images, embedding_of=cache(images.embedding_of))
    group_of_image = groups.label[np.searchsorted(users, images.user)]
    position, tables = np.zeros(len(images), np.int64), list[Floats]()
    for label, members in enumerate(groups.each()):
        own = np.flatnonzero(group_of_image == label)
        if not len(own):  # all images of the group failed
            tables.append(np.empty((len(members), 0)))
            continue
        position[own], table = _opinions(scorer, _part(images, own), users[members])
        tables.append(table)
    everyone = np.full((len(users), max(table.shape[1] for table in tables)), np.nan)
    for members, table in zip(groups.each(), tables, strict=True):
        everyone[members, : table.shape[1]] = table
    return position, everyone

"""Scores images of a record again, by every scorer of single images, and compares the scores with the recorded ones.

Judges are fitted again, or their published weights are read as ``check run`` reads them. Generators need not be
installed. Which images are scored is drawn by the digests of the row's files, so that nobody chooses them.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal, NoReturn

import numpy as np

from benchmark.analysis.inputs import Rows
from benchmark.analysis.measures import CONFIRMING, PRIOR
from benchmark.records.attestation import Rescored
from benchmark.records.files import COMPARISON, TASK_FOLDER
from benchmark.records.gallery import ALL_IMAGES, IMAGES, PACKED, decode_packed, shown_images, unpack
from benchmark.records.rows import read_all
from benchmark.records.schema import TaskRecord
from benchmark.records.verify_cross import OTHER_MACHINE
from benchmark.runner.images import ImageRow, PixelCache
from benchmark.runner.progress import Reporter
from benchmark.runner.publish import weights_folder
from benchmark.runner.recorded import only_data_path, prepare_recorded
from benchmark.runner.reproduce import other_machine
from benchmark.runner.scoring import ImageVectors, images_of_rows, score_arrays, scorer_builder
from benchmark.runner.store import Store
from benchmark.task.recorded import recorded_task
from benchmark.task.resolved import Task
from rebeca.arrays import Floats, Pixels
from rebeca.declared import ScorerFlags
from rebeca.errors import RecordError, SpecError
from rebeca.guards import restricted
from rebeca.pixels import decode_image, pixels_digest
from rebeca.seeds import seed_of

SUFFIXES = (".png", ".webp", ".jpg", ".jpeg")
"""Of image files that are given."""
Key = tuple[int, int]
"""Index of the user among those of the task, and number of the image."""
Readers = Mapping[Key, Callable[[], Pixels]]
"""By image, what reads its pixels and checks them against the recorded digest."""
Judges = Literal["fitted again", "published"]


@dataclass(frozen=True, slots=True)
class RowScores:
    """What scoring images of one row again gave.

    Attributes:
        generator: Id.
        done: What a statement says of it; None where no image is at hand.
        apart: Scores further apart than :data:`~benchmark.records.verify_cross.OTHER_MACHINE`: scorer, user,
            image, recorded, here.
    """

    generator: str
    done: Rescored | None
    apart: Sequence[tuple[str, str, int, float, float]] = ()


@dataclass(frozen=True, slots=True)
class Rescoring:
    """What scoring a record again gave.

    Attributes:
        rows: In the order of the record.
        differs: Fields in which this machine differs from the record's; judges that are fitted here then differ, too.
    """

    rows: Sequence[RowScores]
    differs: Sequence[str]

    @property
    def equal(self) -> bool:
        """Whether no score is apart."""
        return not any(row.apart for row in self.rows)


def rescore(
    folder: Path,
    count: int,
    images: Path | None,
    workdir: Path | None,
    device: str,
    overrides: tuple[str, ...],
    reporter: Reporter,
) -> Rescoring:
    """Scores images of every row again.

    Args:
        folder: The version folder, which ``verify`` found to be right.
        count: Images per row; fewer where there are not as many.
        images: Folder with the images of generators; None for those that the record shows. It holds, by generator,
            ``all-images.parquet`` as in a bundle, ``images.parquet`` in the record's format, or one folder per user
            with one file per image.
        workdir: Work folder with judges; None to fit them in a temporary one.
        device: Torch device.
        overrides: ``data.path=FOLDER`` where the data lie in files.
        reporter: Prints what is done.

    Raises:
        RecordError: If an image is another than the recorded one, or none is at hand.
        SpecError: If the data are not those of the record.
    """
    record, rows = read_all(folder)
    readers = {row.id: _shown(folder, row, record) if images is None else _given(images, row, record) for row in rows}
    if not any(readers.values()):
        raise RecordError(f"{images or folder}: holds no image of any row", hint="name their folder with --images")
    task = recorded_task(record.spec, folder / TASK_FOLDER / COMPARISON, (), only_data_path(overrides))
    differs = other_machine(record, device)
    with _judges_store(folder, bool(differs), workdir, reporter) as (store, judges):
        scorers = _Scorers(task, record, store, device, reporter)
        origin: Literal["record", "given"] = "record" if images is None else "given"
        return Rescoring(
            [scorers.rescored(row, record, readers[row.id], count, origin, judges) for row in rows], differs
        )


class _Scorers:
    """The scorers of a task that can be asked about some images of a row.

    Args:
        task: The task, without generators.
        record: Its record.
        store: The work folder, locked.
        device: Torch device.
        reporter: Prints what is done.
    """

    def __init__(self, task: Task, record: TaskRecord, store: Store, device: str, reporter: Reporter) -> None:
        addresses, self._materials = prepare_recorded(task, record, store, device, reporter)
        self._built = scorer_builder(task, addresses, self._materials)
        self._vectors = ImageVectors(self._materials.encoders)
        self._left_out = {name: why for name, flags in addresses.scorers.items() if (why := why_not(flags))}
        self._asked = {name: flags for name, flags in addresses.scorers.items() if name not in self._left_out}

    def rescored(
        self,
        row: Rows,
        record: TaskRecord,
        readers: Readers,
        count: int,
        origin: Literal["record", "given"],
        judges: Judges,
    ) -> RowScores:
        """Scores images of one row again."""
        chosen = drawn(record.records[row.id], sorted(readers), count)
        if not chosen or not self._asked:
            return RowScores(row.id, None)
        self._check_pixels(row, chosen, readers)
        here = self._scores(row, record, chosen, readers)
        at = tuple(np.array(chosen).T)
        recorded = {scorer: row.scores[scorer][at] for scorer in here}
        apart = [
            (scorer, record.users.id[u], k, float(recorded[scorer][i]), float(values[i]))
            for scorer, values in here.items()
            for i, (u, k) in enumerate(chosen)
            if _apart(recorded[scorer][i], values[i])
        ]
        sizes = [np.nanmax(np.abs(values - recorded[scorer]), initial=0.0) for scorer, values in here.items()]
        done = Rescored(
            images=len(chosen),
            among=len(readers),
            valid=int((~row.failed).sum()),
            origin=origin,
            judges=judges,
            scorers=tuple(self._asked),
            left_out=self._left_out,
            largest=float(max(sizes)),
        )
        return RowScores(row.id, done, apart)

    def _check_pixels(self, row: Rows, chosen: Sequence[Key], readers: Readers) -> None:
        """Reads every image, which checks its digest, and compares declared items with those of the data set."""
        catalogue = self._materials.world.dataset.catalogue
        for key in chosen:
            readers[key]()
            item = int(row.item[key])
            if item >= 0 and catalogue.digest(item) != row.digest[key]:
                raise RecordError(f"{row.id}: {row.digest[key][:16]} is another image than item {item} of the data")

    def _scores(self, row: Rows, record: TaskRecord, chosen: Sequence[Key], readers: Readers) -> Mapping[str, Floats]:
        """By scorer, float64 [chosen]; each for the image's own user."""
        valid = [ImageRow(record.users.id[u], k, 0, str(row.digest[u, k]), int(row.item[u, k]), "") for u, k in chosen]
        by_digest = {str(row.digest[key]): readers[key] for key in chosen}
        cache = PixelCache(lambda digest: by_digest[digest]())
        images = images_of_rows(valid, cache.get, _no_embeddings, self._materials, self._vectors)
        users = self._materials.world.users
        return {
            name: np.asarray(score_arrays(self._built(name), restricted(images, flags.needs), users, 1)["own"])
            for name, flags in self._asked.items()
        }


def why_not(flags: ScorerFlags) -> str:
    """Why a scorer cannot be asked about single images of a row; empty where it can be."""
    if flags.of_sets:
        return "it scores whole sets of images"
    if flags.card.role == CONFIRMING:
        return "all images of the row draw it"
    return "it scores what images were decoded from, which records do not hold" if PRIOR in flags.needs else ""


def drawn(files: Mapping[str, str], keys: Sequence[Key], count: int) -> list[Key]:
    """Some of a row's images, drawn by the digests of its files, so that they are known only when all is fixed.

    Args:
        files: SHA-256 by name.
        keys: The images to draw from, in order.
        count: How many.
    """
    rng = np.random.default_rng(seed_of("rescore", dict(files)))
    return [keys[int(i)] for i in rng.permutation(len(keys))[:count]]


def _apart(recorded: float, here: float) -> bool:
    return bool(np.isnan(recorded) != np.isnan(here) or abs(recorded - here) > OTHER_MACHINE)


def _no_embeddings() -> NoReturn:
    raise RecordError("no record holds what images were decoded from")


@contextmanager
def _judges_store(
    folder: Path, elsewhere: bool, workdir: Path | None, reporter: Reporter
) -> Iterator[tuple[Store, Judges]]:
    """The store, locked, and how it comes to its judges; a work folder never takes weights from beside a record."""
    with TemporaryDirectory(prefix="rebeca-rescore-") as temporary:
        store, weights = Store(workdir or Path(temporary), reporter.info), weights_folder(folder)
        published = elsewhere and workdir is None and weights.is_dir()
        with store.locked("judges"):
            if published:
                shutil.copytree(weights, store.root, dirs_exist_ok=True)
            yield store, "published" if published else "fitted again"


def _shown(folder: Path, row: Rows, record: TaskRecord) -> Readers:
    """The images that a record shows; none where the data may not be republished."""
    place = {user: u for u, user in enumerate(record.users.id)}
    files = unpack(folder / row.id, IMAGES)
    shown = shown_images(row, record.spec.seeds, record.users.id) if files else ()
    return {
        (place[image.user], image.replicate): _packed(folder / row.id, image.digest, files[image.digest])
        for image in shown
    }


def _packed(folder: Path, digest: str, data: bytes, name: str = PACKED) -> Callable[[], Pixels]:
    return lambda: decode_packed(folder, digest, data, name)


def _given(images: Path, row: Rows, record: TaskRecord) -> Readers:
    """All valid images of a row, from a folder; none where it holds no folder of this generator.

    Raises:
        RecordError: If one of them is missing.
    """
    folder = images / row.id
    if not images.is_dir():
        raise SpecError(f"--images {images}: no such folder")
    if not folder.is_dir():
        return {}
    valid = [(int(u), int(k)) for u, k in np.argwhere(~row.failed)]
    name = ALL_IMAGES if (folder / ALL_IMAGES).is_file() else PACKED
    if (folder / name).is_file():
        files = unpack(folder, IMAGES, name)
        missing = next((key for key in valid if row.digest[key] not in files), None)
        if missing is not None:
            user, number = record.users.id[missing[0]], missing[1]
            raise RecordError(f"{folder / name}: lacks image {number} of user '{user}'")
        return {key: _packed(folder, str(row.digest[key]), files[str(row.digest[key])], name) for key in valid}
    return {(u, k): _file(folder, record.users.id[u], k, str(row.digest[u, k])) for u, k in valid}


def _file(folder: Path, user: str, number: int, digest: str) -> Callable[[], Pixels]:
    """Reads a file ``<user>/<number>.png`` or one with another suffix."""
    if Path(user).name != user:
        raise RecordError(f"{folder}: no folder can be called '{user}'", hint=f"hand the images in as {PACKED}")
    paths = [path for suffix in SUFFIXES if (path := folder / user / f"{number}{suffix}").is_file()]
    if len(paths) != 1:
        raise RecordError(f"{folder / user}: {len(paths)} files for image {number}, expected one ({number}.png)")

    def read() -> Pixels:
        pixels = decode_image(paths[0].read_bytes(), str(paths[0]))
        if pixels_digest(pixels) != digest:
            raise RecordError(f"{paths[0]}: is another image than the recorded one")
        return pixels

    return read

"""Merging: several records and bundles of one task become one leaderboard, the same bytes in whatever order.

The folder of every generator is copied byte for byte. Only ``_task/comparison.json`` is written anew: its comparison is
computed from all rows, as a run and ``verify`` compute it.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmark.analysis.inputs import Rows
from benchmark.disk import absent_beside, is_vacant, locked, replace_folder, take_back
from benchmark.records.attestation import Statement, statement_of, strength, write_statement
from benchmark.records.bundle import Bundle, check_images, plain_files, read_bundle
from benchmark.records.files import (
    MANIFEST,
    TASK_FOLDER,
    UNSET,
    is_bundle,
    newest_records,
    read_comparison,
    read_record,
    refuse_if,
    to_json,
    write_comparison,
)
from benchmark.records.find import version_of
from benchmark.records.memory import limited_memory
from benchmark.records.schema import GeneratorInfo, TaskRecord
from benchmark.records.verify import check_generators, check_listed, read_checked, recomputed
from benchmark.task.spec import GeneratorEntry
from rebeca.errors import RecordError, did_you_mean

FREE = {"order", "submitted", "results", "records", "digest"}
"""Keys of the task's record that depend on who was handed in."""


@dataclass(frozen=True, slots=True, eq=False)
class Sources:
    """What is merged, each part once.

    Attributes:
        base: A folder of records of the task.
        task: Its record.
        folders: Where each generator's files lie, by id.
        submitted: Generators that were handed in, by id.
        files: SHA-256 of the files of each generator, by id and name.
        bundles: The bundles among the sources.
        statements: What was done to check each generator, by id; bundles say nothing of themselves.
    """

    base: Path
    task: TaskRecord
    folders: dict[str, Path]
    submitted: dict[str, GeneratorEntry]
    files: dict[str, dict[str, str]]
    bundles: list[Bundle]
    statements: dict[str, list[Statement]]

    @property
    def order(self) -> tuple[str, ...]:
        """The task's own generators in their order, then the others by id."""
        own = [entry.id for entry in self.task.spec.generators if entry.id in self.folders]
        return (*own, *sorted(self.submitted))

    def leave_out(self, name: str) -> None:
        """Forgets a generator that was handed in.

        Raises:
            RecordError: If there is none of this id.
        """
        if name not in self.submitted:
            raise RecordError(f"no generator '{name}' was handed in", hint=did_you_mean(name, self.submitted))
        del self.folders[name], self.submitted[name], self.files[name]
        self.statements.pop(name, None)
        self.bundles[:] = [bundle for bundle in self.bundles if bundle.id != name]


def find_sources(roots: Sequence[Path]) -> dict[str, list[Path]]:
    """Records and bundles of the newest version of every task below some roots, by the task's id, each once.

    Where a root is a folder of records itself, its version is taken. Of folders of bundles, those of other versions
    are left out.

    Raises:
        RecordError: If roots name two versions of one task, or a bundle that no records belong to.
    """
    named = [root for root in roots if (root / TASK_FOLDER).is_dir()]
    others = [root for root in roots if root not in named and not is_bundle(root)]
    below = [newest_records(task) for root in others for task in (root, *sorted(filter(Path.is_dir, root.glob("*"))))]
    records = [*named, *filter(None, below)]
    tasks = sorted({each.parent.name for each in records})
    sources = {task: _of_one_version(task, named, records, roots) for task in tasks}
    unused = [root for root in roots if is_bundle(root) and not any(root in group for group in sources.values())]
    if unused:
        raise RecordError(
            f"{unused[0]}: there are no records of its task and version to show it with",
            hint="name the folder of records as well",
        )
    return sources


def _of_one_version(task: str, named: Sequence[Path], records: Sequence[Path], roots: Sequence[Path]) -> list[Path]:
    """The records of a task's newest version, without copies, and the bundles of that version."""
    own, chosen = ([folder for folder in each if folder.parent.name == task] for each in (records, named))
    if len({folder.name for folder in chosen}) > 1:
        raise RecordError(
            f"{chosen[0]} and {chosen[1]} are two versions of one task, and a site shows one", hint="name one of them"
        )
    version = max(chosen or own, key=version_of).name
    by_digest = {read_comparison(each).digest: each for each in reversed(own) if each.name == version}
    bundles = [path.parent for root in roots for path in sorted((root / task / version).glob(f"*/{MANIFEST}"))]
    bundles += [root for root in roots if is_bundle(root) and root.resolve().parts[-3:-1] == (task, version)]
    for bundle in bundles:
        plain_files(bundle)  # before anything hashes them
    return [*reversed(by_digest.values()), *bundles]


def read_sources(folders: Sequence[Path]) -> Sources:
    """Reads what is to be merged, and checks that it belongs together. Records must be intact.

    Args:
        folders: Version folders of records, and bundles.

    Raises:
        RecordError: If there are no records among them, they are of different tasks or runs, or two generators have
            one id.
    """
    _check_kinds(folders)
    records = sorted({folder.resolve(): folder for folder in folders if not is_bundle(folder)}.values())
    bundles = [read_bundle(folder) for folder in {f.resolve(): f for f in folders if is_bundle(f)}.values()]
    if not records:
        raise RecordError(
            "there are no records of the task to merge with", hint="name <results>/<task>/v<version> as well"
        )
    task = read_comparison(records[0], intact=True)
    sources = Sources(records[0], task, {}, {}, {}, sorted(bundles, key=lambda bundle: bundle.id), {})
    for folder in records:
        other = read_comparison(folder, intact=True)
        _check_same_run(sources, folder, other)
        check_listed(folder, other)
        for name in other.order:
            _add(sources, name, folder / name, dict(other.records[name]))
            if (statement := statement_of(folder, other, read_record(folder / name).generator)) is not None:
                sources.statements.setdefault(name, []).append(statement)
        sources.submitted.update({entry.id: entry for entry in other.submitted})
    for bundle in sources.bundles:
        _check_same_task(bundle, task)
        refuse_if(
            bundle.id in {entry.id for entry in task.spec.generators},
            f"{bundle.folder}: the task has a generator '{bundle.id}' of its own",
        )
        _add(sources, bundle.id, bundle.folder, dict(bundle.files))
        sources.submitted[bundle.id] = entry_of(bundle.record.generator)
    return sources


def _check_kinds(folders: Sequence[Path]) -> None:
    for folder in folders:
        if not is_bundle(folder) and not (folder / TASK_FOLDER).is_dir():
            raise RecordError(
                f"{folder} holds neither records nor a bundle",
                hint="name version folders such as results/TASK/vVERSION, and bundles",
            )


def entry_of(generator: GeneratorInfo) -> GeneratorEntry:
    return GeneratorEntry(**{key: getattr(generator, key) for key in GeneratorEntry.model_fields})


def _add(sources: Sources, name: str, folder: Path, files: dict[str, str]) -> None:
    known = sources.files.setdefault(name, files)
    if known != files:
        raise RecordError(
            f"{folder} and {sources.folders[name]} are two generators with the id '{name}'",
            hint="rename one of them, or leave one out",
        )
    sources.folders.setdefault(name, folder)


def _check_same_run(sources: Sources, folder: Path, other: TaskRecord) -> None:
    base, task = sources.base, sources.task
    refuse_if(other.task != task.task, f"{folder} and {base} are records of different tasks or versions")
    mine, theirs = (
        {key: value for key, value in to_json(record).items() if key not in FREE} | dict(record.records[TASK_FOLDER])
        for record in (task, other)
    )
    if mine != theirs:
        raise RecordError(
            f"{folder} and {base} are records of two runs of one task",
            hint="merge what was handed in with the records of one run",
        )


def _check_same_task(bundle: Bundle, task: TaskRecord) -> None:
    given, known = bundle.manifest.task, task.task
    if given != known:
        differ = (given.id, given.version) != (known.id, known.version)
        raise RecordError(
            f"{bundle.folder}: is handed in to '{given.id}' version {given.version}, hash {given.hash[:12]};"
            f" the records are of '{known.id}' version {known.version}, hash {known.hash[:12]}",
            hint="hand it in to this version" if differ else "the task file was changed; use the published one",
        )


def merge(folders: Sequence[Path], out: Path, without: Sequence[str] = ()) -> tuple[Path, TaskRecord]:
    """Merges records and bundles of one task; the result appears whole or not at all.

    Args:
        folders: Version folders of records, and bundles.
        out: Folder of records. What lies in ``<out>/<task>/v<version>`` is merged as well, so that nothing is lost.
        without: Ids of generators that were handed in and are left out.

    Returns:
        The version folder, and its record.

    Raises:
        RecordError: Naming what does not belong together or does not add up.
    """
    _check_kinds(folders)
    named = next((folder for folder in folders if not is_bundle(folder)), folders[0])
    header = read_bundle(named).manifest.task if is_bundle(named) else read_comparison(named).task
    if header.modified:
        raise RecordError(f"{named}: is of a modified task", hint="merge records of the task as it was published")
    place = out / header.id / f"v{header.version}"
    if not place.parent.exists():
        read_sources(folders)  # nothing is left behind where they do not belong together
    place.parent.mkdir(parents=True, exist_ok=True)
    with locked(place.parent):
        take_back(place)
        sources = read_sources(folders if is_vacant(place) else [place, *folders])
        for name in without:
            sources.leave_out(name)
        fresh = absent_beside(place)
        try:
            task, _ = write_merged(sources, fresh)
            replace_folder(fresh, place)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
    return place, task


def write_merged(sources: Sources, folder: Path) -> tuple[TaskRecord, Sequence[Rows]]:
    """Writes the records of all sources into an absent folder, and checks all of them.

    Returns:
        The task's record, and the rows of all generators in its order.

    Raises:
        RecordError: Naming the first thing that does not add up.
    """
    try:
        with limited_memory():
            return _write_merged(sources, folder)
    except MemoryError as error:
        raise RecordError(f"{sources.base}: checking what is merged with it takes too much memory") from error
    except RecordError as error:
        message = error.message
        for name, origin in sources.folders.items():
            message = message.replace(str(folder / name), str(origin))
        raise RecordError(message.replace(str(folder), str(sources.base)), hint=error.hint) from error


def _write_merged(sources: Sources, folder: Path) -> tuple[TaskRecord, Sequence[Rows]]:
    (folder / TASK_FOLDER).mkdir(parents=True)
    for file in sources.task.records[TASK_FOLDER]:
        shutil.copyfile(sources.base / TASK_FOLDER / file, folder / TASK_FOLDER / file)
    for name, files in sources.files.items():
        (folder / name).mkdir()
        for file in files:
            shutil.copyfile(sources.folders[name] / file, folder / name / file)
    task = sources.task.model_copy(
        update={
            "order": sources.order,
            "submitted": tuple(entry for _, entry in sorted(sources.submitted.items())),
            "records": {},
            "digest": UNSET,
        }
    )
    listed = write_comparison(folder, task).records
    for name, files in sources.files.items():
        refuse_if(listed[name] != files, f"{sources.folders[name]}: a file is not the one that is listed")
    checked = read_checked(folder)
    analysis, _ = recomputed(folder, checked)
    check_generators(checked, analysis)
    by_id = {row.id: row for row in checked.rows}
    for bundle in sources.bundles:
        check_images(bundle, by_id[bundle.id], task.users.id, task.data.redistribute)
    for name, statements in sources.statements.items():
        strongest = max(statements, key=lambda each: (strength(each.predicate), each.to_bytes()))
        write_statement(folder, name, strongest)
    return write_comparison(folder, task.model_copy(update={"results": analysis.task})), checked.rows


@contextmanager
def without_submitted(folder: Path) -> Iterator[Path]:
    """Records of the task's own rows alone: the folder itself, or a copy without what was handed in."""
    names = [entry.id for entry in read_comparison(folder).submitted]
    if not names:
        yield folder
        return
    sources = read_sources([folder])
    for name in names:
        sources.leave_out(name)
    with tempfile.TemporaryDirectory(prefix="rebeca-own-") as temporary:
        place = Path(temporary, sources.task.task.id, f"v{sources.task.task.version}")
        write_merged(sources, place)
        yield place


@contextmanager
def merged(folders: Sequence[Path]) -> Iterator[Path]:
    """The one folder as it is, or several merged in a folder that is removed afterwards."""
    if len(folders) == 1 and not is_bundle(folders[0]):
        yield folders[0]
        return
    sources = read_sources(folders)
    with tempfile.TemporaryDirectory(prefix="rebeca-merged-") as temporary:
        place = Path(temporary, sources.task.task.id, f"v{sources.task.task.version}")
        write_merged(sources, place)
        yield place

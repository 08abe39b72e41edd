"""Checks records: hashes, completeness, ranges, and every number recomputed from the rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path

import numpy as np
from pydantic import JsonValue

from benchmark.analysis.analyse import analyse
from benchmark.analysis.inputs import HeldOutRatings, HeldOutScores, Rows
from benchmark.analysis.judges import JudgeReport, judge_report
from benchmark.analysis.numbers import PermutationTest
from benchmark.analysis.results import Analysis
from benchmark.records.attestation import ATTESTATIONS, check_attestations
from benchmark.records.files import (
    TASK_FOLDER,
    file_digests,
    read_comparison,
    read_record,
    refuse_if,
)
from benchmark.records.gallery import IMAGES, ITEMS, PACKED, check_packed, example_items, gallery_users, shown_images
from benchmark.records.ratings import RATINGS, check_ratings, read_ratings, reads_ratings
from benchmark.records.rows import GENERATOR_FILES, HELD_OUT, read_held_out, read_rows
from benchmark.records.schema import PUBLISHED_PERMUTATIONS, GeneratorRecord, Provenance, TaskRecord
from benchmark.records.submitted import check_submission, check_titles
from benchmark.records.verify_cross import check_judges, check_together, check_users
from benchmark.task.declared import generator_flags
from benchmark.task.registry import identity, names, plugin_class
from benchmark.task.spec import GeneratorEntry
from rebeca.errors import RecordError, SpecError
from rebeca.params import changed_params, make_params

PLACES = ("v*", "*/v*", "records/*/v*")
"""Where records lie below a task's folder, a folder of records, and a work folder."""
MATCHES = 1e-7
"""Relative tolerance of recomputed numbers; sums in another order differ by less."""
MATCHES_NEAR_ZERO = 1e-12


@dataclass(frozen=True, slots=True)
class Verified:
    """Counts of what was checked.

    Attributes:
        generators: Generators.
        files: Files whose hash was computed.
        numbers: Numbers that were recomputed.
    """

    generators: int
    files: int
    numbers: int


def verify(folder: Path) -> Verified:
    """Checks the records of one task version.

    Args:
        folder: ``<root>/<task id>/v<version>``.

    Raises:
        RecordError: Naming the first thing that does not add up.
    """
    if not (folder / TASK_FOLDER).is_dir():
        below = [path.parent for place in PLACES for path in sorted(folder.glob(f"{place}/{TASK_FOLDER}"))]
        raise RecordError(
            f"{folder} holds no records",
            hint=f"did you mean {below[0]}?" if below else "name <records>/<task>/v<version>",
        )
    checked = read_checked(folder)
    analysis, judges = recomputed(folder, checked)
    numbers = check_generators(checked, analysis)
    numbers += _same(checked.task.results, analysis.task, "comparison: results")
    numbers += _same(checked.task.judges, judges, "comparison: judges")
    return Verified(len(checked.rows), sum(len(files) for files in checked.task.records.values()), numbers)


@dataclass(frozen=True, slots=True, eq=False)
class Checked:
    """Records whose parts agree; their results are not recomputed yet.

    Attributes:
        task: The task's record.
        records: Of the generators, by id.
        rows: Of the generators, in the order of the record.
        scores: Of held-out ratings.
    """

    task: TaskRecord
    records: Mapping[str, GeneratorRecord]
    rows: Sequence[Rows]
    scores: HeldOutScores


def read_checked(folder: Path) -> Checked:
    """Reads the records of a version folder, and checks everything but the results.

    Raises:
        RecordError: Naming the first thing that does not add up.
    """
    task = read_comparison(folder, intact=True)
    _check_files(folder, task)
    check_attestations(folder, task)
    _check_task(folder, task)
    check_users(folder, task)
    records, rows = {}, []
    for name in task.order:
        record = read_record(folder / name)
        _check_generator(folder / name, name, record, task)
        rows.append(read_rows(folder / name, record, task))
        _check_published_schemes(folder / name, record, rows[-1])
        _check_shown(folder / name, record, task, rows[-1])
        records[name] = record
    check_titles(folder, records)
    check_together(folder, task, records, rows)
    scores = read_held_out(folder / TASK_FOLDER / HELD_OUT, len(task.user_ids))
    _check_taste(folder, task, scores)
    return Checked(task, records, rows, scores)


def check_generators(checked: Checked, analysis: Analysis) -> int:
    """Compares the results of every generator with those of the analysis, and counts their numbers.

    Raises:
        RecordError: At the first difference.
    """
    return sum(_same(record.results, analysis.generators[name], name) for name, record in checked.records.items())


def recomputed(folder: Path, checked: Checked) -> tuple[Analysis, Mapping[str, JudgeReport]]:
    """All results, from the rows and the held-out scores."""
    task, scores = checked.task, checked.scores
    block, stratum = np.array(task.users.block, np.int64), np.array(task.users.stratum, np.int64)
    analysis = analyse(task.plan, checked.rows, block, stratum, _ratings(folder, task, checked.rows, scores))
    check_judges(folder, task, scores)
    return analysis, judge_report(scores, len(task.user_ids), task.plan.bootstrap, task.plan.name)


def _ratings(folder: Path, task: TaskRecord, rows: Sequence[Rows], scores: HeldOutScores) -> HeldOutRatings | None:
    """The held-out ratings, which are there where a scorer reads them."""
    path = folder / TASK_FOLDER / RATINGS
    expected = any(reads_ratings(row.cards) for row in rows)
    refuse_if(
        (RATINGS in task.records[TASK_FOLDER]) != expected,
        f"{path}: {'is missing' if expected else 'nothing reads it'}",
    )
    if not expected:
        return None
    ratings = read_ratings(path, len(task.users.id), task.data.items)
    place = {name: i for i, name in enumerate(task.user_ids)}
    check_ratings(path, ratings, rows, scores, np.array([place[name] for name in task.users.id]))
    return ratings


def check_listed(folder: Path, task: TaskRecord) -> None:
    """Checks that a record lists exactly the files that such a record has; nothing on the disk is looked at.

    Raises:
        RecordError: If it lists others, which could lie anywhere.
    """
    refuse_if(
        set(task.records) != {*task.order, TASK_FOLDER},
        f"{folder}: the list of files does not cover exactly the generators of the task",
    )
    packed = {PACKED} if task.data.redistribute else set()
    for name, listed in task.records.items():
        own = ({HELD_OUT, *({RATINGS} & set(listed))} if name == TASK_FOLDER else GENERATOR_FILES) | packed
        refuse_if(set(listed) != own, f"{folder / name}: files are missing or added: {sorted(set(listed) ^ own)}")


def _check_files(folder: Path, task: TaskRecord) -> None:
    check_listed(folder, task)
    expected = {*task.order, TASK_FOLDER}
    added = sorted({path.name for path in folder.iterdir()} - expected - {ATTESTATIONS})
    if added:
        raise RecordError(f"{folder}: {added[0]} belongs to no generator of the task")
    for name, listed in task.records.items():
        refuse_if(not (folder / name).is_dir(), f"{folder / name}: is missing")
        present, own = file_digests(folder / name), set(listed)
        refuse_if(set(present) != own, f"{folder / name}: files are missing or added: {sorted(set(present) ^ own)[:3]}")
        for file, digest in listed.items():
            refuse_if(present[file] != digest, f"{folder / name / file}: was changed (its SHA-256 is another)")


def _check_task(folder: Path, task: TaskRecord) -> None:
    spec, header, origin = task.spec, task.task, task.provenance
    refuse_if(spec.data.path is not None, f"{folder}: the spec is not resolved: data.path")
    refuse_if(header.hash != spec.hash(), f"{folder}: the task hash does not belong to the spec")
    refuse_if(task.analysis.hash != spec.analysis_hash(), f"{folder}: the analysis hash does not belong to the spec")
    refuse_if(
        (header.id, header.version, header.title) != (spec.id, spec.version, spec.title),
        f"{folder}: the task's id, version or title is not that of the spec",
    )
    ids, handed_in = [entry.id for entry in spec.generators], [entry.id for entry in task.submitted]
    refuse_if(len({*ids, *handed_in}) != len(ids) + len(handed_in), f"{folder}: a generator is given twice")
    failed = _failed(folder, task)
    refuse_if(
        list(task.order) != [name for name in ids if name not in failed] + sorted(handed_in)
        or handed_in != sorted(handed_in),
        f"{folder}: the records are of other generators than the spec's and those handed in, in their order",
    )
    refuse_if(origin.seed != spec.seed, f"{folder}: the provenance has another seed than the spec")
    refuse_if(
        task.analysis.frozen and not (origin.declared and origin.declared <= origin.created),
        f"{folder}: frozen, but not declared before the record was made",
    )
    unknown = set(origin.added) - set(ids)
    refuse_if(unknown, f"{folder}: added generators that the spec does not have: {sorted(unknown)}")
    most = {entry.id: len(task.users.id) * spec.images_of(entry) for entry in spec.generators}
    _check_decoded(folder, origin, most)


def _check_decoded(folder: Path, origin: Provenance, most: Mapping[str, int]) -> None:
    for name, count in origin.decoded.items():
        refuse_if(
            count > most.get(name, 0), f"{folder}: decoded: {count} images of '{name}', at most {most.get(name, 0)}"
        )


def _failed(folder: Path, task: TaskRecord) -> set[str]:
    """Ids of generators without a row; none of them may be the project's own."""
    for failed in task.failed:
        entry = task.spec.generator(failed.id)
        refuse_if(
            entry is None
            or entry.title != failed.title
            or (entry.use in names("generators") and identity("generator", entry.use).is_own),
            f"{folder}: '{failed.id}' cannot have failed: only a plug-in generator of the spec can",
        )
    return {failed.id for failed in task.failed}


def _check_generator(folder: Path, name: str, record: GeneratorRecord, task: TaskRecord) -> None:
    refuse_if(record.task != task.task, f"{folder}: 'task' is not that of the task's record")
    generator, entry = record.generator, task.entries[name]
    refuse_if(
        (record.submission is None) != (name not in {entry.id for entry in task.submitted}),
        f"{folder}: 'submission' is there for generators that were handed in, and only for them",
    )
    if record.submission is None:
        refuse_if(record.provenance != task.provenance, f"{folder}: 'provenance' is not that of the task's record")
    else:
        check_submission(folder, record)
        _check_decoded(folder, record.provenance, {name: len(task.users.id) * task.spec.images_of(entry)})
    refuse_if(
        any(getattr(generator, key) != getattr(entry, key) for key in GeneratorEntry.model_fields),
        f"{folder}: the generator is not the one of the spec",
    )
    if generator.use in names("generators"):  # the flags of one that is not installed cannot be checked
        kind = plugin_class("generator", generator.use)
        try:
            params = make_params(kind.Params, generator.params, str(folder))
            flags = generator_flags(generator.use, params, name)
        except SpecError as error:
            raise RecordError(f"{folder}: {error.message}") from error
        for key, value in flags.recorded().items():
            refuse_if(
                getattr(generator, key) != value,
                f"{folder}: '{key}' is {getattr(generator, key)}, the generator says {value}",
            )
        _check_fits(folder, record, task, changed_params(params, flags.fit_parameters), flags.fit_varies)
    refuse_if(generator.ranked == bool(generator.needs), f"{folder}: 'ranked' contradicts 'needs'")


def _check_fits(folder: Path, record: GeneratorRecord, task: TaskRecord, params: JsonValue, varies: bool) -> None:
    """Checks numbers and seeds of the fits; ``params`` are those that the seeds contain."""
    seeds, use = task.spec.seeds, record.generator.use
    expected = [seeds.fitting("generator", use, params, number) for number in range(task.spec.fits if varies else 1)]
    recorded = [(fit.number, fit.seed) for fit in record.fits]
    refuse_if(recorded != list(enumerate(expected)), f"{folder}: fits: numbers and seeds are not those of the spec")
    refuse_if(len({fit.key for fit in record.fits}) < len(expected), f"{folder}: fits: two have one address")


def _check_published_schemes(folder: Path, record: GeneratorRecord, rows: Rows) -> None:
    """Checks the observed value, p from b and B, and z. The null cannot be checked: it needs all users' scores."""
    for scorer, test in record.published_schemes.items():
        where = f"{folder}: published scheme of '{scorer}'"
        refuse_if(scorer not in rows.pairs, f"{where}: not every user can be asked by this scorer")
        refuse_if(test.at_least > test.permutations, f"{where}: b is larger than B")
        refuse_if(
            record.submission is not None and test.permutations != PUBLISHED_PERMUTATIONS,
            f"{where}: B is {test.permutations}, expected {PUBLISHED_PERMUTATIONS}",
        )
        values = rows.values("exclude")[scorer] * (1 if rows.higher(scorer) else -1)
        expected = PermutationTest(
            statistic=float(np.median(values[np.isfinite(values)])),
            null_mean=test.null_mean,
            null_sd=test.null_sd,
            at_least=test.at_least,
            permutations=test.permutations,
            p=(test.at_least + 1) / (test.permutations + 1),
            z=(test.statistic - test.null_mean) / test.null_sd if test.null_sd > 0 else None,
        )
        _same(test, expected, where)


def _check_shown(folder: Path, record: GeneratorRecord, task: TaskRecord, rows: Rows) -> None:
    """Checks that the record holds exactly the images of its seed, with their digests."""
    expected = shown_images(rows, task.spec.seeds, task.users.id) if task.data.redistribute else ()
    refuse_if(
        record.images.shown != expected,
        f"{folder}: images.shown: not the first images of the users drawn by the task's seed",
    )
    if task.data.redistribute:
        check_packed(folder, IMAGES, [(image.user, image.replicate, image.digest) for image in expected])


def _check_taste(folder: Path, task: TaskRecord, scores: HeldOutScores) -> None:
    """Checks that all users are counted, only the gallery's users are shown, and no rating is a held-out one."""
    taste, users, where = task.taste, task.users.id, folder / TASK_FOLDER
    refuse_if(
        len(taste.counts) != len(users) or {len(row) for row in taste.counts} > {len(taste.levels)},
        f"{where}: taste.counts: not one number per user and level",
    )
    gallery = gallery_users(task.spec.seeds, users)
    refuse_if(
        [shown.user for shown in taste.shown] != [user for user in users if user in gallery],
        f"{where}: taste.shown: not the users drawn by the task's seed",
    )
    index = {name: i for i, name in enumerate(task.user_ids)}
    held_out = scores.where(np.asarray(scores.split == "test"))
    hidden = set(zip(held_out.user.tolist(), held_out.item.tolist(), strict=True))
    for user, item in ((shown.user, example.item) for shown in taste.shown for example in shown.examples):
        refuse_if((index[user], item) in hidden, f"{where}: taste.shown: item {item} is held out for '{user}'")
    if task.data.redistribute:
        check_packed(where, ITEMS, example_items(taste))


def _same(recorded: object, computed: object, where: str) -> int:
    """Compares all numbers, and counts them.

    Raises:
        RecordError: At the first difference.
    """
    if isinstance(computed, Mapping):
        if not isinstance(recorded, Mapping) or set(recorded) != set(computed):
            raise RecordError(f"{where}: fields differ")
        return sum(_same(recorded[key], value, f"{where}: {key}") for key, value in computed.items())
    if isinstance(computed, tuple):
        if not isinstance(recorded, tuple) or len(recorded) != len(computed):
            raise RecordError(f"{where}: {len(recorded) if isinstance(recorded, tuple) else 'no'} entries")
        return sum(_same(a, b, f"{where}[{i}]") for i, (a, b) in enumerate(zip(recorded, computed, strict=True)))
    if is_dataclass(computed):
        if type(recorded) is not type(computed):
            raise RecordError(f"{where}: recorded {recorded!r}, recomputed {computed!r}")
        keys = [field.name for field in fields(computed)]
        return sum(_same(getattr(recorded, key), getattr(computed, key), f"{where}: {key}") for key in keys)
    if isinstance(computed, bool | str) or computed is None:
        refuse_if(computed != recorded, f"{where}: recorded {recorded!r}, recomputed {computed!r}")
        return 0
    refuse_if(
        not isinstance(recorded, int | float)
        or isinstance(recorded, bool)
        or not isinstance(computed, int | float)
        or not np.isclose(recorded, computed, rtol=MATCHES, atol=MATCHES_NEAR_ZERO),
        f"{where}: recorded {recorded!r}, recomputed {computed!r}",
    )
    return 1

"""Makes the images of a record again with other seeds, and asks of every row whether its conclusions hold.

Three things can change: the seeds of images; the task's seed, from which the division of the ratings, all fits and all
images follow; and the seed of a synthetic world. A row falls where its preference or its personal lift is lower than in
the record by more than the task's equivalence margin and chance allow (:mod:`benchmark.stats.change`), by a one-sided
test at the task's level, adjusted over rows by Holm.

Another division gives another judge. It may be kinder or stricter to everything, more or less decided, and see more or
less of what sets users apart. So values of the new run are brought to the scale of the record's judge: preferences are
taken from the judge's mean score of each user's held-out ratings, and divided by the spread of its scores; lifts are
divided by the spread of their personal part. Both judges are fitted here for that, so that no number of the record but
the row's own scores counts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from benchmark.analysis.inputs import Rows, with_lifts
from benchmark.analysis.measures import Measure, both_by
from benchmark.records.attestation import Difference, Reproduced
from benchmark.records.files import COMPARISON, TASK_FOLDER, read_comparison, read_record
from benchmark.records.rows import read_all
from benchmark.records.schema import TaskRecord
from benchmark.runner.progress import Reporter
from benchmark.runner.recorded import only_data_path, prepare_recorded
from benchmark.runner.run_task import records_name, run_task
from benchmark.runner.store import Store
from benchmark.stats.change import Change, change
from benchmark.stats.comparison import holm
from benchmark.stats.intervals import FEWEST
from benchmark.task.recorded import recorded_task
from benchmark.task.registry import names
from benchmark.task.resolved import Task
from benchmark.task.spec import GeneratorEntry
from rebeca.arrays import Floats, Ints
from rebeca.errors import SpecError, did_you_mean
from rebeca.ties import TIE

MOST_FACTOR = 2.0
"""Largest factor between two judges: one that knows nearly nothing must not make noise look like taste."""


@dataclass(frozen=True, slots=True)
class Seeds:
    """What is changed; None for what stays.

    Attributes:
        offset: Added to the seeds of images.
        split_seed: The task's seed.
        world_seed: Seed of a synthetic world.
    """

    offset: int | None = None
    split_seed: int | None = None
    world_seed: int | None = None


@dataclass(frozen=True, slots=True)
class RowChange:
    """What became of a row.

    Attributes:
        generator: Id.
        measures: By ``preference`` and ``lift``.
        fell: Those that are lower by more than chance allows.
    """

    generator: str
    measures: Mapping[str, Difference]
    fell: Sequence[str]


@dataclass(frozen=True, slots=True)
class Reproduction:
    """What the new run gave.

    Attributes:
        rows: Those that were run.
        left_out: The other rows, and why.
        seeds: What was changed.
        level: Of the tests.
        margin: A fall by this much counts as none.
    """

    rows: Sequence[RowChange]
    left_out: Mapping[str, str]
    seeds: Seeds
    level: float
    margin: float

    @property
    def holds(self) -> bool:
        """Whether no row fell."""
        return not any(row.fell for row in self.rows)

    def done(self) -> dict[str, Reproduced]:
        """What to state of the rows that were tested and did not fall."""
        seeds = self.seeds
        return {
            row.generator: Reproduced(
                offset=seeds.offset, split_seed=seeds.split_seed, world_seed=seeds.world_seed, measures=row.measures
            )
            for row in self.rows
            if row.measures and not row.fell
        }


def run_with_other_seeds(
    folder: Path,
    seeds: Seeds,
    only: Sequence[str],
    workdir: Path | None,
    device: str,
    overrides: tuple[str, ...],
    reporter: Reporter,
    command: Sequence[str],
) -> Reproduction:
    """Runs the task of a record again.

    Args:
        folder: The version folder, which ``verify`` found to be right.
        seeds: What to change.
        only: Generators; empty for all that can be run here.
        workdir: Work folder to go on in; None for a temporary one.
        device: Torch device.
        overrides: ``data.path=FOLDER`` where the data lie in files.
        reporter: Prints what is done.
        command: The command line, for the new run's records.

    Raises:
        SpecError: If nothing would change, or a generator cannot be run here.
    """
    record = read_comparison(folder)
    left_out = _left_out(folder, record, only)
    chosen = [name for name in record.order if name not in left_out and (name in only or not only)]
    path = folder / TASK_FOLDER / COMPARISON
    if not chosen:
        raise SpecError(f"{path}: no row can be made again: {'; '.join(f'{n}: {why}' for n, why in left_out.items())}")
    entries = [read_record(folder / name).generator for name in chosen]
    task = recorded_task(record.spec, path, entries, only_data_path(overrides))
    changed = recorded_task(record.spec, path, entries, (*overrides, *_changes(record, entries, seeds)))
    with TemporaryDirectory(prefix="rebeca-reproduce-") as temporary:
        store = Store(workdir or Path(temporary), reporter.info)
        with store.locked(records_name(changed)):
            before = _Run(folder, _scale(task, record, store, device, reporter))
            records = run_task(changed, store, device, reporter, command).records
            after = _Run(records, _scale(changed, read_comparison(records), store, device, reporter))
    return Reproduction(
        _judged(before, after, chosen, seeds.world_seed is None),
        left_out,
        seeds,
        record.spec.analysis.alpha,
        record.spec.analysis.equivalence_margin,
    )


def _left_out(folder: Path, record: TaskRecord, only: Sequence[str]) -> dict[str, str]:
    """Rows that are not run, and why.

    Raises:
        SpecError: If one that was asked for cannot be run.
    """
    for name in only:
        if name not in record.order:
            raise SpecError(f"--only {name}: no such row", hint=did_you_mean(name, record.order))
    out = {}
    for name in record.order:
        generator = read_record(folder / name).generator
        if generator.fitted_elsewhere:
            out[name] = "its images were handed in, so nobody else can make them again"
        elif generator.use not in names("generators"):
            out[name] = f"no generator '{generator.use}' is installed"
        if name in only and name in out:
            raise SpecError(f"--only {name}: {out[name]}")
    return {} if only else out


def _changes(record: TaskRecord, entries: Sequence[GeneratorEntry], seeds: Seeds) -> tuple[str, ...]:
    """The changes as ``a.b=value``.

    Raises:
        SpecError: If one of them changes nothing, or the data have no such seed.
    """
    spec, out = record.spec, []
    if seeds.offset is not None:
        if not seeds.offset:
            raise SpecError("--offset 0: gives the same images", hint="use another number")
        out += [f"generators.{place}.offset={entry.offset + seeds.offset}" for place, entry in enumerate(entries)]
    if seeds.split_seed is not None:
        if seeds.split_seed == spec.seed:
            raise SpecError(f"--split-seed {spec.seed}: is the record's own", hint="use another number")
        out.append(f"seed={seeds.split_seed}")
    if seeds.world_seed is not None:
        own = spec.data.params.get("seed")
        if own is None or own == seeds.world_seed:
            why = "the data have no seed in the record" if own is None else "is the record's own"
            raise SpecError(f"--world-seed {seeds.world_seed}: {why}", hint="use --split-seed, or another number")
        out.append(f"data.params.seed={seeds.world_seed}")
    return tuple(out)


@dataclass(frozen=True, slots=True, eq=False)
class _Scale:
    """How a judge scores, whoever made the images; the default is that of a scorer behind which no judge is.

    Attributes:
        level: float64 [users]; mean score of each user's held-out ratings.
        spread: Standard deviation of its scores over users and training items.
        personal: The same of what neither all users nor all items have in common.
    """

    level: Floats
    spread: float = 1.0
    personal: float = 1.0

    def factor(self, other: _Scale, measure: Measure) -> float:
        """What brings values by the other judge to the spread of this one."""
        own, theirs = (self.personal, other.personal) if measure.is_lift else (self.spread, other.spread)
        return 1.0 if min(own, theirs) < TIE else float(np.clip(own / theirs, 1 / MOST_FACTOR, MOST_FACTOR))


def _scale(task: Task, record: TaskRecord, store: Store, device: str, reporter: Reporter) -> _Scale:
    """The scale of the judge behind the primary scorer. Users without held-out ratings have the mean level."""
    primary = next(entry for entry in task.scorers if entry.id == task.file.analysis.primary.scorer)
    role = primary.flags().card.role
    if role not in task.judges:
        return _Scale(np.zeros(len(record.users.id)))
    _, materials = prepare_recorded(task, record, store, device, reporter)
    division, users = materials.world.division, materials.world.users
    scores = materials.judges[role].catalogue_scores()
    test = division.test
    total = np.bincount(test.user, weights=scores[test.user, test.item], minlength=test.num_users)
    count = np.bincount(test.user, minlength=test.num_users)
    level = np.divide(total, count, out=np.full(len(total), np.nan), where=count > 0)[users]
    own = scores[np.ix_(users, np.flatnonzero(division.training_items))]
    personal = own - own.mean(axis=0) - own.mean(axis=1, keepdims=True) + own.mean()
    return _Scale(np.where(np.isnan(level), np.nanmean(level), level), float(own.std()), float(personal.std()))


class _Run:
    """Values of all rows of a record.

    Args:
        folder: The record.
        scale: Of its judge.
    """

    def __init__(self, folder: Path, scale: _Scale) -> None:
        self.record, rows = read_all(folder)
        self._rows = {row.id: row for row in rows}
        self.scale = scale
        self.measures: Sequence[Measure] = both_by(self.record.spec.analysis.primary.scorer)

    def values(self, generator: str, measure: Measure) -> Floats:
        """float64 [users]; NaN where a user has none, as all have of lifts that the scorer does not give."""
        row = self._rows[generator]
        every = with_lifts(row, self.record.plan.reading)
        return every.get(measure.key, np.full(len(row.digest), np.nan))

    def above_level(self, generator: str, measure: Measure) -> Floats:
        """float64 [users]; preference less the judge's level; a lift as it is."""
        return self.values(generator, measure) - (0.0 if measure.is_lift else self.scale.level)

    def fits(self, generator: str, measure: Measure) -> Floats:
        """float64 [fits]; means over users, none where the fit does not vary."""
        row: Rows = self._rows[generator]
        if len(row.fit_keys) == 1:
            return np.zeros(0)
        means = np.array([_mean(own) for own in row.by_fit(measure.key, self.record.plan.reading)])
        return means[np.isfinite(means)]


def _judged(before: _Run, after: _Run, chosen: Sequence[str], same_world: bool) -> list[RowChange]:
    """Tests every row, and adjusts over rows.

    A preference that hardly any user still has counts as fallen. A lift may be lost by chance: it needs users who can
    be compared.
    """
    analysis = before.record.spec.analysis
    shared = [user for user in before.record.users.id if user in set(after.record.users.id)]
    paired = same_world and len(shared) >= FEWEST
    old, new = (_places(run, shared if paired else run.record.users.id) for run in (before, after))
    out: dict[str, dict[str, Difference]] = {name: {} for name in chosen}
    lost: dict[str, list[str]] = {name: [] for name in chosen}
    for measure in before.measures:
        tested: dict[str, Change] = {}
        factor = before.scale.factor(after.scale, measure)
        for name in chosen:
            fits = before.fits(name, measure), factor * after.fits(name, measure)
            values = before.above_level(name, measure)[old], factor * after.above_level(name, measure)[new]
            known = [int(np.isfinite(own).sum()) for own in values]
            if min(known[0], int(np.isfinite(sum(values)).sum()) if paired else known[1]) >= FEWEST:
                tested[name] = change(*values, fits, analysis.equivalence_margin, paired)
            elif known[0] >= FEWEST and not measure.is_lift:
                lost[name].append(measure.slug)
        adjusted = holm(np.array([each.p for each in tested.values()]))
        for (name, each), p in zip(tested.items(), adjusted.tolist(), strict=True):
            out[name][measure.slug] = Difference(
                published=_mean(before.values(name, measure)),
                here=_mean(after.values(name, measure)),
                difference=each.difference,
                low=each.low,
                high=each.high,
                p=p,
            )
    return [
        RowChange(name, measures, [*lost[name], *(slug for slug, own in measures.items() if own.p <= analysis.alpha)])
        for name, measures in out.items()
    ]


def _places(run: _Run, users: Sequence[str]) -> Ints:
    place = {user: u for u, user in enumerate(run.record.users.id)}
    return np.array([place[user] for user in users])


def _mean(values: Floats) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else float("nan")

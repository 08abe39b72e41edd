"""``rebeca-bench plan``: what a run would compute and cost, what is cached, and what it could detect."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.filesize import decimal

from benchmark.analysis.analyse import pairs_of
from benchmark.analysis.measures import Measure
from benchmark.board.format_numbers import count, number
from benchmark.commands.layout import Column, print_rows, terminal
from benchmark.planning.pilot import Pilot
from benchmark.planning.pilot import pilot as read_pilot
from benchmark.planning.reach import Design, Family, MeasureReach, family_of
from benchmark.records.files import newest_records
from benchmark.records.schema import plan_of
from benchmark.runner.addresses import Addresses, find_addresses
from benchmark.runner.checks import check_needs, check_task
from benchmark.runner.store import Store
from benchmark.runner.world import find_data
from benchmark.stats.levels import FEWEST_USERS, smallest_p
from benchmark.stats.student import detectable_errors
from benchmark.task.resolved import ResolvedGenerator, Task
from rebeca.errors import RecordError, counted


@dataclass(frozen=True, slots=True)
class GeneratorPlan:
    """What a run would do for one generator.

    Attributes:
        generator: Its id.
        fits: Start of the address of each fit; equal for generators that share it.
        fits_cached: Cached fits.
        units: Work units.
        units_cached: Cached work units.
        images: Images.
        images_cached: Cached images.
        bytes_cached: Size of the cached images.
    """

    generator: str
    fits: Sequence[str]
    fits_cached: int
    units: int
    units_cached: int
    images: int
    images_cached: int
    bytes_cached: int


@dataclass(frozen=True, slots=True)
class PilotPlan:
    """What a pilot says about the plan.

    Attributes:
        records: Folder of its records.
        users: Number of its users.
        images_per_user: Its images per user.
        fits_per_generator: Its fits per generator.
        correlation: Between a judge's scores of two images of one user; None where records do not show it.
        measures: What could be detected, by declared measure.
    """

    records: str
    users: int
    images_per_user: int
    fits_per_generator: int
    correlation: float | None
    measures: Sequence[MeasureReach]


@dataclass(frozen=True, slots=True)
class RunPlan:
    """What a run would compute and cost.

    Attributes:
        title: Of the task.
        hash: Of the task.
        users: Users.
        images_per_user: Images per user, by the task.
        fits_per_generator: Fits per generator, by the task.
        comparisons: Pairs of the declared family.
        generators: Plan per generator.
        fits: Different fits.
        images: Images of all generators.
        images_cached: Cached images.
        bytes: Estimated size of all images; None where none is cached.
        seconds_left: Estimated from the pilot; None without one.
        smallest_p: Smallest p that a comparison can have; None where nothing is tested.
        margin: Equivalence margin.
        detectable_in_sd: Smallest difference of fitted models that one pair detects, in standard deviations of a
            user's difference.
        adjusted_in_sd: The same by one pair of the family.
        pilot: What earlier records say; None without any.
        notes: What :func:`benchmark.runner.checks.check_task` says; why earlier records are no pilot; and if the data
            were read for this plan, what was left out of them, and who is left without something.
    """

    title: str
    hash: str
    users: int
    images_per_user: int
    fits_per_generator: int
    comparisons: int
    generators: Sequence[GeneratorPlan]
    fits: int
    images: int
    images_cached: int
    bytes: int | None
    seconds_left: float | None
    smallest_p: float | None
    margin: float
    detectable_in_sd: float
    adjusted_in_sd: float
    pilot: PilotPlan | None
    notes: Sequence[str]


def plan_task(task: Task, workdir: Path, pilot_folder: Path | None, device: str = "cpu") -> RunPlan:
    """Counts the work, measures what is cached, and estimates from a pilot what could be detected.

    Args:
        task: The task.
        workdir: Work folder.
        pilot_folder: Records of an earlier run; by default the newest of this task in the work folder.
        device: Torch device of the run; results of another kind of device do not count as cached.

    Raises:
        RecordError: If the named pilot cannot be read. Earlier records that cannot be read are noted instead.
        SpecError: If the task could only fail.
    """
    checked = check_task(task)
    store = Store(workdir, lambda _: None)
    data = find_data(task, store)
    check_needs(task, data.knows)
    addresses = find_addresses(task, device, data.users, data.addresses)
    users, analysis = len(data.users), task.file.analysis
    generators = [_generator(task, spec, addresses, store) for spec in task.generators]
    images = sum(plan.images for plan in generators)
    cached = sum(plan.images_cached for plan in generators)
    folder = pilot_folder or newest_records(workdir / "records" / task.file.id)
    pilot, unread = None, []
    try:
        pilot = None if folder is None else read_pilot(folder)
    except RecordError as error:
        if pilot_folder is not None:
            raise
        unread = [f"earlier records are no pilot: {error.message}"]
    family = _family(task, addresses)
    alone, adjusted = (
        float(detectable_errors(analysis.alpha, pairs, users - 1) / np.sqrt(users)) if users > 1 else float("inf")
        for pairs in (1, max(1, family.comparisons))
    )
    return RunPlan(
        title=task.file.title,
        hash=task.hash(),
        users=users,
        images_per_user=task.file.images,
        fits_per_generator=task.file.fits,
        comparisons=family.comparisons,
        generators=generators,
        fits=len({fit for plan in generators for fit in plan.fits}),
        images=images,
        images_cached=cached,
        bytes=round(sum(plan.bytes_cached for plan in generators) / cached * images) if cached else None,
        seconds_left=None if pilot is None or pilot.seconds is None else pilot.seconds * (images - cached),
        smallest_p=smallest_p(users, analysis.permutations) if users >= FEWEST_USERS else None,
        margin=analysis.equivalence_margin,
        detectable_in_sd=alone,
        adjusted_in_sd=adjusted,
        pilot=None if pilot is None else _pilot(task, users, family, pilot, str(folder)),
        notes=[*checked, *unread, *(() if data.world is None else data.world.notes)],
    )


def _family(task: Task, addresses: Addresses) -> Family:
    """Of the generators that will be ranked."""
    flags = {spec.id: spec.flags() for spec in task.generators if not spec.flags().needs}
    fits = {
        spec.id: (spec.use, addresses.generators[spec.id].fits[0].address.key) if flags[spec.id].fit_varies else None
        for spec in task.generators
        if spec.id in flags
    }
    return family_of(pairs_of(plan_of(task.spec(), frozen=True), list(flags)), fits)


def _pilot(task: Task, users: int, family: Family, pilot: Pilot, folder: str) -> PilotPlan:
    analysis = task.file.analysis
    reference = next((spec for spec in task.generators if spec.id == analysis.reference), task.generators[0])
    design = Design(users, task.images_of(reference), task.file.fits)
    reach = [each.reach(design, family, analysis.equivalence_margin, analysis.alpha) for each in pilot.detectable]
    return PilotPlan(folder, pilot.users, pilot.images, pilot.fits, pilot.correlation, reach)


def _generator(task: Task, spec: ResolvedGenerator, addresses: Addresses, store: Store) -> GeneratorPlan:
    own = addresses.generators[spec.id]
    cached = [unit for unit in own.units if store.folder(unit.address).is_dir()]
    folders = [store.folder(unit.address) for unit in cached]
    return GeneratorPlan(
        generator=spec.id,
        fits=[fit.address.key[:12] for fit in own.fits],
        fits_cached=sum(store.folder(fit.address).is_dir() for fit in own.fits),
        units=len(own.units),
        units_cached=len(cached),
        images=sum(unit.images for unit in own.units),
        images_cached=sum(unit.images for unit in cached),
        bytes_cached=sum(path.stat().st_size for folder in folders for path in folder.rglob("*") if path.is_file()),
    )


def print_plan(plan: RunPlan) -> None:
    """Prints what is left to compute, then a row per generator, then what could be detected."""
    console = terminal()
    of_fits = f" by {plan.fits_per_generator} fits" if plan.fits_per_generator > 1 else ""
    console.print(f"{plan.title}: {count(plan.users)}, {plan.images_per_user} images per user{of_fits}", style="bold")
    size = "" if plan.bytes is None else f", about {decimal(plan.bytes)} on disk"
    time = "" if plan.seconds_left is None else f", {_duration(plan.seconds_left)} for missing images and their scores"
    console.print(f"{counted(plan.fits, 'fit')}, {plan.images:,} images ({plan.images_cached:,} cached){size}{time}")
    if unknown := [name for name, known in (("time", time), ("disk space", size)) if not known]:
        verb = "is" if len(unknown) == 1 else "are"
        console.print(f"{' and '.join(unknown)} {verb} known once such images were made here")
    for note in plan.notes:
        console.print(f"note: {note}")
    rows = plan.generators
    columns = (
        Column("generator", [row.generator for row in rows], least=20),
        Column("first fit", [row.fits[0] for row in rows]),
        Column("fits cached", [f"{row.fits_cached:,} of {len(row.fits):,}" for row in rows], right=True),
        Column("units cached", [f"{row.units_cached:,} of {row.units:,}" for row in rows], right=True),
        Column("images cached", [f"{row.images_cached:,} of {row.images:,}" for row in rows], right=True),
    )
    console.print()
    print_rows(console, columns)
    console.print()
    if plan.smallest_p is None:
        console.print(f"under {FEWEST_USERS} users nothing is tested, only described")
    else:
        console.print(f"smallest p of a comparison: {plan.smallest_p:.2g}")
    if plan.pilot is None:
        family = ""
        if plan.comparisons > 1:
            family = f", and {plan.adjusted_in_sd:.2f} adjusted for {plan.comparisons} comparisons"
        console.print(
            f"smallest detectable difference: {plan.detectable_in_sd:.2f} standard deviations of a user's"
            f" difference (80 % power){family}; for one in raw units run a pilot first, e.g. with --limit-users 20"
        )
    else:
        _print_pilot(console, plan.pilot, plan)


def _print_pilot(console: Console, pilot: PilotPlan, plan: RunPlan) -> None:
    console.print(
        f"from {pilot.records} ({pilot.users} users x {pilot.images_per_user} images,"
        f" {counted(pilot.fits_per_generator, 'fit')}, two images of a set correlate at"
        f" {number(pilot.correlation, 2)}); 80 % power:"
    )
    for measure in pilot.measures:
        console.print(f"\nsmallest detectable difference, {Measure.parse(measure.measure).label}", style="bold")
        print_rows(console, _columns(measure, plan))
        console.print(_of_fits(measure))
        console.print(
            f"A difference of the margin {plan.margin:g} is found by {_users(measure.users_for_margin)}. Equal"
            f" generators are called equivalent by {_users(measure.users_for_equivalence)}. (One pair, 80 % power.)"
        )


def _columns(measure: MeasureReach, plan: RunPlan) -> list[Column]:
    """Users and images, one pair alone with the task's fits, and one of the family with one, three and five fits."""
    reach = {(each.users, each.images, each.fits): each for each in measure.table}
    rows = sorted({(users, images) for users, images, _ in reach})
    return [
        Column("users", [f"{users:,}" for users, _ in rows], right=True),
        Column("images", [f"{images:,}" for _, images in rows], right=True),
        Column(
            f"alone, F = {plan.fits_per_generator}",
            [number(reach[*row, plan.fits_per_generator].detectable, 4) for row in rows],
            right=True,
        ),
        *(
            Column(
                f"of {plan.comparisons}, F = {fits}",
                [number(reach[*row, fits].adjusted, 4) for row in rows],
                right=True,
            )
            for fits in sorted({fits for *_, fits in reach})
        ),
    ]


def _of_fits(measure: MeasureReach) -> str:
    if measure.between_fits is None:
        return "F = 1 is about one fitted model. The spread between fits is unknown: no record has several fits."
    if measure.between_fits == 0:
        return "F = 1 is about one fitted model. Fits differed no more here than users and images explain."
    spread = f"F = 1 is about one fitted model. The spread between fits is {number(measure.between_fits, 4)}"
    return f"{spread}." if measure.fits_measured else f"{spread} on tinyworld; here no record has several fits."


def _users(users: int | None) -> str:
    return "no number of users with so few fits" if users is None else f"{users:,} users"


def _duration(seconds: float) -> str:
    return f"about {seconds:.0f} s" if seconds < 120 else f"about {seconds / 60:.0f} min"

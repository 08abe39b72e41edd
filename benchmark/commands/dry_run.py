"""``rebeca-bench run --dry-run``: the steps that a run would take. Nothing is computed, and nothing is written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmark.commands.layout import Column, print_rows, terminal
from benchmark.commands.options import print_folders
from benchmark.records.costs import PAGE_STAGE
from benchmark.runner.addresses import find_addresses
from benchmark.runner.checks import check_needs, check_task
from benchmark.runner.estimate import Costs, Estimate, Step
from benchmark.runner.freeze import Freezer
from benchmark.runner.progress import by_kind, duration
from benchmark.runner.run_task import check_reach, is_current, record_address, record_root
from benchmark.runner.steps import plan_steps
from benchmark.runner.store import Store
from benchmark.runner.world import find_data
from benchmark.task.resolved import Task
from rebeca.errors import counted


@dataclass(frozen=True, slots=True)
class StepPlan:
    """A step of a run.

    Attributes:
        title: Its title.
        units: What its cost is counted in, e.g. images; 1 where it has no parts.
        seconds: Estimate; None where no such step ran before in the work folder.
    """

    title: str
    units: int
    seconds: float | None


@dataclass(frozen=True, slots=True)
class DryRun:
    """What a run would do.

    Attributes:
        title: Of the task.
        steps: What it would compute, in order.
        cached: Results that it would take from the store.
        results: Results that the task uses.
        seconds: Of the steps whose time is known; None where none is.
        complete: Whether the time of every step is known.
        declared: Why comparisons would be exploratory; empty where they would be tested as declared.
        records: Folder of the records.
        publish: Folder of the published records; None where it would publish none.
        page: Folder of the page.
        notes: What is odd about the task.
    """

    title: str
    steps: Sequence[StepPlan]
    cached: int
    results: int
    seconds: float | None
    complete: bool
    declared: str
    records: str
    publish: str | None
    page: str
    notes: Sequence[str]


def dry_run(task: Task, workdir: Path, device: str, page: Path, publish: Path | None) -> DryRun:
    """What a run of the task would do now. Where users are not cached yet, the data are read.

    Args:
        task: The task.
        workdir: Work folder.
        device: Torch device of the run.
        page: Folder of the page.
        publish: Folder of the published records of this task.

    Raises:
        RebecaError: Where a run would refuse the task before it computes anything.
    """
    store, costs = Store(workdir, lambda _: None), Costs.read(workdir)
    data = find_data(task, store)
    check_reach(task, len(data.users))
    addresses = find_addresses(task, device, data.users, data.addresses)
    exist = any(store.folder(unit).is_dir() for unit in addresses.images())
    declaration = Freezer(workdir, task).declare(exist, write=False)
    records = record_root(workdir / "records", task)
    current = is_current(records, record_address(task, addresses, declaration))
    results = list(addresses.artefacts())
    cached = sum(store.folder(address).is_dir() for address in results)
    steps, notes = list[Step](), list[str]()
    if not (current and cached == len(results)):  # as in a run, which checks nothing that is cached
        notes = check_task(task)
        check_needs(task, data.knows)
        steps = plan_steps(task, addresses, store, data.world is not None, current)
    steps.append(Step(PAGE_STAGE, PAGE_STAGE, task.file.id))
    left = Estimate(steps, costs).left()
    known = [(step, costs.of(step)) for step in steps]
    return DryRun(
        title=task.file.title,
        steps=[StepPlan(step.title, step.units, cost and cost[0].seconds * step.units) for step, cost in known],
        cached=cached,
        results=len(results),
        seconds=None if left is None else left.seconds,
        complete=left is not None and left.complete,
        declared=declaration.why_not,
        records=str(records),
        publish=None if publish is None else str(publish),
        page=str(page),
        notes=notes,
    )


def print_dry_run(planned: DryRun) -> None:
    """Prints a row per step, the time, and what would be written."""
    console, steps = terminal(), planned.steps
    time = "time not known yet"
    if planned.seconds is not None:
        time = f"{'about' if planned.complete else 'at least'} {duration(planned.seconds)}"
    console.print(f"{planned.title}: nothing is computed or written", style="bold")
    console.print(
        f"{counted(len(steps), 'step')}, {time}; {planned.cached:,} of {planned.results:,} results are cached"
    )
    for note in planned.notes:
        console.print(f"note: {note}")
    if planned.declared:
        console.print(f"note: {planned.declared}: every comparison would be exploratory")
    console.print()
    kinds = by_kind((step.title, step) for step in steps)
    columns = (
        Column("what", list(kinds)),
        Column("steps", [f"{len(own):,}" for own in kinds.values()], right=True),
        Column("images", [_images(own) for own in kinds.values()], right=True),
        Column("time", [_time(own) for own in kinds.values()], right=True),
    )
    print_rows(console, columns)
    console.print()
    print_folders(planned.records, planned.publish, planned.page)


def _images(steps: Sequence[StepPlan]) -> str:
    images = sum(step.units for step in steps if step.units > 1)
    return f"{images:,}" if images else ""


def _time(steps: Sequence[StepPlan]) -> str:
    known = [step.seconds for step in steps if step.seconds is not None]
    return f"{'' if len(known) == len(steps) else 'over '}{duration(sum(known))}" if known else "?"

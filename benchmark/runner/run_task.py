"""A run, from the task file to the records. Interrupted, it goes on where it stopped; run again, it changes nothing.

With nothing to do, neither torch nor the data set is loaded. Importing this module is cheap: modules that compute are
imported where the computing begins.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmark.records.costs import READ_STAGE
from benchmark.records.files import file_digests, read_comparison
from benchmark.records.schema import SCHEMA
from benchmark.runner.addresses import Addresses, find_addresses
from benchmark.runner.estimate import Costs
from benchmark.runner.freeze import Declaration, Freezer
from benchmark.runner.notes import RUNS
from benchmark.runner.progress import Reporter
from benchmark.runner.stages import Stages
from benchmark.runner.status import StatusFile
from benchmark.runner.steps import early_fits, plan_steps
from benchmark.runner.store import STAGE_VERSIONS, Store
from benchmark.runner.uses import note_uses
from benchmark.runner.world import find_data, keep_users
from benchmark.stats.levels import FEWEST_USERS, smallest_p
from benchmark.task.resolved import Task
from rebeca.device import device_class
from rebeca.errors import RecordError, SpecError
from rebeca.seeds import digest_of
from rebeca.spans import Part, span


@dataclass(frozen=True, slots=True)
class RunResult:
    """What a run left behind.

    Attributes:
        records: The folder of the task's records.
        addresses: Of everything that the records rest on.
    """

    records: Path
    addresses: Addresses


def run_task(
    task: Task, store: Store, device: str = "cpu", reporter: Reporter | None = None, command: Sequence[str] = ()
) -> RunResult:
    """Runs a task: embed, fit judges, fit generators, decode, score, analyse, write records.

    Every stage takes what the store holds and makes what is missing. Where nothing is missing and the records are
    intact, nothing is loaded. The caller holds the store's lock of the task's records.

    Args:
        task: The task.
        store: The work folder.
        device: Torch device.
        reporter: Prints what the run does; nothing by default.
        command: The command line, for the records.

    Raises:
        RebecaError: Naming what stopped the run.
    """
    stages = Stages(store, reporter or Reporter(quiet=True))
    with stages.reporter.followed(StatusFile(record_root(store.root / RUNS, task), task.file.title)):
        return _run(task, stages, device, command)


def _run(task: Task, stages: Stages, device: str, command: Sequence[str]) -> RunResult:
    store = stages.store
    with span(Part.STAGE, READ_STAGE):  # where the users are not cached, the data are read here
        data = find_data(task, store)
        keep_users(data, store)
    check_reach(task, len(data.users))
    addresses = find_addresses(task, device, data.users, data.addresses)
    note_uses(record_root(store.root / RUNS, task), task.source, device_class(device), addresses)
    freezer = Freezer(store.root, task, store.shared)
    declaration = declare(freezer, addresses, stages) if task.declares else Declaration(False, None)
    target, address = record_root(store.root / "records", task), record_address(task, addresses, declaration)
    current = is_current(target, address)
    if current and all_intact(store, addresses):
        return RunResult(target, addresses)
    steps = plan_steps(task, addresses, store, data.world is not None, analysed=current)
    stages.reporter.begin(steps, Costs.read(store.root))
    from benchmark.runner.checks import check_needs, check_task
    from benchmark.runner.fits import fit_jobs
    from benchmark.runner.generate import generate_images
    from benchmark.runner.held_out_scores import score_held_out
    from benchmark.runner.materials import prepare
    from benchmark.runner.provenance import provenance
    from benchmark.runner.scoring import score_all
    from benchmark.runner.write_records import Outcome, fit_records, replace_records

    check_needs(task, data.knows)
    for note in check_task(task):
        stages.reporter.info(f"  note: {note}")
    with stages.reporter.stage(READ_STAGE, announce=False):
        import torch  # noqa: F401  here, so that the stage that first needs it does not seem slow

        world = data.read()
    early = early_fits(task, addresses)
    materials = prepare(world, addresses, device, stages, lambda given: fit_jobs(task, early, addresses, given, store))
    images, failed = generate_images(task, addresses, materials, stages, freezer)
    scores = score_all(task, images, addresses, materials, stages)
    held_out = score_held_out(addresses, materials, task.file.judges.learning_curve, task.seeds, stages)
    if not current:  # otherwise only artefacts were damaged
        origin = provenance(task, addresses, images, device, stages.seconds, command, declaration)
        outcome = Outcome(
            scores, failed, held_out, fit_records(images, addresses, store), declaration.frozen, address, origin
        )
        private = record_root(store.root / "private-images", task)
        replace_records(target, private, task, materials.world, outcome, stages)
    return RunResult(target, addresses)


def record_root(root: Path, task: Task) -> Path:
    """The folder of a task's records below a root; a modified task has a folder of its own."""
    version = f"v{task.file.version}"
    return root / task.file.id / (f"{version}-modified-{task.hash()[:8]}" if task.modified else version)


def records_name(task: Task) -> str:
    """Names the records of a task, such as ``sprites/v2``; whoever writes them locks the store under this name."""
    return record_root(Path(), task).as_posix()


def check_reach(task: Task, users: int) -> None:
    """Refuses a task whose tests can never reject.

    Raises:
        SpecError: If the smallest p of so many users lies above the level.
    """
    analysis = task.file.analysis
    smallest = smallest_p(users, analysis.permutations)
    if users >= FEWEST_USERS and smallest > analysis.alpha:
        raise SpecError(
            f"{task.source}: with {users} users and {analysis.permutations} sign flips, p cannot fall below"
            f" {smallest:.2g}; no test can reject at alpha {analysis.alpha:g}",
            hint="use more users, or a larger analysis.alpha",
        )


def declare(freezer: Freezer, addresses: Addresses, stages: Stages) -> Declaration:
    """Writes the declaration down before the first image, and reports where it no longer holds."""
    cached = stages.store.keys("images")
    declaration = freezer.declare(any(unit.key in cached for unit in addresses.images()))
    if declaration.why_not:
        stages.reporter.info(
            f"  {declaration.why_not}: every comparison is exploratory until the task's version is raised"
        )
    return declaration


def record_address(task: Task, addresses: Addresses, declaration: Declaration) -> str:
    """SHA-256 of all that the records depend on."""
    artefacts = [artefact.key for artefact in addresses.artefacts()]
    artefacts += [] if addresses.data.captions is None else [addresses.data.captions]  # of the data's fingerprint
    return digest_of([SCHEMA, STAGE_VERSIONS, task.to_json(), task.modified, declaration.frozen, artefacts])


def is_current(target: Path, address: str) -> bool:
    """Whether intact and complete records of this address lie at ``target``; every byte is read."""
    try:
        record = read_comparison(target, intact=True)
        return (
            record.address == address
            and not record.failed
            and all(file_digests(target / name) == files for name, files in record.records.items())
        )
    except RecordError:
        return False


def all_intact(store: Store, addresses: Addresses) -> bool:
    """Whether every artefact of a task is in the store; every byte is read, and what is damaged is set aside."""
    return None not in [store.find(artefact) for artefact in addresses.artefacts()]

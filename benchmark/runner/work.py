"""Pieces of a run's work, which any process on any machine can do: fits, work units of images, scores.

Every piece is one artefact of the store. ``rebeca-bench work`` does a share of them, and actors of Ray take them from
one queue; ``run`` then finds them in the store, and finishes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from benchmark.records.costs import READ_STAGE, fit_stage, images_stage, judge_stage, score_stage
from benchmark.runner.addresses import Addresses, FitAddress, find_addresses
from benchmark.runner.freeze import Freezer
from benchmark.runner.notes import RUNS
from benchmark.runner.progress import Reporter
from benchmark.runner.run_task import check_reach, declare, record_root
from benchmark.runner.stages import Stages
from benchmark.runner.steps import runs_apart
from benchmark.runner.store import Address, Store
from benchmark.runner.uses import note_uses
from benchmark.runner.world import find_data, keep_users
from benchmark.task.resolved import ResolvedGenerator, Task
from rebeca.device import device_class
from rebeca.errors import PluginError, SpecError
from rebeca.spans import Part, span

if TYPE_CHECKING:
    from benchmark.runner.decode import UnitDecoder
    from benchmark.runner.materials import Materials
    from benchmark.runner.scoring import Asked
    from rebeca.interfaces import Scorer, SetScorer

Stage = Literal["fits", "images", "scores"]
STAGES: tuple[Stage, ...] = ("fits", "images", "scores")
Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Piece:
    """An artefact that a process can make once others are there.

    Attributes:
        stage: Its stage.
        title: Its title in messages.
        address: Its address.
        needs: Pieces that come first.
        model: What a process loads for it, so that it can go on with pieces of the same.
        apart: Whether a child process makes it, so that a failure costs its generator's row only.
    """

    stage: Stage
    title: str
    address: Address
    needs: tuple[Address, ...]
    model: str
    apart: bool = False


@dataclass(frozen=True, slots=True)
class Shard:
    """One of several equal shares of a stage's pieces.

    Attributes:
        number: From 1.
        of: How many there are.
    """

    number: int
    of: int

    @classmethod
    def parsed(cls, text: str) -> Shard:
        """Reads ``2/8``.

        Raises:
            SpecError: If it is no such text.
        """
        match = re.fullmatch(r"([0-9]{1,6})/([0-9]{1,6})", text)
        shard = cls(int(match[1]), int(match[2])) if match else cls(0, 0)
        if not 1 <= shard.number <= shard.of:
            raise SpecError(f"--shard {text}: not a share", hint="write the second of eight as 2/8")
        return shard

    def share(self, pieces: Sequence[Item]) -> Sequence[Item]:
        """Every n-th, so that all shares hold pieces of all generators."""
        return pieces[self.number - 1 :: self.of]


def pieces_of(task: Task, addresses: Addresses) -> list[Piece]:
    """All pieces of a task, each artefact once; every piece comes after those that it needs."""
    pieces: dict[Address, Piece] = {}
    for piece in _pieces(task, addresses):
        pieces.setdefault(piece.address, piece)
    return list(pieces.values())


def _pieces(task: Task, addresses: Addresses) -> Iterator[Piece]:
    judges = (*addresses.judges.values(), *addresses.curve)
    for judge in judges:
        yield Piece("fits", judge_stage(judge.role, judge.share), judge.fit, (), "judges")
    verifier = addresses.judges["verifier"].fit
    for spec in task.generators:
        if runs_apart(task, spec):  # its child process fits it
            continue
        own = addresses.generators[spec.id]
        asks, at = "judge" in own.flags.needs, own.flags.privileged_at
        for fit in own.fits:
            title = fit_stage(spec.id, fit.number, len(own.fits))
            yield Piece("fits", title, fit.address, (verifier,) if asks and at == "fit" else (), spec.id)
    for spec in task.generators:
        own = addresses.generators[spec.id]
        asks, firsts = "judge" in own.flags.needs, dict[FitAddress, Address]()
        for number, unit in enumerate(own.units, start=1):
            first = firsts.setdefault(unit.fit, unit.address)
            title, model = f"{images_stage(spec.id)}, {number} of {len(own.units)}", f"{spec.id} {unit.fit.number}"
            if runs_apart(task, spec):  # its child process fits as well, for the first work unit of the fit
                needs = tuple(judge.fit for judge in judges) if unit.address == first else (first,)
            else:
                needs = (unit.fit.address, verifier) if asks else (unit.fit.address,)
            yield Piece("images", title, unit.address, needs, model, runs_apart(task, spec))
    for spec in task.generators:
        units = tuple(unit.address for unit in addresses.generators[spec.id].units)
        for scorer in addresses.scorers:
            needs = (*units, *(judge.fit for judge in judges))
            address = addresses.scores[spec.id, scorer]
            yield Piece("scores", score_stage(spec.id, scorer), address, needs, f"scores of {spec.id}")


class Worker:
    """Makes pieces of one task; data, embeddings and models stay loaded from one to the next.

    Args:
        task: The task.
        store: Where artefacts are taken from and kept.
        device: Torch device.
        reporter: Prints what is made.
    """

    def __init__(self, task: Task, store: Store, device: str, reporter: Reporter) -> None:
        self._task, self._device = task, device
        self._stages = Stages(store, reporter)
        with span(Part.STAGE, READ_STAGE):
            self._data = find_data(task, store)
            keep_users(self._data, store)
        check_reach(task, len(self._data.users))
        self.addresses = find_addresses(task, device, self._data.users, self._data.addresses)
        note_uses(record_root(store.root / RUNS, task), task.source, device_class(device), self.addresses)
        self._freezer = Freezer(store.root, task, store.shared)
        if task.declares:
            declare(self._freezer, self.addresses, self._stages)
        self._workdir = TemporaryDirectory(prefix="rebeca-")
        self._asked: dict[str, Asked] = {}
        self._known: set[Address] = set()

    @cached_property
    def pieces(self) -> dict[Address, Piece]:
        """All pieces of the task."""
        return {piece.address: piece for piece in pieces_of(self._task, self.addresses)}

    def missing(self, stage: Stage | None = None) -> list[Piece]:
        """Pieces that not everybody finds in the store, of a stage or of all."""
        cached = {name: self._stages.store.keys(name) for name in {address.stage for address in self.pieces}}
        return [
            piece
            for piece in self.pieces.values()
            if stage in (None, piece.stage) and piece.address.key not in cached[piece.address.stage]
        ]

    def make(self, pieces: Sequence[Piece]) -> dict[str, PluginError]:
        """Makes pieces, and what they need as far as it is missing.

        Returns:
            By generator, why its images could not be made in a child process; nothing of it is scored.

        Raises:
            RebecaError: If anything else fails.
        """
        wanted: set[Address] = set()
        waiting = [piece.address for piece in pieces]
        while waiting:
            address = waiting.pop()
            if address not in wanted and address not in self._known:  # reading every byte once is enough
                wanted.add(address)
                waiting += self.pieces[address].needs
        chosen = [piece for piece in self.pieces.values() if piece.address in wanted]
        fits = [piece for piece in chosen if piece.stage == "fits"]
        self._fit([piece.address for piece in fits if not piece.needs])
        self._fit([piece.address for piece in fits if piece.needs])
        failed = self._decode({piece.address for piece in chosen if piece.stage == "images"})
        self._score({piece.address for piece in chosen if piece.stage == "scores"}, failed)
        if not failed:
            self._known |= wanted
        return failed

    @cached_property
    def _materials(self) -> Materials:
        from benchmark.runner.checks import check_needs
        from benchmark.runner.materials import embedded

        check_needs(self._task, self._data.knows)
        return embedded(self._data.read(), self.addresses, self._device, self._stages)

    @cached_property
    def _decoder(self) -> UnitDecoder:
        from benchmark.runner.decode import UnitDecoder

        workdir = Path(self._workdir.name)
        return UnitDecoder(self._task, self.addresses, self._materials, self._stages, self._freezer, workdir)

    def _fit(self, wanted: Sequence[Address]) -> None:
        from benchmark.runner.fits import fit_jobs
        from benchmark.runner.judges import judge_jobs

        if not wanted:
            return
        task, addresses, materials = self._task, self.addresses, self._materials
        judges = [judge for judge in (*addresses.judges.values(), *addresses.curve) if judge.fit in wanted]
        fits = [(spec, fit) for spec in task.generators for fit in addresses.generators[spec.id].fits]
        fits = [(spec, fit) for spec, fit in fits if fit.address in wanted]
        jobs = fit_jobs(task, fits, addresses, materials, self._stages.store)
        jobs += judge_jobs(judges, materials.embeddings, materials.world, self._device)
        self._stages.make_all(jobs, self._device)

    def _decode(self, wanted: Collection[Address]) -> dict[str, PluginError]:
        from benchmark.runner.isolation import decode_in_child

        failed = {}
        for spec in self._task.generators:
            units = [unit for unit in self.addresses.generators[spec.id].units if unit.address in wanted]
            if not units:
                continue
            _ = self._materials  # embeddings are made or fetched here, and not by the child
            try:
                decode_in_child(self._task, spec, self.addresses, self._device, self._stages, units)
            except PluginError as error:
                failed[spec.id] = error
            else:
                self._decoder.decode(spec, units)
        return failed

    def _score(self, wanted: Collection[Address], without: Collection[str]) -> None:
        jobs = []
        for spec in self._task.generators:
            addresses = {self.addresses.scores[spec.id, scorer] for scorer in self.addresses.scorers}
            if spec.id not in without and addresses & set(wanted):
                jobs += [job for job in self._images_of(spec).jobs() if job.address in wanted]
        self._stages.make_all(jobs, self._device)

    def _images_of(self, spec: ResolvedGenerator) -> Asked:
        """A generator's images, about which scorers are asked; those of one generator stay in memory."""
        from benchmark.runner.decode import read_images
        from benchmark.runner.scoring import Asked, asked_together

        if spec.id not in self._asked:
            images = read_images(spec, self.addresses.generators[spec.id], self._stages.store, 0)
            groups = asked_together(self._task, self._materials.world)
            self._asked = {spec.id: Asked(images, self._scorers, self.addresses, self._materials, groups)}
        return self._asked[spec.id]

    @cached_property
    def _scorers(self) -> Callable[[str], Scorer[Any] | SetScorer[Any]]:
        from benchmark.runner.scoring import scorer_builder

        return scorer_builder(self._task, self.addresses, self._materials)

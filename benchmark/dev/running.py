"""The stages of a run one by one, for scripts and tests that look between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmark.runner.addresses import Addresses, find_addresses
from benchmark.runner.decode import load_generator, requests_of
from benchmark.runner.fits import Decoders, fit_generator
from benchmark.runner.materials import Materials, prepare
from benchmark.runner.progress import Reporter
from benchmark.runner.stages import Stages
from benchmark.runner.store import Store
from benchmark.runner.world import World, find_data, keep_users
from benchmark.task.resolved import ResolvedGenerator, Task
from rebeca.interfaces import Generator, Request


@dataclass(frozen=True, slots=True)
class Running:
    """A task that was read and whose materials are prepared.

    Attributes:
        task: The task.
        addresses: Addresses of what it makes.
        materials: World, encoders, judges and the rest that fits share.
        stages: The store of its work folder, and who hears of progress.
    """

    task: Task
    addresses: Addresses
    materials: Materials
    stages: Stages

    @classmethod
    def of(cls, task: Task, workdir: Path, *, quiet: bool = True) -> Running:
        """Prepares the materials of a task on the CPU, as far as the work folder lacks them."""
        reporter = Reporter(quiet=quiet)
        store = Store(workdir, reporter.info)
        stages = Stages(store, reporter)
        data = find_data(task, store)
        keep_users(data, store)
        addresses = find_addresses(task, "cpu", data.users, data.addresses)
        return cls(task, addresses, prepare(data.read(), addresses, "cpu", stages), stages)

    @property
    def world(self) -> World:
        """Data set and division of the task."""
        return self.materials.world

    def generator(self, id: str) -> ResolvedGenerator:
        """What the task says of a generator."""
        return next(spec for spec in self.task.generators if spec.id == id)

    def requests(self, spec: ResolvedGenerator, users: Sequence[str] | None = None) -> list[Request]:
        """All that the task asks of a generator, or what it asks for some users."""
        return requests_of(self.task, spec, self.world.user_ids if users is None else users)

    def fitted(self, spec: ResolvedGenerator, number: int = 0, materials: Materials | None = None) -> Generator[Any]:
        """A generator that is ready to generate.

        Args:
            spec: The generator. What only sampling reads may differ from the task's.
            number: Which of its fits.
            materials: Shown to the generator in place of the task's after it was fitted.
        """
        own = self.addresses.generators[spec.id]
        fit = own.fits[number]
        (folder,) = fit_generator(self.task, spec, self.addresses, [fit], self.materials, self.stages)
        shown = self.materials if materials is None else materials
        decoders = Decoders(self.task, spec, shown, self.stages.store.root)
        with TemporaryDirectory() as workdir:
            return load_generator(self.task, spec, own, fit, folder, shown, decoders, Path(workdir))

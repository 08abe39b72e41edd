"""The stages of a run one by one, for tests that look between them."""

from dataclasses import dataclass
from tempfile import TemporaryDirectory
from typing import Any

from benchmark.runner.addresses import Addresses, find_addresses
from benchmark.runner.decode import load_generator, requests_of
from benchmark.runner.fits import Decoders, fit_generator
from benchmark.runner.materials import Materials, prepare
from benchmark.runner.progress import Reporter
from benchmark.runner.store import Stages, Store
from benchmark.runner.world import find_data, keep_users
from benchmark.task.resolve import Task


def find(task, workdir, device="cpu"):
    """Addresses of a task."""
    data = find_data(task, Store(workdir, print))
    return find_addresses(task, device, data.users, data.addresses)


@dataclass(frozen=True)
class Running:
    task: Task
    addresses: Addresses
    materials: Materials
    stages: Stages

    @classmethod
    def of(cls, task, workdir):
        store = Store(workdir, print)
        stages = Stages(store, Reporter(quiet=True))
        data = find_data(task, store)
        keep_users(data, store)
        addresses = find_addresses(task, "cpu", data.users, data.addresses)
        return cls(task, addresses, prepare(data.read(), addresses, "cpu", stages), stages)

    @property
    def world(self):
        return self.materials.world

    def requests(self, spec, users=None):
        return requests_of(self.task, spec, self.world.user_ids if users is None else users)

    def fitted(self, spec, number=0) -> Any:
        """A generator that is ready to generate."""
        own = self.addresses.generators[spec.id]
        fit = own.fits[number]
        folder = fit_generator(self.task, spec, own, fit, self.materials, self.stages)
        decoders = Decoders(self.task, spec, self.materials, self.stages.store.root)
        with TemporaryDirectory() as workdir:
            return load_generator(self.task, spec, own, fit, folder, self.materials, decoders, workdir)

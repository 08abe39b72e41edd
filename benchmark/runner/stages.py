"""What all stages of a run share: an artefact is taken from the store, or made, announced and timed."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from benchmark.runner.progress import Report, Reporter
from benchmark.runner.store import Address, Store
from rebeca.interfaces import no_progress
from rebeca.parallel import spread


@dataclass(frozen=True, slots=True)
class Job:
    """An artefact that may be made beside others.

    Attributes:
        address: Its address.
        title: As of :meth:`Stages.make`, as are ``write`` and ``announce``.
        write: Writes it.
        announce: Whether to print the title of a short stage.
    """

    address: Address
    title: str
    write: Callable[[Path, Report], None]
    announce: bool = True


@dataclass(frozen=True, slots=True)
class Stages:
    """Takes artefacts from the store and makes those that are missing.

    Attributes:
        store: The work folder.
        reporter: Prints what is made.
        seconds: Wall seconds by title of what this run made itself.
    """

    store: Store
    reporter: Reporter
    seconds: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))

    def make(self, address: Address, title: str, write: Callable[[Path, Report], None], announce: bool = True) -> Path:
        """The folder of an artefact.

        Args:
            address: Its address.
            title: Printed while it is made; seconds are added up per title.
            write: Called with an empty folder and a function that shows progress, where the artefact is missing.
            announce: Whether to print the title of a short stage.
        """
        intact = self.store.find(address)
        if intact is not None:
            return intact
        started = time.perf_counter()
        with self.reporter.stage(title, announce) as report:
            folder = self.store.make(address, lambda empty: write(empty, report))
        self.seconds[title] += time.perf_counter() - started
        return folder

    def make_all(self, jobs: Sequence[Job], device: str) -> list[Path]:
        """The folders of several artefacts; those that are missing are made in forked processes where these help.

        Args:
            jobs: Artefacts that do not depend on each other.
            device: Torch device of the work.
        """
        different: dict[Address, Job] = {}
        for job in jobs:  # two titles may share an artefact
            different.setdefault(job.address, job)
        missing = [job for job in different.values() if self.store.find(job.address) is None]
        shown: list[Report] = [no_progress]

        def report(done: int, total: int, note: str) -> None:
            shown[0](done, total, note)

        def seconds_to_make(job: Job) -> float | None:
            started = time.perf_counter()
            folder = self.store.attempt(job.address, lambda empty: job.write(empty, report))
            return None if folder is None else time.perf_counter() - started

        elsewhere = []
        with closing(spread(seconds_to_make, missing, device)) as results:
            for job in missing:
                with self.reporter.stage(job.title, job.announce) as shown[0]:
                    seconds = next(results)
                if seconds is None:
                    elsewhere.append(job)
                else:
                    self.seconds[job.title] += seconds
        for job in elsewhere:  # another process makes them
            self.make(job.address, job.title, job.write, job.announce)
        return [self.store.folder(job.address) for job in jobs]

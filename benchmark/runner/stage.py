"""What all stages of a run share: an artefact comes out of the store, or is made, announced and timed."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from benchmark.runner.progress import Report, Reporter, Timing
from benchmark.runner.store import Address, Store


@dataclass(frozen=True, slots=True)
class Stages:
    """Takes artefacts from the store and makes those that are missing.

    Attributes:
        store: The work folder.
        reporter: Told what is made.
        timing: Takes the wall seconds of all that is made.
    """

    store: Store
    reporter: Reporter
    timing: Timing = field(default_factory=Timing)

    def make(self, address: Address, title: str, write: Callable[[Path, Report], None], announce: bool = True) -> Path:
        """The folder of an artefact.

        Args:
            address: Its address.
            title: What is said while it is made; seconds are added up per title.
            write: Called with an empty folder and a function that shows progress, where the artefact is missing.
            announce: Whether to print the title.
        """
        intact = self.store.find(address)
        if intact is not None:
            return intact
        started = time.perf_counter()
        if announce:
            self.reporter.say(f"  {title} ...")
        with self.reporter.stage(title) as report:
            folder = self.store.make(address, lambda empty: write(empty, report))
        self.timing.add(title, time.perf_counter() - started)
        return folder

"""What all stages of a run share: an artefact is taken from the store, or made, announced and timed."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from benchmark.runner.progress import Report, Reporter
from benchmark.runner.store import Address, Store


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
            announce: Whether to print the title.
        """
        intact = self.store.find(address)
        if intact is not None:
            return intact
        started = time.perf_counter()
        if announce:
            self.reporter.info(f"  {title} ...")
        with self.reporter.stage(title) as report:
            folder = self.store.make(address, lambda empty: write(empty, report))
        self.seconds[title] += time.perf_counter() - started
        return folder

"""Where the time of a run goes: a trace of its spans, and a table of its stages.

The trace is JSON of the Trace Event Format, for https://ui.perfetto.dev and chrome://tracing. In the table every moment
counts once: for the stage that ran, and for the innermost span of it. Threads besides the one that runs the stages
are in the trace only.
"""

from __future__ import annotations

import builtins
import json
import os
import resource
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

from benchmark.disk import check_writable, write_atomically
from rebeca.errors import StoreError
from rebeca.parallel import processes
from rebeca.spans import Part, recorded, span

TRACE = "trace.json"
TABLE = "stages.txt"
SOLVING = (Part.MODELS, Part.STATISTICS)
"""Parts that are no overhead."""
BETWEEN = "between stages"
SHORTEST = 1e-3
"""Seconds. Shorter spans count in the table and are left out of the trace, which would be too large to open."""


@dataclass(slots=True)
class _Span:
    """A span that is open; ``inner`` are the seconds of the spans within it."""

    part: Part
    name: str
    stage: str
    began: float
    cpu: float
    inner: float = 0.0

    def hold(self, seconds: float) -> None:
        """Adds those of a span within."""
        self.inner += seconds


@dataclass(frozen=True, slots=True)
class _Event:
    """One of the Trace Event Format: a span that ended, or the name of the process or of a thread.

    Attributes:
        ph: ``X`` for a span, ``M`` for a name.
        ts: When it began, in microseconds since the profile's beginning.
        dur: Microseconds.
    """

    ph: str
    name: str
    cat: str
    pid: int
    tid: int
    args: Mapping[str, str | float]
    ts: float = 0.0
    dur: float = 0.0


class Row(NamedTuple):
    """A row of the table.

    Attributes:
        stage: Kind of stage.
        wall: Wall seconds.
        cpu: CPU seconds of this process, all threads together.
        models: Those of the wall seconds that models and solvers took.
        memory: Largest memory of the process until the stage ended, in MB.
    """

    stage: str
    wall: float
    cpu: float
    models: float
    memory: int

    @property
    def outside(self) -> float:
        """Wall seconds outside models and solvers."""
        return self.wall - self.models


class Profile:
    """Records spans.

    Args:
        clock: Wall seconds.
        cpu: CPU seconds of the process, all threads together.
        memory: Largest memory of the process so far, in MB.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.perf_counter,
        cpu: Callable[[], float] = time.process_time,
        memory: Callable[[], int] = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    ) -> None:
        self._clock, self._cpu, self._memory = clock, cpu, memory
        self._began, self._thread = clock(), threading.get_ident()
        self._open: defaultdict[int, list[_Span]] = defaultdict(list)
        self._threads: dict[int, str] = {}
        self._events: list[_Event] = []
        self.seconds: defaultdict[tuple[str, Part], float] = defaultdict(float)
        self.cpu: defaultdict[str, float] = defaultdict(float)
        self.memory: defaultdict[str, int] = defaultdict(int)

    @contextmanager
    def span(self, part: Part, name: str) -> Iterator[None]:
        """Records the block, however it ends."""
        thread = threading.get_ident()
        stack = self._open[thread]
        stage = stack[-1].stage if stack else BETWEEN
        if part is Part.STAGE and stage == BETWEEN:
            stage = name.split()[0]
        stack.append(_Span(part, name, stage, self._clock(), self._cpu()))
        try:
            yield
        finally:
            self._close(stack.pop(), stack, thread)

    def _close(self, ended: _Span, around: list[_Span], thread: int) -> None:
        seconds, cpu = self._clock() - ended.began, self._cpu() - ended.cpu
        outer = around[-1] if around else None
        if outer is not None:
            outer.hold(seconds)
        if thread == self._thread:
            self.seconds[ended.stage, ended.part] += seconds - ended.inner
            if outer is None or outer.stage != ended.stage:
                self.cpu[ended.stage] += cpu
                self.cpu[BETWEEN] -= cpu if outer is not None else 0.0
                self.memory[ended.stage] = max(self.memory[ended.stage], self._memory())
        if seconds >= SHORTEST:
            self._threads[thread] = threading.current_thread().name
            args: dict[str, str | float] = {"cpu_seconds": cpu, "stage": ended.stage}
            began = 1e6 * (ended.began - self._began)
            event = _Event("X", ended.name, ended.part.value, os.getpid(), thread, args, began, 1e6 * seconds)
            self._events.append(event)

    def trace(self) -> bytes:
        """JSON: every span that has ended, in the order of their beginnings, and the names of process and threads."""
        pid = os.getpid()
        names = [_named("process_name", pid, 0, "rebeca-bench")]
        names += [_named("thread_name", pid, thread, name) for thread, name in self._threads.items()]
        events = sorted(self._events, key=lambda event: (event.ts, -event.dur))
        written = [asdict(event) for event in names + events]
        return json.dumps({"traceEvents": written, "displayTimeUnit": "ms"}).encode()

    def rows(self) -> list[Row]:
        """Of the stages in their order, of the time between them, and of all."""
        stages = dict.fromkeys([*(stage for stage, _ in self.seconds if stage != BETWEEN), BETWEEN])
        rows = [self._row(stage) for stage in stages]
        wall, cpu, models = (sum(column) for column in list(zip(*rows, strict=True))[1:4])
        return [*rows, Row("all", wall, cpu, models, max(row.memory for row in rows))]

    def _row(self, stage: str) -> Row:
        own = {part: seconds for (of, part), seconds in self.seconds.items() if of == stage}
        models = sum(own.get(part, 0.0) for part in SOLVING)
        return Row(stage, sum(own.values()), self.cpu[stage], models, self.memory[stage])

    def table(self) -> str:
        """Seconds by stage, the share outside models and solvers, and seconds by part."""
        rows = self.rows()
        lines = [f"{'stage':16}{'wall s':>10}{'CPU s':>10}{'models s':>10}{'outside s':>11}{'peak MB':>9}"]
        lines += [
            f"{row.stage:16.16}{row.wall:10.1f}{row.cpu:10.1f}{row.models:10.1f}{row.outside:11.1f}{row.memory:9,}"
            for row in rows
        ]
        wall, outside = rows[-1].wall, rows[-1].outside
        lines += ["", f"outside models and solvers: {outside:.1f} s of {wall:.1f} s, {_share(outside, wall):.1f} %", ""]
        parts = {part: sum(own for (_, of), own in self.seconds.items() if of is part) for part in Part}
        for part, own in sorted(parts.items(), key=lambda entry: (entry[0] not in SOLVING, -entry[1])):
            lines += [f"{part.value:26}{own:10.1f} s{_share(own, wall):7.1f} %"] if own else []
        return "\n".join(lines) + "\n"

    def write(self, folder: Path) -> None:
        """Writes both files, in the place of earlier ones.

        Raises:
            StoreError: If the folder cannot be written.
        """
        try:
            folder.mkdir(parents=True, exist_ok=True)
            write_atomically(folder / TABLE, self.table().encode(), sync=False)
            write_atomically(folder / TRACE, self.trace(), sync=False)
        except OSError as error:
            raise StoreError(f"--profile {folder}: {error.strerror or error}", hint="choose another folder") from error


@contextmanager
def profiled(folder: Path, show: Callable[[str], object]) -> Iterator[None]:
    """Profiles the block, which may be interrupted; then writes ``trace.json`` and ``stages.txt`` and shows the table.

    The block computes in this process alone, so that every moment is that of one part.

    Raises:
        StoreError: If the folder cannot be written, which is tried beforehand.
    """
    check_writable(folder, "--profile")
    profile = Profile()
    try:
        with processes(1), recorded(profile), _imports(), profile.span(Part.RUN, "run"):
            yield
    finally:
        profile.write(folder)
        show(f"\n{profile.table()}\nprofile    {folder / TRACE}")


@contextmanager
def _imports() -> Iterator[None]:
    """An import that loads a module is a span; there is no other place where all imports pass."""
    imported = builtins.__import__

    def importing(name: str, *rest: Any, **options: Any) -> Any:
        loaded, wanted = getattr(sys.modules.get(name), "__dict__", None), rest[2] if len(rest) > 2 else ()
        if loaded is not None and all(part in loaded for part in wanted or ()):
            return imported(name, *rest, **options)
        with span(Part.IMPORTS, name):
            return imported(name, *rest, **options)

    with mock.patch.object(builtins, "__import__", importing):
        yield


def _named(what: str, pid: int, thread: int, name: str) -> _Event:
    return _Event("M", what, "__metadata", pid, thread, {"name": name})


def _share(seconds: float, total: float) -> float:
    return 100 * seconds / total if total else 0.0

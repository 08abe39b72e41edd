"""How long a run still takes: its steps, what such steps cost before in the work folder, and the pace of this run."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Annotated, NamedTuple

from pydantic import Field, TypeAdapter, ValidationError

from benchmark.disk import write_atomically

FILE = "costs.json"
MOST_VARIANTS = 64
"""Costs that are kept per kind of step; the oldest are dropped."""
PRIOR_WEIGHT = 0.05
"""Share of the expected time for which earlier costs count, before this run's own pace decides."""
LEAST_PRIOR = 5.0
"""Seconds for which they count at least: loading a package or a model is no pace."""


@dataclass(frozen=True, slots=True)
class Step:
    """Work that a run is going to do.

    Attributes:
        title: As shown and as recorded; unique in a run.
        kind: Steps of one kind cost about the same per unit.
        variant: Steps of one kind and variant cost the same per unit.
        units: What the cost is counted in, e.g. images; 1 where the step has no parts.
        whole: Whether it begins anew; one that goes on where an earlier run stopped says nothing about the cost.
        paced: Whether its pace says something about that of others; reading from a disk does not.
    """

    title: str
    kind: str
    variant: str
    units: int = 1
    whole: bool = True
    paced: bool = True


class Cost(NamedTuple):
    """What a step took.

    Attributes:
        seconds: Wall seconds per unit, in ``[0, inf)``.
        share: Where its reports ended, in ``(0, 1]``; below 1 after a training that stopped early.
    """

    seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    share: Annotated[float, Field(gt=0, le=1)]


Table = dict[str, dict[str, Cost]]


class Costs:
    """Costs by kind and variant, of earlier runs and of this one.

    They are no result: no address and no record holds them, and without them nothing changes but the time left.

    Args:
        path: Where they are kept; None keeps nothing.
        earlier: Of earlier runs.
    """

    def __init__(self, path: Path | None = None, earlier: Table | None = None) -> None:
        self._path, self._earlier, self._own = path, earlier or {}, Table()

    @classmethod
    def read(cls, root: Path) -> Costs:
        """The costs of a work folder; none where the file is missing or damaged."""
        try:
            return cls(root / FILE, TypeAdapter(Table).validate_json((root / FILE).read_bytes()))
        except (OSError, ValidationError):
            return cls(root / FILE)

    def of(self, step: Step) -> tuple[Cost, bool] | None:
        """The cost per unit of a step, and whether it is this run's; None where no such step was ever run."""
        earlier, own = self._earlier.get(step.kind, {}), self._own.get(step.kind, {})
        if step.variant in earlier:
            return earlier[step.variant], False
        known = own or earlier
        if not known:
            return None
        seconds, shares = zip(*known.values(), strict=True)
        return Cost(median(seconds), median(shares)), bool(own)

    def keep(self, step: Step, cost: Cost) -> None:
        self._own.setdefault(step.kind, {})[step.variant] = cost

    def write(self) -> None:
        """Adds the costs of this run to the file. A disk that is full, or read-only, stops no run for that."""
        if self._path is None or not self._own:
            return
        table = self._earlier | {kind: _newest(self._earlier.get(kind, {}), own) for kind, own in self._own.items()}
        with suppress(OSError):
            write_atomically(self._path, json.dumps(table).encode() + b"\n", sync=False)


def _newest(earlier: dict[str, Cost], own: dict[str, Cost]) -> dict[str, Cost]:
    kept = {variant: cost for variant, cost in earlier.items() if variant not in own} | own
    return dict(list(kept.items())[-MOST_VARIANTS:])


@dataclass(frozen=True, slots=True)
class Left:
    """Time left.

    Attributes:
        seconds: Of all steps that can be estimated.
        complete: Whether these are all steps that are left.
    """

    seconds: float
    complete: bool


class Estimate:
    """Follows a run through its steps. A step's time runs from the end of the one before it.

    Args:
        steps: All steps, in the order of the run. A step that never begins ends when a later one begins.
        costs: Of earlier runs; those of this run are added.
        clock: Seconds.
    """

    def __init__(
        self, steps: Sequence[Step] = (), costs: Costs | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.steps, self._pending = tuple(steps), list(steps)
        self._costs, self._clock = costs or Costs(), clock
        self._mark = self._reported = clock()
        self._fraction = 0.0
        self._measured = self._expected = 0.0
        known = [self._costs.of(step) for step in steps]
        expected = [cost[0].seconds * step.units for step, cost in zip(steps, known, strict=True) if cost]
        self._weight = max(PRIOR_WEIGHT * sum(expected), LEAST_PRIOR)
        self.total = len(steps)
        self.current: Step | None = None
        self.spent: dict[str, float] = {}

    @property
    def pending(self) -> Sequence[Step]:
        """Steps that have not begun."""
        return self._pending

    @property
    def number(self) -> int:
        """Of the current step, from 1."""
        return self.total - len(self._pending)

    @property
    def seconds(self) -> float:
        """Of the current step so far."""
        return self._clock() - self._mark

    def start(self, title: str) -> None:
        """Begins a step; one that was not planned has no estimate."""
        index = next((i for i, step in enumerate(self._pending) if step.title == title), None)
        if index is None:
            self.current = Step(title, "", "")
        else:
            self.current = self._pending[index]
            del self._pending[: index + 1]
        self._fraction, self._reported = 0.0, self._mark

    def report(self, done: int, total: int) -> None:
        """Notes how far the current step is."""
        self._fraction = min(max(done / total, 0.0), 1.0) if total > 0 else 0.0
        self._reported = self._clock()

    def finish(self) -> float:
        """Ends the current step; returns its seconds."""
        step, seconds = self.current, self.seconds
        assert step is not None
        self.spent[step.title] = self.spent.get(step.title, 0.0) + seconds
        expected = self._from_before(step)
        if expected is not None:
            self._measured, self._expected = self._measured + seconds, self._expected + expected
        if step.kind and step.whole:
            self._costs.keep(step, Cost(seconds / max(step.units, 1), self._fraction or 1.0))
            self._costs.write()
        self.abandon()
        return seconds

    def abandon(self) -> None:
        """Ends the current step without learning from it."""
        self.current, self._mark = None, self._clock()

    def share(self) -> float | None:
        """How much of the current step is done, in [0, 1]: by its reports, else by its expected time."""
        step = self.current
        if step is None:
            return None
        if self._fraction > 0:
            return self._done(step)
        expected = self._expects(step, self._pace())
        return min(self.seconds / expected, 1.0) if expected else None

    def left(self) -> Left | None:
        """Time left in the run; None where nothing can be said."""
        pace, step = self._pace(), self.current
        expected = [self._expects(later, pace) for later in self._pending]
        if step is not None:
            expected.append(self._rest(step, pace))
        known = [seconds for seconds in expected if seconds is not None]
        return Left(sum(known), len(known) == len(expected)) if known else None

    def _pace(self) -> float:
        """Seconds of this run per second of earlier runs, on what both have done."""
        measured, expected, step = self._measured, self._expected, self.current
        before = None if step is None else self._from_before(step)
        if step is not None and before is not None:
            if self._fraction > 0:
                measured, expected = measured + self._reported - self._mark, expected + before * self._done(step)
            elif self.seconds > before:
                measured, expected = measured + self.seconds, expected + before
        return (measured + self._weight) / (expected + self._weight)

    def _from_before(self, step: Step) -> float | None:
        """Seconds that a step took in earlier runs, if they can be compared with those of this one."""
        cost = self._costs.of(step)
        return None if cost is None or cost[1] or not (step.whole and step.paced) else cost[0].seconds * step.units

    def _expects(self, step: Step, pace: float) -> float | None:
        cost = self._costs.of(step)
        return None if cost is None else cost[0].seconds * step.units * (1.0 if cost[1] else pace)

    def _done(self, step: Step) -> float:
        """Share of a step by its last report; a training that stopped early before will do so again."""
        cost = self._costs.of(step)
        return min(self._fraction / (cost[0].share if cost else 1.0), 1.0)

    def _rest(self, step: Step, pace: float) -> float | None:
        """Seconds left in the current step, counted down since its last report."""
        expected, done = self._expects(step, pace), self._done(step)
        if expected is None and done > 0:
            expected = (self._reported - self._mark) / done
        if expected is None:
            return None
        return max(expected * (1 - done) - (self._clock() - self._reported), 0.0)

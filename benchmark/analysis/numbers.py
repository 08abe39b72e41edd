"""Numbers with their intervals and tests, as records hold them.

A number that does not exist is None here, while arrays and :mod:`benchmark.stats` hold NaN.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sized
from dataclasses import asdict, dataclass, replace
from operator import neg
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le
from pydantic import Field

from benchmark.stats import intervals, personalisation

Count = Annotated[int, Ge(0), Le(2**53)]
AtLeastOne = Annotated[int, Ge(1), Le(2**53)]
Share = Annotated[float, Ge(0), Le(1)]
PValue = Annotated[float, Gt(0), Le(1)]
NotNegative = Annotated[float, Ge(0)]
Method = Literal["student-t", "bca", "bootstrap-t", "percentile", "wilson", "constant", "none"]


def absent(value: object) -> bool:
    """Leaves a field that most records lack out of their JSON."""
    return value is None


def empty(value: Sized) -> bool:
    """Likewise, of what holds nothing in most records."""
    return not len(value)


@dataclass(frozen=True, slots=True)
class Ends:
    """Two ends of an interval.

    Attributes:
        low: Lower end; null where there is no interval.
        high: Upper end.
    """

    low: float | None
    high: float | None

    def turned(self, turn: Callable[[float], float]) -> Ends:
        """The ends of a value that a decreasing function maps."""
        return Ends(maybe(turn, self.high), maybe(turn, self.low))


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean over users with its 95 % interval, over users and items where the number depends on which are held out.

    Attributes:
        estimate: The mean; null where nobody has a value.
        low: Lower end; null where there is no interval.
        high: Upper end.
        method: How the ends were computed. `wilson`: all users have the lowest or the highest possible value;
            `constant`: they share another value, and there is no interval; `none`: fewer than three users.
        n: Users with a value.
        skewness: Of the values; null for constant values.
        bootstrap_t: Ends by the bootstrap-t, where the skewness exceeds 1 in size.
        over_users: Where `low` and `high` are over users and items: the ends for these items alone. Otherwise absent.
        items: Held-out items that were drawn, likewise.
    """

    estimate: float | None
    low: float | None
    high: float | None
    method: Method
    n: Count
    skewness: float | None = None
    bootstrap_t: Ends | None = None
    over_users: Annotated[Ends | None, Field(exclude_if=absent)] = None
    items: Annotated[AtLeastOne | None, Field(exclude_if=absent)] = None

    @classmethod
    def of(cls, result: intervals.Interval) -> Interval:
        """From the statistics, where numbers that do not exist are NaN."""
        bootstrap_t = None if result.bootstrap_t is None else Ends(*result.bootstrap_t)
        over_users = None if result.over_users is None else Ends(*result.over_users)
        estimate, low, high = (finite(value) for value in (result.estimate, result.low, result.high))
        how: Method = result.method  # type: ignore[assignment]
        return cls(estimate, low, high, how, result.n, result.skewness, bootstrap_t, over_users, result.items)

    @property
    def known(self) -> bool:
        return self.estimate is not None

    @property
    def lower(self) -> float | None:
        """Lower end; the value where all users share it, and None where there is no interval."""
        return self.estimate if self.method == "constant" else self.low

    def turned(self, turn: Callable[[float], float]) -> Interval:
        """The interval of minus, or one minus, the value."""
        return replace(
            self,
            estimate=maybe(turn, self.estimate),
            low=maybe(turn, self.high),
            high=maybe(turn, self.low),
            skewness=maybe(neg, self.skewness),
            bootstrap_t=None if self.bootstrap_t is None else self.bootstrap_t.turned(turn),
            over_users=None if self.over_users is None else self.over_users.turned(turn),
        )


@dataclass(frozen=True, slots=True)
class ShareInterval:
    """A share of users with Wilson's interval; null without users.

    Attributes:
        share: The share.
        low: Lower end.
        high: Upper end.
    """

    share: Share | None
    low: Share | None
    high: Share | None


@dataclass(frozen=True, slots=True)
class PermutationTest:
    """A one-sided permutation test.

    Attributes:
        statistic: Observed value.
        null_mean: Mean over permutations.
        null_sd: Standard deviation over permutations.
        at_least: Permutations whose value was at least the observed one (b).
        permutations: Permutations (B).
        p: (b + 1) / (B + 1).
        z: (statistic - null_mean) / null_sd; null where the null does not vary.
    """

    statistic: float
    null_mean: float
    null_sd: NotNegative
    at_least: Count
    permutations: AtLeastOne
    p: PValue
    z: float | None

    @classmethod
    def of(cls, result: personalisation.PermutationResult) -> PermutationTest:
        return cls(**asdict(result), p=result.p, z=result.z)


def maybe(turn: Callable[[float], float], value: float | None) -> float | None:
    return None if value is None else turn(value)


def one_minus(value: float) -> float:
    return 1 - value


def finite(value: float) -> float | None:
    """None for NaN and infinity."""
    return float(value) if math.isfinite(value) else None

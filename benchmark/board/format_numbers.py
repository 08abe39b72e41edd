"""How numbers are written: no more digits than the interval supports.

Rules: the half-width of the interval is shown to two significant digits, and the value to the same decimals, at least
one and at most four; without an interval three decimals; probabilities and shares drop nothing; differences carry a
sign; a missing number is an en dash; a p below .001 is "< .001".
"""

from __future__ import annotations

import math

from benchmark.analysis.numbers import Interval
from rebeca.errors import counted

MISSING = "–"
MOST_DECIMALS = 4
DEFAULT_DECIMALS = 3


def decimals_for(low: float | None, high: float | None) -> int:
    if low is None or high is None or not high > low:
        return DEFAULT_DECIMALS
    return max(1, min(MOST_DECIMALS, 1 - math.floor(math.log10((high - low) / 2))))


def count(users: int) -> str:
    """``1 user``, ``2,000 users``."""
    return counted(users, "user")


def number(value: float | None, decimals: int = DEFAULT_DECIMALS, sign: bool = False) -> str:
    """A number with fixed decimals, a real minus sign, and no negative zero."""
    if value is None or not math.isfinite(value):
        return MISSING
    text = f"{abs(value):.{decimals}f}"
    negative = value < 0 and float(text) != 0
    return f"−{text}" if negative else f"+{text}" if sign and float(text) != 0 else text


def with_interval(interval: Interval | None, sign: bool = False, users: int | None = None) -> str:
    """``0.766 (0.745 to 0.787)``; ``0.766 (0.745 to 0.787; 4 of 12 users)`` where fewer than ``users`` have a value."""
    if interval is None:
        return MISSING
    decimals = decimals_for(interval.low, interval.high)
    value = number(interval.estimate, decimals, sign)
    ends = (number(end, decimals, sign) for end in (interval.low, interval.high))
    beside = [*([" to ".join(ends)] if interval.low is not None else []), of_users(interval, users)]
    text = "; ".join(filter(None, beside))
    return f"{value} ({text})" if text else value


def of_users(interval: Interval | None, users: int | None) -> str:
    """``4 of 12 users`` where fewer than ``users`` have a value, else nothing."""
    return "" if interval is None or users is None or interval.n >= users else f"{interval.n:,} of {count(users)}"


def p_value(p: float | None) -> str:
    """``.032``; never 0."""
    if p is None:
        return MISSING
    return "< .001" if p < 0.001 else "1" if p >= 0.9995 else f"{p:.3f}".lstrip("0")


def p_with_sign(p: float) -> str:
    """``p = .032``, ``p < .001``."""
    text = p_value(p)
    return f"p {text}" if text.startswith("<") else f"p = {text}"


def brief(seconds: float | None) -> str:
    """Two significant digits, down to a thousandth: ``0.072``."""
    if seconds is None or not math.isfinite(seconds):
        return MISSING
    if seconds < 0.001:
        return "< 0.001"
    digits = max(0, 1 - math.floor(math.log10(seconds)))
    return f"{seconds:.{digits}f}"


def exact_percent(share: float) -> str:
    """``5 %``, ``6.25 %``; three significant digits, so that shares above and below a limit can be told apart."""
    return f"{100 * share:.3g} %"


def percent(share: float | None) -> str:
    """``2 %``; 0 and 100 are exact."""
    if share is None:
        return MISSING
    if 0.99 < share < 1:
        return "> 99 %"
    return f"{100 * share:.0f} %" if share >= 0.01 or share == 0 else "< 1 %"

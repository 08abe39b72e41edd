"""Student's t where a variance is the sum of estimated ones."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rebeca.arrays import Floats, Ints


def satterthwaite(
    parts: Sequence[Floats] | Floats, degrees: Sequence[Floats | Ints | float], variance: Floats
) -> Floats:
    """Degrees of freedom of a variance that independent mean squares make up (Satterthwaite 1946).

    Args:
        parts: float64 [n] each; the mean squares, noise included.
        degrees: Of each; numbers, or [n] each.
        variance: float64 [n]; their sum, from which known noise may have been subtracted.

    Returns:
        float64 [n]; infinite where all parts are 0.
    """
    spread = sum(np.square(part) / own for part, own in zip(parts, degrees, strict=True))
    return np.divide(np.square(variance), spread, out=np.full(np.shape(spread), np.inf), where=spread > 0)


def two_sided_p(t: Floats, degrees: Floats) -> Floats:
    from scipy.special import stdtr

    return np.asarray(2 * stdtr(degrees, -np.abs(t)))


def t_quantile(confidence: float, degrees: Floats | Ints | float) -> Floats:
    """float64; what |t| does not exceed with this probability."""
    from scipy.special import stdtrit  # a quarter of a second, which showing a leaderboard need not wait for

    return np.asarray(stdtrit(degrees, 0.5 + confidence / 2))


def detectable_errors(alpha: float, comparisons: int, degrees: Floats | float) -> Floats:
    """Standard errors of a difference that a pair among so many finds with 80 % power (Bonferroni).

    The sum of two quantiles of Student's t, of 1 - alpha / (2 * comparisons) and of .80.
    """
    from scipy.special import stdtrit

    degrees = np.minimum(degrees, 1e9)
    return np.asarray(stdtrit(degrees, 1 - alpha / (2 * comparisons)) + stdtrit(degrees, 0.8))

"""What ranks, verdicts and headlines are about: one fitted model, or the method over several fits.

Every page and command takes its words from here. Two fits of one generator differ, so a single fit says nothing about
the method; see docs/explanation/statistics.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchmark.board.row import Row
from rebeca.errors import counted


@dataclass(frozen=True, slots=True)
class Scope:
    """What the sentences about a leaderboard are about.

    Attributes:
        fits: Fits of every generator whose fit varies; 0 where no fit varies.
    """

    fits: int

    @property
    def models(self) -> str:
        """``these fitted models``, or ``methods, 3 fits each``; empty where no fit varies."""
        return {0: "", 1: "these fitted models"}.get(self.fits, f"methods, {self.fits} fits each")

    @property
    def size(self) -> str:
        """``1 fit per generator``; empty where no fit varies."""
        return f"{counted(self.fits, 'fit')} per generator" if self.fits else ""

    @property
    def sampled(self) -> str:
        """What intervals are over: ``users``, or ``users and fits``."""
        return "users and fits" if self.fits > 1 else "users"

    @property
    def caution(self) -> str:
        """Why a single fit does not speak for a method; empty for several."""
        return (
            "Each generator was fitted once: every rank and verdict is about this fitted model. Another fit of the same"
            " method may do better or worse."
            if self.fits == 1
            else ""
        )

    @property
    def sentence(self) -> str:
        """What every page of a task says."""
        several = (
            f"Each generator was fitted {self.fits} times: ranks and verdicts are about the methods, and include the"
            " variance between fits."
        )
        return self.caution or (several if self.fits else "")

    def titled(self, text: str) -> str:
        """A headline that names no generator's fits itself."""
        return f"{text} ({self.models})" if self.models else text


def scope_of(rows: Sequence[Row]) -> Scope:
    return Scope(max((row.fits for row in rows if row.fit_varies), default=0))


def subject(row: Row, name: str) -> str:
    """``this fitted model of NAME`` where there is one fit and another could differ, else the name."""
    return f"this fitted model of {name}" if row.fit_varies and row.fits == 1 else name


def over_fits(row: Row) -> str:
    """``3 fits`` where there are several, else nothing."""
    return counted(row.fits, "fit") if row.fits > 1 else ""

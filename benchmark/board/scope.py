"""What ranks, verdicts and headlines are about: one fitted model, or the method over several fits.

Every page and command takes its words from here. Two fits of one generator differ, so a single fit says nothing about
the method; see docs/explanation/statistics.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchmark.board.row import Row
from rebeca.errors import counted

NAMED = 2
"""So many generators are named in a sentence, and no more."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What the sentences about a leaderboard are about.

    Attributes:
        fits: Fits of every generator whose fit varies; 0 where no fit varies.
        single: Titles of generators with one fit, where others have several.
    """

    fits: int
    single: tuple[str, ...] = ()

    @property
    def models(self) -> str:
        """``these fitted models``, or ``methods, 3 fits each``; empty where no fit varies."""
        several = f"methods, {self.fits} fits each" + (f"; one fit of {self._singles}" if self.single else "")
        return {0: "", 1: "these fitted models"}.get(self.fits, several)

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
        if self.single:
            several += f" There is only one fit of {self._singles}: another may do better or worse."
        return self.caution or (several if self.fits else "")

    @property
    def _singles(self) -> str:
        return " and ".join(self.single) if len(self.single) <= NAMED else "some generators"

    def titled(self, text: str) -> str:
        """A headline that names no generator's fits itself."""
        return f"{text} ({self.models})" if self.models else text


def scope_of(rows: Sequence[Row]) -> Scope:
    varying = [row for row in rows if row.fit_varies]
    fits = max((row.fits for row in varying), default=0)
    return Scope(fits, tuple(row.title for row in varying if row.fits == 1 < fits))


def subject(row: Row, name: str) -> str:
    """``this fitted model of NAME`` where there is one fit and another could differ, else the name."""
    return f"this fitted model of {name}" if row.fit_varies and row.fits == 1 else name


def over_fits(row: Row) -> str:
    """``3 fits`` where there are several, else nothing."""
    return counted(row.fits, "fit") if row.fits > 1 else ""

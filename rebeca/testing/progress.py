"""What a fit says about its progress."""

from __future__ import annotations

from dataclasses import dataclass, field

from rebeca.guards import refuse_if


class Stop(BaseException):
    """Interrupts a fit, as Ctrl-C does."""


@dataclass(slots=True)
class ProgressLog:
    """A ``progress`` that notes its calls.

    Attributes:
        stop_at: Interrupts the fit at this call, counted from 1; never where 0.
        calls: Its calls.
    """

    stop_at: int = 0
    calls: list[tuple[object, object, object]] = field(default_factory=list)

    def __call__(self, done: int, total: int, note: str) -> None:
        """Notes a call.

        Raises:
            Stop: At the call ``stop_at``.
        """
        self.calls.append((done, total, note))
        if len(self.calls) == self.stop_at:
            raise Stop

    def check(self) -> None:
        """Refuses calls with other types, beyond the total, or that count down.

        Raises:
            PluginError: Naming the call.
        """
        before: tuple[int, object] = (0, "")
        for done, total, note in self.calls:
            fine = isinstance(done, int) and isinstance(total, int) and isinstance(note, str) and 0 <= done <= total
            refuse_if(not fine, f"progress({done!r}, {total!r}, {note!r}) is no step of a total")
            refuse_if(
                note == before[1] and isinstance(done, int) and done < before[0],
                f"progress counted from {before[0]} back to {done}",
            )
            before = (done if isinstance(done, int) else 0, note)

"""Leases: who makes what at present, so that many processes do not make one thing many times.

A lease is advice. It ends by itself when nobody renews it, and two processes may hold one for a moment; whatever they
make then is the same, and :class:`benchmark.runner.store.Store` keeps the first.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated
from uuid import uuid4

from pydantic import Field, TypeAdapter, ValidationError

from benchmark.runner.places import Place
from rebeca.errors import StoreError

SECONDS = 120.0
"""A lease ends so long after it was last renewed. The clocks of machines may differ by much less."""
RENEWALS = 4
"""Times that a lease is renewed before it would end."""


@dataclass(frozen=True, slots=True)
class _Lease:
    """Who holds something, until when in seconds since 1970, and a number of this claim alone."""

    machine: str
    process: Annotated[int, Field(ge=0, lt=1 << 31)]
    until: Annotated[float, Field(allow_inf_nan=False)]
    claim: str


class Leases:
    """Leases of one process, and of those that it forks.

    Args:
        place: Where they lie, as ``leases/<name>.json``.
        seconds: How long one lasts unless it is renewed.
        clock: Seconds since 1970.
    """

    def __init__(self, place: Place, seconds: float = SECONDS, clock: Callable[[], float] = time.time) -> None:
        self._place, self._seconds, self._clock = place, seconds, clock
        self._own: dict[str, bytes] = {}
        self._process = 0
        self._guard = threading.Lock()
        self._thread: threading.Thread | None = None

    @contextmanager
    def claimed(self, name: str) -> Iterator[bool]:
        """Holds a lease for the block, or yields False where another process holds it."""
        if self._process != os.getpid():  # a forked process begins without the leases of its parent
            self._process, self._guard, self._own, self._thread = os.getpid(), threading.Lock(), {}, None
        held = self._take(name)
        try:
            yield held
        finally:
            if held:
                self._release(name)

    def holder(self, name: str) -> str | None:
        """Who holds a lease that has not ended, in words; None where nobody does."""
        lease = _parsed(self._place.read(_path(name)) or b"")
        return (
            None
            if lease is None or self._ended(lease)
            else f"process {lease.process} of {lease.machine.rpartition('-')[0]}"
        )

    def _take(self, name: str) -> bool:
        data = self._written()
        try:
            held = self._place.create(_path(name), data) or self._take_over(name, data)
        except OSError:  # a full or read-only disk: whoever goes on meets it where results are written
            return True
        if held:
            self._keep(name, data)
        return held

    def _take_over(self, name: str, data: bytes) -> bool:
        """Takes a lease that has ended."""
        seen = self._place.read(_path(name))
        if seen is None:  # released a moment ago
            return self._place.create(_path(name), data)
        lease = _parsed(seen)
        return (lease is None or self._ended(lease)) and self._place.replace(_path(name), data, seen)

    def _keep(self, name: str, data: bytes) -> None:
        with self._guard:
            self._own[name] = data
            if self._thread is None:
                self._thread = threading.Thread(target=self._renew, name="leases", daemon=True)
                self._thread.start()

    def _release(self, name: str) -> None:
        with self._guard:
            data = self._own.pop(name, None)
        with suppress(StoreError, OSError):  # it ends by itself
            if data is not None and self._place.read(_path(name)) == data:
                self._place.remove(_path(name))

    def _written(self) -> bytes:
        lease = _Lease(machine(), os.getpid(), self._clock() + self._seconds, uuid4().hex)
        return TypeAdapter(_Lease).dump_json(lease)

    def _ended(self, lease: _Lease) -> bool:
        """Whether a lease has ended: by its time, or because its process of this machine is gone.

        One that would last longer than any was written by a wrong clock.
        """
        left = lease.until - self._clock()
        return not 0 < left <= 2 * self._seconds or (lease.machine == machine() and not _lives(lease.process))

    def _renew(self) -> None:
        """Renews the leases of this process, until it holds none."""
        while True:
            time.sleep(self._seconds / RENEWALS)
            with self._guard:
                names = list(self._own)
                if not names:
                    self._thread = None
                    return
            for name in names:
                self._renew_one(name)

    def _renew_one(self, name: str) -> None:
        seen = self._own.get(name)
        if seen is None:
            return
        data = self._written()
        with suppress(StoreError, OSError):  # tried again at the next turn, and it is advice only
            if not self._place.replace(_path(name), data, seen):
                return
            with self._guard:
                if name in self._own:
                    self._own[name] = data
                    return
            self._place.remove(_path(name))  # released meanwhile


def machine() -> str:
    """This machine, and the space in which its process numbers count: containers on one host have their own."""
    try:
        space = Path("/proc/self/ns/pid").stat().st_ino
    except OSError:
        space = 0
    return f"{socket.gethostname()}-{space}"


def _path(name: str) -> str:
    return f"leases/{name}.json"


def _parsed(data: bytes) -> _Lease | None:
    """A lease as it was written; None where it is none, which then counts as ended."""
    try:
        return TypeAdapter(_Lease).validate_json(data)
    except ValidationError:
        return None


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True

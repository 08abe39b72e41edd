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

    holder: Annotated[str, Field(pattern=r"^.*:[0-9]{1,10}$")]
    until: float
    claim: str


class Leases:
    """Leases of one process, and of those that it forks.

    Args:
        place: Where they lie, as ``leases/<name>``.
        seconds: How long one lasts unless it is renewed.
        clock: Seconds since 1970.
    """

    def __init__(self, place: Place, seconds: float = SECONDS, clock: Callable[[], float] = time.time) -> None:
        self._place, self._seconds, self._clock = place, seconds, clock
        self._own: dict[str, bytes] = {}
        self._process = 0
        self._guard = threading.Lock()

    @contextmanager
    def claimed(self, name: str) -> Iterator[bool]:
        """Holds a lease for the block, or yields False where another process holds it."""
        self._begin()
        held = self._take(name)
        try:
            yield held
        finally:
            if held:
                self._release(name)

    def holder(self, name: str) -> str | None:
        """Who holds a lease that has not ended, such as ``host:pid``; None where nobody does."""
        data = self._place.read(_path(name))
        lease = None if data is None else _parsed(data)
        return None if lease is None or self._ended(lease) else lease.holder

    def _begin(self) -> None:
        """Starts the thread that renews; a forked process starts with its own, and without its parent's leases."""
        if self._process == os.getpid():
            return
        self._process, self._guard, self._own = os.getpid(), threading.Lock(), {}
        threading.Thread(target=self._renew, name="leases", daemon=True).start()

    def _take(self, name: str) -> bool:
        data = self._written()
        try:
            held = self._place.create(_path(name), data)
        except OSError:  # a full or read-only disk: whoever goes on meets it where results are written
            return True
        if not held:
            seen = self._place.read(_path(name))
            if seen is None:  # released in between
                held = self._place.create(_path(name), data)
            elif (lease := _parsed(seen)) is None or self._ended(lease):
                held = self._place.replace(_path(name), data, seen)
        if held:
            with self._guard:
                self._own[name] = data
        return held

    def _release(self, name: str) -> None:
        with self._guard:
            data = self._own.pop(name, None)
        with suppress(StoreError, OSError):  # it ends by itself
            if self._place.read(_path(name)) == data:
                self._place.remove(_path(name))

    def _written(self) -> bytes:
        holder = f"{socket.gethostname()}:{os.getpid()}"
        return TypeAdapter(_Lease).dump_json(_Lease(holder, self._clock() + self._seconds, uuid4().hex))

    def _ended(self, lease: _Lease) -> bool:
        """Whether a lease has ended: by its time, or because its process of this machine is gone."""
        host, _, pid = lease.holder.rpartition(":")
        return self._clock() >= lease.until or (host == socket.gethostname() and not _lives(int(pid)))

    def _renew(self) -> None:
        process = os.getpid()
        while process == self._process:
            time.sleep(self._seconds / RENEWALS)
            with self._guard:
                names = list(self._own)
            for name in names:
                self._renew_one(name)

    def _renew_one(self, name: str) -> None:
        with self._guard:  # so that it is not released in between
            seen = self._own.get(name)
            if seen is None:
                return
            data = self._written()
            with suppress(StoreError, OSError):  # tried again at the next turn, and it is advice only
                if self._place.replace(_path(name), data, seen):
                    self._own[name] = data


def _path(name: str) -> str:
    return f"leases/{name}.json"


def _parsed(data: bytes) -> _Lease | None:
    """A lease as it was written; None where it is none, which then counts as ended."""
    try:
        return TypeAdapter(_Lease).validate_json(data)
    except ValidationError:
        return None


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True

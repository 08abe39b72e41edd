"""A generator of another package, which does whatever its parameters ask for; installed into a folder by a fixture."""

import ctypes
import os
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rebeca import GeneratedImage, Generator


@dataclass(frozen=True)
class WildParams:
    how: str = "well"


class Wild(Generator[WildParams]):
    Params = WildParams

    def __init__(self, params, context):
        if params.how == "constructor":
            raise ZeroDivisionError("cannot be built")
        super().__init__(params, context)

    def fit(self, train):
        self.misbehave("fit")

    def save(self, folder):
        pass

    def load(self, folder):
        pass

    def misbehave(self, where):
        how = self.params.how
        if how == "raises":
            raise KeyError("out of ideas")
        if how == "raises-much":
            raise ValueError("\x1b[31m<script>" + "x" * 10_000_000)
        if how == "recursion":
            self.misbehave(where)
        if how == "missing-file":
            Path("/nowhere/weights.bin").read_bytes()
        if how == "hangs-with-a-child":
            os.fork()
        if how.startswith("hangs"):
            time.sleep(600)
        if how == "segfault":
            ctypes.string_at(0)
        if how == "exits":
            os._exit(3)
        if how == "sys-exits":
            sys.exit(0)
        if how == "memory":
            self.hoard = [np.ones(1 << 24) for _ in range(100)]
        if how == "never-leaves":
            threading.Thread(target=time.sleep, args=(600,)).start()
        if how == "prints":
            sys.stdout.write("{" * 10)
            os.write(1, b"noise\n" * 1000)

    def generate(self, requests):
        how = self.params.how
        shape, kind = (16, 16, 3), np.uint8
        if how == "grey":
            shape = (16, 16)
        if how == "rgba":
            shape = (16, 16, 4)
        if how == "floats":
            kind = np.float32
        if how == "empty":
            shape = (0, 16, 3)
        if how == "huge":
            shape = (9000, 9000, 3)
        for request in requests[:-1] if how == "too-few" else requests:
            rng = np.random.default_rng(request.seed)
            pixels = np.zeros(shape, kind) if how in ("huge", "empty") else rng.integers(0, 255, shape).astype(kind)
            embedding = np.full(4, np.nan) if how == "nan-embedding" else None
            item = 10**6 if how == "no-such-item" else None
            yield "an image" if how == "text" else GeneratedImage(pixels, embedding, item)
        if how == "too-many":
            yield GeneratedImage(rng.integers(0, 255, shape).astype(kind))

"""Seconds per image of the miniature's decoder, with guidance, by batch size and steps; the median of three.

python scripts/perf/decoding.py

The limit is .08 s per image at 12 steps on two cores.
"""

from __future__ import annotations

import statistics
import sys
import time

import numpy as np
import torch

from rebeca.decoders.stable_diffusion import StableDiffusion, StableDiffusionParams
from rebeca.interfaces import DecoderContext, Request
from rebeca.space import LinearSpace

IMAGES = 64
TIMES = 3


def seconds(batch: int, steps: int) -> float:
    """Per image."""
    decoder = StableDiffusion(StableDiffusionParams(steps=steps, batch=batch), DecoderContext.alone(LinearSpace()))
    points = np.random.default_rng(0).normal(0, 0.6, (IMAGES, 96)).astype(np.float32)
    requests = [Request("anybody", i, i) for i in range(IMAGES)]
    taken = []
    for _ in range(TIMES + 1):
        started = time.perf_counter()
        list(decoder.decode(points, requests))
        taken.append((time.perf_counter() - started) / IMAGES)
    return statistics.median(taken[1:])  # the first loads the weights


def main() -> None:
    """Prints the table."""
    sys.stdout.write(f"{torch.get_num_threads()} threads\nbatch  steps  s per image\n")
    for batch, steps in ((32, 8), (32, 12), (32, 20), (8, 12), (16, 12), (64, 12)):
        sys.stdout.write(f"{batch:5d}  {steps:5d}  {seconds(batch, steps):.3f}\n")


if __name__ == "__main__":
    main()

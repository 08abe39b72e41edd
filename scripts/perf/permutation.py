"""Times the all-pairs verifier pass and both permutation schemes on one core, at the published size.

210 users x 25 images of 1,280 numbers, verifier d = 480 with [128, 128], 1,000 block permutations and 1,000 of the
published scheme. Beside it the straightforward way (a verifier pass over 5,250 pairs for every permutation), timed on a
few permutations of the same run and scaled up.

    OMP_NUM_THREADS=1 python scripts/perf/permutation.py
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from benchmark.stats.personalisation import Stratum, block_permutation, image_shuffle, permutations_within
from rebeca.ncf.model import NCFShape, build_ncf

USERS, IMAGES, DIM = 210, 25, 1280
PERMUTATIONS = 1000
REPEATS = 5
LOOP_SAMPLE = 5


def main() -> None:
    """Prints medians of several runs."""
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    embeddings = torch.as_tensor(rng.normal(size=(USERS * IMAGES, DIM)), dtype=torch.float32)
    owner = np.repeat(np.arange(USERS), IMAGES)
    model = build_ncf(NCFShape(USERS, DIM, 480, (128, 128)), 0).eval()
    scores = model.all_pairs(embeddings).sigmoid().numpy()
    with torch.inference_mode():
        direct = model(torch.as_tensor(owner), embeddings).sigmoid().numpy()
    assert np.allclose(scores[owner, np.arange(len(owner))], direct, atol=1e-5)

    def pairs() -> None:
        model.all_pairs(embeddings).sigmoid().numpy()

    def block() -> None:
        table = scores.reshape(USERS, USERS, IMAGES).mean(axis=2, dtype=np.float64)
        strata = [Stratum(np.arange(USERS), table)]
        block_permutation(strata, permutations_within([USERS], PERMUTATIONS, np.random.default_rng(1)))

    def shuffle() -> None:
        image_shuffle(scores, owner, PERMUTATIONS, np.random.default_rng(2))

    @torch.inference_mode()
    def loop() -> None:
        draw = np.random.default_rng(3)
        for _ in range(LOOP_SAMPLE):
            label = torch.as_tensor(draw.permutation(owner))
            model(label, embeddings).sigmoid()

    parts = {"all pairs": pairs, "block permutations": block, "published scheme": shuffle}
    seconds = {name: median_seconds(part) for name, part in parts.items()}
    for name, value in seconds.items():
        sys.stdout.write(f"{name:20s} {value:7.3f} s\n")
    total = sum(seconds.values())
    naive = median_seconds(loop) * PERMUTATIONS / LOOP_SAMPLE
    sys.stdout.write(f"{'total':20s} {total:7.3f} s (limit 2 s)\n")
    sys.stdout.write(f"{'one scheme, looped':20s} {naive:7.1f} s ({naive / total:.0f} times as long)\n")


def median_seconds(part: Callable[[], Any]) -> float:
    """Median wall time of several runs."""
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        part()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


if __name__ == "__main__":
    main()

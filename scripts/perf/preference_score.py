"""HPSv2 in batches against the package hpsv2, on one checkpoint: how far apart, and how much faster.

rebeca-bench dev make-weights --layout hpsv2 --size full --out WEIGHTS       # or the published file
REBECA_WEIGHTS=WEIGHTS python scripts/perf/preference_score.py

Needs the package's repaired form (pip install --no-deps hpsv2x clint args). The package is timed as it is mostly used,
one call per image, and with one call for all; each call reads the checkpoint. What it fetches besides, four
gigabytes of other weights that it then overwrites, is left out. All in one process, the median of the repetitions.
"""

from __future__ import annotations

import json
import statistics
import time
import warnings
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import click
import numpy as np
import torch

from benchmark.scorers.hpsv2 import HPSv2Params, HPSv2Scorer
from rebeca.published import find

PROMPT = "Realistic image, finely detailed, with balanced composition and harmonious elements."
SHAPES = ((512, 512), (512, 384), (300, 500))
"""Of the images that are compared: square and not."""
APART = 1e-6
"""Limit of the largest difference."""


def package() -> Any:
    """The package's module, with its model built and no other weights fetched."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from hpsv2 import img_score
        from hpsv2.src.open_clip import create_model_and_transforms

        model, _, prepare = create_model_and_transforms(
            "ViT-H-14", None, device=img_score.device, output_dict=True, light_augmentation=True
        )
    img_score.model_dict.update(model=model, preprocess_val=prepare)
    return img_score


def random_images(count: int, shapes: tuple[tuple[int, int], ...], seed: int = 0) -> list[Any]:
    """Smooth random images: noise would be cut down to grey by the resize."""
    rng = np.random.default_rng(seed)
    drawn = []
    for i in range(count):
        height, width = shapes[i % len(shapes)]
        coarse = torch.from_numpy(rng.uniform(0, 255, (1, 3, 12, 12)).astype(np.float32))
        fine = torch.nn.functional.interpolate(coarse, (height, width), mode="bicubic").clamp(0, 255)
        drawn.append(fine[0].permute(1, 2, 0).to(torch.uint8).numpy())
    return drawn


def seconds(work: Callable[[], Any], times: int) -> float:
    """Median wall seconds; the device has finished."""
    taken = []
    for _ in range(times):
        started = time.perf_counter()
        work()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        taken.append(time.perf_counter() - started)
    return statistics.median(taken)


def measure(count: int, times: int, single: bool) -> dict[str, Any]:
    """Differences and seconds; ``single`` leaves out the calls image by image."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    spec = HPSv2Params(weights="published:hpsv2.0", prompt=PROMPT)
    context: Any = SimpleNamespace(device=device)
    path, theirs = str(find("hpsv2.0").path), package()
    from PIL import Image

    started = time.perf_counter()
    ours = HPSv2Scorer(spec, context)
    some = random_images(len(SHAPES), SHAPES)
    first = ours.score_pixels(some)
    loading = time.perf_counter() - started
    wanted = theirs.score([Image.fromarray(p) for p in some], PROMPT, path, "v2.0")
    apart = float(np.abs(first - np.array(wanted)).max())
    many = random_images(count, ((512, 512),), seed=1)
    images = [Image.fromarray(p) for p in many]
    figures: dict[str, Any] = {
        "device": torch.cuda.get_device_name() if device == "cuda" else f"cpu, {torch.get_num_threads()} threads",
        "weights": find("hpsv2.0").origin,
        "apart": apart,
        "load and score three": loading,
        "batched": seconds(lambda: ours.score_pixels(many), times),
        "package, one call": seconds(lambda: theirs.score(images, PROMPT, path, "v2.0"), times),
    }
    if not single:
        figures["package, one call per image"] = seconds(
            lambda: [theirs.score(image, PROMPT, path, "v2.0") for image in images], 1
        )
    for name in ("package, one call", "package, one call per image"):
        if name in figures:
            figures[f"times faster than {name}"] = figures[name] / figures["batched"]
    return figures


@click.command()
@click.option("--images", "count", default=32, show_default=True)
@click.option("--times", default=3, show_default=True, help="Repetitions; the median counts.")
@click.option("--one-call-only", is_flag=True, help="Leave out the slowest part.")
def main(count: int, times: int, one_call_only: bool) -> None:
    """Prints the figures as JSON."""
    figures = measure(count, times, one_call_only)
    click.echo(json.dumps({k: round(v, 9) if isinstance(v, float) else v for k, v in figures.items()}, indent=1))


if __name__ == "__main__":
    main()

"""How fast the full-size stack is on this device, in stages that can be stopped and gone on with.

python scripts/gpu_check.py                           # a GPU, full-size random weights: 16 GB of disk
python scripts/gpu_check.py --size tiny --device cpu  # the same script anywhere: does it run?

Stages are meant to stay under eight minutes on one H100, which was not measured. What is done is kept in the work
folder; the same command goes on with the next stage, and writes results/perf/<device>.json when all are done. Weights
are random: speed does not depend on what they say. Pictures a second count everything between a list of embeddings and
PNG files on the disk.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import numpy as np
import torch

from benchmark.devices import check_device, device_name
from benchmark.exits import one_message
from benchmark.pictures import png
from benchmark.provenance import git_state, machine
from rebeca.decoders.stable_diffusion import StableDiffusion, StableDiffusionParams, load_pipeline
from rebeca.device import empty_cache
from rebeca.errors import RebecaError, out_of_memory
from rebeca.interfaces import Request
from rebeca.random_weights import LAYOUTS, make_weights
from rebeca.space import LinearSpace

ROOT = Path(__file__).resolve().parent.parent
PEAK_TFLOPS = {"H100": 989.4, "H200": 989.4, "A100": 312.0}
"""Dense half precision, as the maker says, by a part of the device's name."""
TFLOP_A_STEP, TFLOP_REST = 0.803 * 2, 2.5
"""Counted at 512 x 512 with guidance: two calls of the UNet a step, and one of the autoencoder."""
BATCHES = (1, 8, 16, 32)
LIMITS = {
    "pictures a second": 3.0,
    "times faster than the original's way": 5.0,
    "scoring / generating": 0.03,
    "outside model calls": 0.05,
}


class Check:
    """What the stages share."""

    def __init__(self, folder: Path, size: str, device: str) -> None:
        self.folder, self.size, self.device = folder, size, device
        self.full = size == "full"
        self.steps = 50 if self.full else 2
        os.environ["REBECA_WEIGHTS"] = str(folder / "weights")
        os.environ["HF_HUB_OFFLINE"] = "1"

    def params(self, **changes: Any) -> StableDiffusionParams:
        """The published decoder on this device."""
        return replace(
            StableDiffusionParams(
                model="published:sd15", adapter="published:ip-adapter-sd15", scheduler="PNDMScheduler",
                steps=self.steps, image_guidance=5.0, dtype="auto", channels_last=True,
            ), **changes,
        )  # fmt: skip

    def decoder(self, **changes: Any) -> StableDiffusion:
        """With a batch."""
        return StableDiffusion(self.params(**changes), LinearSpace(), self.device)

    def vectors(self, count: int) -> Any:
        """float32 [count, dim]; one a picture."""
        pipe = load_pipeline(self.params().files, self.device)
        width = pipe.unet.encoder_hid_proj.image_projection_layers[0].image_embeds.in_features
        return np.random.default_rng(0).normal(0, 1, (count, width)).astype(np.float32)

    def synchronize(self) -> None:
        """Waits for the device."""
        if self.device.startswith("cuda"):
            torch.cuda.synchronize()

    def peak_mb(self) -> int | None:
        """Most device memory since the last call."""
        if not self.device.startswith("cuda"):
            return None
        peak = torch.cuda.max_memory_allocated() // 2**20
        torch.cuda.reset_peak_memory_stats()
        return int(peak)


def requests(count: int) -> list[Request]:
    """Different people."""
    return [Request(f"person-{i}", 0, i) for i in range(count)]


def seconds(check: Check, work: Callable[[], Any], times: int = 3) -> float:
    """Median wall seconds."""
    taken = []
    for _ in range(times):
        check.synchronize()
        started = time.perf_counter()
        work()
        check.synchronize()
        taken.append(time.perf_counter() - started)
    return statistics.median(taken)


def stage_weights(check: Check) -> dict[str, Any]:
    """Random weights of every layout."""
    started = time.perf_counter()
    for layout in LAYOUTS:
        make_weights(layout, check.size, check.folder / "weights")  # type: ignore[arg-type]
    size = sum(path.stat().st_size for path in (check.folder / "weights").rglob("*") if path.is_file())
    return {"seconds": round(time.perf_counter() - started, 1), "bytes": size}


def stage_smoke(check: Check) -> dict[str, Any]:
    """The smoke task, from made-up data to the page."""
    rebeca = str(Path(sys.executable).with_name("rebeca-bench"))
    data = check.folder / "data"
    commands = [
        ["dev", "make-data", "flickr-aes", "--root", str(data)],
        ["data", "prepare", "flickr-aes", "--root", str(data)],
        ["weights", "check", "flickr-aes-smoke"],
        ["run", "flickr-aes-smoke", "--set", f"data.path={data}", "--workdir", str(check.folder / "work"), "--device",
         check.device, "--quiet", "--json"],
    ]  # fmt: skip
    started = time.perf_counter()
    for command in commands:
        done = subprocess.run([rebeca, *command], capture_output=True, text=True)
        if done.returncode:
            raise RebecaError(f"rebeca-bench {' '.join(command[:3])} failed:\n{done.stderr[-3000:]}")
    shown = json.loads(done.stdout)
    page = Path(shown["page"])
    return {
        "seconds": round(time.perf_counter() - started, 1), "generators": len(shown["generators"]),
        "page bytes": page.stat().st_size,
    }  # fmt: skip


def stage_batches(check: Check) -> dict[str, Any]:
    """Pictures a second by batch, PNG files included."""
    found: dict[str, Any] = {}
    for batch in BATCHES if check.full else BATCHES[:2]:
        decoder, vectors = check.decoder(batch=batch), check.vectors(batch)
        check.peak_mb()
        try:
            painted(check, decoder, vectors)  # warms up
            count = max(batch, 16 if check.full else 2)
            took = seconds(check, lambda d=decoder, n=count: painted(check, d, check.vectors(n)), 3 if batch > 1 else 1)
        except RuntimeError as error:
            if not out_of_memory(error):
                raise
            found[str(batch)] = {"out of memory": True}
            continue
        rate = count / took
        found[str(batch)] = {"pictures a second": round(rate, 3), "peak device memory, MB": check.peak_mb()}
        peak = peak_tflops(check.device)
        if check.full and peak is not None:
            found[str(batch)]["share of the peak"] = round(rate * (check.steps * TFLOP_A_STEP + TFLOP_REST) / peak, 3)
    return found


def painted(check: Check, decoder: StableDiffusion, vectors: Any) -> None:
    """Paints and writes PNG files, as a run does."""
    from benchmark.pictures import write_unit

    class Nothing:
        def __len__(self) -> int:
            return 0

    with tempfile.TemporaryDirectory() as folder:
        wanted = requests(len(vectors))
        write_unit(Path(folder), iter(decoder.decode(vectors, wanted)), wanted, Nothing(), "check")  # type: ignore[arg-type]


def stage_original(check: Check) -> dict[str, Any]:
    """The original's way: one picture a call, single precision, the cache emptied each time."""
    release()
    decoder = check.decoder(batch=1, dtype="float32", channels_last=False)
    vectors, count = check.vectors(3), 3

    def one_by_one() -> None:
        for i in range(count):
            made = list(decoder.decode(vectors[i : i + 1], requests(1)))
            png(made[0].pixels)
            empty_cache()

    one_by_one()
    took = seconds(check, one_by_one, 1)
    peak = check.peak_mb()
    release()
    return {"pictures a second": round(count / took, 3), "peak device memory, MB": peak}


def release() -> None:
    """Gives a pipeline's memory back."""
    load_pipeline.cache_clear()
    empty_cache()


def stage_scorers(check: Check) -> dict[str, Any]:
    """Pictures a second of every scorer, from pixels in memory to a number."""
    release()
    from benchmark.scorers.hpsv2 import HPSv2Params, HPSv2Scorer
    from benchmark.scorers.laion import LaionParams, LaionScorer
    from rebeca.encoders.published import PublishedEncoder

    count = 256 if check.full and check.device != "cpu" else 4
    side = 512 if check.full else 64
    pixels = [np.random.default_rng(i).integers(0, 256, (side, side, 3)).astype(np.uint8) for i in range(count)]
    hps: Any = SimpleNamespace(spec=HPSv2Params(weights="published:hpsv2.0", dtype="auto"), device=check.device)
    head = LaionParams(backbone="published:vit-l", weights="published:laion-v2")
    laion: Any = SimpleNamespace(spec=head, device=check.device)
    preference, beauty = HPSv2Scorer(hps), LaionScorer(laion)
    verifier, auditor = (PublishedEncoder(name, check.device) for name in ("vit-g", "vit-l"))
    works: dict[str, Callable[[], Any]] = {
        "hpsv2": lambda: [preference.score_pixels(pixels[i : i + 64]) for i in range(0, count, 64)],
        "laion": lambda: beauty.score_pixels(pixels),
        "ncf (ViT-bigG)": lambda: verifier.encode(pixels),
        "auditor (ViT-L)": lambda: auditor.encode(pixels),
    }
    found = {}
    for name, work in works.items():
        work()
        found[name] = {
            "pictures a second": round(count / seconds(check, work), 2),
            "peak device memory, MB": check.peak_mb(),
        }
    return found


def stage_time(check: Check) -> dict[str, Any]:
    """Where the time of painting goes: inside the models, and outside of them."""
    batch = 16 if check.full else 2
    decoder = check.decoder(batch=batch)
    vectors = check.vectors(2 * batch)
    pipe = load_pipeline(decoder.params.files, check.device)
    painted(check, decoder, vectors[:batch])
    spent = {"unet": 0.0, "vae": 0.0, "text_encoder": 0.0}
    began: dict[str, float] = {}

    def timed(name: str, module: Any) -> list[Any]:
        def before(*_: Any) -> None:
            check.synchronize()
            began[name] = time.perf_counter()

        def after(*_: Any) -> None:
            check.synchronize()
            spent[name] += time.perf_counter() - began[name]

        return [module.register_forward_pre_hook(before), module.register_forward_hook(after)]

    hooks = timed("unet", pipe.unet) + timed("vae", pipe.vae.decoder) + timed("text_encoder", pipe.text_encoder)
    started = time.perf_counter()
    painted(check, decoder, vectors)
    check.synchronize()
    wall = time.perf_counter() - started
    for hook in hooks:
        hook.remove()
    return {name: round(value / wall, 4) for name, value in spent.items()} | {
        "outside model calls": round(1 - sum(spent.values()) / wall, 4), "seconds": round(wall, 2),
    }  # fmt: skip


STAGES = {
    "weights": stage_weights, "smoke": stage_smoke, "batches": stage_batches, "original": stage_original,
    "scorers": stage_scorers, "time": stage_time,
}  # fmt: skip


def peak_tflops(device: str) -> float | None:
    """Of the device, where it is known."""
    name = device_name(device)
    return next((peak for part, peak in PEAK_TFLOPS.items() if part in name), None)


def summary(found: dict[str, Any]) -> dict[str, float]:
    """The figures that have limits."""
    rates = [entry["pictures a second"] for entry in found["batches"].values() if "pictures a second" in entry]
    scoring = sum(1 / entry["pictures a second"] for entry in found["scorers"].values())
    return {
        "pictures a second": max(rates),
        "times faster than the original's way": round(max(rates) / found["original"]["pictures a second"], 2),
        "scoring / generating": round(scoring * max(rates), 4),
        "outside model calls": found["time"]["outside model calls"],
    }


@click.command()
@click.option("--size", type=click.Choice(["full", "tiny"]), default="full", show_default=True)
@click.option("--device", default="cuda", show_default=True)
@click.option("--folder", type=click.Path(path_type=Path), default=Path(".work/gpu-check"), show_default=True)
@click.option("--out", type=click.Path(path_type=Path), default=ROOT / "results" / "perf", show_default=True)
@click.option("--seconds", "limit", default=240, show_default=True, help="Begin no stage after so many.")
def main(size: str, device: str, folder: Path, out: Path, limit: int) -> None:
    """Runs the stages that are missing; writes the report when all are done."""
    with one_message(False):
        check_device(device)
        name, commit = device_name(device), git_state()
        folder = (folder / f"{name.lower().replace(' ', '-')}-{size}").resolve()
        folder.mkdir(parents=True, exist_ok=True)
        check, path = Check(folder, size, device), folder / "done.json"
        found = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        if found.pop("git", commit) != commit:  # another state of the code: measure anew, but keep the weights
            found = {stage: entry for stage, entry in found.items() if stage == "weights"}
        started = time.perf_counter()
        for part, stage in STAGES.items():
            if part in found:
                continue
            if time.perf_counter() - started > limit:
                click.echo(f"{len(found)} of {len(STAGES)} stages are done; the same command goes on")
                return
            click.echo(f"{part}: {stage.__doc__}")
            found[part] = stage(check)
            temporary = path.with_suffix(".tmp")
            temporary.write_text(json.dumps(found | {"git": commit}, indent=1), encoding="utf-8")
            temporary.replace(path)
            click.echo(f"  {json.dumps(found[part])}")
        figures = summary(found)
        report = {
            "device": name if device != "cpu" else f"cpu, {torch.get_num_threads()} threads", "size": size,
            "weights": "random", "steps": check.steps,
            "made": datetime.fromtimestamp(path.stat().st_mtime, UTC).date().isoformat(),
            "git": commit, "packages": machine(device)["packages"], "figures": figures, "stages": found,
        }  # fmt: skip
        out.mkdir(parents=True, exist_ok=True)
        target = out / f"{name.lower().replace(' ', '-')}{'' if size == 'full' else '-tiny'}.json"
        target.write_text(json.dumps(report, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        for key, value in figures.items():
            click.echo(f"{key:40s} {value:10.3f}  (limit on one H100: {LIMITS[key]:g})")
        click.echo(f"wrote {target}")


if __name__ == "__main__":
    main()

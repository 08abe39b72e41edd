"""How fast the full-size stack is on this device, in stages that can be stopped and gone on with.

python scripts/gpu_check.py                           # a GPU, full-size random weights: 16 GB of disk
python scripts/gpu_check.py --size tiny --device cpu  # the same script anywhere: does it run?

Needs the package installed (its plug-ins are found by that), and nothing from a network. On one H100 a stage took 12
seconds to two and a half minutes, and all of them 7 minutes; that of the prior was shortened since and not timed. What
is done is kept in the work folder for as long as code, packages and size stay; the same command goes on with the next
stage, and writes results/perf/<device>.json when all are done. Weights are random: speed does not depend on what they
say. Images per second count everything between a list of embeddings and PNG files on the disk.
"""

from __future__ import annotations

import hashlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from io import BytesIO
from multiprocessing import get_context
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import numpy as np
import torch
from PIL import Image
from safetensors import safe_open

from benchmark.commands.exits import one_message
from benchmark.dev.random_weights import LAYOUTS, make_weights
from benchmark.records.files import read_comparison
from benchmark.runner.devices import check_device, device_name
from benchmark.runner.provenance import git_state, machine
from rebeca import Prior
from rebeca.decoders.stable_diffusion import StableDiffusion, StableDiffusionParams, load_pipeline
from rebeca.device import empty_cache
from rebeca.errors import RebecaError, out_of_memory
from rebeca.interfaces import DecoderContext, Request
from rebeca.published import ALL, locate
from rebeca.space import LinearSpace

ROOT = Path(__file__).resolve().parent.parent
PEAK_TFLOPS = {"H100": 989.4, "H200": 989.4, "A100": 312.0}
"""Dense half precision, as the manufacturer states, by a part of the device's name."""
TFLOP_PER_STEP, TFLOP_REST = 0.803 * 2, 2.5
"""Counted at 512 x 512 with guidance: two calls of the UNet per step, and one of the autoencoder."""
BATCHES = (1, 8, 16, 32)
LIMITS = {
    "images per second": 3.0,
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
        return StableDiffusion(self.params(**changes), DecoderContext.alone(LinearSpace(), self.device))

    def vectors(self, count: int) -> Any:
        """float32 [count, dim]; one row per image, as wide as the adapter takes them."""
        params = self.params()
        with safe_open(locate(params.adapter) / "models" / params.adapter_file, "pt") as file:
            width = file.get_slice("image_proj.proj.weight").get_shape()[1]
        return np.random.default_rng(0).normal(0, 1, (count, width)).astype(np.float32)

    @property
    def on_gpu(self) -> bool:
        """Whether there is a device to wait for."""
        return self.device.startswith("cuda")

    def synchronize(self) -> None:
        """Waits for the device."""
        if self.on_gpu:
            torch.cuda.synchronize(self.device)

    def fresh(self, keep: bool = False) -> None:
        """Gives memory back, that of a loaded pipeline only without ``keep``, and forgets its peak."""
        if not keep:
            load_pipeline.cache_clear()
        empty_cache()
        if self.on_gpu:
            torch.cuda.reset_peak_memory_stats(self.device)

    def peak_mb(self) -> int | None:
        """Most device memory since :meth:`fresh`."""
        return torch.cuda.max_memory_allocated(self.device) // 2**20 if self.on_gpu else None


def requests(count: int) -> list[Request]:
    """Of different users."""
    return [Request(f"user-{i}", 0, i) for i in range(count)]


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


def by_folder(layouts: Sequence[str]) -> list[list[str]]:
    """Layouts in groups; those of one folder share its card, so one process must write them."""
    groups: dict[str, list[str]] = {}
    for layout in layouts:
        groups.setdefault(ALL[LAYOUTS[layout]].folder, []).append(layout)
    return list(groups.values())


def make_layouts(layouts: Sequence[str], size: str, folder: Path) -> None:
    """Writes random weights of layouts, and notes which are whole."""
    for layout in layouts:
        make_weights(layout, size, folder / "weights")  # type: ignore[arg-type]
        (folder / f"{layout}.made").touch()


def stage_weights(check: Check) -> dict[str, Any]:
    """Random weights of every layout; several at once where there are cores for it."""
    started = time.perf_counter()
    groups = by_folder([layout for layout in LAYOUTS if not (check.folder / f"{layout}.made").exists()])
    workers = min(len(groups), (os.cpu_count() or 1) // 2)
    if workers < 2:
        for layouts in groups:
            make_layouts(layouts, check.size, check.folder)
    else:
        with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
            for future in [pool.submit(make_layouts, layouts, check.size, check.folder) for layouts in groups]:
                future.result()
    size = sum(path.stat().st_size for path in (check.folder / "weights").rglob("*") if path.is_file())
    return {"seconds": round(time.perf_counter() - started, 1), "bytes": size}


def stage_smoke(check: Check) -> dict[str, Any]:
    """The smoke task, from synthetic data to the page, and what each part of it took."""
    rebeca = [sys.executable, "-c", "from benchmark.commands.main import main; main()"]
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
        done = subprocess.run([*rebeca, *command], capture_output=True, text=True)
        if done.returncode:
            raise RebecaError(f"rebeca-bench {' '.join(command[:3])} failed:\n{done.stderr[-3000:]}")
    shown = json.loads(done.stdout)
    records = next((check.folder / "work" / "records").glob("*/v*"))
    origin = read_comparison(records).provenance
    return {
        "seconds": round(time.perf_counter() - started, 1), "generators": len(shown["generators"]),
        "page bytes": Path(shown["page"]).stat().st_size, "seconds by part": dict(origin.seconds),
    }  # fmt: skip


def stage_decoding(check: Check) -> dict[str, Any]:
    """Images per second by batch, PNG files included; then the original's way, in the same process."""
    check.fresh()
    batches = {batch: measured(check, batch) for batch in (BATCHES if check.full else BATCHES[:2])}
    return {"batches": batches, "original": original(check)}


def measured(check: Check, batch: int, **changes: Any) -> dict[str, Any]:
    """Images per second with one batch, after a first one that does not count."""
    check.fresh(keep=not changes)
    decoder = check.decoder(batch=batch, **changes)
    count = max(batch, 16 if check.full else 2)
    try:
        first = seconds(check, lambda: decode_and_write(check, decoder, check.vectors(batch)), 1)
        times = 2 if batch > 1 else 1
        rate = count / seconds(check, lambda: decode_and_write(check, decoder, check.vectors(count)), times)
    except RuntimeError as error:
        if not out_of_memory(error):
            raise
        return {"out of memory": True}
    figures: dict[str, Any] = {
        "images per second": round(rate, 3), "peak device memory, MB": check.peak_mb(),
        "first batch, s": round(first, 1),
    }  # fmt: skip
    peak = peak_tflops(check.device)
    if check.full and peak is not None:
        figures["share of the peak"] = round(rate * ((check.steps + 1) * TFLOP_PER_STEP + TFLOP_REST) / peak, 3)
    return figures


def stage_compiled(check: Check) -> dict[str, Any]:
    """The same with a compiled UNet and one size of batch; the first batch pays for it."""
    by_batch: dict[str, Any] = {}
    for batch in BATCHES[-1:] if check.full else BATCHES[:1]:
        try:
            by_batch[str(batch)] = measured(check, batch, compile=True)
        except torch._dynamo.exc.TorchDynamoException as error:  # e.g. without a compiler: the other stages stand
            by_batch[str(batch)] = {"failed": str(error).splitlines()[0]}
    return by_batch


def decode_and_write(check: Check, decoder: StableDiffusion, vectors: Any) -> None:
    """Decodes and writes PNG files, as a run does."""
    from benchmark.runner.images import read_unit, write_unit

    class Nothing:
        def __len__(self) -> int:
            return 0

    with tempfile.TemporaryDirectory() as folder:
        wanted = requests(len(vectors))
        write_unit(Path(folder), iter(decoder.decode(vectors, wanted)), wanted, Nothing(), "check")  # type: ignore[arg-type]
        failed = [image for image in read_unit(Path(folder)) if image.failure == "missing"]
    if failed:
        raise RebecaError(f"{len(failed)} of {len(wanted)} images hold numbers that are not finite")


def original(check: Check) -> dict[str, Any]:
    """The original's way: one image per call, single precision, the cache emptied each time."""
    check.fresh()
    decoder = check.decoder(batch=1, dtype="float32", channels_last=False)
    vectors = check.vectors(8 if check.full else 2)

    def one_by_one(count: int) -> None:
        for i in range(count):
            (image,) = decoder.decode(vectors[i : i + 1], requests(1))
            if image is None:
                raise RebecaError("an image in single precision holds numbers that are not finite")
            Image.fromarray(image.pixels).save(BytesIO(), "PNG")
            if check.on_gpu:
                torch.cuda.empty_cache()

    one_by_one(1)
    rate = len(vectors) / seconds(check, lambda: one_by_one(len(vectors)), 1)
    return {"images per second": round(rate, 3), "peak device memory, MB": check.peak_mb()}


def stage_scorers(check: Check) -> dict[str, Any]:
    """Images per second of every scorer and encoder that a run asks, one at a time, from pixels to numbers."""
    from benchmark.scorers.hpsv2 import HPSv2Params, HPSv2Scorer
    from benchmark.scorers.laion import LaionParams, LaionScorer
    from rebeca.encoders.published import Published, PublishedParams
    from rebeca.interfaces import EncoderContext

    count = 256 if check.full and check.on_gpu else 4
    side = 512 if check.full else 64
    pixels = [np.random.default_rng(i).integers(0, 256, (side, side, 3)).astype(np.uint8) for i in range(count)]

    def tower(name: Any) -> Published:
        return Published(PublishedParams(name), EncoderContext(check.device))

    def hpsv2() -> Callable[[], Any]:
        spec = HPSv2Params(weights="published:hpsv2.0", dtype="auto")
        context: Any = SimpleNamespace(device=check.device)
        scorer = HPSv2Scorer(spec, context)
        return lambda: [scorer.score_pixels(pixels[i : i + spec.batch]) for i in range(0, count, spec.batch)]

    def laion() -> Callable[[], Any]:
        spec = LaionParams(backbone="published:vit-l", weights="published:laion-v2")
        context: Any = SimpleNamespace(device=check.device, encoder=lambda name: tower(name.partition(":")[2]))
        scorer = LaionScorer(spec, context)
        return lambda: scorer.score_pixels(pixels)

    def encoder(name: str) -> Callable[[], Callable[[], Any]]:
        def build() -> Callable[[], Any]:
            loaded = tower(name)
            return lambda: loaded.encode(pixels)

        return build

    builders: dict[str, Callable[[], Callable[[], Any]]] = {
        "hpsv2": hpsv2, "laion": laion, "verifier (ViT-bigG)": encoder("vit-g"), "auditor (ViT-L)": encoder("vit-l"),
        "diversity, nearest (ViT-H)": encoder("vit-h"),
    }  # fmt: skip
    by_scorer = {}
    for name, build in builders.items():
        check.fresh()
        work = build()
        work()  # loads
        by_scorer[name] = {
            "images per second": round(count / seconds(check, work), 2), "peak device memory, MB": check.peak_mb(),
        }  # fmt: skip
        del work
    return by_scorer


class Inside:
    """Seconds inside a module's calls: by the device's own clock, which makes nobody wait, or by the wall's."""

    def __init__(self, module: Any, on_gpu: bool) -> None:
        self._marks: list[tuple[Any, Any]] = []
        self._began: Any = None
        self._on_gpu = on_gpu
        self.hooks = [module.register_forward_pre_hook(self._before), module.register_forward_hook(self._after)]

    def _mark(self) -> Any:
        if not self._on_gpu:
            return time.perf_counter()
        event = torch.cuda.Event(enable_timing=True)
        event.record()
        return event

    def _before(self, *_: Any) -> None:
        self._began = self._mark()

    def _after(self, *_: Any) -> None:
        self._marks.append((self._began, self._mark()))

    def seconds(self) -> float:
        """Of all calls so far; the device must have finished."""
        if self._on_gpu:
            return sum(float(a.elapsed_time(b)) for a, b in self._marks) / 1000
        return sum(float(b - a) for a, b in self._marks)


def stage_time(check: Check) -> dict[str, Any]:
    """Where the time of decoding goes, over four batches: inside the models, and outside of them."""
    check.fresh()
    batch = 32 if check.full else 2
    decoder = check.decoder(batch=batch)
    pipe = load_pipeline(decoder.params.of_pipeline, check.device)
    decode_and_write(check, decoder, check.vectors(batch))
    parts = {"unet": pipe.unet, "vae": pipe.vae.decoder, "text_encoder": pipe.text_encoder}
    inside = {name: Inside(module, check.on_gpu) for name, module in parts.items()}
    wall = seconds(check, lambda: decode_and_write(check, decoder, check.vectors((4 if check.full else 2) * batch)), 1)
    spent = {name: clock.seconds() for name, clock in inside.items()}
    for hook in (hook for clock in inside.values() for hook in clock.hooks):
        hook.remove()
    return {name: round(value / wall, 4) for name, value in spent.items()} | {
        "batch": batch, "outside model calls": round(1 - sum(spent.values()) / wall, 4), "seconds": round(wall, 2),
    }  # fmt: skip


def stage_prior(check: Check) -> dict[str, Any]:
    """Training steps per second of the published prior, and seconds for one full batch of its embeddings."""
    users, items, dim, steps = (210, 2000, 1024, 200) if check.full else (4, 50, 64, 5)
    per_user = min(items, 100)
    rng = np.random.default_rng(0)
    embeddings = rng.normal(0, 1, (items, dim)).astype(np.float32)
    rows = np.concatenate([rng.choice(items, per_user, replace=False) for _ in range(users)])
    likes = rng.random(len(rows)) < 0.5

    def fit(count: int) -> Prior:
        return Prior.fit(
            np.repeat(np.arange(users), per_user), rows, likes, embeddings, device=check.device, max_steps=count,
            patience=None,
        )  # fmt: skip

    check.fresh()
    prior = fit(steps)  # loads, and chooses kernels
    training = seconds(check, lambda: fit(2 * steps), 1) - seconds(check, lambda: fit(steps), 1)
    batch, sampler_steps = (prior.params.sample_batch, prior.params.steps) if check.full else (16, 10)
    sampling = seconds(check, lambda: prior.sample(0, batch, steps=sampler_steps), 1)
    return {
        "training steps per second": round(steps / training, 1), "batch": batch, "sampler steps": sampler_steps,
        "seconds per batch": round(sampling, 2),
    }  # fmt: skip


STAGES = {
    "weights": stage_weights, "smoke": stage_smoke, "decoding": stage_decoding, "scorers": stage_scorers,
    "time": stage_time, "compiled": stage_compiled, "prior": stage_prior,
}  # fmt: skip


def state_of(check: Check) -> str:
    """SHA-256 over all that a figure depends on besides the device: code, packages, parameters."""
    digest = hashlib.sha256(
        json.dumps([machine(check.device).model_dump(), check.size, check.steps], sort_keys=True).encode()
    )
    for path in sorted([*(ROOT / "rebeca").rglob("*.py"), *(ROOT / "benchmark").rglob("*.py"), Path(__file__)]):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def peak_tflops(device: str) -> float | None:
    """Of the device, where it is known."""
    name = device_name(device)
    return next((peak for part, peak in PEAK_TFLOPS.items() if part in name), None)


def summary(results: dict[str, Any]) -> dict[str, float]:
    """The figures that have limits."""
    entries = [*results["decoding"]["batches"].values(), *results["compiled"].values()]
    rates = [entry["images per second"] for entry in entries if "images per second" in entry]
    scoring = sum(1 / entry["images per second"] for entry in results["scorers"].values())
    return {
        "images per second": max(rates),
        "times faster than the original's way": round(
            max(rates) / results["decoding"]["original"]["images per second"], 2
        ),
        "scoring / generating": round(scoring * max(rates), 4),
        "outside model calls": results["time"]["outside model calls"],
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
        name = device_name(device)
        folder = (folder / f"{name.lower().replace(' ', '-')}-{size}").resolve()
        folder.mkdir(parents=True, exist_ok=True)
        check, path = Check(folder, size, device), folder / "done.json"
        results = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        state = state_of(check)
        if results.pop("state", state) != state:  # measure anew, but keep the weights
            results = {stage: entry for stage, entry in results.items() if stage == "weights"}
        started = time.perf_counter()
        for part, stage in STAGES.items():
            if part in results:
                continue
            if time.perf_counter() - started > limit:
                click.echo(f"{len(results)} of {len(STAGES)} stages are done; the same command goes on")
                return
            click.echo(f"{part}: {stage.__doc__}")
            results[part] = stage(check)
            temporary = path.with_suffix(".tmp")
            temporary.write_text(json.dumps(results | {"state": state}, indent=1), encoding="utf-8")
            temporary.replace(path)
            click.echo(f"  {json.dumps(results[part])}")
        figures, git = summary(results), git_state()
        report = {
            "device": name if device != "cpu" else f"cpu, {torch.get_num_threads()} threads", "size": size,
            "weights": "random", "steps": check.steps,
            "measured": datetime.fromtimestamp(path.stat().st_mtime, UTC).date().isoformat(),
            "git": None if git is None else git.model_dump(), "packages": machine(device).packages,
            "figures": figures, "stages": results,
        }  # fmt: skip
        out.mkdir(parents=True, exist_ok=True)
        target = out / f"{name.lower().replace(' ', '-')}{'' if size == 'full' else '-tiny'}.json"
        target.write_text(json.dumps(report, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        for key, value in figures.items():
            click.echo(f"{key:40s} {value:10.3f}  (limit on one H100: {LIMITS[key]:g})")
        click.echo(f"wrote {target}")


if __name__ == "__main__":
    main()

"""Runs a task: every stage takes its artefact from the store or makes it.

Stages: embeddings of the catalogue -> judges -> fits -> pictures (units of a few whole users) -> scores -> records.
The address of each names everything that it depends on, so running again does only what is missing.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from benchmark.runner.devices import rehearsed
from benchmark.runner.embed import encode_catalogue, read_vectors
from benchmark.runner.freeze import Freezer
from benchmark.runner.images import KeptPixels, LazyPixels, Made, read_embeddings, read_unit, write_batch, write_unit
from benchmark.runner.plugins import build, build_encoder, guarded
from benchmark.runner.progress import Reporter, Timing
from benchmark.runner.reports import write_report
from benchmark.runner.scorers import scorer_context
from benchmark.runner.store import Store, stage_key
from benchmark.runner.world import World, build_world
from benchmark.task.declared import address_of, fingerprint
from benchmark.task.encoders import ResolvedEncoder
from benchmark.task.registry import identity
from benchmark.task.resolve import ResolvedGenerator, ResolvedJudge, ResolvedScorer, Task
from rebeca.arrays import Floats, Pixels
from rebeca.data.splits import Part
from rebeca.device import empty_cache, on_processor
from rebeca.interfaces import (
    Decoder,
    DecoderContext,
    Encoder,
    FittedJudge,
    Generator,
    GeneratorContext,
    JudgeContext,
    Privileges,
    Request,
    ScoredImages,
    Scorer,
    SetScorer,
    Space,
)
from rebeca.params import params_json
from rebeca.pixels import decode_image
from rebeca.seeds import SeedScheme, substream

USERS_PER_UNIT = 64
"""People a unit of work: a crash loses at most the unit in hand."""


class Run:
    """One task on one work folder."""

    def __init__(self, task: Task, workdir: Path, device: str = "cpu", reporter: Reporter | None = None) -> None:
        self.task = task
        self.device = device
        self.reporter = reporter or Reporter(quiet=True)
        self.store = Store(workdir, self.reporter.say)
        self.freezer = Freezer(workdir, task)
        self.timing = Timing()
        self.painted: dict[str, int] = {}
        self._encoders: dict[str, Encoder[Any]] = {}
        self._ready: set[str] = set()
        self._scorers: dict[str, Scorer[Any] | SetScorer[Any]] = {}
        self._embeddings_keys: dict[str, str] = {}  # hashing an encoder's weights takes a while
        self._embeddings: dict[str, Floats] = {}
        self._pixel_embeddings: dict[tuple[str, str], Floats] = {}
        self._kept = KeptPixels()
        self._batches: dict[str, int] = {}

    @cached_property
    def world(self) -> World:
        """Data, divided."""
        return build_world(self.task)

    def role_spec(self, role: str) -> ResolvedEncoder:
        """The encoder of ``task``, ``verifier`` or ``auditor``."""
        return self.task.encoder if role == "task" else self.task.judges[role].encoder

    # -- embeddings -------------------------------------------------------------------------------------------------

    def _encoder(self, role: str) -> Encoder[Any]:
        if role not in self._encoders:
            self._encoders[role] = build_encoder(self.role_spec(role), self.device)
        return self._encoders[role]

    def _encoder_inputs(self, role: str) -> dict[str, Any]:
        encoder = self.role_spec(role)
        learned = None
        if encoder.learns:
            learned = {
                "training": self.world.division.training_items.nonzero()[0].tolist(),
                "seed": self.task.seeds.fit(f"encoder-{role}"),
            }
        return {"encoder": encoder.address(), "learned": learned, "device": self.device.partition(":")[0]}

    def embeddings_key(self, role: str) -> str:
        """Address of the catalogue in a role's space."""
        if role not in self._embeddings_keys:
            self._embeddings_keys[role] = stage_key("embeddings", self._embeddings_inputs(role))
        return self._embeddings_keys[role]

    def _embeddings_inputs(self, role: str) -> dict[str, Any]:
        return {**self._encoder_inputs(role), "catalogue": self.world.dataset.catalogue.fingerprint()}

    def embeddings(self, role: str) -> Floats:
        """float32 [items, dim]; the catalogue in a role's space."""
        key = self.embeddings_key(role)
        if key not in self._embeddings:
            unfinished = self.store.root / "checkpoints" / f"embeddings-{key}"

            def write(folder: Path) -> None:
                with self.reporter.stage(f"encode ({role})") as report:
                    made = encode_catalogue(
                        self._fitted_encoder(role), self.world.dataset.catalogue, unfinished, report
                    )
                shutil.copyfile(made, folder / made.name)

            folder = self.make("embeddings", key, self._embeddings_inputs(role), write, f"encode ({role})")
            shutil.rmtree(unfinished, ignore_errors=True)
            self._embeddings[key] = read_vectors(folder / "embeddings.npy")
        return self._embeddings[key]

    def _fitted_encoder(self, role: str) -> Encoder[Any]:
        encoder = self._encoder(role)
        if self.role_spec(role).learns and role not in self._ready:
            items = np.flatnonzero(self.world.division.training_items).tolist()
            pictures = LazyPixels(self.world.dataset.catalogue.pixels, items)
            encoder.fit(pictures, items, self.task.seeds.fit(f"encoder-{role}"))
            self._ready.add(role)
        return encoder

    # -- judges -----------------------------------------------------------------------------------------------------

    def _judge_parts(self, role: str) -> tuple[ResolvedJudge, Part, str]:
        """Judge, ratings and encoder's role; ``prior`` is the verifier refitted in the generators' embedding space."""
        if role == "prior":
            return self.task.judges["verifier"], self.world.division.verifier, "task"
        return self.task.judges[role], getattr(self.world.division, role), role

    def judge_key(self, role: str, share: float = 1.0) -> str:
        """Address of a fitted judge."""
        return stage_key("judge", self._judge_inputs(role, share))

    def _judge_inputs(self, role: str, share: float) -> dict[str, Any]:
        spec, _, space = self._judge_parts(role)
        return {
            "judge": address_of("judge", spec.use, spec.params),
            "embeddings": self.embeddings_key(space),
            "ratings": self.world.fingerprint,
            "part": role,
            "seed": self.task.seeds.fit(f"judge-{role}"),
            "device": self.device,
        } | ({"share": share} if share < 1 else {})

    def judge(self, role: str, share: float = 1.0) -> FittedJudge:
        """A judge, fitted when first asked; with ``share``, on that share of each person's ratings."""
        key = self.judge_key(role, share)
        space = self._judge_parts(role)[2]
        cache: list[Any] = []

        def model() -> Any:
            if not cache:
                cache.append(self._fitted_judge(role, share, key))
            return cache[0]

        return FittedJudge(
            model, lambda: self.embeddings(space), lambda images: self._fitted_encoder(space).encode(images), key
        )

    def _fitted_judge(self, role: str, share: float, key: str) -> Any:
        spec, part, space = self._judge_parts(role)
        title = f"fit {role}" + (f" on {share:.0%} of the ratings" if share < 1 else "")
        seed = self.task.seeds.fit(f"judge-{role}")
        users, items = self.world.dataset.ratings.user_ids, self.world.division.training_items

        def write(folder: Path) -> None:
            embeddings = self.embeddings(space)
            own = part if share == 1 else part.thinned(share, substream(seed, "share"))
            with self.reporter.stage(title) as report:
                context = JudgeContext(users, items, seed, self.device, report)
                judge = build("judge", spec.use, spec.params, context)
                judge.fit(own, embeddings)
            judge.save(folder)

        folder = self.make("judge", key, self._judge_inputs(role, share), write, title)
        judge = build("judge", spec.use, spec.params, JudgeContext(users, items, seed, self.device))
        judge.load(folder)
        return judge

    @cached_property
    def judges(self) -> dict[str, FittedJudge]:
        """All judges of the task."""
        roles = ["verifier"] + (["auditor"] if self.task.file.judges.auditor is not None else [])
        return {role: self.judge(role) for role in roles}

    # -- fits -------------------------------------------------------------------------------------------------------

    def fit_key(self, spec: ResolvedGenerator) -> str:
        """Address of a fit; equal for generators that differ in sampling parameters only."""
        return stage_key("fit", self._fit_inputs(spec))

    def _fit_inputs(self, spec: ResolvedGenerator) -> dict[str, Any]:
        flags = spec.flags()
        params = {k: v for k, v in params_json(spec.params).items() if k in flags.fit_parameters}
        return {
            "use": spec.use,
            "code": identity("generator", spec.use).hash,
            "fingerprint": fingerprint("generator", spec.use, spec.params),
            "params": params,
            "embeddings": self.embeddings_key("task"),
            "ratings": self.world.fingerprint,
            "judge": self.judge_key("verifier") if "judge" in flags.needs and flags.privileged_at == "fit" else None,
            "seed": [self.task.file.id, self.task.file.version, self.task.file.seed],
            "device": self.device,
        }

    def context(self, spec: ResolvedGenerator, key: str, report: Callable[[int, int, str], None]) -> GeneratorContext:
        """What the generator is given."""
        world = self.world
        offers: dict[str, Callable[[], Any]] = {
            "judge": lambda: self.judges["verifier"],
            "held-out": lambda: world.division.test,
            "ground-truth": lambda: world.dataset.ground_truth,
        }
        embeddings = self.embeddings("task")
        use = self.task.file.decoder.use

        def decoder(space: Space) -> Decoder[Any]:
            given = DecoderContext(world.dataset.catalogue, embeddings, world.candidates, space, self.device)
            made = build("decoder", use, spec.decoder, given)
            inputs = address_of("decoder", use, spec.decoder)
            batch = rehearsed(made, inputs, self.device, self.store.root / "rehearsals")
            if batch is not None:
                self._batches[spec.id] = batch
            return made

        checkpoints = self.store.root / "checkpoints" / key
        checkpoints.mkdir(parents=True, exist_ok=True)
        seeds = SeedScheme(self.task.file.id, self.task.file.version, self.task.file.seed, spec.offset)
        return GeneratorContext(
            users=world.dataset.ratings.user_ids,
            catalogue=world.dataset.catalogue,
            candidates=world.candidates,
            encoder=lambda: self._fitted_encoder("task"),
            embeddings=embeddings,
            training_items=world.division.training_items,
            validation=world.division.generators.validation,
            decoder=decoder,
            seeds=seeds,
            fit_seed=self.task.seeds.fit(key),
            device=self.device,
            workdir=checkpoints,
            progress=report,
            privileges=Privileges({need: offers[need] for need in spec.flags().needs}),
        )

    def prepare(self, spec: ResolvedGenerator) -> None:
        """Makes what a third-party generator may ask for, so that nothing else is made while it works."""
        self.embeddings("task")
        if "judge" in spec.flags().needs:
            self.judges["verifier"].catalogue()
            self.judges["verifier"].model()

    def fitted(self, spec: ResolvedGenerator) -> Generator[Any]:
        """A generator that is ready to generate."""
        if not identity("generator", spec.use).is_own:
            self.prepare(spec)
        key = self.fit_key(spec)
        with self.reporter.stage(f"fit {spec.id}") as report:
            context = self.context(spec, key, report)

            def write(folder: Path) -> None:
                generator = build("generator", spec.use, spec.params, context, spec.id)
                generator.fit(self.world.division.generators.train)
                generator.save(folder)
                write_report(folder, generator.report(), spec.id)

            folder = self.make("fit", key, self._fit_inputs(spec), write, f"fit {spec.id}")
            for damaged in sorted(context.workdir.glob("*.damaged")):
                self.reporter.say(f"  {spec.id}: {damaged.stem} was cut short or edited; the fit began anew")
            shutil.rmtree(context.workdir, ignore_errors=True)
            generator = build("generator", spec.use, spec.params, context, spec.id)
            generator.load(folder)
        return generator

    # -- pictures ---------------------------------------------------------------------------------------------------

    def units(self) -> list[tuple[str, ...]]:
        """People of every unit; depends on the plan alone."""
        ids = self.world.user_ids
        return [ids[start : start + USERS_PER_UNIT] for start in range(0, len(ids), USERS_PER_UNIT)]

    def _unit_inputs(self, spec: ResolvedGenerator, unit: Sequence[str]) -> dict[str, Any]:
        return {
            "fit": self.fit_key(spec),
            "params": params_json(spec.params),
            "decoder": address_of("decoder", self.task.file.decoder.use, spec.decoder),
            "seeds": [self.task.file.id, self.task.file.version, self.task.file.seed, spec.offset, spec.noise_group],
            "users": list(unit),
            "images": self.task.images_of(spec),
            "device": self.device,
        } | ({"judge": self.judge_key("verifier")} if self._judged_pictures(spec) else {})

    def _judged_pictures(self, spec: ResolvedGenerator) -> bool:
        flags = spec.flags()
        return flags.privileged_at == "generate" and "judge" in flags.needs

    def picture_keys(self, spec: ResolvedGenerator) -> list[str]:
        """Addresses of all units of a generator."""
        return [stage_key("pictures", self._unit_inputs(spec, unit)) for unit in self.units()]

    def has_pictures(self) -> bool:
        """Whether a picture of the task is in the store."""
        keys = (key for spec in self.task.generators for key in self.picture_keys(spec))
        return any(self.store.folder("pictures", key).is_dir() for key in keys)

    def has_all_pictures(self, spec: ResolvedGenerator) -> bool:
        """Whether nothing of a generator is missing in the store."""
        return all(self.store.find("pictures", key) is not None for key in self.picture_keys(spec))

    def make_pictures(self, spec: ResolvedGenerator) -> list[Path]:
        """Folders of all units, making what is missing."""
        fitted: list[Generator[Any]] = []

        def generator() -> Generator[Any]:
            if not fitted:
                self._make_room()
                fitted.append(self.fitted(spec))
            return fitted[0]

        folders = []
        self._kept.clear()
        with self.reporter.stage(f"pictures {spec.id}") as report:
            for number, unit in enumerate(self.units()):
                inputs = self._unit_inputs(spec, unit)
                requests = self.requests(spec, unit)

                def write(folder: Path, requests: list[Request] = requests) -> None:
                    ready = generator()
                    with guarded("generator", spec.id):
                        answers = iter(ready.generate(requests))
                        write_unit(folder, answers, requests, self.world.dataset.catalogue, spec.id, self._kept)
                        if spec.id in self._batches:
                            write_batch(folder, self._batches[spec.id])
                    self.painted[spec.id] = self.painted.get(spec.id, 0) + len(requests)

                key = stage_key("pictures", inputs)
                there = self.store.folder("pictures", key).is_dir()
                if not there:
                    generator()
                folders.append(self.make("pictures", key, inputs, write, f"pictures {spec.id}", announce=number == 0))
                if not there:
                    self.freezer.kept()
                report((number + 1) * len(unit), len(self.world.users), "people")
        return folders

    def _make_room(self) -> None:
        """On a device with a memory of its own, judges and scorers go before a painter comes; they are built again."""
        if on_processor(self.device):
            return
        self._scorers.clear()
        self._encoders = {role: encoder for role, encoder in self._encoders.items() if self.role_spec(role).learns}
        empty_cache()

    def requests(self, spec: ResolvedGenerator, unit: Sequence[str]) -> list[Request]:
        """Requests for some people, with their seeds."""
        seeds = SeedScheme(self.task.file.id, self.task.file.version, self.task.file.seed, spec.offset)
        return [
            Request(user, k, seeds.picture(user, k, spec.noise_group))
            for user in unit
            for k in range(self.task.images_of(spec))
        ]

    def scored_pictures(self, folders: Sequence[Path]) -> tuple[list[Made], ScoredImages]:
        """All pictures of a generator, and the valid ones as scorers see them."""
        made = [row for folder in folders for row in read_unit(folder)]
        where = {row.digest: folder for folder in folders for row in read_unit(folder) if row.item < 0}
        valid = [row for row in made if not row.failure]
        index = {name: i for i, name in enumerate(self.world.dataset.ratings.user_ids)}
        digests = tuple(row.digest for row in valid)
        first: dict[str, int] = {}
        unique = np.array([first.setdefault(d, i) for i, d in enumerate(digests)], dtype=np.int64)
        item = np.array([row.item for row in valid], dtype=np.int64)
        catalogue = self.world.dataset.catalogue

        def pixels(i: int) -> Pixels:
            if valid[i].item >= 0:
                return catalogue.pixels(valid[i].item)
            digest = valid[i].digest
            kept = self._kept.get(digest)
            if kept is None:
                path = where[digest] / f"{digest}.png"
                kept = decode_image(path.read_bytes(), str(path))
                self._kept.add(digest, kept)
            return kept

        def embedding(role: str) -> Floats:
            if role == "prior":
                return read_embeddings(folders)[[not row.failure for row in made]]
            table = self.embeddings(role)
            out = np.empty((len(valid), table.shape[1]), np.float32)
            out[item >= 0] = table[item[item >= 0]]
            new = [i for i in first.values() if item[i] < 0]
            if new:
                by_digest = self._encode_new(role, [digests[i] for i in new], LazyPixels(pixels, new))
                for i in np.flatnonzero(item < 0):
                    out[i] = by_digest[digests[i]]
            return out

        pictures = ScoredImages(
            user=np.array([index[row.user] for row in valid], dtype=np.int64),
            replicate=np.array([row.replicate for row in valid], dtype=np.int64),
            digest=digests,
            item=item,
            unique=unique,
            embedding_of=embedding,
            pixels_of=pixels,
        )
        return made, pictures

    def _encode_new(self, role: str, digests: list[str], pictures: Sequence[Pixels]) -> dict[str, Floats]:
        missing = [i for i, d in enumerate(digests) if (role, d) not in self._pixel_embeddings]
        if missing:
            lazily = LazyPixels(pictures.__getitem__, missing)
            encoded = self._fitted_encoder(role).encode(lazily, [None] * len(missing))
            for i, vector in zip(missing, encoded, strict=True):
                self._pixel_embeddings[role, digests[i]] = vector
        return {d: self._pixel_embeddings[role, d] for d in digests}

    # -- scorers ----------------------------------------------------------------------------------------------------

    def scorer(self, spec: ResolvedScorer) -> Scorer[Any] | SetScorer[Any]:
        """A scorer, built once."""
        if spec.id not in self._scorers:
            context = scorer_context(self, spec)
            self._scorers[spec.id] = build("scorer", spec.use, spec.params, context, spec.id)
        return self._scorers[spec.id]

    # -- all --------------------------------------------------------------------------------------------------------

    def make(
        self,
        stage: str,
        key: str,
        inputs: dict[str, Any],
        write: Callable[[Path], None],
        title: str,
        announce: bool = True,
    ) -> Path:
        """Takes an artefact from the store or makes it, and counts the time."""
        found = self.store.find(stage, key)
        if found is not None:
            return found
        started = time.perf_counter()
        if announce:
            self.reporter.say(f"  {title} ...")
        inner = sum(self.timing.seconds.values())
        path = self.store.make(stage, key, inputs, write)
        nested = sum(self.timing.seconds.values()) - inner
        self.timing.add(title, time.perf_counter() - started - nested)
        return path

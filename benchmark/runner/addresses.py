"""Every cache key of a run, computed before a model is loaded or built.

This needs only the users' ids, the hashes of the data files, and the list of items where captions stand in it.

An address holds what a result depends on: parameters of the task file, seeds, the class of the device, the code and
weights of plug-ins, and the hashes of the data set's files. The project's own code is covered by the versions of its
stages. An address holds the keys of its inputs, so that a change moves all that depends on it and nothing else.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from benchmark.analysis.measures import PRIOR
from benchmark.runner.store import STAGE_VERSIONS, Address
from benchmark.task.declared import address_of, fingerprint
from benchmark.task.encoders import ResolvedEncoder, named_encoder
from benchmark.task.registry import Kind, PluginIdentity, identity, plugin_class
from benchmark.task.resolved import ResolvedGenerator, ResolvedScorer, Task
from rebeca.data.splits import DIVISION
from rebeca.declared import GeneratorFlags, ScorerFlags
from rebeca.device import device_class
from rebeca.hashes import file_hashes
from rebeca.params import changed_params, params_json
from rebeca.pixels import DECODING
from rebeca.seeds import digest_of

USERS_PER_UNIT = 16
"""A crash loses at most the work units in progress, and processes share them out."""


@dataclass(frozen=True, slots=True)
class DataAddresses:
    """Identifies a task's data.

    Attributes:
        items: SHA-256 over all that the items depend on.
        ratings: SHA-256 over all that items, ratings and their division depend on.
        captions: Digest of captions that stand in a file; None where there are none.
        users: Address of the ids of those users that images are made for.
    """

    items: str
    ratings: str
    captions: str | None
    users: Address


@dataclass(frozen=True, slots=True)
class EncoderAddress:
    """An encoder in one of its roles.

    Attributes:
        encoder: The encoder.
        seed: Seed of its fit.
        embeddings: Address of all items in its space.
    """

    encoder: ResolvedEncoder
    seed: int
    embeddings: Address


@dataclass(frozen=True, slots=True)
class JudgeAddress:
    """A fit of a judge.

    Attributes:
        role: ``verifier``, ``auditor`` or ``prior``.
        use: Registered name.
        params: Its ``Params``.
        space: Role of the encoder in whose space it judges: its own role, or ``task`` for ``prior``.
        share: Share of each user's ratings that it is fitted on; below 1 on the verifier's learning curve.
        seed: Seed of the fit.
        fit: Address of the fit.
    """

    role: str
    use: str
    params: Any
    space: str
    share: float
    seed: int
    fit: Address


@dataclass(frozen=True, slots=True)
class FitAddress:
    """A fit of a generator.

    Attributes:
        number: Counted from 0.
        seed: Its seed.
        address: Its address; equal for generators that differ only in how they sample.
    """

    number: int
    seed: int
    address: Address


@dataclass(frozen=True, slots=True)
class WorkUnit:
    """Images of a few whole users that one fit makes.

    Attributes:
        fit: The fit that makes them.
        replicates: Which images of each user.
        users: Ids of the users.
        address: Address of the images.
    """

    fit: FitAddress
    replicates: range
    users: tuple[str, ...]
    address: Address

    @property
    def images(self) -> int:
        return len(self.replicates) * len(self.users)


@dataclass(frozen=True, slots=True)
class GeneratorAddress:
    """A generator.

    Attributes:
        flags: What its class declares.
        fits: Its fits; a single one where the seed of a fit changes nothing.
        units: Its work units: for each fit that the task asks for, all users in the order of :attr:`Addresses.units`.
    """

    flags: GeneratorFlags
    fits: tuple[FitAddress, ...]
    units: tuple[WorkUnit, ...]

    def artefacts(self) -> Iterator[Address]:
        """Fits and images."""
        yield from (fit.address for fit in self.fits)
        yield from (unit.address for unit in self.units)


@dataclass(frozen=True, slots=True)
class Addresses:
    """All addresses of a run, and what plug-ins declare.

    Attributes:
        data: Of the data set.
        fits: Fits that the task asks for.
        units: Ids of the users of each work unit.
        encoders: By role: ``task``, ``verifier``, ``auditor``.
        judges: Those of the task by role, and ``prior`` where a scorer needs it.
        curve: The verifier on shares of its ratings, in the order of ``judges.learning_curve``.
        generators: By id.
        scorers: What scorers declare, by id.
        scores: By generator and scorer.
        held_out: The judges' scores of held-out ratings.
        plugins: Plug-ins of other distributions.
    """

    data: DataAddresses
    fits: int
    units: tuple[tuple[str, ...], ...]
    encoders: Mapping[str, EncoderAddress]
    judges: Mapping[str, JudgeAddress]
    curve: tuple[JudgeAddress, ...]
    generators: Mapping[str, GeneratorAddress]
    scorers: Mapping[str, ScorerFlags]
    scores: Mapping[tuple[str, str], Address]
    held_out: Address
    plugins: tuple[PluginIdentity, ...]

    def artefacts(self) -> Iterator[Address]:
        """Every artefact that the task uses, each once."""
        yield from dict.fromkeys(
            [self.data.users, *self.learned(), *self.images(), *self.scores.values(), self.held_out]
        )

    def learned(self) -> Iterator[Address]:
        """Embeddings and fits, each once."""
        fits = [judge.fit for judge in (*self.judges.values(), *self.curve)]
        fits += [fit.address for generator in self.generators.values() for fit in generator.fits]
        yield from dict.fromkeys([*(encoder.embeddings for encoder in self.encoders.values()), *fits])

    def images(self) -> Iterator[Address]:
        """Every work unit of every generator."""
        for generator in self.generators.values():
            yield from (unit.address for unit in generator.units)


def data_addresses(task: Task) -> DataAddresses:
    """Identifies the task's data by its kind and parameters and by the hashes of its files.

    Names of files count, the folder in which they lie does not.
    """
    spec = task.file.data
    source = plugin_class("data set", spec.kind)
    files = _hashed_files(task.data_path)
    of_ratings = {name for name in files if _matches(name, source.rating_files(task.data))}
    of_items = {name for name in files if _matches(name, source.item_files(task.data))} - of_ratings
    captioned = None if task.data_path is None else source.caption_file(task.data, task.data_path)
    if captioned is not None:
        files[captioned.name] = captioned.others
    items = digest_of(
        {
            "version": STAGE_VERSIONS["data"],
            "source": address_of("data set", spec.kind, task.data),
            "files": {name: files[name] for name in of_items},
            **({"decoding": DECODING} if of_items else {}),
        }
    )
    ratings = digest_of(
        {
            "items": items,
            "files": {name: files[name] for name in of_ratings},
            "like_at": spec.like_at,
            "split": spec.split.model_dump(mode="json"),
            "ratings": task.file.judges.ratings,
            "seed": task.file.seed,
            **({"division": DIVISION} if of_items else {}),
        }
    )
    users = Address.of("data", ratings=ratings, users=task.file.users.model_dump(mode="json"), also="knows")
    return DataAddresses(items, ratings, None if captioned is None else captioned.captions, users)


def find_addresses(task: Task, device: str, users: Sequence[str], data: DataAddresses) -> Addresses:
    """All addresses of a run.

    Args:
        task: The task.
        device: Torch device; only its class counts, so that ``cuda:0`` and ``cuda:1`` share everything.
        users: Ids of the users that images are made for.
        data: Identifies the data.
    """
    units = tuple(tuple(users[start : start + USERS_PER_UNIT]) for start in range(0, len(users), USERS_PER_UNIT))
    flags = {entry.id: entry.flags() for entry in task.scorers}
    kind = device_class(device)
    encoders = encoder_addresses(task, kind, data)
    judges = {
        role: _judge_address(task, kind, data, encoders, role, 1.0)
        for role in (*task.judges, PRIOR)
        if role != PRIOR or any(PRIOR in each.needs for each in flags.values())
    }
    curve = tuple(
        _judge_address(task, kind, data, encoders, "verifier", share) for share in task.file.judges.learning_curve
    )
    generators = {
        spec.id: _generator_address(task, spec, kind, data, encoders["task"].embeddings, judges["verifier"].fit, units)
        for spec in task.generators
    }
    held_out = Address.of(
        "held-out",
        judges={role: judge.fit.key for role, judge in judges.items() if role != PRIOR},
        curve=[judge.fit.key for judge in curve],
        embeddings=encoders["verifier"].embeddings.key,
        ratings=data.ratings,
        seeds=_seed_names(task),
    )
    needed = {role: judge.fit.key for role, judge in judges.items()} | {
        "training": data.ratings,
        "validation": data.ratings,
        "auditor-ratings": data.ratings,
        "held-out": data.ratings,
        "ground-truth": data.items,
        "support": data.items,
        "embeddings": encoders["task"].embeddings.key,
    }
    scores = {
        (spec.id, entry.id): _score_address(entry, flags[entry.id], generators[spec.id].units, data, needed, task)
        for spec in task.generators
        for entry in task.scorers
    }
    return Addresses(
        data, task.file.fits, units, encoders, judges, curve, generators, flags, scores, held_out, _plugins(task)
    )


def encoder_addresses(task: Task, device: str, data: DataAddresses) -> dict[str, EncoderAddress]:
    """The encoders of a task by role; of the device only its class counts."""
    addresses = {}
    for role, encoder in encoders_of(task).items():
        seed = task.seeds.fitting(f"encoder {role}", encoder.use, _changed_encoder(encoder))
        embeddings = Address.of(
            "embeddings",
            items=data.items,
            encoder=encoder.address(),
            learned={"ratings": data.ratings, "seed": seed} if encoder.learns else None,
            device=device,
        )
        addresses[role] = EncoderAddress(encoder, seed, embeddings)
    return addresses


def encoders_of(task: Task) -> dict[str, ResolvedEncoder]:
    """The encoders of a task by role: ``task``, ``verifier``, ``auditor``."""
    return {"task": task.encoder} | {role: judge.encoder for role, judge in task.judges.items()}


def _changed_encoder(encoder: ResolvedEncoder) -> object:
    return [encoder.use, changed_params(encoder.params), encoder.of and _changed_encoder(encoder.of)]


def _judge_address(
    task: Task, device: str, data: DataAddresses, encoders: Mapping[str, EncoderAddress], role: str, share: float
) -> JudgeAddress:
    spec, space = (task.judges["verifier"], "task") if role == PRIOR else (task.judges[role], role)
    seed = task.seeds.fitting(f"judge {role}", spec.use, changed_params(spec.params))
    fit = Address.of(
        "judge",
        judge=address_of("judge", spec.use, spec.params),
        embeddings=encoders[space].embeddings.key,
        ratings=data.ratings,
        role=role,
        share=share,
        seed=seed,
        device=device,
    )
    return JudgeAddress(role, spec.use, spec.params, space, share, seed, fit)


def _generator_address(
    task: Task,
    spec: ResolvedGenerator,
    device: str,
    data: DataAddresses,
    embeddings: Address,
    verifier: Address,
    units: Sequence[tuple[str, ...]],
) -> GeneratorAddress:
    flags = spec.flags()
    params = params_json(spec.params)
    judge = verifier.key if "judge" in flags.needs else None
    decoder = address_of("decoder", task.file.decoder.use, spec.decoder)
    learns_from = {
        "use": spec.use,
        "code": identity("generator", spec.use).hash,
        "fingerprint": fingerprint("generator", spec.use, spec.params),
        "params": {name: params[name] for name in flags.fit_parameters if name in params},
        "embeddings": embeddings.key,
        "ratings": data.ratings,
        "judge": judge if flags.privileged_at == "fit" else None,
        "device": device,
        **({"decoder": decoder} if "fit" in flags.decodes_in else {}),
        **({"captions": data.captions} if flags.reads_captions and data.captions is not None else {}),
    }
    changed, asked = changed_params(spec.params, flags.fit_parameters), task.file.fits
    seeds = [task.seeds.fitting("generator", spec.use, changed, f) for f in range(asked if flags.fit_varies else 1)]
    fits = tuple(FitAddress(f, seed, Address.of("fit", **learns_from, seed=seed)) for f, seed in enumerate(seeds))
    inputs = {
        "params": params,
        "judge": judge,
        "decoder": decoder if "generate" in flags.decodes_in else None,
        "seeds": [*_seed_names(task), spec.offset, spec.noise_group],
        "images": task.images_of(spec),
        "device": device,
    }

    def unit(number: int, users: tuple[str, ...]) -> WorkUnit:
        fit, of_fit = fits[number % len(fits)], {"fits": [number, asked]} if asked > 1 else {}
        address = Address.of("images", **inputs, **of_fit, fit=fit.address.key, users=users)
        return WorkUnit(fit, range(number, task.images_of(spec), asked), users, address)

    return GeneratorAddress(flags, fits, tuple(unit(number, users) for number in range(asked) for users in units))


def _score_address(
    scorer: ResolvedScorer,
    flags: ScorerFlags,
    units: Sequence[WorkUnit],
    data: DataAddresses,
    needed: Mapping[str, str],
    task: Task,
) -> Address:
    return Address.of(
        "scores",
        scorer=address_of("scorer", scorer.use, scorer.params),
        needs={need: needed[need] for need in flags.needs},
        encoders=[named_encoder(text, task.source.parent).address() for text in flags.encoders],
        ratings=data.ratings,
        units=[unit.address.key for unit in units],
        **({} if task.file.analysis.most_compared is None else {"groups": task.analysis_hash()}),
    )


def _seed_names(task: Task) -> list[str | int]:
    return [task.file.id, task.file.version, task.file.seed]


def _plugins(task: Task) -> tuple[PluginIdentity, ...]:
    """All plug-ins of other distributions that the task uses, sorted by kind and name."""
    used = {(kind, use) for kind, use, _, _ in plugins_of(task)}
    identities = (identity(kind, use) for kind, use in sorted(used))
    return tuple(each for each in identities if not each.is_own)


def plugins_of(task: Task) -> Iterator[tuple[Kind, str, Any, str]]:
    """Kind, registered name, parameters and name in messages of every plug-in of a task."""
    yield "data set", task.file.data.kind, task.data, task.file.data.kind
    for encoder in encoders_of(task).values():
        for own in encoder.chain:
            yield "encoder", own.use, own.params, own.text
    for role, judge in task.judges.items():
        yield "judge", judge.use, judge.params, role
    for scorer in task.scorers:
        yield "scorer", scorer.use, scorer.params, scorer.id
    for spec in task.generators:
        yield "generator", spec.use, spec.params, spec.id
        yield "decoder", task.file.decoder.use, spec.decoder, f"{task.file.decoder.use} of {spec.id}"


def _hashed_files(folder: Path | None) -> dict[str, str]:
    """SHA-256 of every file below a folder, by relative name; links are followed."""
    if folder is None:
        return {}
    files: dict[str, Path] = {}
    entered: set[str] = set()
    for place, folders, names in os.walk(folder, followlinks=True):
        real = os.path.realpath(place)
        if real in entered:  # a link that leads back
            folders.clear()
            continue
        entered.add(real)
        files |= {path.relative_to(folder).as_posix(): path for path in (Path(place) / name for name in names)}
    files = {name: path for name, path in files.items() if path.is_file()}
    hashes = file_hashes(files.values())
    return {name: hashes[path] for name, path in files.items()}


def _matches(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)

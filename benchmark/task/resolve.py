"""From a task file to the resolved task that everything else reads: extends, overrides, sweeps, checks."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from benchmark.analysis.measures import CONFIRMING, COPIES
from benchmark.stats.levels import smallest_p
from benchmark.task.declared import generator_flags, scorer_flags, space
from benchmark.task.encoders import ResolvedEncoder, named_encoder, resolve_encoder
from benchmark.task.file import ENCODER_KEYS, ID, GeneratorSpec, JudgeSpec, ScorerSpec, TaskFile
from benchmark.task.paths import placed
from benchmark.task.registry import plugin_class
from benchmark.task.spec import Spec
from benchmark.task.yaml_source import KeyPath, Source, override, read_yaml, with_extends
from rebeca.declared import GeneratorFlags, ScorerFlags
from rebeca.errors import SpecError, did_you_mean
from rebeca.interfaces import ScorerCard
from rebeca.params import ParamError, make_params, params_json, reinterpreted, shortened
from rebeca.seeds import SeedScheme

LARGEST_SWEEP = 500


@dataclass(frozen=True, slots=True)
class ResolvedGenerator:
    """A generator with everything spelled out.

    Attributes:
        id: Unique in the task.
        title: Name on the leaderboard.
        use: Registered name.
        params: Its ``Params`` dataclass.
        decoder: All parameters of its decoder.
        noise_group: Generators of one group share their noise.
        offset: Part of the seeds of the noise.
        images: Images per user, where they differ from the task's.
    """

    id: str
    title: str
    use: str
    params: Any
    decoder: Any
    noise_group: str
    offset: int
    images: int | None = None

    def to_json(self) -> dict[str, Any]:
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return values | {"params": params_json(self.params), "decoder": params_json(self.decoder)}

    def flags(self) -> GeneratorFlags:
        return generator_flags(self.use, self.params, self.id)


@dataclass(frozen=True, slots=True)
class ResolvedScorer:
    """A scorer or set scorer with its parameters.

    Attributes:
        use: Registered name.
        params: Its ``Params`` dataclass.
        id: Unique in the task; names the measure. By default the registered name.
    """

    use: str
    params: Any
    id: str

    def to_json(self) -> dict[str, Any]:
        return {"id": self.id, "use": self.use, "params": params_json(self.params)}

    def flags(self) -> ScorerFlags:
        return scorer_flags(self.use, self.params, self.id)


@dataclass(frozen=True, slots=True)
class ResolvedJudge:
    """A judge with everything spelled out.

    Attributes:
        use: Registered name.
        params: Its ``Params`` dataclass.
        encoder: The encoder in whose space it judges.
    """

    use: str
    params: Any
    encoder: ResolvedEncoder


@dataclass(frozen=True, slots=True)
class Task:
    """A resolved task.

    Attributes:
        file: The strict model, ``extends`` and ``--set`` applied.
        source: The task file.
        data_path: Absolute path of the data, where there is one.
        generators: With sweeps expanded.
        scorers: In order.
        encoder: The task's.
        judges: ``verifier`` and, where there is one, ``auditor``.
        data: Parameters of the data set.
        modified: Whether ``--set`` or ``--limit-users`` changed what could change a result.
    """

    file: TaskFile
    source: Path
    data_path: Path | None
    generators: tuple[ResolvedGenerator, ...]
    scorers: tuple[ResolvedScorer, ...]
    encoder: ResolvedEncoder
    judges: Mapping[str, ResolvedJudge]
    data: Any
    modified: bool

    def images_of(self, generator: ResolvedGenerator) -> int:
        return generator.images or self.file.images

    @property
    def seeds(self) -> SeedScheme:
        return SeedScheme(self.file.id, self.file.version, self.file.seed)

    def spec(self) -> Spec:
        """The task as records keep it, without paths of this machine and without ``isolate``."""
        raw = self.file.to_json()
        raw["data"]["path"] = None
        raw["generators"] = [generator.to_json() for generator in self.generators]
        raw["scorers"] = [scorer.to_json() for scorer in self.scorers]
        return Spec.model_validate(raw)

    def to_json(self) -> dict[str, Any]:
        return self.spec().to_json()

    def hash(self) -> str:
        return self.spec().hash()

    def analysis_hash(self) -> str:
        return self.spec().analysis_hash()


def load_task(path: Path, overrides: tuple[str, ...] = (), limit_users: int | None = None) -> Task:
    """Reads, merges, checks and resolves a task file.

    Args:
        path: The file.
        overrides: ``a.b=value`` texts; list elements are addressed by index or by their ``id``.
        limit_users: Overrides ``users.limit``.

    Raises:
        SpecError: With file, line, key, what was found and what is allowed.
    """
    source = with_extends(read_yaml(path))
    as_written = _validate(source)
    base = path.parent
    for text in overrides:
        if override(source, text) == ("data", "path"):
            base = Path.cwd()  # a path on the command line is relative to the current folder
    if limit_users is not None:
        source.data.setdefault("users", {})["limit"] = limit_users
    file = _validate(source)
    modified = _that_decides(file) != _that_decides(as_written)
    data_path = None if file.data.path is None else (base / file.data.path).resolve()
    generators = _generators(file, source)
    scorers = tuple(_scorer(entry, index, source) for index, entry in enumerate(file.scorers))
    _check(file, source, generators, scorers)
    with _at(source, "encoder"):
        encoder = resolve_encoder(file.encoder, path.parent)
        _check_space(file, encoder, generators)
    judges = {
        role: _judge(spec, role, source)
        for role, spec in (("verifier", file.judges.verifier), ("auditor", file.judges.auditor))
        if spec is not None
    }
    with _at(source, "data", "kind"):
        kind = plugin_class("data set", file.data.kind)
    with _at(source, "data", "params"):
        data = make_params(kind.Params, file.data.params, "data.params")
    return Task(file, path, data_path, generators, scorers, encoder, judges, data, modified)


def _that_decides(file: TaskFile) -> TaskFile:
    """The file without the keys that change no result: ``data.path`` and ``isolate``."""
    return file.model_copy(update={"data": file.data.model_copy(update={"path": None}), "isolate": False})


def _validate(source: Source) -> TaskFile:
    raw = _expand_encoders(source.data)
    try:
        file = TaskFile.model_validate(raw)
    except ValidationError as error:
        errors = error.errors()
        # a misspelt key also leaves the right one missing: the misspelling is reported
        first = next((e for e in errors if e["type"] == "extra_forbidden"), errors[0])
        raise _explain(first, source) from error
    if fault := reinterpreted(raw, file):
        path, message = fault
        raise SpecError(f"{source.at(path)}: {'.'.join(map(str, path))}: {message}")
    return file


def _expand_encoders(node: Any) -> Any:
    """A bare string for an encoder is short for ``{use: string}``."""
    if isinstance(node, dict):
        return {
            key: {"use": value} if key in ENCODER_KEYS and isinstance(value, str) else _expand_encoders(value)
            for key, value in node.items()
            if key != "params"  # of a plug-in, which may have an encoder's name of its own
        } | ({"params": node["params"]} if "params" in node else {})
    return [_expand_encoders(child) for child in node] if isinstance(node, list) else node


def _explain(error: Any, source: Source) -> SpecError:
    path: KeyPath = tuple(
        part for part in error["loc"] if part not in ("str", "ScorerSpec", "float", "bool", "IsolateSpec")
    )
    name = ".".join(str(part) for part in path)
    where = source.at(path)
    kind = error["type"]
    if kind == "extra_forbidden":
        model = _model_at(path[:-1])
        allowed = [field.alias or key for key, field in model.model_fields.items()] if model else []
        return SpecError(f"{where}: unknown key '{name}'", hint=did_you_mean(str(path[-1]), allowed))
    if kind == "missing":
        return SpecError(f"{where}: the key '{name}' is missing")
    return SpecError(f"{where}: {name}: {error['msg'].lower()}, found {shortened(error.get('input'))}")


def _model_at(path: KeyPath) -> type[BaseModel] | None:
    model: type[BaseModel] | None = TaskFile
    for part in path:
        if isinstance(part, str) and model is not None:
            match = (field for key, field in model.model_fields.items() if part in (key, field.alias))
            model = next((_inner_model(field.annotation) for field in match), None)
    return model


def _inner_model(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    models = (_inner_model(inner) for inner in getattr(annotation, "__args__", ()))
    return next((model for model in models if model is not None), None)


@contextmanager
def _at(source: Source, *path: str | int) -> Iterator[None]:
    """Adds file and line to errors below a key, those of the parameter where it is known."""
    try:
        yield
    except SpecError as error:
        deeper = error.path if isinstance(error, ParamError) else ()
        raise SpecError(f"{source.at((*path, *deeper))}: {error.message}", hint=error.hint) from error


def _generators(file: TaskFile, source: Source) -> tuple[ResolvedGenerator, ...]:
    with _at(source, "decoder"):
        decoder_params = plugin_class("decoder", file.decoder.use).Params
    with _at(source, "decoder", "params"):
        make_params(decoder_params, file.decoder.params, "decoder.params")
    by_id: dict[str, GeneratorSpec] = {}
    resolved: dict[str, ResolvedGenerator] = {}
    for index, written in enumerate(file.generators):
        where = source.at(("generators", index))
        spec = _extended(written, by_id, where)
        if spec.use is None or spec.id is None:
            raise SpecError(f"{where}: a generator needs 'id' and 'use' (or 'extends')")
        with _at(source, "generators", index):
            params = plugin_class("generator", spec.use).Params
        if not spec.sweep:
            if spec.id in by_id:
                raise SpecError(f"{where}: the generator id '{spec.id}' is given twice")
            by_id[spec.id] = spec
        for variant in _swept(spec, params, where):
            generator = _generator(variant, index, file, source, decoder_params)
            if generator.id in resolved:
                raise SpecError(f"{where}: the generator id '{generator.id}' is given twice")
            resolved[generator.id] = generator
    return tuple(resolved.values())


def _extended(spec: GeneratorSpec, above: Mapping[str, GeneratorSpec], where: str) -> GeneratorSpec:
    """A generator with the keys of the one that it extends, where it has none of its own."""
    if spec.extends is None:
        return spec
    if spec.extends not in above:
        raise SpecError(
            f"{where}: extends: no generator '{spec.extends}' above", hint=did_you_mean(spec.extends, above)
        )
    base = above[spec.extends]
    return base.model_copy(
        update={
            "id": spec.id if spec.id is not None or not spec.sweep else base.id,
            "title": spec.title or (base.title if spec.sweep else None),
            "use": spec.use or base.use,
            "params": {**base.params, **spec.params},
            "decoder": {**base.decoder, **spec.decoder},
            "sweep": spec.sweep,
            "images": spec.images or base.images,
            "noise_group": spec.noise_group if "noise_group" in spec.model_fields_set else base.noise_group,
            "offset": spec.offset if "offset" in spec.model_fields_set else base.offset,
        }
    )


def _generator(
    spec: GeneratorSpec, index: int, file: TaskFile, source: Source, decoder_params: type[Any]
) -> ResolvedGenerator:
    assert spec.id is not None and spec.use is not None
    folder, kind = source.path.parent, plugin_class("generator", spec.use).Params
    with _at(source, "generators", index, "params"):
        params = make_params(kind, placed(kind, spec.params, folder), f"generators.{spec.id}.params")
    with _at(source, "generators", index, "decoder"):
        raw = placed(decoder_params, {**file.decoder.params, **spec.decoder}, folder)
        decoder = make_params(decoder_params, raw, f"generators.{spec.id}.decoder")
    return ResolvedGenerator(
        spec.id, spec.title or spec.id, spec.use, params, decoder, spec.noise_group, spec.offset, spec.images
    )


def _swept(spec: GeneratorSpec, kind: type[Any], where: str) -> list[GeneratorSpec]:
    """Every combination of a sweep; a key belongs to the generator's parameters, or else to the decoder's."""
    if not spec.sweep:
        return [spec]
    own = set(kind.__dataclass_fields__)
    size = math.prod(len(values) for values in spec.sweep.values())
    if size > LARGEST_SWEEP:
        raise SpecError(f"{where}: the sweep makes {size:,} generators (at most {LARGEST_SWEEP})")
    out = []
    for values in itertools.product(*spec.sweep.values()):
        chosen = dict(zip(spec.sweep, values, strict=True))
        values_text = ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in chosen.items())
        suffix = "".join(f"--{key}-{re.sub('[^a-z0-9_.]+', '-', str(value).lower())}" for key, value in chosen.items())
        identifier = f"{spec.id}{suffix}"
        if not re.match(ID, identifier):
            raise SpecError(f"{where}: the sweep makes the id '{identifier}', which is not a valid id")
        out.append(
            spec.model_copy(
                update={
                    "id": identifier,
                    "title": f"{spec.title or spec.id}, {values_text}",
                    "params": {**spec.params, **{k: v for k, v in chosen.items() if k in own}},
                    "decoder": {**spec.decoder, **{k: v for k, v in chosen.items() if k not in own}},
                }
            )
        )
    return out


def _scorer(entry: str | ScorerSpec, index: int, source: Source) -> ResolvedScorer:
    spec = entry if isinstance(entry, ScorerSpec) else ScorerSpec(use=entry)
    with _at(source, "scorers", index):
        kind = plugin_class("scorer", spec.use)
    with _at(source, "scorers", index, "params"):
        raw = placed(kind.Params, spec.params, source.path.parent)
        return ResolvedScorer(spec.use, make_params(kind.Params, raw, f"scorers.{spec.use}"), spec.id or spec.use)


def _judge(spec: JudgeSpec, role: str, source: Source) -> ResolvedJudge:
    with _at(source, "judges", role):
        kind = plugin_class("judge", spec.use)
        encoder = resolve_encoder(spec.encoder, source.path.parent)
    with _at(source, "judges", role, "params"):
        raw = placed(kind.Params, spec.params, source.path.parent)
        return ResolvedJudge(spec.use, make_params(kind.Params, raw, f"judges.{role}.params"), encoder)


def _check(
    file: TaskFile, source: Source, generators: tuple[ResolvedGenerator, ...], scorers: tuple[ResolvedScorer, ...]
) -> None:
    ids = [generator.id for generator in generators]
    if file.analysis.reference not in ids:
        raise SpecError(
            f"{source.at(('analysis', 'reference'))}: no generator '{file.analysis.reference}'",
            hint=did_you_mean(file.analysis.reference, ids),
        )
    _check_fits(file, source)
    _check_scorers(file, source, scorers)
    if smallest_p(31, file.analysis.permutations) > file.analysis.alpha:
        raise SpecError(
            f"{source.at(('analysis', 'permutations'))}: {file.analysis.permutations} permutations can never give"
            f" p <= {file.analysis.alpha}",
            hint=f"use at least {int(1 / file.analysis.alpha)}",
        )
    split = file.data.split
    if split.kind == "held-out-items" and not (split.test < 1 and split.validation < 1):
        raise SpecError(
            f"{source.at(('data', 'split'))}: with held-out-items test and validation are shares below 1,"
            f" found {split.test:g} and {split.validation:g}"
        )


def _check_fits(file: TaskFile, source: Source) -> None:
    """Every fit must make the same number of each user's images."""
    own = [(("generators", index, "images"), spec.images) for index, spec in enumerate(file.generators)]
    for path, images in [(("images",), file.images), *own]:
        if images is not None and images % file.fits:
            raise SpecError(
                f"{source.at(path)}: {images} images per user cannot be shared equally among {file.fits} fits",
                hint=f"use a multiple of 'fits', e.g. {file.fits * max(1, round(images / file.fits))}",
            )


def _check_space(file: TaskFile, encoder: ResolvedEncoder, generators: Sequence[ResolvedGenerator]) -> None:
    """Embeddings of another encoder may have the right length, and would be decoded without a word."""
    for generator in generators:
        flags = generator.flags()
        taken = space("decoder", file.decoder.use, generator.decoder)
        if taken and flags.decodes_in and flags.family != "prompt" and encoder.space != taken:
            raise SpecError(
                f"the task's encoder gives embeddings of '{encoder.space}', and the decoder of generator"
                f" '{generator.id}' takes those of '{taken}'",
                hint=f"use encoder: '{taken}'; for a file that it computed say so: encoder: {{use: 'precomputed:FILE',"
                f" params: {{space: '{taken}'}}}}",
            )


def _check_scorers(file: TaskFile, source: Source, scorers: tuple[ResolvedScorer, ...]) -> None:
    seen: set[str] = set()
    measures: dict[str, str] = {}
    for index, scorer in enumerate(scorers):
        where = source.at(("scorers", index))
        if scorer.id in seen:
            raise SpecError(
                f"{where}: the scorer '{scorer.id}' is given twice", hint="give one of them an 'id' of its own"
            )
        seen.add(scorer.id)
        flags = scorer.flags()
        for measure in flags.cards if flags.of_sets else (scorer.id,):
            if measure in measures:
                raise SpecError(f"{where}: '{scorer.id}' and '{measures[measure]}' both measure '{measure}'")
            measures[measure] = scorer.id
        if "auditor" in flags.needs and file.judges.auditor is None:
            raise SpecError(f"{where}: the scorer '{scorer.id}' needs judges.auditor")
        with _at(source, "scorers", index, "params"):
            for name in flags.encoders:
                if named_encoder(name, source.path.parent).learns:
                    raise SpecError(f"the scorer '{scorer.id}' uses the encoder '{name}', which learns from items")
    primary = next((scorer for scorer in scorers if scorer.id == file.analysis.primary.scorer), None)
    where = source.at(("analysis", "primary"))
    if primary is None:
        raise SpecError(
            f"{where}: the primary scorer '{file.analysis.primary.scorer}' is not among the scorers",
            hint=did_you_mean(file.analysis.primary.scorer, seen),
        )
    flags = primary.flags()
    if flags.of_sets:
        raise SpecError(
            f"{where}: '{primary.id}' scores sets of images and cannot be the primary scorer",
            hint="use a scorer of single images, e.g. ncf",
        )
    _check_defences(file, source, scorers, flags.card)
    if not flags.card.higher_is_better:
        raise SpecError(
            f"{where}: lower is better for '{primary.id}', and the leaderboard puts the highest first",
            hint="let the scorer return its number with the opposite sign",
        )


def _check_defences(file: TaskFile, source: Source, scorers: tuple[ResolvedScorer, ...], primary: ScorerCard) -> None:
    """A confirming judge never ranks; its likes are compared with a judge's probabilities and with nothing else."""
    cards = [flags.card for flags in (scorer.flags() for scorer in scorers) if not flags.of_sets]
    if file.analysis.most_copies is not None and all(card.role != COPIES for card in cards):
        where = source.at(("analysis", "most_copies"))
        raise SpecError(f"{where}: no scorer looks for near-copies", hint="add 'near-copies' to the scorers")
    if primary.role == CONFIRMING:
        raise SpecError(
            f"{source.at(('analysis', 'primary'))}: the confirming judge confirms and never ranks",
            hint="use a judge that is the same for all generators, e.g. ncf",
        )
    if file.analysis.confirmation is None:
        return
    where = source.at(("analysis", "confirmation"))
    if all(card.role != CONFIRMING for card in cards):
        raise SpecError(f"{where}: no scorer is a confirming judge", hint="add 'confirming' to the scorers")
    if primary.unit != "probability":
        raise SpecError(
            f"{where}: the primary scorer measures '{primary.unit}', and the confirming judge expected likes",
            hint="confirm a judge that gives probabilities, e.g. ncf",
        )


def with_generators(task: Task, source: Source) -> Task:
    """The task with the generators of another file behind its own; it counts as modified.

    Args:
        task: The task.
        source: A file with the key ``generators``, as in a task file.

    Raises:
        SpecError: With file, line, key, what was found and what is allowed.
    """
    for key in source.data:
        if key != "generators":
            raise SpecError(f"{source.at((key,))}: unknown key '{key}'", hint="allowed: generators")
    written = source.data.get("generators") or []
    if not isinstance(written, list) or not all(isinstance(entry, dict) for entry in written):
        raise SpecError(f"{source.at(('generators',))}: generators is a list of mappings")
    for index, entry in enumerate(written):
        try:
            GeneratorSpec.model_validate(entry)
        except ValidationError as error:
            first = error.errors()[0]
            raise _explain({**first, "loc": ("generators", index, *first["loc"])}, source) from error
    file = task.file.model_copy(update={"generators": [GeneratorSpec.model_validate(entry) for entry in written]})
    added = _generators(file, source)
    for generator in added:
        if generator.id in {own.id for own in task.generators}:
            raise SpecError(f"{source.path}: the task has a generator '{generator.id}' already", hint="rename it")
    _check_fits(file, source)
    return replace(task, generators=(*task.generators, *added), modified=True)


def limited(task: Task, ids: tuple[str, ...]) -> Task:
    """The task with the reference and some other generators only; it counts as modified.

    Raises:
        SpecError: If an id is unknown.
    """
    known = [generator.id for generator in task.generators]
    for name in ids:
        if name not in known:
            raise SpecError(f"--only {name}: no such generator", hint=did_you_mean(name, known))
    kept = {*ids, task.file.analysis.reference}  # with which all others are compared
    return replace(task, generators=tuple(g for g in task.generators if g.id in kept), modified=True)

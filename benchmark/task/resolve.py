"""From a task file to the resolved task that everything else reads: extends, overrides, sweeps, checks."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from benchmark.task.checks import check_fits, check_space, check_task_file
from benchmark.task.encoders import resolve_encoder
from benchmark.task.file import ENCODER_KEYS, ID, RESERVED, GeneratorSpec, JudgeSpec, ScorerSpec, TaskFile
from benchmark.task.paths import placed
from benchmark.task.registry import plugin_class
from benchmark.task.resolved import ResolvedGenerator, ResolvedJudge, ResolvedScorer, Task
from benchmark.task.yaml_source import KeyPath, Source, at, override, read_yaml, with_extends
from rebeca.errors import SpecError, did_you_mean
from rebeca.params import make_params, reinterpreted, shortened

LARGEST_SWEEP = 500


def load_task(path: Path, overrides: tuple[str, ...] = (), limit_users: int | None = None) -> Task:
    """Reads, merges, checks and resolves a task file.

    Args:
        path: The file.
        overrides: ``a.b=value`` texts; list elements are addressed by index or by their ``id``.
        limit_users: Overrides ``users.limit``.

    Raises:
        SpecError: With file, line, key, what was found and what is allowed.
    """
    return resolved_task(with_extends(read_yaml(path)), overrides, limit_users)


def resolved_task(source: Source, overrides: tuple[str, ...] = (), limit_users: int | None = None) -> Task:
    """As :func:`load_task`, of a file that was read."""
    as_written = _validate(source)
    base = source.path.parent
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
    check_task_file(file, source, generators, scorers)
    with at(source, "encoder"):
        encoder = resolve_encoder(file.encoder, source.path.parent)
        check_space(file, encoder, generators)
    judges = {
        role: _judge(spec, role, source)
        for role, spec in (("verifier", file.judges.verifier), ("auditor", file.judges.auditor))
        if spec is not None
    }
    with at(source, "data", "kind"):
        kind = plugin_class("data set", file.data.kind)
    with at(source, "data", "params"):
        data = make_params(kind.Params, file.data.params, "data.params")
    return Task(file, source.path, data_path, generators, scorers, encoder, judges, data, modified)


def _that_decides(file: TaskFile) -> TaskFile:
    """The file without the keys that change no result: ``data.path``, ``isolate`` and ``references``."""
    data = file.data.model_copy(update={"path": None})
    return file.model_copy(update={"data": data, "isolate": False, "references": []})


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


def _generators(file: TaskFile, source: Source) -> tuple[ResolvedGenerator, ...]:
    with at(source, "decoder"):
        decoder_params = plugin_class("decoder", file.decoder.use).Params
    with at(source, "decoder", "params"):
        make_params(decoder_params, file.decoder.params, "decoder.params")
    by_id: dict[str, GeneratorSpec] = {}
    resolved: dict[str, ResolvedGenerator] = {}
    for index, written in enumerate(file.generators):
        where = source.at(("generators", index))
        spec = _extended(written, by_id, where)
        if spec.use is None or spec.id is None:
            raise SpecError(f"{where}: a generator needs 'id' and 'use' (or 'extends')")
        with at(source, "generators", index):
            params = plugin_class("generator", spec.use).Params
        if not spec.sweep:
            if spec.id in by_id:
                raise SpecError(f"{where}: the generator id '{spec.id}' is given twice")
            by_id[spec.id] = spec
        for variant in _swept(spec, params, where):
            generator = _generator(variant, index, file, source, decoder_params)
            if generator.id == RESERVED:
                raise SpecError(f"{where}: no generator can be called '{RESERVED}'", hint="rename it")
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
    with at(source, "generators", index, "params"):
        params = make_params(kind, placed(kind, spec.params, folder), f"generators.{spec.id}.params")
    with at(source, "generators", index, "decoder"):
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
    with at(source, "scorers", index):
        kind = plugin_class("scorer", spec.use)
    with at(source, "scorers", index, "params"):
        raw = placed(kind.Params, spec.params, source.path.parent)
        return ResolvedScorer(spec.use, make_params(kind.Params, raw, f"scorers.{spec.use}"), spec.id or spec.use)


def _judge(spec: JudgeSpec, role: str, source: Source) -> ResolvedJudge:
    with at(source, "judges", role):
        kind = plugin_class("judge", spec.use)
        encoder = resolve_encoder(spec.encoder, source.path.parent)
    with at(source, "judges", role, "params"):
        raw = placed(kind.Params, spec.params, source.path.parent)
        return ResolvedJudge(spec.use, make_params(kind.Params, raw, f"judges.{role}.params"), encoder)


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
    check_fits(file, source)
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

"""From a task file to the resolved task that everything else reads: extends, overrides, sweeps, checks."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from benchmark.stats.levels import smallest_p
from benchmark.task import registry
from benchmark.task.file import ENCODER_KEYS, ID, EncoderSpec, GeneratorSpec, TaskFile, Use
from benchmark.task.paths import placed, with_content
from benchmark.task.spec import Spec
from benchmark.task.yaml_source import KeyPath, Source, parse_scalar, read_yaml
from rebeca.errors import SpecError, did_you_mean
from rebeca.interfaces import ScorerCard
from rebeca.params import ParamError, make_params, params_json, shortened
from rebeca.seeds import SeedScheme

DEEPEST_EXTENDS = 5
LARGEST_SWEEP = 500


@dataclass(frozen=True, slots=True)
class ResolvedGenerator:
    """A generator with everything spelled out.

    Attributes:
        id: Unique in the task.
        title: Name on the board.
        use: Registered name.
        params: Its ``Params`` dataclass.
        decoder: All parameters of its decoder.
        noise_group: Arms of one group share their noise.
        offset: Shifts the noise.
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
        """JSON with every default spelled out."""
        return {
            "id": self.id,
            "title": self.title,
            "use": self.use,
            "params": params_json(self.params),
            "decoder": params_json(self.decoder),
            "noise_group": self.noise_group,
            "offset": self.offset,
            "images": self.images,
        }


@dataclass(frozen=True, slots=True)
class ResolvedScorer:
    """A scorer with its parameters."""

    use: str
    params: Any

    def to_json(self) -> dict[str, Any]:
        """JSON."""
        return {"id": self.use, "use": self.use, "params": params_json(self.params)}


@dataclass(frozen=True, slots=True)
class Task:
    """A resolved task.

    Attributes:
        file: The strict model, ``extends`` and ``--set`` applied.
        source: The task file.
        data_path: Absolute path of the data, where there is one.
        generators: With sweeps expanded.
        scorers: In order.
        modified: Whether ``--set`` or ``--limit-users`` changed what could change a result.
    """

    file: TaskFile
    source: Path
    data_path: Path | None
    generators: tuple[ResolvedGenerator, ...]
    scorers: tuple[ResolvedScorer, ...]
    modified: bool

    def images_of(self, generator: ResolvedGenerator) -> int:
        """Pictures a person by a generator."""
        return generator.images or self.file.images

    @property
    def seeds(self) -> SeedScheme:
        """The task's seeds."""
        return SeedScheme(self.file.id, self.file.version, self.file.seed)

    def spec(self) -> Spec:
        """As records keep it; where things lie and in which process they run is no part of it."""
        raw = self.file.to_json()
        raw["data"]["path"] = None
        raw["generators"] = [generator.to_json() for generator in self.generators]
        raw["scorers"] = [scorer.to_json() for scorer in self.scorers]
        return Spec.model_validate(raw)

    def to_json(self) -> dict[str, Any]:
        """JSON of :meth:`spec`."""
        return self.spec().to_json()

    def hash(self) -> str:
        """SHA-256 of the resolved spec."""
        return self.spec().hash()

    def analysis_hash(self) -> str:
        """SHA-256 of what was decided beforehand, and of whom and what it is about."""
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
    source = _with_extends(read_yaml(path), 0)
    as_written = _validate(source)
    base = path.parent
    for text in overrides:
        if _override(source, text) == ("data", "path"):
            base = Path.cwd()  # typed in a shell, so relative to where it was typed
    if limit_users is not None:
        source.data.setdefault("users", {})["limit"] = limit_users
    file = _validate(source)
    modified = _what_decides(file) != _what_decides(as_written)
    data_path = None if file.data.path is None else (base / file.data.path).resolve()
    generators = _generators(file, source)
    scorers = tuple(_scorer(entry, index, source) for index, entry in enumerate(file.scorers))
    _check(file, source, generators, scorers)
    return Task(file, path, data_path, generators, scorers, modified)


def _what_decides(file: TaskFile) -> TaskFile:
    """Without where the data lie and in which process generators run."""
    return file.model_copy(update={"data": file.data.model_copy(update={"path": None}), "isolate": False})


def _with_extends(source: Source, depth: int) -> Source:
    """Merges the file named by ``extends`` below this one: mappings merge, everything else is replaced."""
    name = source.data.pop("extends", None)
    if name is None:
        return source
    if not isinstance(name, str) or depth >= DEEPEST_EXTENDS:
        raise SpecError(f"{source.at(('extends',))}: extends: expected the name of a task file, found {name!r}")
    parent = _with_extends(read_yaml(source.path.parent / name), depth + 1)
    lines = {**parent.lines, **source.lines}
    return Source(source.path, _merged(parent.data, source.data), lines)


def _merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    out = dict(below)
    for key, value in above.items():
        both = isinstance(value, dict) and isinstance(out.get(key), dict)
        out[key] = _merged(out[key], value) if both else value
    return out


def _override(source: Source, text: str) -> KeyPath:
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise SpecError(f"--set {text}: expected a.b=value")
    parts = key.split(".")
    node: Any = source.data
    path: list[str | int] = []
    for position, part in enumerate(parts):
        step: str | int = part
        if isinstance(node, list):
            found = [i for i, entry in enumerate(node) if isinstance(entry, dict) and entry.get("id") == part]
            if found:
                step = found[0]
            elif part.isdigit() and int(part) < len(node):
                step = int(part)
            else:
                ids = [str(e["id"]) for e in node if isinstance(e, dict) and "id" in e]
                raise SpecError(f"--set {text}: '{part}' is no element there", hint=did_you_mean(part, ids))
        elif not isinstance(node, dict):
            raise SpecError(f"--set {text}: '{'.'.join(parts[:position])}' holds a value, not keys")
        path.append(step)
        if position == len(parts) - 1:
            node[step] = parse_scalar(value)
        elif isinstance(node, dict):
            if part in ENCODER_KEYS and isinstance(node.get(part), str):
                node[part] = {"use": node[part]}
            node = node.setdefault(part, {})
        else:
            node = node[step]
    return tuple(path)


def _validate(source: Source) -> TaskFile:
    data = _expand_encoders(source.data)
    try:
        return TaskFile.model_validate(data)
    except ValidationError as error:
        found = error.errors()
        # a misspelt key also leaves the right one missing: the misspelling is what to mend
        first = next((e for e in found if e["type"] == "extra_forbidden"), found[0])
        raise _explain(first, source) from error


def _expand_encoders(node: Any) -> Any:
    """A bare string for an encoder is short for ``{use: string}``."""
    if isinstance(node, dict):
        return {
            key: {"use": value} if key in ENCODER_KEYS and isinstance(value, str) else _expand_encoders(value)
            for key, value in node.items()
        }
    return [_expand_encoders(child) for child in node] if isinstance(node, list) else node


def _explain(error: Any, source: Source) -> SpecError:
    path: KeyPath = tuple(part for part in error["loc"] if part not in ("str", "Use", "float", "bool", "IsolateSpec"))
    name = ".".join(str(part) for part in path)
    where = source.at(path)
    kind = error["type"]
    if kind == "extra_forbidden":
        model = _model_at(path[:-1])
        allowed = [field.alias or key for key, field in model.model_fields.items()] if model else []
        return SpecError(f"{where}: unknown key '{name}'", hint=did_you_mean(str(path[-1]), allowed))
    if kind == "missing":
        return SpecError(f"{where}: the key '{name}' is missing")
    found = error.get("input")
    return SpecError(f"{where}: {name}: {error['msg'].lower()}, found {shortened(found)}")


def _model_at(path: KeyPath) -> type[BaseModel] | None:
    model: Any = TaskFile
    for part in path:
        if isinstance(part, int):
            continue
        fields = getattr(model, "model_fields", {})
        match = next((field for key, field in fields.items() if part in (key, field.alias)), None)
        if match is None:
            return None
        model = _inner_model(match.annotation)
        if model is None:
            return None
    return model if isinstance(model, type) and issubclass(model, BaseModel) else None


def _inner_model(annotation: Any) -> Any:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for inner in getattr(annotation, "__args__", ()):
        found = _inner_model(inner)
        if found is not None:
            return found
    return None


@contextmanager
def _at(source: Source, *path: str | int) -> Iterator[None]:
    """Gives errors below a key their file and line, down to the parameter where it is known."""
    try:
        yield
    except SpecError as error:
        deeper = error.path if isinstance(error, ParamError) else ()
        raise SpecError(f"{source.at((*path, *deeper))}: {error.message}", hint=error.hint) from error


def _generators(file: TaskFile, source: Source) -> tuple[ResolvedGenerator, ...]:
    with _at(source, "decoder"):
        decoder_params = registry.load("decoders", file.decoder.use).Params
    with _at(source, "decoder", "params"):
        make_params(decoder_params, file.decoder.params, "decoder.params")
    by_id: dict[str, GeneratorSpec] = {}
    out: list[ResolvedGenerator] = []
    for index, spec in enumerate(file.generators):
        where = source.at(("generators", index))
        if spec.extends is not None:
            if spec.extends not in by_id:
                raise SpecError(
                    f"{where}: extends: no generator '{spec.extends}' above", hint=did_you_mean(spec.extends, by_id)
                )
            base = by_id[spec.extends]
            spec = base.model_copy(
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
        if spec.use is None or spec.id is None:
            raise SpecError(f"{where}: a generator needs 'id' and 'use' (or 'extends')")
        with _at(source, "generators", index):
            kind = registry.load("generators", spec.use).Params
        if not spec.sweep:
            if spec.id in by_id:
                raise SpecError(f"{where}: the generator id '{spec.id}' is given twice")
            by_id[spec.id] = spec
        for one in _swept(spec, kind, where):
            assert one.id is not None
            raw_params = with_content(one.params, source.path.parent) if spec.use == "folder" else one.params
            with _at(source, "generators", index, "params"):
                params = make_params(kind, raw_params, f"generators.{one.id}.params")
            with _at(source, "generators", index, "decoder"):
                raw = placed(decoder_params, {**file.decoder.params, **one.decoder}, source.path.parent)
                decoder = make_params(decoder_params, raw, f"generators.{one.id}.decoder")
            if any(existing.id == one.id for existing in out):
                raise SpecError(f"{where}: the generator id '{one.id}' is given twice")
            out.append(
                ResolvedGenerator(
                    one.id, one.title or one.id, spec.use, params, decoder, one.noise_group, one.offset, one.images
                )
            )
    return tuple(out)


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
        said = ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in chosen.items())
        suffix = "".join(f"--{key}-{re.sub('[^a-z0-9_.]+', '-', str(value).lower())}" for key, value in chosen.items())
        identifier = f"{spec.id}{suffix}"
        if not re.match(ID, identifier):
            raise SpecError(f"{where}: the sweep makes the id '{identifier}', which is not a valid id")
        out.append(
            spec.model_copy(
                update={
                    "id": identifier,
                    "title": f"{spec.title or spec.id}, {said}",
                    "params": {**spec.params, **{k: v for k, v in chosen.items() if k in own}},
                    "decoder": {**spec.decoder, **{k: v for k, v in chosen.items() if k not in own}},
                }
            )
        )
    return out


def _scorer(entry: str | Use, index: int, source: Source) -> ResolvedScorer:
    use = entry if isinstance(entry, Use) else Use(use=entry)
    with _at(source, "scorers", index):
        kind = registry.load("scorers", use.use)
    with _at(source, "scorers", index, "params"):
        raw = placed(kind.Params, use.params, source.path.parent)
        return ResolvedScorer(use.use, make_params(kind.Params, raw, f"scorers.{use.use}"))


def _check(
    file: TaskFile, source: Source, generators: tuple[ResolvedGenerator, ...], scorers: tuple[ResolvedScorer, ...]
) -> None:
    ids = [generator.id for generator in generators]
    if file.analysis.reference not in ids:
        raise SpecError(
            f"{source.at(('analysis', 'reference'))}: no generator '{file.analysis.reference}'",
            hint=did_you_mean(file.analysis.reference, ids),
        )
    used = [scorer.use for scorer in scorers]
    if len(set(used)) != len(used):
        raise SpecError(f"{source.at(('scorers',))}: a scorer is given twice")
    if file.analysis.primary.scorer not in used:
        raise SpecError(
            f"{source.at(('analysis', 'primary'))}: the primary scorer '{file.analysis.primary.scorer}' is not among"
            " the scorers",
            hint=did_you_mean(file.analysis.primary.scorer, used),
        )
    primary = registry.load("scorers", file.analysis.primary.scorer)
    if not hasattr(primary, "score"):
        raise SpecError(
            f"{source.at(('analysis', 'primary'))}: '{file.analysis.primary.scorer}' scores sets of pictures and cannot"
            " be the primary scorer",
            hint="use a scorer of single pictures, e.g. ncf",
        )
    card = getattr(primary, "card", None)
    if isinstance(card, ScorerCard):  # others have theirs only when they are built
        check_primary(file.analysis.primary.scorer, card)
    if "auditor" in used and file.judges.auditor is None:
        raise SpecError(f"{source.at(('scorers',))}: the scorer 'auditor' needs judges.auditor")
    for role in ("verifier", "auditor"):
        judge = getattr(file.judges, role)
        if judge is not None:
            with _at(source, "judges", role):
                kind = registry.load("judges", judge.use)
                _check_encoder(judge.encoder)
            with _at(source, "judges", role, "params"):
                make_params(kind, judge.params, f"judges.{role}.params")
    with _at(source, "encoder"):
        _check_encoder(file.encoder)
    with _at(source, "data", "kind"):
        kind = registry.load("datasets", file.data.kind).Params
    with _at(source, "data", "params"):
        make_params(kind, file.data.params, "data.params")
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


def check_primary(name: str, card: ScorerCard) -> None:
    """Refuses a scorer that is better low where it decides: a board puts the highest first.

    Raises:
        SpecError: Naming it.
    """
    if not card.higher_is_better:
        raise SpecError(
            f"analysis.primary: '{name}' is better low, and the board puts the highest first",
            hint="let the scorer give its number with the sign turned round",
        )


def _check_encoder(spec: EncoderSpec) -> None:
    name = spec.use.partition(":")[0]
    known = (*registry.names("encoders"), "pca")
    if name not in known:
        raise SpecError(f"no encoder is called '{name}'", hint=did_you_mean(name, known))
    if spec.of is not None:
        _check_encoder(spec.of)


def limited(task: Task, ids: tuple[str, ...]) -> Task:
    """The same task with some of its generators; that is a modified task.

    Raises:
        SpecError: If an id is unknown.
    """
    known = [generator.id for generator in task.generators]
    for name in ids:
        if name not in known:
            raise SpecError(f"--only {name}: no such generator", hint=did_you_mean(name, known))
    return replace(task, generators=tuple(g for g in task.generators if g.id in ids), modified=True)

"""Plug-ins by name, through entry points: their classes and their identity.

The project's own plug-ins register in ``pyproject.toml`` like all others. Nothing is imported before it is asked for.
"""

from __future__ import annotations

import importlib.util
import json
import re
from dataclasses import dataclass
from importlib.metadata import Distribution, EntryPoint, PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

import rebeca
from rebeca.errors import MissingDependency, PluginError, SpecError, did_you_mean
from rebeca.guards import checked_class, guarded, message_of
from rebeca.hashes import hash_of_files
from rebeca.interfaces import DatasetSource, Decoder, Encoder, Generator, Judge, Scorer, SetScorer
from rebeca.registered import DISTRIBUTION, package_of, registered
from rebeca.seeds import digest_of

Group = Literal["generators", "scorers", "encoders", "decoders", "datasets", "judges"]
Kind = Literal["generator", "scorer", "encoder", "decoder", "data set", "judge"]
"""Set scorers register among the scorers, so that a task names both in one list."""
GROUPS: dict[Kind, Group] = {
    "generator": "generators", "scorer": "scorers", "encoder": "encoders", "decoder": "decoders",
    "data set": "datasets", "judge": "judges",
}  # fmt: skip
KINDS: dict[Group, Kind] = {group: kind for kind, group in GROUPS.items()}
BASES: dict[Kind, tuple[type[Any], ...]] = {
    "generator": (Generator,), "scorer": (Scorer, SetScorer), "encoder": (Encoder,), "decoder": (Decoder,),
    "data set": (DatasetSource,), "judge": (Judge,),
}  # fmt: skip
OWN = ("rebeca", "baselines", "benchmark")
REQUIREMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True, slots=True)
class PluginIdentity:
    """The code behind a plug-in; part of every address that depends on it.

    Attributes:
        kind: ``generator``, ``scorer``, ``encoder``, ``decoder``, ``data set`` or ``judge``.
        name: Registered name.
        distribution: The package that registers it; empty where its metadata are missing.
        version: Of that package.
        hash: SHA-256 over the package's files, its version and the versions of its direct requirements; empty for the
            project's own code, which stage versions cover.
    """

    kind: Kind
    name: str
    distribution: str
    version: str
    hash: str

    @property
    def is_own(self) -> bool:
        return not self.hash


def names(group: Group) -> tuple[str, ...]:
    """All registered names of a group, sorted."""
    return tuple(registered(group))


def packages(group: Group, name: str) -> tuple[str, ...]:
    """Packages that register a name; the first one is used."""
    return tuple(map(package_of, registered(group)[name]))


def load(group: Group, name: str) -> Any:
    """The object registered under a name.

    Raises:
        SpecError: If there is none, with the nearest spelling.
        MissingDependency: If importing it fails because a package is missing.
        PluginError: If importing it fails otherwise.
    """
    point, kind = _point(group, name), KINDS[group]
    try:
        return point.load()
    except ModuleNotFoundError as error:
        raise MissingDependency(
            f"{kind} '{name}' needs the package '{error.name}'", hint=f"pip install {error.name}"
        ) from error
    except (AttributeError, ImportError) as error:
        raise PluginError(f"{kind} '{name}' is registered as {point.value}, which does not exist ({error})") from error
    except (Exception, SystemExit) as error:
        raise PluginError(
            f"{kind} '{name}': importing {point.value} failed: {type(error).__name__}: {message_of(error)}"
        ) from error


def plugin_class(kind: Kind, name: str) -> type[Any]:
    """The class behind a name, checked.

    Args:
        kind: Its kind.
        name: Registered name.

    Raises:
        SpecError: If nothing has this name.
        MissingDependency: If importing it fails because a package is missing.
        PluginError: If it is no class of this kind, an abstract one, or its ``Params`` is no dataclass.
    """
    return checked_class(load(GROUPS[kind], name), BASES[kind], f"{kind} '{name}'")


def identity(kind: Kind, name: str) -> PluginIdentity:
    """The code behind a plug-in. Its files are read again only where their size or time changed.

    Raises:
        SpecError: If nothing has this name.
        PluginError: If its files cannot be found or read.
    """
    point = _point(GROUPS[kind], name)
    if point.module.partition(".")[0] in OWN:
        return PluginIdentity(kind, name, DISTRIBUTION, rebeca.__version__, "")
    with guarded(kind, name):
        dist = point.dist
        own_version = "" if dist is None else dist.version
        files = _files_of(dist, point.module)
        if not files:
            raise PluginError(f"{kind} '{name}': the files of {point.module} cannot be found")
        parts = [own_version, {} if dist is None else _requirements(dist), hash_of_files(files)]
        return PluginIdentity(kind, name, "" if dist is None else dist.name, own_version, digest_of(parts))


def _files_of(dist: Distribution | None, module: str) -> dict[str, Path]:
    """All files of a distribution by name; of its import packages where it is editable or lists no files."""
    listed = [] if dist is None or _is_editable(dist) else dist.files or []
    located = {path.as_posix(): Path(str(path.locate())) for path in listed if _counts(Path(path))}
    files = {name: path for name, path in located.items() if path.is_file()}
    if files:
        return files
    tops = [] if dist is None else (dist.read_text("top_level.txt") or "").split()
    for package in dict.fromkeys([module, *tops]):
        files |= _package_files(package)
    return files


def _package_files(module: str) -> dict[str, Path]:
    """Files of a module's outermost package, or its single file; of a namespace package those of its part."""
    parts = module.split(".")
    for depth in range(1, len(parts) + 1):
        name = ".".join(parts[:depth])
        spec = importlib.util.find_spec(name)
        if spec is None:
            return {}
        if spec.origin is not None and spec.submodule_search_locations is None:
            return {name: Path(spec.origin)}
        if spec.origin is not None or depth == len(parts):
            folders = [Path(folder) for folder in spec.submodule_search_locations or ()]
            return {
                f"{name}/{path.relative_to(folder).as_posix()}": path
                for folder in folders
                for path in sorted(folder.rglob("*"))
                if path.is_file() and _counts(path.relative_to(folder))
            }
    return {}


def _counts(path: Path) -> bool:
    """Whether a file is the package's own: neither metadata of the installation, nor compiled by Python."""
    meta = any(part.endswith((".dist-info", ".egg-info")) or part == "__pycache__" for part in path.parts)
    return not meta and path.suffix != ".pyc"


def _is_editable(dist: Distribution) -> bool:
    try:
        about = json.loads(dist.read_text("direct_url.json") or "{}")
    except ValueError:
        return False
    return isinstance(about, dict) and bool(about.get("dir_info", {}).get("editable"))


def _requirements(dist: Distribution) -> dict[str, str]:
    """Versions of direct requirements that are installed; those of extras are left out."""
    out = {}
    for text in dist.requires or ():
        match = REQUIREMENT.match(text)
        if match is None or re.search(r"\bextra\s*==", text):
            continue
        try:
            out[match[0].lower()] = version(match[0])
        except PackageNotFoundError:
            out[match[0].lower()] = ""
    return out


def _point(group: Group, name: str) -> EntryPoint:
    points = registered(group)
    if name not in points:
        hint = f"{did_you_mean(name, points)}; others are found once their package is installed"
        raise SpecError(f"no {KINDS[group]} is called '{name}'", hint=hint)
    return points[name][0]

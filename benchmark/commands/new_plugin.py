"""Writes the package of a first plug-in: a copy of the one in ``tasks/new_plugin`` under another name."""

from __future__ import annotations

import keyword
import re
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution, entry_points
from importlib.util import find_spec
from pathlib import Path

from benchmark.task.bundled import folder as bundled
from rebeca.errors import SpecError

GROUPS = {
    "generator": "generators", "scorer": "scorers", "set-scorer": "scorers", "judge": "judges", "encoder": "encoders",
    "decoder": "decoders", "dataset": "datasets",
}  # fmt: skip
"""The kinds of plug-in, and the group of entry points that each registers in."""
NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
LONGEST_NAME = 40
"""Longer ones would not fit a terminal beside package, version and hash."""


@dataclass(frozen=True, slots=True)
class NewPlugin:
    """A package that was written.

    Attributes:
        folder: Where.
        name: Of the plug-in, as task files write it.
        files: What the folder holds, by name.
    """

    folder: Path
    name: str
    files: tuple[str, ...]


def write_plugin(kind: str, name: str, folder: Path, force: bool = False) -> NewPlugin:
    """Writes a package that can be installed, tested and run at once.

    Args:
        kind: A key of :data:`GROUPS`.
        name: As task files will write it; module and class are named after it.
        folder: Absent or empty, unless ``force`` is set.
        force: Overwrite the package's files where they exist; other files stay.

    Raises:
        SpecError: If the name or the folder cannot be used.
    """
    root = bundled("tasks") / "new_plugin"
    models = [path for part in ("shared", kind) for path in (root / part).iterdir() if path.is_file()]
    texts = {path.name: path.read_text("utf-8") for path in models}
    words = _words(kind, name)
    _check_name(kind, name, words, folder, "\n".join(texts.values()))
    if folder.exists() and not folder.is_dir():
        raise SpecError(f"{folder}: a file, not a folder", hint="choose another folder with --output")
    if folder.is_dir() and any(folder.iterdir()) and not force:
        raise SpecError(
            f"{folder} is not empty", hint="use --force to overwrite the package in it, or --output for another folder"
        )
    pattern = re.compile("|".join(words))
    files = {
        pattern.sub(lambda match: words[match[0]], file): pattern.sub(lambda match: words[match[0]], text)
        for file, text in texts.items()
    }
    folder.mkdir(parents=True, exist_ok=True)
    for file, text in files.items():
        (folder / file).write_text(text, "utf-8")
    return NewPlugin(folder, name, tuple(sorted(files)))


def _words(kind: str, name: str) -> dict[str, str]:
    """What stands in the package for each word of its model."""
    return {
        "my-plugin": name,
        "my_plugin": name.replace("-", "_"),
        "MyPlugin": "".join(part.capitalize() for part in name.split("-")),
        "KIND": {"dataset": "data set"}.get(kind, kind.replace("-", " ")),
        "GROUP": f"rebeca_bench.{GROUPS[kind]}",
    }


def _check_name(kind: str, name: str, words: Mapping[str, str], folder: Path, text: str) -> None:
    """Refuses a name that cannot be written, or that Python, the package itself or another package has already."""
    hint = "choose another one with --name"
    if not NAME.fullmatch(name) or len(name) > LONGEST_NAME:
        slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).lstrip("-0123456789")[:LONGEST_NAME].strip("-") or f"my-{kind}"
        rule = f"lower-case letters, digits and single hyphens, {LONGEST_NAME} characters at most"
        raise SpecError(f"'{name}' cannot be the name of a plug-in", hint=f"use {rule}, such as '{slug}'")
    module, title = words["my_plugin"], words["MyPlugin"]
    if keyword.iskeyword(module) or keyword.issoftkeyword(module) or module in sys.stdlib_module_names:
        raise SpecError(f"'{name}': Python has a word or a module '{module}' already", hint=hint)
    if re.search(rf"(import .*|class )\b{title}\b", text):
        raise SpecError(f"'{name}': the package would have two classes '{title}'", hint=hint)
    spec = find_spec(module)
    if spec is not None and spec.origin == str(folder.resolve() / f"{module}.py"):
        return  # this very package is installed, and is to be overwritten
    if name in entry_points(group=words["GROUP"]).names:
        raise SpecError(f"{words['KIND']} '{name}' is registered already", hint=hint)
    if spec is not None:
        where = spec.origin or "a folder of that name"
        raise SpecError(f"'{name}': a module '{module}' is installed already ({where})", hint=hint)
    with suppress(PackageNotFoundError):
        package = distribution(name)
        raise SpecError(f"'{name}': the package {package.name} {package.version} is installed already", hint=hint)

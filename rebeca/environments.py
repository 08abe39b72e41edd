"""Other Pythons on this machine: which one runs a script, and which packages it has.

A script either runs by an interpreter that is named, such as that of a virtual environment, or says in its first lines
what it needs (inline script metadata, PEP 723). For the latter, uv makes an environment.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rebeca.errors import MissingDependency, PluginError, SpecError, printable
from rebeca.processes import Ended, how_it_ended, run_limited

METADATA = re.compile(r"(?m)^# /// (?P<kind>[a-zA-Z0-9-]+)$\s(?P<content>(?:^#(?:| .*)$\s)+)^# ///$")
"""Inline script metadata, as PEP 723 defines them."""
HIDDEN = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
"""Variables that would lead another Python to the packages of this one."""
SECONDS_TO_ASK = 120.0
SECONDS_TO_INSTALL = 3600.0
SHOWN_LINES, SHOWN_LETTERS = 12, 200
ASK = """
import json, platform, re, sys
from importlib.metadata import distributions
packages = {}
for each in distributions():
    name = each.metadata["Name"]
    if name and each.version:
        packages.setdefault(re.sub("[-_.]+", "-", str(name)).lower(), str(each.version))
with open(sys.argv[1], "w") as answer:
    json.dump(dict(sorted(packages.items()), python=platform.python_version()), answer)
"""
"""Asks an interpreter for its version and those of its packages; the first of several counts, as in an import."""


def check_interpreter(script: Path, python: Path | None) -> None:
    """Refuses a script that nothing could run; starts no process.

    Raises:
        SpecError: If the interpreter cannot be run, or none is named and the script does not say what it needs.
        MissingDependency: If there is no such script, or uv is needed and not on this machine.
    """
    if not (script.is_file() and os.access(script, os.R_OK)):
        raise MissingDependency(f"script: {script} does not exist, or cannot be read", hint="correct the path")
    if python is None:
        needed = dependencies(script)
        if shutil.which("uv") is None:
            raise MissingDependency(
                f"{script}: uv, which makes the environment of such a script, is not on this machine",
                hint=f"name an interpreter as python, whose environment has {', '.join(needed) or 'what it imports'};"
                " or install uv",
            )
    elif not (python.is_file() and os.access(python, os.X_OK)):
        what = "cannot be executed" if python.exists() else "does not exist"
        raise SpecError(f"python: {python} {what}", hint="name an interpreter, such as my-env/bin/python")


def dependencies(script: Path) -> Sequence[str]:
    """What a script says that it needs, e.g. ``("torch<2", "pillow")``.

    Raises:
        SpecError: If its inline metadata are missing or damaged.
    """
    try:
        text = script.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise SpecError(f"{script}: no text in UTF-8", hint="save the script as UTF-8") from error
    contents = [match["content"] for match in METADATA.finditer(text) if match["kind"] == "script"]
    if len(contents) != 1:
        raise SpecError(
            f"{script}: expected one block '# /// script' that lists its dependencies, found {len(contents)}",
            hint="write the block (PEP 723), or name an interpreter as python",
        )
    lines = (line[2:] if line.startswith("# ") else line[1:] for line in contents[0].splitlines())
    try:
        listed = tomllib.loads("\n".join(lines)).get("dependencies", [])
    except tomllib.TOMLDecodeError as error:
        raise SpecError(f"{script}: its block '# /// script' is no TOML ({error})") from error
    if not isinstance(listed, list) or not all(isinstance(each, str) for each in listed):
        raise SpecError(f"{script}: dependencies in its block '# /// script' is no list of texts")
    return tuple(listed)


def interpreter_of(script: Path, python: Path | None) -> Path:
    """The interpreter that runs a script: the one that is named, or that of the environment that uv makes for it.

    Raises:
        SpecError: As :func:`check_interpreter`.
        MissingDependency: Likewise, or if uv fails.
    """
    check_interpreter(script, python)
    if python is not None:
        return python.absolute()  # links stay: they lead to the packages of an environment
    lock = script.with_name(f"{script.name}.lock")
    return _made_by_uv(script.resolve(), *(_changed(path) for path in (script, lock)))


def versions_of(python: Path) -> dict[str, str]:
    """Versions of an interpreter, as ``python``, and of all packages in its environment, by name.

    Asked once per process, and again when packages were installed or removed.

    Raises:
        PluginError: If the interpreter does not answer.
    """
    return dict(
        _versions(python, _changed(python), *map(_changed, sorted(python.parent.parent.glob("lib*/*/*-packages"))))
    )


def variables_of_others() -> dict[str, str]:
    """Environment variables for another Python: those of this process without :data:`HIDDEN`."""
    return {name: value for name, value in os.environ.items() if name not in HIDDEN}


def last_words(output: str) -> str:
    """The last lines that a program wrote, fit for a message; what a progress line showed before is left out."""
    lines = [line.rpartition("\r")[2].rstrip() for line in output.replace("\r\n", "\n").split("\n")]
    shown = [line if len(line) <= SHOWN_LETTERS else f"{line[:SHOWN_LETTERS]}..." for line in lines if line]
    return printable("".join(f"\n  {line}" for line in shown[-SHOWN_LINES:]))


@cache
def _made_by_uv(script: Path, *_: int) -> Path:
    """The interpreter of a script's environment; made once for as long as the script and its lock file stay."""
    uv = str(shutil.which("uv"))
    _by_uv(script, [uv, "sync", "--script", str(script)])
    answer = _by_uv(script, [uv, "python", "find", "--script", str(script)])
    return Path(answer.output.strip().rpartition("\n")[2])


def _by_uv(script: Path, command: Sequence[str]) -> Ended:
    ended = run_limited(command, seconds=SECONDS_TO_INSTALL, folder=script.parent, variables=variables_of_others())
    if ended.code != 0:
        how = f"was stopped after {SECONDS_TO_INSTALL:g} s" if ended.code is None else how_it_ended(ended.code)
        raise MissingDependency(
            f"{script}: uv {' '.join(command[1:-1])} {how}:{last_words(ended.output)}",
            hint="mend the script's dependencies, or name an interpreter as python",
        )
    return ended


@cache
def _versions(python: Path, *_: int) -> Mapping[str, str]:
    with TemporaryDirectory(prefix="rebeca-", ignore_cleanup_errors=True) as place:
        answer = Path(place) / "answer.json"
        ended = run_limited(
            [str(python), "-c", ASK, str(answer)],
            seconds=SECONDS_TO_ASK,
            folder=Path(place),
            variables=variables_of_others(),
        )
        told = _read(answer) if ended.code == 0 else None
    if told is None:
        how = f"was stopped after {SECONDS_TO_ASK:g} s" if ended.code is None else how_it_ended(ended.code)
        raise PluginError(
            f"python: {python} did not say which packages it has; it {how}{last_words(ended.output)}",
            hint="name an interpreter of Python 3.8 or newer that starts by itself",
        )
    return told


def _read(answer: Path) -> Mapping[str, str] | None:
    """The versions that an interpreter wrote down; None where it wrote something else."""
    try:
        told: Any = json.loads(answer.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    fine = isinstance(told, dict) and "python" in told and all(isinstance(each, str) for each in told.values())
    return told if fine else None


def _changed(path: Path) -> int:
    """When a file or folder was last changed, in nanoseconds; -1 where it is missing."""
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return -1

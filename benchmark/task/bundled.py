"""Files that travel with the package: task files, models of plug-ins, and the sources of the site."""

from __future__ import annotations

from pathlib import Path

from rebeca.errors import SpecError, did_you_mean

_PACKAGE = Path(__file__).resolve().parents[1]


def folder(name: str) -> Path:
    """The folder ``tasks``, ``site`` or ``docs`` of the installed package, or of the checkout."""
    inside = _PACKAGE / "_bundled" / name
    return inside if inside.is_dir() else _PACKAGE.parent / name


def bundled_tasks() -> dict[str, Path]:
    """The task files of the package by name, in the order of their names."""
    return {path.stem: path for path in sorted(folder("tasks").glob("*.yaml"), key=lambda path: path.stem)}


def find_task(name: str) -> Path:
    """A task file by path, or a bundled task by name.

    Raises:
        SpecError: If neither exists.
    """
    path = Path(name)
    if path.is_dir() and (path / "task.yaml").is_file():
        raise SpecError(f"{name} is a folder", hint=f"did you mean {path / 'task.yaml'}?")
    if path.suffix in (".yaml", ".yml") or path.exists():
        return path
    bundled = bundled_tasks()
    if name not in bundled:
        raise SpecError(f"no task file and no bundled task is called '{name}'", hint=did_you_mean(name, bundled))
    return bundled[name]

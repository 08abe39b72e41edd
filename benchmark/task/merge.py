"""Changes of a task file before it is checked: ``extends``, and single keys from the command line."""

from __future__ import annotations

from typing import Any

from benchmark.task.file import ENCODER_KEYS
from benchmark.task.yaml_source import KeyPath, Source, parse_scalar, read_yaml
from rebeca.errors import SpecError, did_you_mean

DEEPEST_EXTENDS = 5


def with_extends(source: Source, depth: int = 0) -> Source:
    """Merges the file named by ``extends`` below this one: mappings merge, everything else is replaced.

    Raises:
        SpecError: If it names no file, or files extend each other too deeply.
    """
    name = source.data.pop("extends", None)
    if name is None:
        return source
    if not isinstance(name, str) or depth >= DEEPEST_EXTENDS:
        raise SpecError(f"{source.at(('extends',))}: extends: expected the name of a task file, found {name!r}")
    parent = with_extends(read_yaml(source.path.parent / name), depth + 1)
    lines = {**parent.lines, **source.lines}
    return Source(source.path, _merged(parent.data, source.data), lines)


def _merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    out = dict(below)
    for key, value in above.items():
        both = isinstance(value, dict) and isinstance(out.get(key), dict)
        out[key] = _merged(out[key], value) if both else value
    return out


def override(source: Source, text: str) -> KeyPath:
    """Sets one key as ``--set a.b=value`` says; list elements are addressed by index or by their ``id``.

    Returns:
        The key's path.

    Raises:
        SpecError: If the key leads nowhere, or the value is not YAML.
    """
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise SpecError(f"--set {text}: expected a.b=value")
    parts = key.split(".")
    node: Any = source.data
    path: list[str | int] = []
    for position, part in enumerate(parts):
        step: str | int = part
        if isinstance(node, list):
            matches = [i for i, entry in enumerate(node) if isinstance(entry, dict) and entry.get("id") == part]
            if matches:
                step = matches[0]
            elif part.isdigit() and int(part) < len(node):
                step = int(part)
            else:
                ids = [str(e["id"]) for e in node if isinstance(e, dict) and "id" in e]
                raise SpecError(f"--set {text}: the list has no element '{part}'", hint=did_you_mean(part, ids))
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

"""Reading YAML as plain data while remembering the line of every key; ``extends``, and keys from the command line.

Only plain scalars, lists and mappings: no tags, no anchors, no duplicate keys, and a limit on size. A hostile task file
is refused before it costs time or memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.events import CollectionEndEvent, CollectionStartEvent
from ruamel.yaml.nodes import MappingNode, Node, SequenceNode

from benchmark.task.bundled import find_task
from benchmark.task.file import ENCODER_KEYS
from rebeca.errors import SpecError, did_you_mean
from rebeca.params import ParamError

TASK_FILES = (".yaml", ".yml")
LARGEST_BYTES = 1 << 20
PLAIN_TAGS = {f"tag:yaml.org,2002:{name}" for name in ("str", "int", "float", "bool", "null", "seq", "map")}
DEEPEST = 20
DEEPEST_EXTENDS = 5
REMEDIES = {
    "escape": "a backslash between double quotes begins an escape; write / in paths, or use single quotes",
    r"'\t'": "indent with blanks, not with tabs",
    "cannot start any token": "put the text into quotes",
    "mapping values are not allowed": "put a text that holds a colon and a blank into quotes",
}
"""By words of the parser's message, the narrower first."""
OPTION = "--set "
KeyPath = tuple[str | int, ...]


@dataclass(slots=True)
class Source:
    """A parsed file.

    Attributes:
        path: The file.
        data: Plain data.
        places: Where every key and list element was given, by path: a file and its line from 1, or an option.
    """

    path: Path
    data: dict[str, Any]
    places: dict[KeyPath, str] = field(default_factory=dict)

    def at(self, path: KeyPath) -> str:
        """Where the key, or the nearest one around it, was given, and the options that changed a part of it."""
        below = (place for known, place in self.places.items() if path and known[: len(path)] == path != known)
        options = [place for place in below if place.startswith(OPTION)]
        while path and path not in self.places:
            path = path[:-1]
        return " with ".join([self.places[path] if path else str(self.path), *options])


@contextmanager
def at(source: Source, *path: str | int) -> Iterator[None]:
    """Adds file and line to errors below a key, those of the parameter where it is known."""
    try:
        yield
    except SpecError as error:
        deeper = error.path if isinstance(error, ParamError) else ()
        raise SpecError(f"{source.at((*path, *deeper))}: {error.message}", hint=error.hint) from error


def task_id(task: str) -> str:
    """Id in a task file; otherwise the last name of what was given.

    Raises:
        SpecError: If the file cannot be read.
    """
    path = Path(task)
    return str(read_yaml(path).data.get("id", path.stem)) if path.suffix in TASK_FILES else path.name


def read_yaml(path: Path) -> Source:
    """Reads a task file.

    Raises:
        SpecError: With file and line.
    """
    try:
        size = path.stat().st_size
        if size > LARGEST_BYTES:
            raise SpecError(f"{path}: {size:,} bytes are too many for a task file (at most {LARGEST_BYTES:,})")
        text = path.read_bytes().decode("utf-8")
    except FileNotFoundError as error:
        raise SpecError(f"{path}: no such file") from error
    except IsADirectoryError as error:
        raise SpecError(f"{path}: is a folder, not a task file") from error
    except UnicodeDecodeError as error:
        raise SpecError(f"{path}: not UTF-8 at byte {error.start}", hint="save the file as UTF-8") from error
    source = Source(path, {})
    try:
        _refuse_what_costs(path, text)
        node = _parser().compose(text)
        data = {} if node is None else _plain(node, (), source)
    except (ValueError, OverflowError) as error:  # of the scanner
        raise SpecError(f"{path}: not valid YAML ({error})") from error
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark is not None else ""
        problem = getattr(error, "problem", None) or str(error)
        hint = next((remedy for words, remedy in REMEDIES.items() if words in problem), "")
        raise SpecError(f"{path}{line}: not valid YAML ({problem})", hint=hint) from error
    if not isinstance(data, dict):
        raise SpecError(f"{path}:1: a task file is a mapping of keys to values")
    source.data = data
    return source


def parse_scalar(text: str) -> Any:
    """A value as ``--set`` takes it: YAML without tags and anchors.

    Raises:
        SpecError: If it is not YAML.
    """
    source = Source(Path("--set"), {})
    try:
        _refuse_what_costs(source.path, text)
        node = _parser().compose(text)
        return None if node is None else _plain(node, (), source)
    except (YAMLError, ValueError, OverflowError) as error:
        raise SpecError(f"--set: '{text}' is not a YAML value") from error


def _parser() -> YAML:
    """YAML 1.2: ``no`` is a word, ``042`` is 42, and ``1:30`` is a text."""
    return YAML(typ="safe", pure=True)


def _refuse_what_costs(path: Path, text: str) -> None:
    """Refuses anchors and aliases, which can multiply, and deep nesting, which takes quadratic time to parse."""
    depth = 0
    for event in _parser().parse(text):
        line = event.start_mark.line + 1 if event.start_mark is not None else 1
        depth += isinstance(event, CollectionStartEvent) - isinstance(event, CollectionEndEvent)
        if depth > DEEPEST:
            raise SpecError(f"{path}:{line}: nested too deeply")
        anchor = getattr(event, "anchor", None)
        if anchor is not None:
            raise SpecError(
                f"{path}:{line}: anchors and aliases are not allowed ('{anchor}')",
                hint="use 'extends' to share parts",
            )


def _plain(node: Node, path: KeyPath, source: Source) -> Any:
    line = node.start_mark.line + 1
    where = f"{source.path}:{line}"
    source.places[path] = where
    if node.tag == "tag:yaml.org,2002:timestamp":
        raise SpecError(f"{where}: '{node.value}' is a date", hint="put it in quotes")
    if node.tag not in PLAIN_TAGS:
        raise SpecError(f"{where}: the YAML tag '{node.tag}' is not allowed")
    if isinstance(node, SequenceNode):
        return [_plain(child, (*path, index), source) for index, child in enumerate(node.value)]
    if isinstance(node, MappingNode):
        return _plain_mapping(node, path, source)
    _refuse_odd_text(node.value, where)
    try:
        return _parser().constructor.construct_object(node, deep=True)
    except (ValueError, OverflowError) as error:
        raise SpecError(f"{where}: not a value that can be kept ({error})") from error


def _plain_mapping(node: MappingNode, path: KeyPath, source: Source) -> dict[str, object]:
    out: dict[str, object] = {}
    for key_node, value_node in node.value:
        line, key = key_node.start_mark.line + 1, key_node.value
        where = f"{source.path}:{line}"
        if not isinstance(key, str):
            raise SpecError(f"{where}: keys must be words")
        _refuse_odd_text(key, where)
        if key in out:
            raise SpecError(f"{where}: the key '{key}' is given twice")
        out[key] = _plain(value_node, (*path, key), source)
        source.places[(*path, key)] = where
    return out


def _refuse_odd_text(text: str, where: str) -> None:
    """Refuses NUL bytes and halves of a surrogate pair, which no file name and no hash can hold."""
    if "\0" in text or any("\ud800" <= letter <= "\udfff" for letter in text):
        raise SpecError(f"{where}: the text contains a NUL byte or an unpaired surrogate")


def with_extends(source: Source, depth: int = 0) -> Source:
    """Merges the file named by ``extends`` below this one: mappings merge, everything else is replaced.

    Raises:
        SpecError: If it names no file, or files extend each other too deeply.
    """
    name = source.data.pop("extends", None)
    if name is None:
        return source
    where = f"{source.at(('extends',))}: extends"
    if not isinstance(name, str):
        raise SpecError(f"{where}: expected the name of a task file, found {name!r}")
    if depth >= DEEPEST_EXTENDS:
        raise SpecError(f"{where}: more than {DEEPEST_EXTENDS} files in a row, or files that extend each other")
    beside = source.path.parent / name
    try:
        file = beside if beside.suffix or beside.is_file() else find_task(name)
    except SpecError as error:
        raise SpecError(f"{where}: {error.message}", hint=error.hint) from error
    if not file.is_file():
        raise SpecError(f"{where}: {file}: no such file")
    parent = with_extends(read_yaml(file), depth + 1)
    return Source(source.path, _merged(parent.data, source.data), parent.places | source.places)


def _merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    both = {key for key, value in above.items() if isinstance(value, dict) and isinstance(below.get(key), dict)}
    return {**below, **above, **{key: _merged(below[key], above[key]) for key in both}}


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
            elif part.isdigit() and int(part) <= len(node):
                step = int(part)
                if step == len(node):  # one element more
                    node.append({})
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
    at = tuple(path)
    source.places = {known: place for known, place in source.places.items() if known[: len(at)] != at}
    source.places[at] = f"{OPTION}{text}"
    return at

"""What a leaderboard rests on, as BibTeX: the benchmark, the method, the data, plug-ins and weights."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from benchmark.task.declared import scorer_flags
from benchmark.task.encoders import ResolvedEncoder, named_encoder
from benchmark.task.registry import Kind, plugin_class
from benchmark.task.resolved import Task
from rebeca import __version__
from rebeca.errors import PluginError, RebecaError, SpecError
from rebeca.published import ALL, names_in
from rebeca.references import REBECA

BENCHMARK = (
    "@misc{rebeca-bench,\n  author = {{rebeca-bench contributors}},\n  title  = {{rebeca-bench}},\n"
    f"  note   = {{Version {__version__}}},\n}}"
)
ENTRY = re.compile(r'@\w+\{([^\s,{}"#%~\\]+),.*\}', re.DOTALL)
"""An entry of BibTeX; the group is its key."""
Source = tuple[str, type[RebecaError], object]
"""Whose reference it is, what is raised where it is none, and its text."""


def bibtex(task: Task) -> str:
    """Every reference of a task once, sorted by key.

    Raises:
        SpecError: If a reference of the task file is no BibTeX entry, or if two entries have one key.
        PluginError: Likewise, of a plug-in.
    """
    own = [("rebeca-bench", PluginError, text) for text in (BENCHMARK, REBECA)]
    weights = [(name, PluginError, text) for name in names_in(task.to_json()) for text in ALL[name].references]
    plugins = (source for kind, name in _plugins(task) for source in _of_plugin(kind, name))
    return _joined([*own, *weights, *_of_file(task), *plugins])


def data_bibtex(task: Task) -> str:
    """The references of the data set alone, as :func:`bibtex`; empty where there are none."""
    return _joined([*_of_file(task), *_of_plugin("data set", task.file.data.kind)])


def _of_file(task: Task) -> list[Source]:
    return [(f"{task.source}: references", SpecError, text) for text in task.file.references]


def _of_plugin(kind: Kind, name: str) -> list[Source]:
    given = plugin_class(kind, name).references
    texts = given if isinstance(given, tuple | list) else (given,)
    return [(f"{kind} '{name}': references", PluginError, text) for text in texts]


def _plugins(task: Task) -> Iterator[tuple[Kind, str]]:
    yield "data set", task.file.data.kind
    yield "decoder", task.file.decoder.use
    for judge in task.judges.values():
        yield "judge", judge.use
        yield from _encoders(judge.encoder)
    for generator in task.generators:
        yield "generator", generator.use
    for scorer in task.scorers:
        yield "scorer", scorer.use
        for name in scorer_flags(scorer.use, scorer.params, scorer.id).encoders:
            yield from _encoders(named_encoder(name, Path()))
    yield from _encoders(task.encoder)


def _encoders(encoder: ResolvedEncoder) -> Iterator[tuple[Kind, str]]:
    for each in encoder.chain:
        yield "encoder", each.use


def _joined(sources: Iterable[Source]) -> str:
    """Entries by key, one blank line apart; the same text counts once."""
    entries: dict[str, str] = {}
    for label, error, text in sources:
        entry = text.strip() if isinstance(text, str) else ""
        match = ENTRY.fullmatch(entry)
        if match is None or not _balanced(entry):
            raise error(
                f"{label}: {str(text)[:60]!r} is no BibTeX entry",
                hint="one text per entry, such as '@misc{key2026, title = {A Title}, year = {2026}}'",
            )
        if entries.setdefault(match[1], entry) != entry:
            raise error(f"{label}: the key '{match[1]}' is that of another entry", hint="choose another key")
    return "".join(f"{entries[key]}\n\n" for key in sorted(entries)).removesuffix("\n")


def _balanced(entry: str) -> bool:
    """Whether braces pair up, and the last one ends the entry."""
    depth, bare = 0, re.sub(r"\\.", "  ", entry)
    for place, letter in enumerate(bare):
        depth += (letter == "{") - (letter == "}")
        if letter == "}" and (depth < 0 or (depth == 0 and place != len(bare) - 1)):
            return False
    return depth == 0

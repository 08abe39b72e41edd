"""What is asked of a generator that somebody handed in, beyond what is asked of every generator."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from pathlib import Path

from benchmark.records.files import refuse_if, to_json
from benchmark.records.schema import GeneratorRecord
from benchmark.task.registry import names
from rebeca.arrays import Plain
from rebeca.errors import RecordError

EXTERNAL = "external"


def check_submission(folder: Path, record: GeneratorRecord) -> None:
    """Checks the card against what the record says, and that no text could pass for another or hide something.

    Raises:
        RecordError: Naming the first thing that does not add up.
    """
    card, generator = record.submission, record.generator
    assert card is not None
    refuse_if(
        (card.category == "privileged") != bool(generator.needs),
        f"{folder}: the class is '{card.category}', and the generator needs"
        f" {', '.join(generator.needs) or 'nothing privileged'}: 'privileged' is for those that need something",
    )
    refuse_if(
        generator.use not in names("generators") and generator.family != EXTERNAL,
        f"{folder}: the family is '{generator.family}', and '{generator.use}' is not installed here, so it is"
        f" '{EXTERNAL}'",
    )
    random = sorted(name for name, text in record.provenance.weights.items() if " random " in text)
    refuse_if(random, f"{folder}: the run used random weights ({', '.join(random)}), which measure nothing")
    refuse_if("\n" in generator.title, f"{folder}: the title is longer than a line")
    for key, text in _texts(to_json(record)):
        odd = next((letter for letter in text if not letter.isprintable() and letter != "\n"), None)
        if odd is not None:
            raise RecordError(
                f"{folder}: {key[:80]}: holds the character U+{ord(odd):04X}, which cannot be printed",
                hint="write it in plain text",
            )


def check_titles(folder: Path, records: Mapping[str, GeneratorRecord]) -> None:
    """Refuses a generator that was handed in under another one's title.

    Raises:
        RecordError: Naming both.
    """
    known = {_plain(record.generator.title): name for name, record in records.items() if record.submission is None}
    for name, record in sorted(records.items()):
        if record.submission is not None:
            other = known.setdefault(_plain(record.generator.title), name)
            if other != name:
                raise RecordError(
                    f"{folder / name}: the title '{record.generator.title}' is that of '{other}'",
                    hint="choose another title",
                )


def _plain(title: str) -> str:
    """A title without what readers do not see: case, accents, blanks, hyphens."""
    parts = unicodedata.normalize("NFKD", title).casefold()
    return "".join(letter for letter in parts if letter.isalnum())


def _texts(value: Plain, key: str = "") -> list[tuple[str, str]]:
    """Every text of a record with its dotted key; keys of mappings count as well."""
    if isinstance(value, str):
        return [(key, value)]
    if isinstance(value, Mapping):
        named = [(f"{key}.{name}".lstrip("."), name, child) for name, child in value.items()]
        return [text for below, name, child in named for text in ((below, name), *_texts(child, below))]
    if isinstance(value, list | tuple):
        return [text for index, child in enumerate(value) for text in _texts(child, f"{key}.{index}")]
    return []

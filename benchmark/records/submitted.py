"""What is asked of a generator that somebody handed in, beyond what is asked of every generator."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from pathlib import Path

from benchmark.records.files import refuse_if, to_json
from benchmark.records.schema import GeneratorRecord
from benchmark.task.registry import names
from benchmark.task.resolved import ResolvedGenerator
from benchmark.task.spec import GeneratorEntry
from rebeca.arrays import Plain
from rebeca.errors import RecordError

EXTERNAL = "external"
LONGEST_TITLE = 80
FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes for the beginning of a formula."""
INVISIBLE = "\u115f\u1160\u3164\uffa0\u2800"
"""Letters by name, and blank."""
EAST_ASIAN = frozenset({"CJK", "HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA", "HANGUL"})
"""Scripts that are written together."""


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
    refuse_if(
        not takes_the_tasks_seeds(generator),
        f"{folder}: 'offset', 'noise_group' or 'images' are not the task's: rows share their seeds",
    )
    random = record.provenance.random_weights
    refuse_if(random, f"{folder}: the run used random weights ({', '.join(random)}), which measure nothing")
    if fault := fault_of_title(generator.title):
        raise RecordError(f"{folder}: the title {fault}", hint="choose another title")
    for key, text in _texts(to_json(record)):
        odd = next((letter for letter in text if not letter.isprintable() and letter != "\n"), None)
        if odd is not None:
            raise RecordError(
                f"{folder}: {key[:80]}: holds the character U+{ord(odd):04X}, which cannot be printed",
                hint="write it in plain text",
            )


def fault_of_title(title: str) -> str:
    """What is wrong with the title of a row among those of others; empty if nothing."""
    if not title.strip() or title != title.strip():
        return "is empty, or begins or ends with a blank"
    if len(title) > LONGEST_TITLE or "\n" in title:
        return f"is longer than a line of {LONGEST_TITLE} characters"
    if title.startswith(FORMULA):
        return f"begins with '{title[0]}', which spreadsheets take for a formula"
    odd = next((c for c in title if not c.isprintable() or unicodedata.category(c) == "Cf" or c in INVISIBLE), "")
    if odd:
        return f"holds the character U+{ord(odd):04X}, which nobody sees"
    scripts = {unicodedata.name(c, "?").split(" ")[0] for c in title if c.isalpha()}
    if any(unicodedata.bidirectional(c) in ("R", "AL") for c in title):
        return "is written from right to left, which turns the line around it"
    mixed = len(scripts) > 1 and not scripts <= EAST_ASIAN | {"LATIN"}
    return f"mixes letters of {', '.join(sorted(scripts))}" if mixed else ""


def takes_the_tasks_seeds(generator: GeneratorEntry | ResolvedGenerator) -> bool:
    """Whether its images have the seeds of the task's, and are as many; so nobody shops for seeds or keeps the best."""
    return (generator.offset, generator.noise_group, generator.images) == (0, "default", None)


def check_titles(folder: Path, records: Mapping[str, GeneratorRecord]) -> None:
    """Refuses a generator that was handed in under another one's title.

    Raises:
        RecordError: Naming both.
    """
    known = {
        without_marks(record.generator.title): name for name, record in records.items() if record.submission is None
    }
    for name, record in sorted(records.items()):
        if record.submission is not None:
            other = known.setdefault(without_marks(record.generator.title), name)
            if other != name:
                raise RecordError(
                    f"{folder / name}: the title '{record.generator.title}' is that of '{other}'",
                    hint="choose another title",
                )


def without_marks(title: str) -> str:
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

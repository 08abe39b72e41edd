"""How far a row of a leaderboard can be trusted: what somebody did to check it, as a statement beside the records.

``<version folder>/attestations/<generator>.json`` is an in-toto Statement v1 (https://in-toto.io/Statement/v1). Its
subjects are the files in the generator's folder. The row has the statement's status for as long as those are the files
that ``comparison.json`` lists. Rows without such a statement are self-reported. A statement is not signed: whoever can
write the records can write it, so a signature (.github/workflows/attest.yml) says who did.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError

import rebeca
from benchmark.analysis.numbers import AtLeastOne, Count, NotNegative, PValue
from benchmark.disk import write_atomically
from benchmark.records.files import canonical_bytes, read_comparison, read_record, refuse_if, to_json, utc_now
from benchmark.records.schema import GeneratorInfo, Name, Sha256, Strict, TaskRecord
from benchmark.task.file import RESERVED
from rebeca.errors import RecordError, counted

ATTESTATIONS = RESERVED
STATEMENT: Literal["https://in-toto.io/Statement/v1"] = "https://in-toto.io/Statement/v1"
PREDICATE: Literal["urn:rebeca-bench:attestation:v1"] = "urn:rebeca-bench:attestation:v1"
"""Raised whenever a field of the predicate is added, removed or changes its meaning."""
MOST_BYTES = 1 << 16
"""Of a statement; those that are written have a tenth of it."""
SELF_REPORTED = "self-reported"
STEPS = {
    SELF_REPORTED: "Nobody but the author of the row has checked it.",
    "verified": "Every number was computed again from the row's own scores.",
    "rescored": "Images of the row were scored again, elsewhere or later, and had the same scores.",
    "reproduced": "The images were made again. With the same seeds they gave the same leaderboard; with other seeds, or"
    " fitted to another division of the ratings, neither preference nor personal lift was lower by more than the task's"
    " margin and chance allow.",
}
"""Steps of trust and what they mean, the weakest first."""
HANDED_IN = (
    "Images of this row were handed in as files, so nobody else can make them again: it can be rescored at most."
)
"""Why a row whose generator is fitted elsewhere goes no further."""

Seed = Annotated[int, Field(ge=-(2**63), lt=2**64)]


class Done(Strict):
    """What every predicate holds."""

    project: str = Field(default=rebeca.__version__, max_length=40, description="Version of this project.")
    at: str = Field(
        default_factory=utc_now, pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$", description="When it was done, in UTC."
    )


class Verified(Done):
    """Every number was computed again from rows."""

    status: Literal["verified"] = Field(default="verified", description="`verified`.")
    numbers: Count = Field(description="Numbers that were computed again, those of all rows together.")


class Rescored(Done):
    """Images were scored again."""

    status: Literal["rescored"] = Field(default="rescored", description="`rescored`.")
    images: AtLeastOne = Field(description="Images that were scored again.")
    among: AtLeastOne = Field(description="Images that they were drawn from.")
    valid: AtLeastOne = Field(description="All images of the row that did not fail.")
    origin: Literal["record", "given"] = Field(
        description="Whether the images are those that the record shows, or were given from elsewhere."
    )
    judges: Literal["fitted again", "published"] = Field(
        description="Whether judges were fitted again, or their weights were read from beside the records."
    )
    scorers: tuple[str, ...] = Field(description="Scorers that were asked again.", min_length=1, max_length=100)
    left_out: Mapping[str, str] = Field(description="The other scorers, and why they were not asked.", max_length=100)
    largest: NotNegative = Field(description="Largest difference of a score.")


class Difference(Strict):
    """One measure of the new run, beside the published one."""

    published: float = Field(description="Mean over users in the published record.")
    here: float = Field(description="Mean over users in the new run.")
    difference: float = Field(description="New minus published, both on the scale of the record's judge.")
    low: float = Field(description="Lower end of the 95 % interval of the difference.")
    high: float = Field(description="Upper end.")
    p: PValue = Field(description="One-sided p of a fall by more than the task's equivalence margin, adjusted by Holm.")


class Reproduced(Done):
    """Images were made again; with the same seeds where no other ones are given."""

    status: Literal["reproduced"] = Field(default="reproduced", description="`reproduced`.")
    offset: int | None = Field(default=None, description="Added to the seeds of images.")
    split_seed: Seed | None = Field(default=None, description="The task's seed instead of its own.")
    world_seed: Seed | None = Field(default=None, description="Seed of the synthetic world instead of its own.")
    largest: NotNegative | None = Field(default=None, description="Largest difference of a score, with the same seeds.")
    measures: Mapping[str, Difference] = Field(
        default_factory=dict, description="Preference and personal lift, with other seeds.", max_length=10
    )


Predicate = Annotated[Verified | Rescored | Reproduced, Field(discriminator="status")]


class Digest(Strict):
    """Digest of a file."""

    sha256: Sha256 = Field(description="SHA-256.")


class Subject(Strict):
    """A file that a statement is about."""

    name: str = Field(description="Path below the version folder.", max_length=200)
    digest: Digest = Field(description="Its digest.")


class Statement(Strict):
    """`attestations/<generator>.json`: an in-toto Statement v1."""

    type_: Literal["https://in-toto.io/Statement/v1"] = Field(
        alias="_type", default=STATEMENT, description="Version of the in-toto specification."
    )
    subject: tuple[Subject, ...] = Field(description="Files of the row.", min_length=1, max_length=20)
    predicate_type: Literal["urn:rebeca-bench:attestation:v1"] = Field(
        alias="predicateType", default=PREDICATE, description="Version of the predicate."
    )
    predicate: Predicate = Field(description="What was done.")

    def to_bytes(self) -> bytes:
        return canonical_bytes(to_json(self))


def path_of(folder: Path, generator: str) -> Path:
    """Of a row's statement, below a version folder."""
    return folder / ATTESTATIONS / f"{generator}.json"


def attest(folder: Path, done: Mapping[Name, Verified | Rescored | Reproduced]) -> list[Name]:
    """Writes what was done with rows, by generator; a weaker step never replaces a stronger one.

    Args:
        folder: The version folder.
        done: By generator.

    Returns:
        Generators whose statement was written.

    Raises:
        RecordError: If the records, or a statement that is there, cannot be read.
    """
    task, written = read_comparison(folder), []
    for name, predicate in done.items():
        generator = read_record(folder / name).generator
        statement = statement_of(folder, task, generator)
        if statement is not None and strength(predicate) < strength(statement.predicate):
            continue
        _check_possible(path_of(folder, name), predicate.status, generator)
        write_statement(folder, name, Statement(subject=_subjects(task, name), predicate=predicate))
        written.append(name)
    return written


def write_statement(folder: Path, generator: str, statement: Statement) -> None:
    path = path_of(folder, generator)
    path.parent.mkdir(exist_ok=True)
    write_atomically(path, statement.to_bytes())


def copy_statements(earlier: Path, folder: Path) -> None:
    """Copies statements beside records that replace earlier ones: rows whose files did not change keep the stronger."""
    task = read_comparison(folder)
    for name in task.order:
        path = path_of(earlier, name)
        before = _read(path) if path.exists() or path.is_symlink() else None
        if before is None or before.subject != _subjects(task, name):
            continue
        own = statement_of(folder, task, read_record(folder / name).generator)
        if own is None or strength(own.predicate) < strength(before.predicate):
            write_statement(folder, name, before)


def strength(predicate: Verified | Rescored | Reproduced) -> tuple[int, bool]:
    """Orders what was done: by step, and images that were made in another division or world above all."""
    anew = isinstance(predicate, Reproduced) and (predicate.split_seed, predicate.world_seed) != (None, None)
    return list(STEPS).index(predicate.status), anew


def in_words(predicate: Verified | Rescored | Reproduced) -> str:
    """What was done, in a few words."""
    if isinstance(predicate, Verified):
        return f"{predicate.numbers:,} numbers of all rows computed again"
    if isinstance(predicate, Rescored):
        scorers = counted(len(predicate.scorers), "scorer")
        return f"{predicate.images:,} of {counted(predicate.valid, 'image')} scored again by {scorers}"
    changes = {
        "other seeds of images": predicate.offset,
        "another division of the ratings": predicate.split_seed,
        "another synthetic world": predicate.world_seed,
    }
    changed = [what for what, seed in changes.items() if seed is not None]
    return f"images made again with {' and '.join(changed) or 'the same seeds'}"


def status_of(folder: Path, task: TaskRecord, generator: GeneratorInfo) -> str:
    """A row's step of trust, one of :data:`STEPS`.

    Raises:
        RecordError: If its file holds no statement, or a step that this generator cannot reach.
    """
    statement = statement_of(folder, task, generator)
    return SELF_REPORTED if statement is None else statement.predicate.status


def statement_of(folder: Path, task: TaskRecord, generator: GeneratorInfo) -> Statement | None:
    """A row's statement; None where there is none, or it is of other files. Errors as :func:`status_of`."""
    path = path_of(folder, generator.id)
    if not path.exists() and not path.is_symlink():
        return None
    statement = _read(path)
    if statement.subject != _subjects(task, generator.id):
        return None
    _check_possible(path, statement.predicate.status, generator)
    return statement


def check_attestations(folder: Path, task: TaskRecord) -> None:
    """Checks that the folder of statements holds statements about the task's generators, and nothing else.

    Raises:
        RecordError: Naming the first file that is none of them.
    """
    place = folder / ATTESTATIONS
    if not place.exists() and not place.is_symlink():
        return
    refuse_if(not place.is_dir() or place.is_symlink(), f"{place}: is no folder")
    expected = {path_of(folder, name).name for name in task.order}
    for path in sorted(place.iterdir()):
        refuse_if(path.name not in expected, f"{path}: belongs to no generator of the task")
        status_of(folder, task, read_record(folder / path.stem).generator)


def _read(path: Path) -> Statement:
    try:
        if path.is_symlink() or not path.is_file() or path.stat().st_size > MOST_BYTES:
            raise ValueError("no file, or too large")
        data = path.read_bytes()
        statement = Statement.model_validate_json(data)
        if statement.to_bytes() != data:  # a key twice, a number or a text that reading converted
            raise ValueError("not as statements are written")
    except (OSError, ValidationError, ValueError) as error:
        raise RecordError(f"{path}: is no attestation", hint="delete it, and verify the records again") from error
    return statement


def _check_possible(path: Path, status: str, generator: GeneratorInfo) -> None:
    refuse_if(
        status == "reproduced" and generator.fitted_elsewhere,
        f"{path}: '{generator.id}' cannot be reproduced: its images were handed in",
    )


def _subjects(task: TaskRecord, generator: str) -> tuple[Subject, ...]:
    files = sorted(task.records[generator].items())
    return tuple(Subject(name=f"{generator}/{name}", digest=Digest(sha256=digest)) for name, digest in files)

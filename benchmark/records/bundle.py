"""A bundle: one generator that somebody hands in, as a folder of files. It is data; nothing in it is executed.

``<root>/<task>/v<version>/<generator>/`` holds the files of a generator's record, all of its images in
``all-images.parquet`` unless they lie elsewhere or may not be passed on, and ``bundle.json``, which lists them. A
bundle comes from strangers: before a file of it is read, its kind and its size are known, and before a byte of it
counts, its digest is checked.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import Field

from benchmark.analysis.inputs import Rows
from benchmark.analysis.numbers import Count
from benchmark.disk import file_digest
from benchmark.records.files import (
    MANIFEST,
    RECORD,
    canonical_bytes,
    is_bundle,
    read_record,
    read_strict,
    refuse_if,
    to_json,
    write_strict,
)
from benchmark.records.gallery import ALL_IMAGES, IMAGES, MOST_PACKED_BYTES, PACKED, check_packed
from benchmark.records.rows import GENERATOR_FILES
from benchmark.records.schema import GeneratorRecord, Name, Sha256, ShownImage, Strict, TaskHeader
from rebeca.errors import RecordError, first_few

MAGIC = b"PAR1"
"""First bytes of a Parquet file."""
SCHEMA: Literal[1] = 1
LARGEST = {
    MANIFEST: 1 << 16,
    RECORD: 32 << 20,
    "scores.parquet": 256 << 20,
    "users.parquet": 64 << 20,
    "sets.parquet": 64 << 20,
    "pairs.parquet": 1 << 30,
    PACKED: 64 << 20,
    ALL_IMAGES: MOST_PACKED_BYTES,
}
"""Bytes of each file that a bundle may hold."""


class FileInfo(Strict):
    """A file of a bundle."""

    bytes: Count = Field(description="Its size.")
    sha256: Sha256 = Field(description="Its SHA-256.")


class Manifest(Strict):
    """`bundle.json`."""

    schema_: Literal[1] = Field(alias="schema", description="Version of this schema.")
    kind: Literal["bundle"] = Field(description="`bundle`.")
    task: TaskHeader = Field(description="The task.")
    generator: Name = Field(description="Id of the generator, and name of the folder.")
    files: Mapping[str, FileInfo] = Field(description="Every other file, by name.")


@dataclass(frozen=True, slots=True, eq=False)
class Bundle:
    """A bundle whose files are those that its manifest lists.

    Attributes:
        folder: Where it lies.
        manifest: What it lists.
        record: Of the generator.
    """

    folder: Path
    manifest: Manifest
    record: GeneratorRecord

    @property
    def id(self) -> str:
        return self.manifest.generator

    @property
    def files(self) -> Mapping[str, str]:
        """SHA-256 of the files that records keep, by name."""
        return {name: info.sha256 for name, info in self.manifest.files.items() if name != ALL_IMAGES}


def write_manifest(folder: Path, record: GeneratorRecord) -> None:
    """Completes a bundle: lists the files that lie in its folder."""
    files = sorted(path for path in folder.iterdir() if path.name != MANIFEST)
    listed = {path.name: FileInfo(bytes=path.stat().st_size, sha256=file_digest(path)) for path in files}
    manifest = Manifest(schema=SCHEMA, kind="bundle", task=record.task, generator=record.generator.id, files=listed)
    write_strict(folder / MANIFEST, to_json(manifest), Manifest)


def read_bundle(folder: Path) -> Bundle:
    """A bundle, once its files are what its manifest lists and its record is one.

    Nothing is written, no link is followed, and no file is opened that is not a plain file of a possible size.

    Raises:
        RecordError: Naming the first thing that is wrong.
    """
    if not is_bundle(folder):
        below = [path.parent for depth in ("*", "*/*/*") for path in sorted(folder.glob(f"{depth}/{MANIFEST}"))]
        raise RecordError(
            f"{folder} holds no bundle: there is no {MANIFEST}",
            hint=f"did you mean {below[0]}?"
            if below
            else "rebeca-bench submit writes submissions/TASK/vVERSION/GENERATOR",
        )
    sizes = plain_files(folder)
    manifest = read_strict(folder / MANIFEST, Manifest, SCHEMA)
    refuse_if(
        set(manifest.files) != set(sizes) - {MANIFEST},
        f"{folder}: {MANIFEST} lists other files than are there:"
        f" {first_few(sorted(set(manifest.files) ^ (set(sizes) - {MANIFEST})))}",
    )
    refuse_if(
        folder.resolve().name != manifest.generator,
        f"{folder}: the folder is not called '{manifest.generator}', as the generator is",
    )
    for name, info in manifest.files.items():
        refuse_if(
            sizes[name] != info.bytes or file_digest(folder / name) != info.sha256,
            f"{folder / name}: was changed (its size or SHA-256 is another)",
        )
    record = read_record(folder)
    for name, content in ((MANIFEST, manifest), (RECORD, record)):
        refuse_if(
            (folder / name).read_bytes() != canonical_bytes(to_json(content)),
            f"{folder / name}: is not written as records are, byte for byte",
        )
    for name in sorted(set(sizes) - {MANIFEST, RECORD}):
        with (folder / name).open("rb") as stream:
            refuse_if(stream.read(len(MAGIC)) != MAGIC, f"{folder / name}: is no Parquet file")
    refuse_if(record.submission is None, f"{folder / RECORD}: 'submission' is missing: it has no card")
    refuse_if(
        (record.task, record.generator.id) != (manifest.task, manifest.generator),
        f"{folder / RECORD}: is of another task or generator than {MANIFEST} says",
    )
    return Bundle(folder, manifest, record)


def plain_files(folder: Path) -> dict[str, int]:
    """Sizes of the files of a bundle by name.

    Raises:
        RecordError: If something else lies there, or a file is empty, too large, a link or no file.
    """
    try:
        with os.scandir(folder) as entries:
            files = {entry.name: entry.stat(follow_symlinks=False) for entry in entries}
    except OSError as error:
        raise RecordError(f"{folder}: cannot be read ({error.strerror})") from error
    added = sorted(set(files) - set(LARGEST))
    missing = sorted({*GENERATOR_FILES, MANIFEST} - set(files))
    refuse_if(added, f"{folder}: holds what no bundle holds: {first_few([repr(name[:80]) for name in added])}")
    refuse_if(missing, f"{folder}: {first_few(missing)} is missing")
    for name, about in sorted(files.items()):
        refuse_if(stat.S_ISLNK(about.st_mode), f"{folder / name}: is a link; a bundle holds the files themselves")
        refuse_if(not stat.S_ISREG(about.st_mode), f"{folder / name}: is no plain file")
        refuse_if(about.st_nlink > 1, f"{folder / name}: is also linked from elsewhere; copy the file")
        refuse_if(
            not 0 < about.st_size <= LARGEST[name],
            f"{folder / name}: {about.st_size:,} bytes, expected 1 to {LARGEST[name]:,}",
        )
    return {name: about.st_size for name, about in files.items()}


def check_images(bundle: Bundle, rows: Rows, users: tuple[str, ...], redistribute: bool) -> None:
    """Checks that the images that are there are the ones that were scored, and that the others have an address.

    Raises:
        RecordError: If they are others, lack an address where they are not there, or may not be passed on.
    """
    card, path = bundle.record.submission, bundle.folder / ALL_IMAGES
    assert card is not None
    held = ALL_IMAGES in bundle.manifest.files
    refuse_if(
        not redistribute and (held or card.images is not None),
        f"{bundle.folder}: images of this data set may not be passed on, and the bundle holds or names them",
    )
    if not redistribute:
        return
    refuse_if(not held and card.images is None, f"{path}: is missing, and the card names no address of the images")
    if not held:
        return
    info = bundle.manifest.files[ALL_IMAGES]
    refuse_if(
        card.images is not None and (card.images.sha256, card.images.bytes) != (info.sha256, info.bytes),
        f"{path}: is another file than the card says lies at {card.images.address if card.images else ''}",
    )
    expected = [(image.user, image.replicate, image.digest) for image in all_images(rows, users)]
    check_packed(bundle.folder, IMAGES, expected, ALL_IMAGES)


def all_images(rows: Rows, users: tuple[str, ...]) -> tuple[ShownImage, ...]:
    """All valid images, in the order of users and replicates."""
    return tuple(
        ShownImage(user=user, replicate=k, digest=str(rows.digest[u, k]))
        for u, user in enumerate(users)
        for k in range(rows.per_user)
        if not rows.failed[u, k]
    )

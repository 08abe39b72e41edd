"""Artefacts in a place that several machines share.

An artefact is one archive of its files, and a manifest that is created once and after it: without a manifest there is
no artefact. The archive is named by the manifest that it belongs to, so a second writer never changes the first one's.
"""

from __future__ import annotations

import json
import tarfile
from hashlib import sha256
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from benchmark.runner.places import Place
from rebeca.errors import StoreError

MANIFEST = "artefact.json"


def publish(folder: Path, place: Place, name: str) -> None:
    """Shares an artefact, unless the same one is shared already.

    Raises:
        StoreError: If another one is shared under its name, which stays.
    """
    manifest = (folder / MANIFEST).read_bytes()
    known = place.read(f"{name}/{MANIFEST}")
    if known is None:
        with TemporaryDirectory(prefix="rebeca-") as temporary:
            archive = Path(temporary, "archive.tar")
            pack(folder, archive)
            place.upload(_archive(name, manifest), archive)
        if place.create(f"{name}/{MANIFEST}", manifest):
            return
        known = place.read(f"{name}/{MANIFEST}") or b""
    compare(manifest, known, name)


def fetch(folder: Path, place: Place, name: str) -> bool:
    """Writes a shared artefact into an empty folder; False where there is none. The caller checks its digests.

    Raises:
        StoreError: If its archive is missing, or is none.
    """
    manifest = place.read(f"{name}/{MANIFEST}")
    if manifest is None:
        return False
    with TemporaryDirectory(prefix="rebeca-") as temporary:
        archive = Path(temporary, "archive.tar")
        if not place.download(_archive(name, manifest), archive):
            raise StoreError(f"the shared {name}: its archive is missing", hint="remove its manifest there")
        try:
            unpack(archive, folder)
        except (tarfile.TarError, ValueError) as error:
            raise StoreError(
                f"the shared {name}: {error}", hint="remove it there; it is then computed again"
            ) from error
    (folder / MANIFEST).write_bytes(manifest)
    return True


def pack(folder: Path, archive: Path) -> None:
    """Writes an artefact's files into an archive; equal files give equal bytes."""
    with tarfile.open(archive, "w", format=tarfile.PAX_FORMAT) as tar:
        for path in sorted(p for p in folder.rglob("*") if p.is_file()):
            name = path.relative_to(folder).as_posix()
            if name == MANIFEST:
                continue
            tar.add(path, name, filter=_without_owner)


def _without_owner(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    """An entry without owner, time and rights, which differ between machines."""
    return entry.replace(mtime=0, mode=0o644, uid=0, gid=0, uname="", gname="", deep=False)


def unpack(archive: Path, folder: Path) -> None:
    """Writes an archive's files into a folder.

    Raises:
        ValueError: If it holds anything but plain files below the folder.
    """
    with tarfile.open(archive, "r:") as tar:
        for entry in tar:
            parts = PurePosixPath(entry.name)
            if not entry.isreg() or parts.is_absolute() or ".." in parts.parts or entry.name == MANIFEST:
                raise ValueError(f"its archive holds {entry.name[:80]!r}, which is no file of an artefact")
            tar.extract(entry, folder, filter="data")


def compare(own: bytes, known: bytes, name: str) -> None:
    """Refuses an artefact whose manifest differs from that of the first writer.

    Raises:
        StoreError: Naming the files that differ.
    """
    if own == known:
        return
    try:
        ours, theirs = (dict(json.loads(data)["files"]) for data in (own, known))
        differ = sorted(file for file in ours.keys() | theirs.keys() if ours.get(file) != theirs.get(file))
    except (ValueError, KeyError, TypeError):
        differ = []
    raise StoreError(
        f"{name}: another process made other results from the same inputs"
        f" ({', '.join(differ[:3]) or 'its manifest cannot be read'}); the first ones stay",
        hint="results of unlike processors can differ; use machines of one kind for one store",
    )


def _archive(name: str, manifest: bytes) -> str:
    return f"{name}/{sha256(manifest).hexdigest()}.tar"

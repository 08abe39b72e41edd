"""Artefacts in a place that several machines share.

An artefact is one archive of its files, and a manifest that is created once and after it: without a manifest there is
no artefact. The archive is named by the manifest that it belongs to, so a second writer never changes the first one's.
"""

from __future__ import annotations

import json
import tarfile
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmark.runner.places import Place
from rebeca.errors import StoreError, disk_full

MANIFEST = "artefact.json"


class Differs(StoreError):
    """Two processes made different results from the same inputs; the first ones stay."""


def publish(folder: Path, place: Place, name: str) -> None:
    """Shares an artefact, unless the same one is shared already.

    Raises:
        Differs: If another one is shared under its name, which stays.
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


def fetch(folder: Path, place: Place, name: str, manifest: bytes) -> None:
    """Writes a shared artefact into an empty folder. The caller checks its digests.

    Args:
        folder: The folder.
        place: Where it is shared.
        name: Its name there.
        manifest: Its manifest, as it was read there.

    Raises:
        StoreError: If its archive is missing, or is none.
    """
    remedy = "remove its manifest there; it is then computed again"
    with TemporaryDirectory(prefix="rebeca-") as temporary:
        archive = Path(temporary, "archive.tar")
        if not place.download(_archive(name, manifest), archive):
            raise StoreError(f"the shared {name}: its archive is missing", hint=remedy)
        try:
            unpack(archive, folder, _files(manifest))
        except (tarfile.TarError, ValueError) as error:
            raise StoreError(f"the shared {name}: {error}", hint=remedy) from error
        except OSError as error:
            if disk_full(error):
                raise
            raise StoreError(f"the shared {name}: its archive cannot be unpacked ({error})", hint=remedy) from error
    (folder / MANIFEST).write_bytes(manifest)


def pack(folder: Path, archive: Path) -> None:
    """Writes an artefact's files into an archive, links as what they lead to; equal files give equal bytes."""
    with tarfile.open(archive, "w", format=tarfile.PAX_FORMAT, dereference=True) as tar:
        for path in sorted(p for p in folder.rglob("*") if p.is_file()):
            name = path.relative_to(folder).as_posix()
            if name != MANIFEST:
                tar.add(path, name, filter=_plain)


def _plain(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    """An entry without owner, time and rights, which differ between machines."""
    return entry.replace(mtime=0, mode=0o644, uid=0, gid=0, uname="", gname="", deep=False)


def unpack(archive: Path, folder: Path, files: dict[str, str]) -> None:
    """Writes an archive's files into a folder.

    Args:
        archive: The archive, which may be hostile.
        folder: An empty folder.
        files: SHA-256 by name of all that it may hold, as the manifest says.

    Raises:
        ValueError: If it holds anything but these, as plain files.
    """
    left = set(files)
    with tarfile.open(archive, "r:") as tar:
        for entry in tar:
            if not entry.isreg() or entry.issparse() or entry.name not in left:
                raise ValueError(f"its archive holds {entry.name[:80]!r}, which is no file of the artefact")
            left.remove(entry.name)
            tar.extract(entry, folder, filter="data")


def compare(own: bytes, known: bytes, name: str) -> None:
    """Refuses an artefact whose manifest differs from that of the first writer.

    Raises:
        Differs: Naming the files that differ.
    """
    if own == known:
        return
    ours, theirs = _files(own), _files(known)
    differ = sorted(file for file in ours.keys() | theirs.keys() if ours.get(file) != theirs.get(file))
    raise Differs(
        f"{name}: another process made other results from the same inputs"
        f" ({', '.join(differ[:3]) or 'its manifest cannot be read'}); the first ones stay",
        hint="results of unlike processors can differ; use machines of one kind for one store",
    )


def _files(manifest: bytes) -> dict[str, str]:
    """SHA-256 by name; empty where the manifest cannot be read."""
    try:
        return {str(name): str(digest) for name, digest in json.loads(manifest)["files"].items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}


def _archive(name: str, manifest: bytes) -> str:
    return f"{name}/{sha256(manifest).hexdigest()}.tar"

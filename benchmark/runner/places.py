"""Places that several processes share: small named objects, created once, and files that belong to them.

A place is a folder, or an object store reached through obstore: S3, Google Cloud Storage, Azure, memory. Names are
relative, with slashes. Creating fails where the name exists, also where two processes try at once.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar, Protocol, TypeVar
from uuid import uuid4

from benchmark.disk import locked, write_atomically
from rebeca.errors import SpecError, StoreError

Answer = TypeVar("Answer")

TRIES = 6
"""Of a request that fails for no lasting reason."""
LOCK = ".lock"
"""File of a folder that is held while an object is compared and replaced."""
FIRST_PAUSE = 0.2
"""Seconds before the second try; every further one waits twice as long."""


class Place(Protocol):
    """Small objects and files by name.

    Attributes:
        FORKS: Whether forked processes can go on with it.
        address: As :func:`shared_place` takes it.
    """

    FORKS: ClassVar[bool]
    address: str

    def read(self, name: str) -> bytes | None:
        """The bytes of an object; None where it is absent."""

    def create(self, name: str, data: bytes) -> bool:
        """Writes an object; False where one of that name exists, which then stays as it is."""

    def replace(self, name: str, data: bytes, seen: bytes) -> bool:
        """Writes an object in the place of one that was seen there; False where it is another by now.

        A place that cannot compare and write at once may overwrite what another process wrote in between.
        """

    def write(self, name: str, data: bytes) -> None:
        """Writes an object, whatever is there."""

    def remove(self, name: str) -> None:
        """Removes an object, if it is there."""

    def upload(self, name: str, path: Path) -> None:
        """Writes the contents of a file, whatever is there."""

    def download(self, name: str, path: Path) -> bool:
        """Writes an object into a file; False where it is absent."""

    def names(self, folder: str) -> Iterator[str]:
        """Names of all objects below a folder."""


class Folder:
    """A folder as a place.

    Args:
        root: The folder; created when needed.
    """

    FORKS: ClassVar[bool] = True

    def __init__(self, root: Path) -> None:
        self._root, self.address = root, f"file://{root.absolute()}"

    def read(self, name: str) -> bytes | None:
        try:
            return (self._root / name).read_bytes()
        except FileNotFoundError:
            return None

    def create(self, name: str, data: bytes) -> bool:
        path = self._ready(name)
        temporary = path.with_name(f".{path.name}.{uuid4().hex}")
        try:
            temporary.write_bytes(data)
            os.link(temporary, path)  # fails where the name exists
        except FileExistsError:
            return False
        finally:
            temporary.unlink(missing_ok=True)
        return True

    def replace(self, name: str, data: bytes, seen: bytes) -> bool:
        lock = self._ready(LOCK)
        lock.touch()
        with locked(lock):
            if self.read(name) != seen:
                return False
            self.write(name, data)
        return True

    def write(self, name: str, data: bytes) -> None:
        write_atomically(self._ready(name), data)

    def remove(self, name: str) -> None:
        (self._root / name).unlink(missing_ok=True)

    def upload(self, name: str, path: Path) -> None:
        target = self._ready(name)
        temporary = target.with_name(f".{target.name}.{uuid4().hex}")
        try:
            shutil.copyfile(path, temporary)
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)

    def download(self, name: str, path: Path) -> bool:
        try:
            shutil.copyfile(self._root / name, path)
        except FileNotFoundError:
            return False
        return True

    def names(self, folder: str) -> Iterator[str]:
        for path in (self._root / folder).rglob("*"):
            if path.is_file():
                yield path.relative_to(self._root).as_posix()

    def _ready(self, name: str) -> Path:
        path = self._root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path


class ObjectStore:
    """An object store as a place; requests that fail are tried again.

    Args:
        store: One of obstore's stores.
        address: Its address.
        sleep: Waits so many seconds.
    """

    FORKS: ClassVar[bool] = False

    def __init__(self, store: Any, address: str, sleep: Callable[[float], None] = time.sleep) -> None:
        self._store, self.address, self._sleep = store, address, sleep

    def read(self, name: str) -> bytes | None:
        import obstore

        try:
            return self._try(lambda: bytes(obstore.get(self._store, name).bytes()))
        except FileNotFoundError:
            return None

    def create(self, name: str, data: bytes) -> bool:
        import obstore
        from obstore.exceptions import AlreadyExistsError

        try:
            self._try(lambda: obstore.put(self._store, name, data, mode="create"))
        except AlreadyExistsError:
            return self.read(name) == data  # an answer that was lost made a second try meet the first one
        return True

    def replace(self, name: str, data: bytes, seen: bytes) -> bool:
        import obstore
        from obstore.exceptions import PreconditionError

        try:
            present = self._try(lambda: obstore.get(self._store, name))
        except FileNotFoundError:
            return False
        if bytes(present.bytes()) != seen:
            return False
        version: Any = {key: value for key in ("e_tag", "version") if (value := present.meta.get(key)) is not None}
        try:
            self._try(lambda: obstore.put(self._store, name, data, mode=version))
        except PreconditionError:
            return self.read(name) == data
        except FileNotFoundError:  # removed in between
            return False
        except NotImplementedError:
            self.write(name, data)
        return True

    def write(self, name: str, data: bytes) -> None:
        import obstore

        self._try(lambda: obstore.put(self._store, name, data))

    def remove(self, name: str) -> None:
        import obstore

        with suppress(FileNotFoundError):
            self._try(lambda: obstore.delete(self._store, name))

    def upload(self, name: str, path: Path) -> None:
        import obstore

        self._try(lambda: obstore.put(self._store, name, path))

    def download(self, name: str, path: Path) -> bool:
        import obstore

        def copy() -> None:
            with path.open("wb") as stream:
                for part in obstore.get(self._store, name):
                    stream.write(part)

        try:
            self._try(copy)
        except FileNotFoundError:
            return False
        return True

    def names(self, folder: str) -> Iterator[str]:
        import obstore

        listed = self._try(lambda: [entry["path"] for part in obstore.list(self._store, folder) for entry in part])
        yield from listed

    def _try(self, request: Callable[[], Answer]) -> Answer:
        """The answer of a request, tried again where it fails for no lasting reason.

        Raises:
            StoreError: If it fails for good.
        """
        from obstore import exceptions as failed

        telling = (failed.AlreadyExistsError, failed.PreconditionError)
        lasting = (failed.PermissionDeniedError, failed.UnauthenticatedError, failed.InvalidPathError)
        for number in range(TRIES):
            try:
                return request()
            except telling:
                raise
            except PermissionError as error:
                raise self._failed(error, "check the credentials and the rights on the bucket") from error
            except failed.BaseError as error:
                if isinstance(error, lasting):
                    raise self._failed(error, "check the credentials and the rights on the bucket") from error
                if number == TRIES - 1:
                    raise self._failed(error, "what is finished is kept; run the same command again") from error
                self._sleep(FIRST_PAUSE * 2**number)
        raise AssertionError("the last try returns or raises")

    def _failed(self, error: Exception, hint: str) -> StoreError:
        return StoreError(f"{self.address}: {str(error).splitlines()[0]}", hint=hint)


def shared_place(address: str) -> Place:
    """The place of an address such as ``s3://bucket/folder``, ``gs://...``, ``az://...`` or ``file:///folder``.

    Credentials, regions and endpoints are taken from the environment, as obstore documents them: for S3
    ``AWS_ACCESS_KEY_ID``, ``AWS_SECRET_ACCESS_KEY``, ``AWS_REGION``, ``AWS_ENDPOINT_URL``, ``AWS_ALLOW_HTTP``.

    Raises:
        SpecError: If obstore is not installed, or the address is none.
    """
    if address.startswith("file://"):
        folder = Path(address.removeprefix("file://"))
        if not folder.is_absolute():
            raise SpecError(f"--store {address}: not a whole path", hint="write three slashes, as in file:///folder")
        return Folder(folder)
    try:
        from obstore.exceptions import BaseError
        from obstore.store import from_url
    except ImportError as error:
        raise SpecError(
            f"--store {address}: the package obstore is not installed",
            hint="pip install 'rebeca-bench[objects]', or name a shared folder with file://",
        ) from error
    try:
        return ObjectStore(from_url(address), address)
    except (BaseError, ValueError) as error:
        raise SpecError(
            f"--store {address}: {str(error).splitlines()[0]}",
            hint="write s3://bucket/folder, gs://bucket/folder, az://container/folder or file:///folder",
        ) from error

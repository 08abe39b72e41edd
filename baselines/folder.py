"""Images that exist already, as ``DIR/<user>/<replicate>.png`` or as a table ``DIR/images.csv`` names them.

So any program's images can be compared on a leaderboard.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import ClassVar

from rebeca.arrays import Pixels
from rebeca.data.cells import check_id, check_text
from rebeca.data.folder import image_files
from rebeca.data.interactions import Interactions
from rebeca.data.options import USUAL_LAYOUT
from rebeca.data.tables import Faults, Table, read_table
from rebeca.errors import DataError, PluginError, SpecError, first_few
from rebeca.interfaces import GeneratedImage, Generator, GeneratorContext, Request
from rebeca.pixels import DECODING, decode_image, pixels_digest

TABLE = "images.csv"
READING = 2
"""Raised whenever the same folder could give other images, or is refused from now on."""
SUFFIXES = (".png", ".webp", ".jpg", ".jpeg")
OTHER_SUFFIXES = (".avif", ".bmp", ".gif", ".heic", ".jfif", ".tif", ".tiff")
"""Of images that a folder may hold, but that nobody asked for."""
NUMBER = re.compile(r"0|[1-9]\d{0,8}", re.ASCII)
LONGEST_NAME = 255
"""Bytes in the name of a folder."""
SHOWN_DAMAGED = 10
LAYOUT = f"DIR/<user>/<replicate>.png, replicates counted from 0, or a table DIR/{TABLE} (user,replicate,file)"
Key = tuple[str, int]
"""User and replicate."""


@dataclass(frozen=True, slots=True)
class FolderParams:
    """Parameters of a task file.

    Attributes:
        path: The folder, relative to the task file; one folder per user, one file per replicate, counted from 0. A
            table ``images.csv`` in it, with columns user, replicate and file, names the images instead.
        content: SHA-256 over the files; filled in by the harness, so that changed images are read again.
        personal: Whether the images were generated for the user whose folder they are in.
        retrieval: Whether the images are copies of items. One that equals an item in every pixel then counts as that
            item, so that held-out ratings score it. Of several equal items the user's first candidate is taken.
        names_fits: Whether the table names the fit of every image in a column ``fit``. Image k of a user belongs to
            fit k modulo the task's ``fits``. Without it, all images count as those of one fitted model.
        judge_guided: Whether the images were optimised or chosen for the score of a judge, or of a model of one. The
            generator is then shown and not ranked, as one that ``needs`` the judge.
    """

    LOCATIONS: ClassVar[tuple[str, ...]] = ("path",)
    CONTENTS: ClassVar[Mapping[str, str]] = {"content": "path"}
    path: str = ""
    content: str = ""
    personal: bool = True
    retrieval: bool = False
    names_fits: bool = False
    judge_guided: bool = False


@dataclass(frozen=True, slots=True)
class Submission:
    """What a folder holds.

    Attributes:
        files: The file of every image.
        others: Names of image files that are none of these.
        listed: Whether a table names the images.
    """

    files: Mapping[Key, Path]
    others: tuple[str, ...]
    listed: bool


class Folder(Generator[FolderParams]):
    Params = FolderParams
    fitted_elsewhere = True

    def __init__(self, params: FolderParams, context: GeneratorContext) -> None:
        super().__init__(params, context)
        self._submission: Submission | None = None
        self._items: dict[str, list[int]] = {}

    @classmethod
    def check(cls, params: FolderParams) -> None:
        """Refuses a folder that is not there."""
        _refuse_no_folder(params.path)

    @classmethod
    def fit_parameters(cls, params: FolderParams) -> frozenset[str]:
        """The contents of the files, but not their folder."""
        return frozenset({"content"})

    @classmethod
    def fingerprint(cls, params: FolderParams) -> str:
        """Changes when the same files could give other images."""
        return f"decoding {DECODING}, reading {READING}"

    @classmethod
    def needs(cls, params: FolderParams) -> frozenset[str]:
        """The judge, where the images declare that they aim at it."""
        return frozenset({"judge"} if params.judge_guided else ())

    @classmethod
    def fit_varies(cls, params: FolderParams) -> bool:
        """Only where the images name their fits."""
        return params.names_fits

    @classmethod
    def decodes_in(cls, params: FolderParams) -> frozenset[str]:
        """Nowhere: its images exist."""
        return frozenset()

    @classmethod
    def claims_personal(cls, params: FolderParams) -> bool:
        return params.personal

    def fit(self, train: Interactions) -> None:
        """Checks the folder, its links and its table; there is nothing to learn."""
        self._read()

    def save(self, folder: Path) -> None:
        """Nothing to write."""

    def load(self, folder: Path) -> None:
        """Nothing to read."""

    def generate(self, requests: Sequence[Request]) -> Iterator[GeneratedImage | None]:
        """Reads one file per request; a missing file is a missing image, which the harness counts and names.

        Raises:
            PluginError: If files have names that nobody asks for, and images are missing that may be meant.
            DataError: Naming the damaged images.
        """
        if not requests:
            return
        if self._submission is None:
            self._submission = self._read()
        files = self._submission.files
        if not self._submission.listed:
            _check_users(self.params.path, dict.fromkeys(request.user for request in requests))
        fits = self.context.fits
        count = (max(request.replicate for request in requests) // fits + 1) * fits  # images per user in all fits
        _check_names(
            self.params.path, self._submission, [(user, k) for user in self.context.users for k in range(count)]
        )
        if self.params.retrieval and not self._items:
            for item in range(len(self.context.catalogue)):
                self._items.setdefault(self.context.catalogue.digest(item), []).append(item)
        for request in requests:
            file = files.get((request.user, request.replicate))
            if file is None:
                yield None
                continue
            try:
                pixels = decode_image(file.read_bytes(), str(file))
            except DataError as error:
                raise _damaged(files.values()) from error
            yield GeneratedImage(pixels, item=self._item(pixels, request.user) if self.params.retrieval else None)

    def _read(self) -> Submission:
        return read_submission(self.params.path, self.context.users, self.context.fits, self.params.names_fits)

    def _item(self, pixels: Pixels, user: str) -> int | None:
        """The item with these pixels, one of the user's candidates where there is one."""
        equal = self._items.get(pixels_digest(pixels), [])
        candidates = self.context.candidates.of(self.context.users.index(user))
        return next((item for item in equal if item in candidates), equal[0] if equal else None)


def _refuse_no_folder(path: str) -> None:
    if not path or not Path(path).is_dir():
        raise SpecError(f"'{path}' is no folder", hint=f"set params.path to DIR with {LAYOUT}")


def read_submission(path: str, users: Sequence[str], fits: int = 1, names_fits: bool = False) -> Submission:
    """Finds the images of a folder, without reading them.

    Args:
        path: The folder.
        users: Ids of all users of the data set.
        fits: How many fits the task asks for.
        names_fits: Whether the table must name the fit of every image.

    Raises:
        SpecError: If there is no such folder.
        PluginError: If a link in it leads out of it or to a folder, or the table that should name fits is missing.
        DataError: Naming the first rows of the table that are wrong.
    """
    _refuse_no_folder(path)
    root = Path(path).resolve()
    paths = sorted(root.rglob("*"))
    links = {link.relative_to(root).as_posix(): _link_fault(link, root) for link in paths if link.is_symlink()}
    if faults := [f"'{name}' {fault}" for name, fault in links.items() if fault]:
        raise PluginError(f"{path}: {first_few(faults)}", hint="put the files themselves into the folder")
    if (root / TABLE).is_file():
        return Submission(_listed(root / TABLE, root, users, fits, names_fits), (), listed=True)
    if names_fits:
        raise PluginError(
            f"{path}: names_fits is true, and there is no table {TABLE}",
            hint="list the images in a table (user,replicate,file,fit), or leave names_fits out",
        )
    files, others = dict[Key, Path](), list[str]()
    for file in filter(Path.is_file, paths):
        name = file.relative_to(root)
        key = _key(name)
        if key in files:
            faults.append(f"'{files[key].relative_to(root)}' and '{name}' are both there")
        elif key is not None:
            files[key] = file
        elif file.suffix.lower() in (*SUFFIXES, *OTHER_SUFFIXES):
            others.append(name.as_posix())
    if faults:
        raise PluginError(f"{path}: {first_few(faults)}", hint="keep one file per image")
    return Submission(files, tuple(others), listed=False)


def _link_fault(link: Path, root: Path) -> str:
    """What is wrong with a symbolic link; nothing for one to a file inside the folder."""
    try:
        target = link.resolve(strict=True)
    except (OSError, RuntimeError):
        return "is a link to nothing"
    if not target.is_relative_to(root):
        return "is a link that points outside the folder"
    return "is a link to a folder" if target.is_dir() else ""


def _key(name: Path) -> Key | None:
    """User and replicate of a file's name relative to the folder, where it has the form that is asked for."""
    fits = len(name.parts) == 2 and name.suffix in SUFFIXES and NUMBER.fullmatch(name.stem)
    return (name.parts[0], int(name.stem)) if fits else None


def _listed(path: Path, root: Path, users: Sequence[str], fits: int, names_fits: bool) -> dict[Key, Path]:
    """The files that a table names.

    Raises:
        DataError: Naming the first rows that are wrong.
    """
    columns = {"user": _check_user, "replicate": _check_replicate, "file": check_id}
    table = read_table(path, USUAL_LAYOUT, columns | ({"fit": check_id} if names_fits else {}), fixed=True)
    names = table.columns["file"]
    near, faults, files = {_loose(user): user for user in users}, Faults(path), dict[Key, Path]()
    known, rows = set(users), table.rows.tolist()
    for row, user, number, name in zip(rows, table.columns["user"], table.columns["replicate"], names, strict=True):
        key = user, int(number)
        if user not in known:
            meant = f"; did you mean '{near[_loose(user)]}'?" if _loose(user) in near else ""
            faults.add(row, f"no user '{user}' in the data set{meant}")
        elif key in files:
            faults.add(row, f"image {number} of user '{user}' is named twice")
        files[key] = root / name
    if names_fits:
        _check_fits(table, fits, faults)
    faults.check()
    source = image_files(root, names, path, rows)
    return {key: root / file for key, file in zip(files, source.files, strict=True)}


def _check_fits(table: Table, fits: int, faults: Faults) -> None:
    """Notes rows whose fit is not that of the other images with the same replicate modulo ``fits``."""
    name_of, number_of = dict[int, str](), dict[str, int]()
    hint = f"fit k of {fits} makes the replicates with replicate % {fits} == k; or leave names_fits out"
    for row, cell, name in zip(table.rows.tolist(), table.columns["replicate"], table.columns["fit"], strict=True):
        number = int(cell) % fits
        if (first := name_of.setdefault(number, name)) != name:
            faults.add(row, f"image {cell} is of fit '{name}', and others with this number are of '{first}'", hint)
        elif (other := number_of.setdefault(name, number)) != number:
            faults.add(row, f"image {cell} is of fit '{name}', which also made image {other}", hint)


def _check_user(cell: str) -> str:
    return check_text(cell) if cell else "is empty"


def _check_replicate(cell: str) -> str:
    return "" if NUMBER.fullmatch(cell) else f"holds '{cell}', expected a whole number, counted from 0"


def _check_users(path: str, users: Collection[str]) -> None:
    """Refuses to read folders of users whose ids cannot be the name of one."""
    odd = [user for user in users if user in (".", "..") or len(os.fsencode(user)) > LONGEST_NAME or {*"/\0"} & {*user}]
    if odd:
        ids = first_few([repr(user if len(user) <= 40 else f"{user[:37]}...") for user in odd])
        raise PluginError(
            f"{path}: no folder can be called {ids}", hint=f"name the images in a table {TABLE} (user,replicate,file)"
        )


def _check_names(path: str, submission: Submission, wanted: Sequence[Key]) -> None:
    """Refuses a folder whose images are missing under the names that are asked for, and are there under others.

    Args:
        path: The folder, for messages.
        submission: What it holds.
        wanted: All that may be asked for.

    Raises:
        PluginError: Naming the first of them.
    """
    keys, files = set(wanted), submission.files
    names = [*submission.others, *(f"{user}/{file.name}" for (user, k), file in files.items() if (user, k) not in keys)]
    count = 1 + max(k for _, k in wanted)
    shifted = [user for user, k in wanted if not k and (user, 0) not in files and (user, count) in files]
    missing = {_loose(f"{user}/{k}"): f"{user}/{k}.png" for user, k in wanted if (user, k) not in files}
    stems = {name: _loose(str(PurePosixPath(name).with_suffix(""))) for name in names}
    faults = [
        f"the images of '{user}' are {user}/1 to {user}/{count}, asked for as 0 to {count - 1}" for user in shifted
    ]
    faults += [f"'{name}' is asked for as '{missing[stem]}'" for name, stem in stems.items() if stem in missing]
    if names and not faults and not keys & files.keys():
        asked = first_few([f"'{user}/{k}.png'" for user, k in wanted])
        faults = [
            f"none of its images is asked for: it holds {first_few([repr(n) for n in names])}; asked for are {asked}"
        ]
    if faults:
        raise PluginError(
            f"{path}: {first_few(faults)}", hint=f"use the names of requests.csv and {', '.join(SUFFIXES)}: {LAYOUT}"
        )


def _loose(name: str) -> str:
    """What names have in common that a person would call the same."""
    plain = re.sub(r"[\s_/-]+", "/", unicodedata.normalize("NFKC", name).casefold()).strip("/")
    return re.sub(r"/0+(?=\d+$)", "/", plain)


def _damaged(files: Collection[Path]) -> DataError:
    """Names the first images that cannot be read, and how many there are."""
    faults, hints = list[str](), dict[str, None]()
    for file in files:
        try:
            decode_image(file.read_bytes(), str(file))
        except DataError as error:
            faults.append(error.message)
            hints[error.hint] = None
    return DataError(first_few(faults, SHOWN_DAMAGED, "\n  "), hint="; ".join(filter(None, hints)))

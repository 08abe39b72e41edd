"""Scores by somebody's script in another Python, whose packages may conflict with those of this one.

Images and scores go over files, in a folder that the script is given as its only argument: ``images.csv`` names one PNG
file per image, and the script writes ``scores.csv``. One process scores all images of a call, so that a model is loaded
once.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image

from rebeca.arrays import LARGEST, Floats, Pixels
from rebeca.environments import check_interpreter, interpreter_of, last_words, variables_of_others, versions_of
from rebeca.errors import PluginError, SpecError, first_few
from rebeca.hashes import file_hash
from rebeca.images import ImageSource, LazyPixels, read_images
from rebeca.params import shortened, whole_number
from rebeca.processes import Ended, how_it_ended, may_lack_memory, run_limited
from rebeca.scorers.shared import one_per_image
from rebeca.seeds import digest_of

IMAGES, SCORES = "images.csv", "scores.csv"
COLUMNS = ["number", "score"]
CALLING = 1
"""Raised whenever the same script could be called otherwise."""
FASTEST = 1
"""Level of compression of PNG files that are read once."""
MOST_LETTERS = 100
"""Bytes per line of ``scores.csv``, on average."""
NUMBER = re.compile(r"\d{1,9}", re.ASCII)
SCORE = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,4})?", re.ASCII)


class ScorerScript:
    """A script that scores images in another Python, for packages that conflict with those of this one.

    The script is called with one argument, a folder. There it reads ``images.csv``, whose columns are ``number``,
    ``file`` (a PNG file, relative to the folder), and ``prompt`` where prompts are given. It writes ``scores.csv`` with
    the columns ``number`` and ``score``, one line per image in any order. Scores are finite, and that of an image does
    not depend on the images beside it. It needs nothing of this package.

    Args:
        script: The file.
        python: An interpreter, such as ``old-env/bin/python``. Without one, uv makes the environment that the script's
            inline metadata (PEP 723) ask for.
        seconds: Limit of time of a call, above 0.
        memory_mb: Limit of the private memory of the process; none by default.

    Raises:
        SpecError: If the interpreter cannot be run, or none is named and the script does not say what it needs.
        MissingDependency: If there is no such script, or uv is needed and not on this machine.

    Example:
        >>> import sys
        >>> from pathlib import Path
        >>> import numpy as np
        >>> from rebeca.scorers import ScorerScript
        >>> _ = Path("widths.py").write_text('''
        ... import csv, os, sys
        ... os.chdir(sys.argv[1])
        ... with open("images.csv") as images, open("scores.csv", "w") as scores:
        ...     print("number,score", file=scores)
        ...     for row in csv.DictReader(images):
        ...         with open(row["file"], "rb") as image:
        ...             width = int.from_bytes(image.read(20)[16:], "big")
        ...         print(row["number"], width, sep=",", file=scores)
        ... ''')
        >>> scorer = ScorerScript("widths.py", python=sys.executable)
        >>> scorer.score(np.zeros((2, 32, 48, 3), np.uint8))
        array([48., 48.])
        >>> scorer.environment()["widths.py"][:7], len(scorer.fingerprint())
        ('sha256:', 64)
    """

    def __init__(
        self,
        script: str | PathLike[str],
        *,
        python: str | PathLike[str] | None = None,
        seconds: float = 3600.0,
        memory_mb: int | None = None,
    ) -> None:
        self._script = Path(script)
        self._python = None if python is None else Path(python)
        self._seconds = float(seconds)
        self._memory_mb = None if memory_mb is None else whole_number("memory_mb", memory_mb, least=1)
        if not self._seconds > 0:
            raise SpecError(f"seconds: expected more than 0, found {seconds:g}")
        check_interpreter(self._script, self._python)

    def environment(self) -> dict[str, str]:
        """Versions of the Python that runs the script and of its packages, and the SHA-256 of the script, by name.

        Raises:
            PluginError: If the interpreter does not answer.
            MissingDependency: If uv fails to make the environment.
        """
        digest = file_hash(self._script)
        return versions_of(interpreter_of(self._script, self._python)) | {self._script.name: f"sha256:{digest}"}

    def fingerprint(self) -> str:
        """SHA-256 over :meth:`environment`; a plug-in that uses the script returns it as its own ``fingerprint``."""
        return digest_of([CALLING, self.environment()])

    def score(self, images: ImageSource, prompts: str | Sequence[str] | None = None) -> Floats:
        """The script's scores, float64 [n].

        Args:
            images: A folder, or n paths, Pillow's images or uint8 arrays; see :func:`rebeca.images.read_images`.
            prompts: One for all images, or one per image; none by default.

        Raises:
            PluginError: If the script fails, exceeds a limit, or writes anything but one number per image.
            DataError: Naming what is no image, or the number of prompts.
        """
        pixels = images if isinstance(images, LazyPixels) else read_images(images)
        texts = None if prompts is None else one_per_image(prompts, len(pixels))
        if not len(pixels):
            return np.zeros(0)
        python = interpreter_of(self._script, self._python)
        with TemporaryDirectory(prefix="rebeca-", ignore_cleanup_errors=True) as place:
            folder = Path(place)
            write_images(folder, pixels, texts)
            ended = run_limited(
                [str(python), str(self._script.absolute()), str(folder)],
                seconds=self._seconds,
                memory_mb=self._memory_mb,
                folder=folder,
                variables=variables_of_others(),
            )
            self._refuse_failure(ended)
            return read_scores(folder / SCORES, len(pixels), str(self._script), last_words(ended.output))

    def _refuse_failure(self, ended: Ended) -> None:
        if ended.code == 0:
            return
        said = last_words(ended.output)
        if ended.code is None:
            raise PluginError(
                f"{self._script} was stopped after {self._seconds:g} s{said}", hint="seconds sets the time limit"
            )
        short = self._memory_mb is not None and (may_lack_memory(ended.code) or "MemoryError" in said)
        hint = f"memory_mb, which is {self._memory_mb:,}, limits its memory" if short else ""
        raise PluginError(f"{self._script} {how_it_ended(ended.code)}{said}", hint=hint)


def write_images(folder: Path, images: Sequence[Pixels], prompts: Sequence[str] | None) -> None:
    """Writes images as PNG files, and the table that names them."""
    (folder / "images").mkdir()
    names = [f"images/{number:06}.png" for number in range(len(images))]
    for number, name in enumerate(names):
        Image.fromarray(images[number]).save(folder / name, compress_level=FASTEST)
    columns = {"number": range(len(images)), "file": names} | ({} if prompts is None else {"prompt": prompts})
    with (folder / IMAGES).open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))


def read_scores(path: Path, count: int, script: str, said: str = "") -> Floats:
    """What a script wrote, float64 [count].

    Args:
        path: The table.
        count: Images.
        script: Its name, for messages.
        said: What it wrote last; shown where the table is missing.

    Raises:
        PluginError: Naming script, line and value.
    """
    if path.is_symlink() or not path.is_file():
        what = "something else is in its place" if path.exists() or path.is_symlink() else f"there is none{said}"
        raise PluginError(f"{script} should write a file {path.name}; {what}", hint="it is written to sys.argv[1]")
    most = MOST_LETTERS * (count + 1)
    with path.open("rb") as stream:
        data = stream.read(most + 1)
    if len(data) > most:
        raise PluginError(f"{script}: {path.name} has more than {most:,} bytes, too many for {count:,} images")
    return parse_scores(data, count, f"{script}: {path.name}")


def parse_scores(data: bytes, count: int, where: str) -> Floats:
    """The scores of a table with the columns number and score, float64 [count].

    Args:
        data: The table.
        count: Images; each has one line.
        where: Begins messages.

    Raises:
        PluginError: Naming the line and what is wrong with it.
    """
    try:
        rows = csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""), strict=True)
    except UnicodeDecodeError as error:
        raise PluginError(f"{where}: no text in UTF-8") from error
    try:
        lines = [(f"{where}:{rows.line_num}", row) for row in rows if row]
    except csv.Error as error:
        raise PluginError(f"{where}:{rows.line_num}: no line of a CSV table ({error})") from error
    header = lines[0][1] if lines else []
    if header != COLUMNS:
        raise PluginError(f"{where}: the columns are {shortened(header)}, expected {COLUMNS}")
    scores = np.full(count, np.nan)
    for line, row in lines[1:]:
        number, score = _number_and_score(line, row, count)
        if not np.isnan(scores[number]):
            raise PluginError(f"{line}: image {number} has a score already")
        scores[number] = score
    missing = [str(number) for number in np.flatnonzero(np.isnan(scores))]
    if missing:
        raise PluginError(f"{where}: no score for image {first_few(missing)} of {count}")
    return scores


def _number_and_score(line: str, row: Sequence[str], count: int) -> tuple[int, float]:
    if len(row) != len(COLUMNS):
        raise PluginError(f"{line}: {len(row)} values, expected {len(COLUMNS)}: {shortened(row)}")
    number = int(row[0]) if NUMBER.fullmatch(row[0]) else count
    if number >= count:
        raise PluginError(f"{line}: number is {shortened(row[0])}, expected one of 0 to {count - 1}")
    score = float(row[1]) if SCORE.fullmatch(row[1]) else math.nan
    if not abs(score) <= LARGEST:
        raise PluginError(f"{line}: score is {shortened(row[1])}, expected a number up to {LARGEST:g}")
    return number, score

"""Records from Python: run a task or load its records, and take tables, comparisons and figures from them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from html import escape
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from benchmark.board.board import Board, read_board
from benchmark.board.format_numbers import MISSING, with_interval
from benchmark.board.frames import comparison_frame, images_frame, leaderboard_frame, pairs_frame, users_frame
from benchmark.board.tables import Tables, read_tables
from benchmark.board.typeset import latex_table, markdown_table
from benchmark.records.find import find_records
from rebeca.errors import RecordError, SpecError, did_you_mean
from rebeca.hashes import cache_folder

if TYPE_CHECKING:
    import altair as alt
    import pandas as pd
    from PIL.Image import Image

    from benchmark.figures.style import Figure, Undrawn
    from benchmark.records.verify import Verified
    from rebeca.arrays import Plain

SizeName = Literal["page", "two-column", "one-column"]


def run(
    task: str | PathLike[str],
    *,
    workdir: str | PathLike[str] | None = None,
    device: str = "cpu",
    set: str | Sequence[str] | Mapping[str, Plain | PathLike[str]] = (),
    limit_users: int | None = None,
    only: str | Sequence[str] = (),
    quiet: bool = True,
) -> Results:
    """Runs a task like ``rebeca-bench run``, without building its page.

    Finished stages are cached in the work folder: the same call continues a run that was stopped, and a second call
    computes nothing. The records are those of the command, but for the command line and times in their provenance.

    The run computes in this process, with one thread unless ``OMP_NUM_THREADS`` was set, whatever numpy and torch use
    otherwise. Afterwards these have their number of threads back, if they were imported before.

    Args:
        task: Task file, or name of a bundled task.
        workdir: Work folder; None for the user's cache.
        device: Torch device.
        set: Changes of the task file: ``["images=4"]``, or ``{"images": 4}``. Keys are joined by dots; an element of
            a list is named by its index or ``id``, as in ``generators.rebeca.params.lr``.
        limit_users: Users that images are made for; None for the task's own number.
        only: Generators that are run beside the reference; empty for all.
        quiet: Print warnings only.

    Raises:
        RebecaError: With the message of the command. The classes in :mod:`rebeca.errors` tell an invalid task
            (``SpecError``) from invalid data, missing packages, broken plug-ins and unusable folders.

    Example:
        >>> import benchmark
        >>> benchmark.run("tinyworld-quik")
        Traceback (most recent call last):
            ...
        rebeca.errors.SpecError: no task file and no bundled task is called 'tinyworld-quik'
          hint: did you mean 'tinyworld-quick'?
    """
    from benchmark.runner.folders import check_folders
    from benchmark.runner.progress import Reporter
    from benchmark.runner.start import running, task_to_run
    from benchmark.runner.threads import computing_threads

    changes, chosen, device = _overrides(set), _texts("only", only), str(device)
    given = {"set": changes, "limit_users": limit_users, "only": chosen, "device": device if device != "cpu" else None}
    command = ", ".join([repr(str(task)), *(f"{name}={value!r}" for name, value in given.items() if value)])
    folder = cache_folder() if workdir is None else _path("workdir", workdir)
    with computing_threads():
        resolved = task_to_run(str(task), changes, limit_users, chosen, device)
        check_folders(folder, None, None)
        with running(resolved, folder, device, Reporter(quiet=quiet), [f"benchmark.run({command})"]) as (_, result):
            return Results(result.records)


def load(records: str | PathLike[str]) -> Results:
    """Reads the records of a task.

    Args:
        records: A folder of records (``results/sprites/v2``), a task below a folder of records (``results/sprites``,
            for its newest version), or the name of a task that was run in the user's cache.

    Raises:
        SpecError: If there are no records, with the nearest name.
        RecordError: If they cannot be read.

    Example:
        >>> import benchmark
        >>> results = benchmark.load("results/sprites")
        >>> results.path.as_posix()
        'results/sprites/v2'
    """
    path = _path("records", records)
    cached = (cache_folder() / "records",) if path.name == str(records) else ()
    return Results(find_records(str(records), (path.parent, *cached)))


class Results:
    """The records of a task: its leaderboard, the numbers of every user, comparisons and figures.

    All tables are data frames. They call measures by the same names: ``preference`` and ``lift`` by the primary
    scorer, ``observed`` by the users' own ratings, ``ground_truth`` where a synthetic world knows it. Every other
    measure has its name in the task; ``lift_NAME`` is the personal lift by another scorer. Missing numbers are NaN.

    Args:
        path: ``<root>/<task id>/v<version>``.

    Raises:
        RecordError: If the records cannot be read.

    Example:
        >>> import benchmark
        >>> results = benchmark.load("results/sprites/v2")
        >>> results.table().set_index("generator")[["preference", "lift"]].round(3).loc["rebeca"].tolist()
        [0.855, 0.579]
    """

    def __init__(self, path: str | PathLike[str]) -> None:
        self._board: Board = read_board(Path(path))

    @property
    def path(self) -> Path:
        """The folder of the records."""
        return self._board.folder

    @property
    def task(self) -> str:
        """Id of the task."""
        return self._board.task.id

    @property
    def title(self) -> str:
        """Title of the task."""
        return self._board.title

    @property
    def generators(self) -> tuple[str, ...]:
        """Ids of the generators, best first; those that are not ranked come last."""
        return tuple(row.id for row in self._board.rows)

    @property
    def finding(self) -> str:
        """The result in one to three sentences, as above the leaderboard.

        Example:
            >>> import benchmark
            >>> benchmark.load("results/sprites").finding.partition(";")[0]
            'Of the ranked generators, "Catalogue, nearest to likes" has the highest preference (0.935)'
        """
        return self._board.finding

    @property
    def cautions(self) -> tuple[str, ...]:
        """What limits the result, one sentence each: as below the leaderboard in the terminal."""
        return tuple(self._board.all_cautions())

    def table(self) -> pd.DataFrame:
        """The leaderboard: the numbers of ``rebeca-bench show --csv``, one row per generator, best first.

        Returns:
            ``generator``, ``title``, ``ranked``; ``rank_low`` and ``rank_high``, the ranks that the tests allow;
            ``letters`` and ``share_first``; verdict and p of the comparison with the reference; numbers of users,
            images and fits, and the standard deviation between fits. Then each measure as ``NAME``, ``NAME_low``,
            ``NAME_high`` (95 % interval) and ``NAME_n`` (users with a value). Last, ``flags``, separated by semicolons.

        Example:
            >>> import benchmark
            >>> table = benchmark.load("results/sprites").table()
            >>> table[["generator", "rank_low", "rank_high"]].head(2).values.tolist()
            [['catalogue-centroid', 1, 3], ['catalogue-factorised', 1, 3]]
        """
        return leaderboard_frame(self._board)

    def latex(self) -> str:
        """The leaderboard for a paper: that of ``rebeca-bench show --latex``.

        Returns:
            A ``table*`` in ASCII that needs the package booktabs. Per generator: the ranks that the tests allow,
            preference and personal lift with 95 % intervals, flags. A note says what was tested, and names the record.

        Example:
            >>> import benchmark
            >>> "REBECA & 1--3 a & 0.855 (0.796 to 0.914)" in benchmark.load("results/sprites/v2").latex()
            True
        """
        return latex_table(self._board)

    def markdown(self) -> str:
        """The same as :meth:`latex` in Markdown, as ``rebeca-bench show --markdown`` prints it.

        Example:
            >>> import benchmark
            >>> benchmark.load("results/sprites/v2").markdown().splitlines()[2]
            '| Generator | Rank | Preference | Personal lift | Flags |'
        """
        return markdown_table(self._board)

    def users(self) -> pd.DataFrame:
        """The values behind the leaderboard: one row per generator and user.

        Returns:
            ``user``, ``generator``; ``block`` of the data, training ``ratings`` of the user, ``persona`` (users with
            similar opinions, numbered from 1, the largest first; missing where users form no groups). Then one column
            per measure, the mean over the user's images. The mean of a column is that of :meth:`table`.

        Raises:
            RecordError: If a file of the records is damaged.

        Example:
            >>> import benchmark
            >>> users = benchmark.load("results/sprites").users()
            >>> users.groupby("generator")["lift"].mean().round(3).loc["rebeca"].item()
            0.579
        """
        return users_frame(self._tables)

    def pairs(self, scorer: str | None = None) -> pd.DataFrame:
        """What users think of images that were made for other users: one row per generator and pair of users.

        Args:
            scorer: Id of a scorer that can be asked for every user; None for the primary scorer.

        Returns:
            ``user`` (who judges), ``generator``, ``images_for`` (for whom the images were made; the same user for own
            images) and ``score``, the mean over the valid images. Users of different blocks are not paired.

        Raises:
            SpecError: If the scorer has no such scores.
            RecordError: If a file of the records is damaged.

        Example:
            >>> import benchmark
            >>> pairs = benchmark.load("results/sprites").pairs()
            >>> own = pairs["user"] == pairs["images_for"]
            >>> bool(pairs[own].score.mean() > pairs[~own].score.mean())
            True
        """
        return pairs_frame(self._tables, self._board.primary if scorer is None else str(scorer))

    def images(self) -> pd.DataFrame:
        """Every image with its scores: one row per generator, user and replicate.

        Returns:
            ``user``, ``generator``, ``replicate`` (0, 1, ...); ``fit``, the number of the fit that made the image;
            ``item``, the index of the item that the image is (missing where it is none); ``failed``; ``shown``, whether
            :meth:`image` has it; ``digest``, SHA-256 of size and pixels. Then one column per scorer of single images.

        Raises:
            RecordError: If a file of the records is damaged.

        Example:
            >>> import benchmark
            >>> len(benchmark.load("results/sprites").images().query("generator == 'rebeca'"))  # 75 for each of 40
            3000
        """
        return images_frame(self._tables)

    def image(self, generator: str, user: str, replicate: int = 0) -> Image:
        """An image that the records hold; ``shown`` of :meth:`images` says which ones they do.

        Args:
            generator: Id of the generator.
            user: Id of the user whom it was made for.
            replicate: Which of the user's images.

        Raises:
            SpecError: If the generator is unknown, or the records do not hold the image.
            RecordError: If it is damaged.

        Example:
            >>> import benchmark
            >>> results = benchmark.load("results/sprites")
            >>> shown = results.images().query("generator == 'rebeca' and shown").iloc[0]
            >>> results.image("rebeca", shown.user, shown.replicate).size
            (64, 64)
        """
        from PIL import Image

        from benchmark.records.gallery import IMAGES, decode_packed, unpack

        _check_name(generator, self.generators, "generator")
        shown = self._board.row(generator).record.images.shown
        digest = next((each.digest for each in shown if (each.user, each.replicate) == (user, replicate)), None)
        packed = unpack(self.path / generator, IMAGES)
        if digest is None or digest not in packed:
            hint = "images() names those that are shown"
            raise SpecError(f"the records hold no image {replicate} of '{generator}' for '{user}'", hint=hint)
        return Image.fromarray(decode_packed(self.path / generator, digest, packed[digest]))

    def compare(self, a: str, b: str) -> pd.DataFrame:
        """Two generators, a minus b: one row per measure, declared measures first.

        Args:
            a: Id of a generator.
            b: Id of another one.

        Returns:
            ``measure``; ``analysis``, ``confirmatory`` if the measure was declared before the first image, else
            ``exploratory``; ``difference`` with ``low`` and ``high`` (95 % interval over ``users``); ``verdict``;
            ``p``, adjusted over the whole family by max-T, and ``p_holm``; the effect ``d_z``; the share of users who
            ``prefer`` a, and the probability that an image of a ``beats`` one of b, each with its interval;
            ``skewness`` of the differences and the smallest ``detectable`` one.

        Raises:
            SpecError: If a generator is unknown, or the two were not compared.

        Example:
            >>> import benchmark
            >>> compared = benchmark.load("results/sprites").compare("rebeca", "rebeca-no-user").set_index("measure")
            >>> compared.loc["lift", ["verdict", "analysis"]].tolist()
            ['better', 'confirmatory']
        """
        return comparison_frame(self._board, str(a), str(b))

    @property
    def figures(self) -> tuple[str, ...]:
        """Names of the figures that the records have data for.

        Example:
            >>> import benchmark
            >>> benchmark.load("results/sprites").figures[:3]
            ('plane', 'plane-ground-truth', 'diversity')
        """
        return tuple(self._drawn)

    def figure(self, name: str, size: SizeName = "page") -> alt.LayerChart:
        """A figure of the leaderboard's page as an Altair chart.

        It is drawn in a notebook, and its ``save`` writes PNG, SVG, PDF or HTML.

        Args:
            name: One of :attr:`figures`.
            size: ``page``, or ``two-column`` and ``one-column`` of print.

        Returns:
            The chart, with its finding as the title; an Altair class that suits its layers and panels.

        Raises:
            SpecError: If name or size is unknown, with the nearest one.
            RecordError: If the data do not allow the figure, with the reason.

        Example:
            >>> import benchmark
            >>> type(benchmark.load("results/sprites").figure("plane")).__name__
            'LayerChart'
        """
        from benchmark.figures.style import SIZES, Undrawn, chart

        figure = self._figures.get(str(name))
        if isinstance(figure, Undrawn):
            raise RecordError(f"the figure '{name}' cannot be drawn: {figure.reason}")
        _check_name(name, self.figures, "figure")
        _check_name(size, SIZES, "size")
        return chart(self._drawn[name], SIZES[size])

    @cached_property
    def _figures(self) -> dict[str, Figure | Undrawn]:
        from benchmark.figures.build import figures_of

        return {figure.name: figure for _, figure in figures_of(self._tables)}

    @property
    def _drawn(self) -> dict[str, Figure]:
        from benchmark.figures.style import Figure

        return {name: figure for name, figure in self._figures.items() if isinstance(figure, Figure)}

    @cached_property
    def _tables(self) -> Tables:
        return read_tables(self._board)

    def verify(self) -> Verified:
        """Recomputes every number of the records, like ``rebeca-bench verify``; this takes a few seconds.

        Returns:
            How many generators, files and numbers agree.

        Raises:
            RecordError: Naming the first thing that does not add up.

        Example:
            >>> import benchmark
            >>> benchmark.load("results/tinyworld-quick").verify().generators
            6
        """
        from benchmark.records.verify import verify

        return verify(self.path)

    def __repr__(self) -> str:
        return f"<Results of {self.task}: {self._size}, {self.path}>\n{self.finding}"

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        primary = self._board.primary
        body = "".join(
            _html_row(
                "td",
                MISSING if row.rank is None else row.rank.with_letters,
                row.title,
                with_interval(row.measure(primary)),
                with_interval(row.lift(primary), sign=True),
                ", ".join(row.flags),
            )
            for row in self._board.rows
        )
        head = _html_row("th", "rank", "generator", "preference", "personal lift", "flags")
        notes = "".join(f"<li>{escape(caution)}</li>" for caution in self.cautions)
        return (
            '<div style="overflow-x: auto">'
            f"<p><b>{escape(self.title)}</b>: {escape(self._size)}. {escape(self.finding)}</p>"
            f"<table><thead>{head}</thead><tbody>{body}</tbody></table>"
            f"{f'<ul>{notes}</ul>' if notes else ''}</div>"
        )

    @property
    def _size(self) -> str:
        board = self._board
        return f"{len(board.rows)} generators, {board.size}"


def _html_row(kind: str, *cells: str) -> str:
    style = "text-align: left; white-space: nowrap"
    return "<tr>" + "".join(f'<{kind} style="{style}">{escape(cell)}</{kind}>' for cell in cells) + "</tr>"


def _check_name(name: str, known: Iterable[str], kind: str) -> None:
    if name not in tuple(known):
        raise SpecError(f"no {kind} '{name}'", hint=did_you_mean(name, known))


def _path(name: str, given: str | PathLike[str]) -> Path:
    if not isinstance(given, str | PathLike):
        raise SpecError(f"{name}: expected a path, found {given!r}")
    return Path(given)


def _texts(name: str, given: str | Sequence[str]) -> tuple[str, ...]:
    """Texts; a single one stands for a list with it."""
    texts = (given,) if isinstance(given, str) or not isinstance(given, Iterable) else tuple(given)
    if strange := [text for text in texts if not isinstance(text, str)]:
        raise SpecError(f"{name}: expected texts, found {strange[0]!r}")
    return texts


def _overrides(given: str | Sequence[str] | Mapping[str, Plain | PathLike[str]]) -> tuple[str, ...]:
    """Changes of a task file as the command line takes them; JSON is YAML."""
    if isinstance(given, Mapping):
        return tuple(f"{key}={json.dumps(value, ensure_ascii=False, default=_plain)}" for key, value in given.items())
    return _texts("set", given)


def _plain(value: object) -> object:
    """A path or a number of numpy as JSON holds it."""
    if isinstance(value, PathLike):
        return str(value)
    if hasattr(value, "tolist"):
        return value.tolist()
    raise SpecError(f"set: expected numbers, texts, lists and mappings, found {value!r}")

"""Published weights of a task: listed, checked, fetched."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.table import Table

from benchmark.commands.show import wide_console
from rebeca.errors import MissingDependency
from rebeca.published import ALL, CARD, Published, find, how_to_fetch, names_in, weights_root


def needed(task: str | None) -> list[Published]:
    """What a task names, or everything that is known.

    Args:
        task: A bundled task or a task file.
    """
    if task is None:
        return list(ALL.values())
    from benchmark.task.bundled import find_task
    from benchmark.task.resolve import load_task

    return [ALL[name] for name in names_in(load_task(find_task(task)).to_json())]


@dataclass(frozen=True, slots=True)
class WeightsFile:
    """A file of published weights."""

    name: str
    sha256: str | None
    bytes: int | None


@dataclass(frozen=True, slots=True)
class Weights:
    """Published weights, and where they are looked for."""

    name: str
    title: str
    repository: str
    revision: str | None
    licence: str
    parameters_millions: float
    gigabytes: float
    files: Sequence[WeightsFile]
    folder: str


@dataclass(frozen=True, slots=True)
class CheckedWeights:
    """Weights that are here, with the digest that was computed."""

    name: str
    origin: str
    path: str
    digest: str


def describe(task: str | None) -> list[Weights]:
    """What a task names, or everything that is known."""
    return [
        Weights(
            name=published.name,
            title=published.title,
            repository=published.repository,
            revision=published.revision,
            licence=published.licence,
            parameters_millions=published.parameters,
            gigabytes=published.gigabytes,
            files=[WeightsFile(file.name, file.sha256, file.size) for file in published.files],
            folder=str(weights_root() / published.folder),
        )
        for published in needed(task)
    ]


def check(task: str | None) -> list[CheckedWeights]:
    """Hashes everything that a task needs.

    Raises:
        MissingDependency: Naming everything that is absent or is not what it should be.
    """
    checked, problems, hints = [], [], []
    for published in needed(task):
        try:
            found = find(published.name)
        except MissingDependency as error:
            problems.append(error.message)
            hints.append(error.hint)
        else:
            checked.append(CheckedWeights(published.name, found.origin, str(found.source), found.digest))
    if problems:
        raise MissingDependency("\n  ".join(problems), hint="\n  ".join(dict.fromkeys(hints)))
    return checked


def fetch(what: Sequence[str], say: Callable[[str], None]) -> Iterator[tuple[str, Path]]:
    """Fetches what is missing, one name after another, and yields name and path of each when it was checked.

    Args:
        what: Tasks, or names of weights.
        say: Told what is being fetched.

    Raises:
        MissingDependency: If the hub cannot be reached, asks for a licence to be accepted, or gives something else.
    """
    names: list[Published] = []
    for text in what:
        names += [ALL[text]] if text in ALL else needed(text)
    for one in dict.fromkeys(names):
        folder = weights_root() / one.folder
        if (folder / CARD).is_file():
            raise MissingDependency(
                f"{folder} holds random weights", hint="empty that folder, or name another one with REBECA_WEIGHTS"
            )
        try:
            found = find(one.name)
        except MissingDependency:
            say(f"{one.name}: {one.repository}@{one.revision or '-'}, {one.gigabytes:.2f} GB ...")
            _download(one)
            found = find(one.name)
        yield one.name, found.source


def _download(one: Published) -> None:
    if one.revision is None:
        raise MissingDependency(f"'{one.name}' is in no repository of the hub", hint=how_to_fetch(one))
    from huggingface_hub import errors, snapshot_download

    target = weights_root() / one.folder
    try:
        snapshot_download(
            one.repository, revision=one.revision, local_dir=str(target), allow_patterns=[f.name for f in one.files]
        )
    except errors.GatedRepoError as error:
        raise MissingDependency(
            f"{one.repository} asks for its licence to be accepted first",
            hint="accept it on the repository's page, then: hf auth login",
        ) from error
    except (errors.RepositoryNotFoundError, errors.RevisionNotFoundError) as error:
        raise MissingDependency(
            f"{one.repository}@{one.revision} is not on the hub any more",
            hint=f"fetch these files elsewhere, put them into {target}, and check them: rebeca-bench weights check",
        ) from error
    except (errors.OfflineModeIsEnabled, errors.LocalEntryNotFoundError) as error:
        raise _out_of_reach(one) from error
    except errors.HfHubHTTPError as error:
        raise MissingDependency(f"{one.repository}: {str(error).splitlines()[0]}", hint="try again later") from error
    if not all((target / file.name).is_file() for file in one.files):  # out of reach, it only warns and returns
        raise _out_of_reach(one)


def _out_of_reach(one: Published) -> MissingDependency:
    return MissingDependency(
        f"{one.repository} cannot be reached from here",
        hint=f"unset HF_HUB_OFFLINE; or elsewhere: hf download {one.repository} --revision {one.revision}"
        f" --local-dir DIR, and copy DIR to {weights_root() / one.folder}",
    )


def print_weights(known: Sequence[Weights]) -> None:
    """A table, and every file's hash below it."""
    table = Table("name", "what", "millions", "GB", "licence", "repository", box=None, pad_edge=False)
    for weights in known:
        where = weights.repository + (f"@{weights.revision[:12]}" if weights.revision else "")
        size, millions = f"{weights.gigabytes:.2f}", f"{weights.parameters_millions:,.0f}"
        table.add_row(weights.name, weights.title, millions, size, weights.licence, where)
    console = wide_console()
    console.print(table)
    for file in (file for weights in known for file in weights.files):
        if file.sha256:
            console.print(f"{file.sha256}  {file.name}", highlight=False)
    console.print(f"looked for in {weights_root()} ($REBECA_WEIGHTS) and in the hub's cache", highlight=False)


def print_checked(checked: Sequence[CheckedWeights]) -> None:
    """One line per name, and a warning where weights are random."""
    console = wide_console()
    for weights in checked:
        console.print(f"{weights.name:18s} {weights.origin:10s} {weights.digest[:16]}  {weights.path}", highlight=False)
    if any(weights.origin == "random" for weights in checked):
        console.print("random weights: everything runs, and no number means anything", style="yellow")

"""Published weights of a task: listed, checked, fetched."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmark.board.plain_rows import Cell
from benchmark.commands.layout import Column, print_rows, terminal
from rebeca.errors import MissingDependency
from rebeca.published import ALL, CARD, Published, find, how_to_fetch, names_in, weights_root


def needed(task: str | None) -> list[Published]:
    """Weights that a task names, or all that are known.

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
    """Weights on this machine, with the digest that was computed."""

    name: str
    origin: str
    path: str
    digest: str


def describe(task: str | None) -> list[Weights]:
    """Weights that a task names, or all that are known; for arguments see :func:`needed`."""
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


def check_weights(task: str | None) -> list[CheckedWeights]:
    """Hashes all weights that a task needs.

    Raises:
        MissingDependency: Naming all weights that are missing or differ from the published ones.
    """
    checked, problems, hints = [], [], []
    for published in needed(task):
        try:
            local = find(published.name)
            checked.append(CheckedWeights(published.name, local.origin, str(local.source), local.digest))
        except MissingDependency as error:
            problems.append(error.message)
            hints.append(error.hint)
    if problems:
        raise MissingDependency("\n  ".join(problems), hint="\n  ".join(dict.fromkeys(hints)))
    return checked


def fetch_weights(what: Sequence[str], notify: Callable[[str], None]) -> Iterator[tuple[str, Path]]:
    """Fetches missing weights one after another, and yields name and path of each when it was checked.

    Args:
        what: Tasks, or names of weights.
        notify: Told what is being fetched.

    Raises:
        MissingDependency: If the hub cannot be reached, asks for a licence to be accepted, or gives something else.
    """
    for published in _wanted(what):
        folder = weights_root() / published.folder
        if (folder / CARD).is_file():
            raise MissingDependency(
                f"{folder} holds random weights", hint="empty that folder, or name another one with REBECA_WEIGHTS"
            )
        try:
            local = find(published.name)
        except MissingDependency:
            source = f"{published.repository}@{published.revision or '-'}"
            notify(f"{published.name}: {source}, {published.gigabytes:.2f} GB ...")
            _download(published)
            local = find(published.name)
        yield published.name, local.source


def _wanted(what: Sequence[str]) -> list[Published]:
    """Weights by tasks or names, each once."""
    return list(dict.fromkeys(own for text in what for own in ([ALL[text]] if text in ALL else needed(text))))


def missing_weights(what: Sequence[str]) -> str:
    """Names and sizes of what :func:`fetch_weights` would fetch; files on this machine are hashed.

    Args:
        what: Tasks, or names of weights.
    """
    missing = []
    for published in _wanted(what):
        try:
            find(published.name)
        except MissingDependency:
            missing.append(published)
    lines = [f"{published.name:18s} {published.gigabytes:6.2f} GB  {published.repository}" for published in missing]
    size = sum(published.gigabytes for published in missing)
    return "\n".join([*lines, f"{len(missing)} of {len(_wanted(what))} are missing, {size:.2f} GB to {weights_root()}"])


def _download(published: Published) -> None:
    if published.revision is None:
        raise MissingDependency(f"'{published.name}' is in no repository of the hub", hint=how_to_fetch(published))
    from huggingface_hub import errors, snapshot_download

    repository, target = published.repository, weights_root() / published.folder
    names = [file.name for file in published.files]
    try:
        snapshot_download(repository, revision=published.revision, local_dir=str(target), allow_patterns=names)
    except errors.GatedRepoError as error:
        raise MissingDependency(
            f"{repository} asks for its licence to be accepted first",
            hint="accept it on the repository's page, then: hf auth login",
        ) from error
    except (errors.RepositoryNotFoundError, errors.RevisionNotFoundError) as error:
        raise MissingDependency(
            f"{repository}@{published.revision} is not on the hub any more",
            hint=f"fetch these files elsewhere, put them into {target}, and check them: rebeca-bench weights check",
        ) from error
    except (errors.OfflineModeIsEnabled, errors.LocalEntryNotFoundError) as error:
        raise _out_of_reach(published) from error
    except errors.HfHubHTTPError as error:
        raise MissingDependency(f"{repository}: {str(error).splitlines()[0]}", hint="try again later") from error
    if not all((target / name).is_file() for name in names):  # out of reach, it only warns and returns
        raise _out_of_reach(published)


def _out_of_reach(published: Published) -> MissingDependency:
    return MissingDependency(
        f"{published.repository} cannot be reached from here",
        hint=f"unset HF_HUB_OFFLINE; or elsewhere: hf download {published.repository} --revision {published.revision}"
        f" --local-dir DIR, and copy DIR to {weights_root() / published.folder}",
    )


def file_rows(known: Sequence[Weights]) -> Iterator[dict[str, Cell]]:
    """One row per file, for ``--csv``."""
    for weights in known:
        for file in weights.files:
            fields = {key: value for key, value in asdict(weights).items() if key != "files"}
            yield fields | {"file": file.name, "sha256": file.sha256, "bytes": file.bytes}


def print_weights(known: Sequence[Weights]) -> None:
    """Prints what and how large they are, and below it every file's hash."""
    console = terminal()
    size = sum(weights.gigabytes for weights in known)
    if not known:
        console.print("no published weights are needed")
        return
    console.print(
        f"{len(known)} published weights, {size:.1f} GB. They are looked for in {weights_root()}"
        " ($REBECA_WEIGHTS) and in the hub's cache.\n"
    )
    columns = (
        Column("name", [weights.name for weights in known]),
        Column("what", [weights.title for weights in known], least=16, optional=True),
        Column("GB", [_gigabytes(weights) for weights in known], right=True),
        Column("millions", [f"{weights.parameters_millions:,.0f}" for weights in known], optional=True, right=True),
        Column("licence", [weights.licence for weights in known], least=12),
        Column("repository", [_repository(weights) for weights in known]),
    )
    print_rows(console, columns)
    console.print("\nSHA-256 of the files:")
    for weights in known:
        for file in weights.files:
            if file.sha256:
                line = f"{file.sha256}  {file.name}"
                console.print(line if len(line) <= console.width else f"{file.sha256}\n    {file.name}")


def _gigabytes(weights: Weights) -> str:
    return f"{weights.gigabytes:.2f}" if weights.gigabytes >= 0.01 else "< 0.01"


def _repository(weights: Weights) -> str:
    return weights.repository + (f"@{weights.revision[:12]}" if weights.revision else "")


def print_checked(checked: Sequence[CheckedWeights]) -> None:
    """Prints one row per name, and a warning where weights are random."""
    console = terminal()
    columns = (
        Column("name", [weights.name for weights in checked]),
        Column("origin", [weights.origin for weights in checked]),
        Column("digest", [weights.digest[:16] for weights in checked]),
        Column("path", [weights.path for weights in checked], least=30),
    )
    print_rows(console, columns)
    if any(weights.origin == "random" for weights in checked):
        console.print("random weights: everything runs, and no result means anything", style="yellow")

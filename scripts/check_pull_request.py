"""Checks a pull request that hands in a bundle, and writes the comment that is posted under it.

    python -m scripts.check_pull_request CHECKOUT COMMENT

CHECKOUT holds the merged state, whose first parent is the branch that it goes to. The code that runs is not from there.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from benchmark.records.bundle import read_bundle
from benchmark.submissions.check import check_bundle
from benchmark.submissions.comment import comment_of, refusal
from rebeca.errors import RebecaError, RecordError, first_few

BUNDLE = re.compile(r"submissions/[a-z0-9][a-z0-9_.-]*/v[0-9]+/[a-z0-9][a-z0-9_.-]*(?=/[^/]+$)")
"""Folder of a bundle, as the beginning of the path of a file in it."""
RESULTS = Path("results")


def changed_files(checkout: Path) -> list[str]:
    """Paths that the merge changes, removed ones included."""
    command = ["git", "-C", str(checkout), "diff", "--name-only", "--no-renames", "-z", "HEAD^1", "HEAD"]
    done = subprocess.run(command, capture_output=True, check=True)
    return [name for name in done.stdout.decode("utf-8", "replace").split("\0") if name]


def bundle_of(changed: list[str]) -> Path:
    """The only bundle that is changed, relative to the checkout.

    Raises:
        RecordError: If something else is changed, or more than one bundle.
    """
    folders = {name: match.group() for name in changed if (match := BUNDLE.match(name))}
    others = [name for name in changed if name not in folders]
    if others or len(set(folders.values())) != 1:
        names = first_few([repr(name[:100]) for name in others or sorted(set(folders.values()))]) or "nothing"
        raise RecordError(
            f"a submission is one bundle, submissions/TASK/vVERSION/GENERATOR, and changes nothing else; found {names}",
            hint="open one pull request per bundle",
        )
    return Path(next(iter(folders.values())))


def refuse_wrong_place(checkout: Path, place: Path) -> None:
    """Refuses a bundle of another task or version than its folders say, and one that replaces another.

    Raises:
        RecordError: Naming what is wrong.
    """
    command = ["git", "-C", str(checkout), "ls-tree", "--name-only", "HEAD^1", place.as_posix()]
    if subprocess.run(command, capture_output=True, check=True).stdout:
        raise RecordError(
            f"{place}: there is a bundle already",
            hint="hand yours in under another id; maintainers take rows back",
        )
    manifest = read_bundle(checkout / place).manifest
    right = Path("submissions", manifest.task.id, f"v{manifest.task.version}", manifest.generator)
    if place != right:
        raise RecordError(f"{place}: belongs to {right}", hint="move it there")


def main(checkout: Path, comment: Path) -> int:
    try:
        place = bundle_of(changed_files(checkout))
        refuse_wrong_place(checkout, place)
        report = check_bundle(checkout / place, [RESULTS])
    except RebecaError as error:
        message = error.message.replace(f"{checkout}/", "")
        comment.write_text(refusal(message, error.hint), encoding="utf-8")
        sys.stderr.write(f"error: {message}\n")
        return error.exit_code
    comment.write_text(comment_of(report), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))

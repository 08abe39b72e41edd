"""Posts the comment of a checked submission, in the place of an earlier one. Needs ``gh`` and its token.

    python post_comment.py COMMENT

The environment names the repository (GH_REPO) and the commit that was checked (HEAD_SHA). The text comes from a job
that a contributor could change. So it is posted only under a pull request that changes nothing but submissions: then
the job is unchanged, and its text is what the project's own code wrote.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

MARK = "<!-- rebeca-bench submission -->"
LONGEST = 60_000
"""Characters; GitHub takes 65,536."""
BOT = "github-actions[bot]"


def api(path: str, *more: str, body: str = "") -> Any:
    done = subprocess.run(["gh", "api", path, *more], input=body, capture_output=True, check=True, text=True)
    return json.loads(done.stdout)


def listed(path: str) -> list[Any]:
    """All pages of a list."""
    return [entry for page in api(path, "--paginate", "--slurp") for entry in page]


def main(comment: Path) -> None:
    repository, head = os.environ["GH_REPO"], os.environ["HEAD_SHA"]
    text = comment.read_text(encoding="utf-8")
    text = text if len(text) <= LONGEST else f"{text[:LONGEST]}\n\n(cut here)"
    body = json.dumps({"body": text})
    if not text.startswith(MARK):
        sys.exit(f"{comment}: is no comment on a submission")
    numbers = [pull["number"] for pull in listed(f"repos/{repository}/pulls?state=open") if pull["head"]["sha"] == head]
    if len(numbers) != 1:
        sys.exit(f"{len(numbers)} open pull requests have the head {head}, expected one")
    files = listed(f"repos/{repository}/pulls/{numbers[0]}/files")
    names = [name for file in files for name in (file["filename"], file.get("previous_filename")) if name]
    if not names or not all(name.startswith("submissions/") for name in names):
        sys.exit(f"pull request {numbers[0]} changes more than submissions; nothing is posted")
    comments = listed(f"repos/{repository}/issues/{numbers[0]}/comments")
    own = [each["id"] for each in comments if each["user"]["login"] == BOT and each["body"].startswith(MARK)]
    if own:
        api(f"repos/{repository}/issues/comments/{own[0]}", "--method", "PATCH", "--input", "-", body=body)
    else:
        api(f"repos/{repository}/issues/{numbers[0]}/comments", "--method", "POST", "--input", "-", body=body)


if __name__ == "__main__":
    main(Path(sys.argv[1]))

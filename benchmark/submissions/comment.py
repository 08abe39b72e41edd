"""The comment under a pull request: a fixed form, in which nothing that was handed in can be more than text."""

from __future__ import annotations

import string
from collections.abc import Iterator, Sequence

from benchmark.board.format_numbers import with_interval
from benchmark.submissions.check import SubmissionReport
from rebeca.errors import printable

MARK = "<!-- rebeca-bench submission -->"
"""First line; by it, an earlier comment is found and replaced."""
MOST_CHANGES = 40
"""Changes that are listed; the bundle's report in JSON has all."""
LONGEST_QUOTE = 400
"""Characters of others' texts that are shown; the record has all."""
_ENTITIES = str.maketrans({letter: f"&#{ord(letter)};" for letter in string.punctuation})


def quoted(text: str) -> str:
    """Text of others as code, in which GitHub sees no mark-up, no mention, no link and no number of an issue."""
    short = text if len(text) <= LONGEST_QUOTE else f"{text[: LONGEST_QUOTE - 3]}..."
    return f"<code>{printable(short).replace(chr(10), ' ').translate(_ENTITIES)}</code>"


def comment_of(report: SubmissionReport) -> str:
    """Markdown."""
    return "\n".join([MARK, *_row(report), *_checked(report), *_changes(report), *_card(report)]) + "\n"


def refusal(message: str, hint: str) -> str:
    """Markdown, where a bundle is refused."""
    lines = [MARK, "### Refused", "", quoted(message)]
    return "\n".join([*lines, *(["", f"What to do: {quoted(hint)}"] if hint else [])]) + "\n"


def _row(report: SubmissionReport) -> Iterator[str]:
    task = report.task
    yield f"### {quoted(report.title)}"
    yield ""
    yield f"Handed in as `{report.generator}` to `{task.id}` version {task.version}, hash `{task.hash[:12]}`."
    yield ""
    yield from _table(
        ["rank", "preference", "personal lift", "flags"],
        [
            [
                report.rank,
                "–" if report.preference is None else with_interval(report.preference),
                "–" if report.lift is None else with_interval(report.lift, True),
                ", ".join(report.flags) or "none",
            ]
        ],
    )
    if report.against:
        yield ""
        yield "; ".join(f"{kind}: {verdict}" for kind, verdict in report.against.items()) + "."
    if report.reasons:
        yield ""
        yield f"Not ranked, because {', and because '.join(report.reasons)}."


def _card(report: SubmissionReport) -> Iterator[str]:
    card = report.card
    yield ""
    yield "#### Card"
    yield ""
    said = {
        "authors": ", ".join(card.authors),
        "class": card.category,
        "who made the images": card.made_by,
        "who scored them": card.scored_by,
        "training data": card.training_data,
        "trained on items of the task": "yes" if card.trained_on_items else "no",
        "licence": card.licence,
        "paper": card.paper or "none",
        "code": card.code or "none",
        "images": report.place,
    }
    yield from _table(["", "as the authors say"], [[key, quoted(value)] for key, value in said.items()])


def _checked(report: SubmissionReport) -> Iterator[str]:
    yield ""
    yield "#### Checked"
    yield ""
    yield "- Every number was computed again from the scores in the bundle, and agrees."
    yield f"- {report.looked}"
    yield "- Not checked: who made the images, how, and from what. Scores were not computed again."
    yield ""
    yield "#### Look twice"
    yield ""
    yield from [f"- {sign}" for sign in report.resembles] or ["None."]


def _changes(report: SubmissionReport) -> Iterator[str]:
    yield ""
    yield "#### What it changes for others"
    yield ""
    yield (
        f"Images, scores, seeds and intervals of the other {report.others} rows stay as they are, byte for byte. One"
        " more row means more comparisons, so ranks and adjusted p can change."
    )
    yield ""
    if not report.changes:
        yield "None of them changes."
        return
    yield from _table(
        ["row", "what", "before", "with this row"],
        [
            [change.generator, change.what, quoted(change.before), quoted(change.after)]
            for change in report.changes[:MOST_CHANGES]
        ],
    )
    if len(report.changes) > MOST_CHANGES:
        yield ""
        yield f"And {len(report.changes) - MOST_CHANGES} more."


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(header)} |"
    yield f"|{'---|' * len(header)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"

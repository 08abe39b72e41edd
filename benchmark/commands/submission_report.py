"""What ``check submission`` prints."""

from __future__ import annotations

import click

from benchmark.board.format_numbers import with_interval
from benchmark.commands.layout import Column, print_rows, terminal
from benchmark.submissions.check import SubmissionReport
from rebeca.errors import printable


def print_report(report: SubmissionReport) -> None:
    """Prints the row, the card, what was checked, and what changes for others."""
    console, card, task = terminal(), report.card, report.task
    console.print(
        f"{report.title}, handed in as '{report.generator}' to {task.id} version {task.version}", style="bold"
    )
    console.print(f"rank {report.rank}; {', '.join(report.flags) or 'no flags'}")
    for name, interval, signed in (("preference", report.preference, False), ("lift", report.lift, True)):
        console.print(f"{name}: {'–' if interval is None else with_interval(interval, signed)}")
    for kind, verdict in report.against.items():
        console.print(f"{kind}: {verdict}")
    for reason in report.reasons:
        console.print(f"not ranked: {reason}")
    console.print()
    console.print(f"by {', '.join(card.authors)}; class {card.category}; licence {card.licence}")
    console.print(f"made by {card.made_by}, scored by {card.scored_by}; code: {card.code or 'not public'}")
    console.print(f"trained on: {card.training_data}{' (contains items of the task)' * card.trained_on_items}")
    console.print()
    console.print("every number agrees with the scores in the bundle")
    console.print(report.looked)
    for sign in report.resembles:
        console.print(f"look twice: {sign}")
    console.print(f"the other {report.others} rows keep their images, scores, seeds and intervals")
    if report.changes:
        changes = report.changes
        click.echo()
        columns = [
            Column("row", [change.generator for change in changes]),
            Column("what changes", [printable(change.what) for change in changes]),
            Column("before", [change.before for change in changes]),
            Column("with it", [change.after for change in changes]),
        ]
        print_rows(console, columns, lead=2)

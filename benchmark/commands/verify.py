"""``rebeca-bench verify``: does every number follow from the rows, and the rows from images?"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from benchmark.commands.exits import DIFFERS
from benchmark.commands.options import attest_option, device_option, json_option, print_result, quiet_option

if TYPE_CHECKING:
    from benchmark.records.attestation import Rescored, Verified
    from benchmark.records.verify import Verified as Counts
    from benchmark.runner.rescore import Rescoring, RowScores

SHOWN = 5
"""Differences printed per row."""


@click.command()
@click.argument("records", type=click.Path(path_type=Path))
@click.option("--rescore", "count", type=click.IntRange(1), metavar="N", help="Score N images per row again.")
@click.option(
    "--images", type=click.Path(path_type=Path), help="Folder with all images  [default: those that the records show]"
)
@click.option("--set", "overrides", multiple=True, metavar="data.path=FOLDER", help="Folder of the data.")
@click.option("--workdir", type=click.Path(path_type=Path), help="Work folder with judges  [default: a new one]")
@device_option()
@quiet_option
@attest_option
@json_option
def verify(
    records: Path,
    count: int | None,
    images: Path | None,
    overrides: tuple[str, ...],
    workdir: Path | None,
    device: str,
    quiet: bool,
    attest: bool,
    as_json: bool,
) -> None:
    """Recompute every number of a record.

    Hashes and ranges are checked as well. With --rescore, images of every row
    are scored again by judges that are fitted again. The exit code is 1 if a
    score differs.
    """
    from benchmark.records.attestation import attest as write_statements
    from benchmark.records.verify import verify as verify_records

    if count is None and (images or overrides or workdir):
        raise click.UsageError("--images, --set and --workdir are for --rescore N")
    report, rescoring = verify_records(records), None
    if count is not None:
        from benchmark.runner.devices import check_device
        from benchmark.runner.progress import Reporter
        from benchmark.runner.rescore import rescore
        from benchmark.runner.threads import thread_setting

        thread_setting()
        check_device(device)
        reporter = Reporter(quiet=quiet or as_json)
        rescoring = rescore(records, count, images, workdir, device, overrides, reporter)
    if attest:
        write_statements(records, _done(records, report, rescoring))
    text = (
        f"{records}: {report.generators} generators, {report.files} files, {report.numbers:,} numbers recomputed;"
        " all agree"
    )
    fields: dict[str, Any] = asdict(report)
    print_result(
        fields if rescoring is None else fields | {"rescoring": rescoring},
        as_json,
        text if rescoring is None else "\n".join([text, *_lines(rescoring)]),
    )
    if rescoring is not None and not rescoring.equal:
        sys.exit(DIFFERS)


def _done(records: Path, report: Counts, rescoring: Rescoring | None) -> Mapping[str, Verified | Rescored]:
    """What to state of every row; nothing of one whose scores differ."""
    from benchmark.records.attestation import Verified
    from benchmark.records.files import read_comparison

    verified = Verified(numbers=report.numbers)
    if rescoring is None:
        return dict.fromkeys(read_comparison(records).order, verified)
    return {row.generator: row.done or verified for row in rescoring.rows if not row.apart}


def _lines(rescoring: Rescoring) -> list[str]:
    lines = [line for row in rescoring.rows for line in _row_lines(row)]
    done = next((row.done for row in rescoring.rows if row.done), None)
    if done is not None:
        lines += [f"left out: {scorer}, since {why}" for scorer, why in done.left_out.items()]
    if rescoring.differs:
        lines.append(
            f"another machine than the record's ({', '.join(rescoring.differs)}): judges that are fitted here give"
            " slightly different scores"
        )
    return lines


def _row_lines(row: RowScores) -> list[str]:
    if row.done is None:
        return [f"{row.generator}: no image is at hand, or no scorer can be asked again"]
    done, count = row.done, len(row.apart)
    what = f"{row.generator}: {done.images} of {done.among} images scored again by {len(done.scorers)} scorers"
    if not count:
        return [f"{what}; largest difference {done.largest:.1g}"]
    apart = [
        f"  {scorer}, user '{user}', image {k}: recorded {old:.6g}, here {new:.6g}"
        for scorer, user, k, old, new in row.apart[:SHOWN]
    ]
    return [f"{what}; {count} scores differ:", *apart]

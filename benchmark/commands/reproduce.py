"""``rebeca-bench reproduce``: do a record's conclusions hold with other seeds?"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from benchmark.commands.exits import DIFFERS
from benchmark.commands.options import attest_option, device_option, json_option, print_result, quiet_option

if TYPE_CHECKING:
    from benchmark.records.attestation import Difference
    from benchmark.runner.other_seeds import Reproduction


@click.command()
@click.argument("records", type=click.Path(path_type=Path))
@click.option("--only", multiple=True, metavar="ID", help="Only this row; may be repeated.")
@click.option("--offset", type=int, metavar="K", help="Add K to the seeds of images.")
@click.option(
    "--split-seed", type=int, metavar="S", help="Divide the ratings anew, fit everything again, and make other images."
)
@click.option("--world-seed", type=int, metavar="W", help="Take another synthetic world.")
@click.option("--set", "overrides", multiple=True, metavar="data.path=FOLDER", help="Folder of the data.")
@click.option("--workdir", type=click.Path(path_type=Path), help="Work folder to continue in  [default: a new one]")
@device_option()
@quiet_option
@attest_option
@json_option
def reproduce(
    records: Path,
    only: tuple[str, ...],
    offset: int | None,
    split_seed: int | None,
    world_seed: int | None,
    overrides: tuple[str, ...],
    workdir: Path | None,
    device: str,
    quiet: bool,
    attest: bool,
    as_json: bool,
) -> None:
    """Make the images of a record again with other seeds.

    The exit code is 1 if a row's preference or personal lift fell by more than
    the equivalence margin and chance allow. Plug-ins of the record run here:
    reproduce only what you would install.
    """
    from benchmark.records.attestation import attest as write_statements
    from benchmark.records.verify import verify
    from benchmark.runner.devices import check_device
    from benchmark.runner.other_seeds import Seeds, run_with_other_seeds
    from benchmark.runner.progress import Reporter
    from benchmark.runner.threads import thread_setting

    seeds = Seeds(offset, split_seed, world_seed)
    if seeds == Seeds():
        raise click.UsageError("nothing would change: give --offset, --split-seed or --world-seed")
    thread_setting()
    check_device(device)
    verify(records)
    reporter, command = Reporter(quiet=quiet or as_json), ["rebeca-bench", *sys.argv[1:]]
    result = run_with_other_seeds(records, seeds, only, workdir, device, overrides, reporter, command)
    if attest:
        write_statements(records, result.done())
    print_result(result, as_json, print_reproduction)
    if not result.holds:
        sys.exit(DIFFERS)


def print_reproduction(result: Reproduction) -> None:
    """Prints every row's change, and what the test says."""
    from benchmark.board.format_numbers import number, p_value
    from benchmark.commands.layout import Column, print_rows, terminal

    console = terminal()
    lines = [(row, slug, each) for row in result.rows for slug, each in row.measures.items()]
    print_rows(
        console,
        [
            Column("generator", [row.generator for row, _, _ in lines], least=16),
            Column("measure", [slug for _, slug, _ in lines]),
            Column("record", [number(each.published, 3) for _, _, each in lines], right=True),
            Column("here", [number(each.here, 3) for _, _, each in lines], right=True),
            Column("difference", [_interval(each) for _, _, each in lines]),
            Column("p of a fall", [p_value(each.p) for _, _, each in lines], right=True),
            Column("result", ["fell" if slug in row.fell else "holds" for row, slug, _ in lines]),
        ],
    )
    console.print(
        "\ndifference: new minus record, on the scale of the record's judge, with its 95 % interval;"
        f" p: one-sided, of a fall by more than {result.margin:g}, adjusted over rows by Holm, level {result.level:g}"
    )
    for row in result.rows:
        for slug in {"preference", "lift"} - set(row.measures):
            console.print(f"{row.generator}: fewer than three users have a {slug} in both runs")
    for name, why in result.left_out.items():
        console.print(f"left out: {name}, since {why}")
    fell = [row.generator for row in result.rows if row.fell]
    console.print(f"fell: {', '.join(fell)}" if fell else "all rows hold", style="bold")


def _interval(each: Difference) -> str:
    from benchmark.board.format_numbers import number

    return f"{number(each.difference, 3, sign=True)} ({number(each.low, 3)} to {number(each.high, 3)})"

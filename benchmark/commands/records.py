"""Commands that check records: ``verify`` and ``check run``."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from benchmark.commands.exits import one_message
from benchmark.commands.options import json_option, load, print_json

MOVED = 1
"""Exit code where something moved."""

_attest = click.option(
    "--attest", is_flag=True, help="Where all is well, say so beside the records; the site shows it."
)


@click.command()
@click.argument("records", type=click.Path(path_type=Path))
@_attest
@json_option
@click.pass_obj
def verify(debug: bool, records: Path, attest: bool, as_json: bool) -> None:
    """Check the records of a task: hashes, ranges, and every number recomputed from the rows."""
    with one_message(debug):
        from benchmark.records.attestation import attest as say
        from benchmark.records.verify import verify as check

        found = check(records)
        if attest:
            say(records, "verified")
        if as_json:
            print_json(found)
        else:
            click.echo(
                f"{records}: {found.generators} generators, {found.files} files, {found.numbers:,} numbers"
                " recomputed; all agree"
            )


@click.group()
def check() -> None:
    """Regression tests, for CI."""


@check.command("run")
@click.argument("task")
@click.option("--set", "overrides", multiple=True, metavar="data.path=FOLDER", help="Where the data lie.")
@click.option(
    "--against", type=click.Path(path_type=Path), required=True, help="Published records, or a folder of them."
)
@click.option("--workdir", type=click.Path(path_type=Path), help="Work folder to go on in  [default: a temporary one]")
@click.option("--device", default="cpu", show_default=True, help="Torch device.")
@click.option("--quiet", is_flag=True, help="Say nothing but the result.")
@_attest
@json_option
@click.pass_obj
def check_run_(
    debug: bool,
    task: str,
    overrides: tuple[str, ...],
    against: Path,
    workdir: Path | None,
    device: str,
    quiet: bool,
    attest: bool,
    as_json: bool,
) -> None:
    """Run a task again from nothing and compare with published records; exit code 1 where something moved."""
    with one_message(debug):
        from benchmark.commands.check import print_check
        from benchmark.commands.show import find_records
        from benchmark.records.attestation import attest as say
        from benchmark.runner.devices import check_device
        from benchmark.runner.progress import Reporter
        from benchmark.runner.reproduce import reproduce

        check_device(device)
        resolved = load(task, overrides, None)
        folder = against if (against / "_task").is_dir() else find_records(resolved.file.id, (against,))
        found = reproduce(resolved, folder, workdir, device, Reporter(quiet=quiet), ["rebeca-bench", *sys.argv[1:]])
        if attest and found.equal:
            say(Path(found.against), "reproduced")
        if as_json:
            print_json(found)
        else:
            print_check(found)
        if not found.equal:
            sys.exit(MOVED)

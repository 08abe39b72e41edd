"""``rebeca-bench work``: a share of a run's work, for job arrays and other machines."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from benchmark.commands.options import (
    device_option,
    json_option,
    print_result,
    quiet_option,
    store_option,
    task_options,
    workdir_option,
)

if TYPE_CHECKING:
    from benchmark.runner.work import Stage


@click.command(short_help="Do a share of a run's work, on any machine.")
@task_options
@workdir_option
@store_option
@click.option("--stage", type=click.Choice(["fits", "images", "scores"]), required=True, help="What to make.")
@click.option("--shard", default="1/1", show_default=True, metavar="I/N", help="Which of N equal shares.")
@device_option()
@quiet_option
@json_option
def work(
    task: str,
    overrides: tuple[str, ...],
    limit_users: int | None,
    workdir: Path,
    store: str | None,
    stage: Stage,
    shard: str,
    device: str,
    quiet: bool,
    as_json: bool,
) -> None:
    """Make a share of a task's fits, images or scores, and stop.

    What the share needs and nobody has made is made first; what another
    process makes at present is waited for. "run" then finds everything in the
    store, writes the records and builds the page.
    """
    from benchmark.runner.progress import Reporter
    from benchmark.runner.start import task_to_run
    from benchmark.runner.start import work as make_share
    from benchmark.runner.work import Shard

    own = Shard.parsed(shard)
    resolved = task_to_run(task, overrides, limit_users, (), device)
    pieces, missing = make_share(resolved, workdir, store, device, stage, own, Reporter(quiet=quiet))
    fields = {"task": resolved.file.id, "stage": stage, "shard": shard, "pieces": pieces, "missing": missing}
    print_result(fields, as_json, f"{stage}, share {shard}: {pieces:,} pieces, {missing:,} of them made now")

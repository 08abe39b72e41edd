"""``rebeca-bench export``: the inputs of a generator outside of the benchmark."""

from __future__ import annotations

from pathlib import Path

import click

from benchmark.commands.options import device_option, json_option, load, print_result, task_options, workdir_option


@click.command(short_help="Write the inputs of an outside generator.")
@task_options
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder to write; absent or empty.")
@click.option("--embeddings", is_flag=True, help="Write the items' embeddings, too.")
@workdir_option
@device_option("Torch device that encodes the items.")
@json_option
def export(
    task: str,
    overrides: tuple[str, ...],
    limit_users: int | None,
    out: Path,
    embeddings: bool,
    workdir: Path,
    device: str,
    as_json: bool,
) -> None:
    """Write what an outside generator needs: requests, ratings, items.

    The README.md in the folder says how to hand the images in.
    """
    from benchmark.runner.devices import check_device
    from benchmark.runner.export import export_task
    from benchmark.runner.progress import Reporter
    from benchmark.runner.stages import Stages
    from benchmark.runner.store import Store

    resolved = load(task, overrides, limit_users)
    if embeddings:
        check_device(device)
        reporter = Reporter(quiet=as_json)
        store = Store(workdir, reporter.info)
        with store.locked("an export"):
            exported = export_task(resolved, out, Stages(store, reporter), device)
    else:
        exported = export_task(resolved, out)
    text = (
        f"{exported.folder}: {exported.requests:,} images are asked for ({exported.users:,} users),"
        f" {exported.training_ratings:,} training ratings, {exported.items:,} items\n"
        f"next: read {exported.folder / 'README.md'}"
    )
    print_result(exported, as_json, text)

"""The tables of docs/reports/samplers.md: with which spread embeddings come back from a sampler.

Coordinates are normal, and a formula stands for a perfect network. So any change of the spread is the sampler's own.
"""

from __future__ import annotations

from typing import get_args

import click

from rebeca.errors import SpecError
from rebeca.prior.diffusion import spread_kept
from rebeca.prior.options import Schedule
from rebeca.schedulers import TRIED

STEPS = (4, 8, 25, 50, 100, 250, 1000)


@click.command()
@click.option("--deviation", default=0.3, show_default=True, help="Standard deviation of a coordinate.")
def main(deviation: float) -> None:
    """Prints one table per schedule."""
    for schedule in get_args(Schedule):
        click.echo(f"| {schedule} | {' | '.join(f'{steps:,}' for steps in STEPS)} |")
        click.echo("|---" * (len(STEPS) + 1) + "|")
        for sampler in TRIED:
            cells = (_cell(sampler, schedule, steps, deviation) for steps in STEPS)
            click.echo(f"| `{sampler}` | {' | '.join(cells)} |")
        click.echo("")


def _cell(sampler: str, schedule: Schedule, steps: int, deviation: float) -> str:
    try:
        kept = spread_kept(sampler, "v_prediction", schedule, steps, deviation) * deviation
    except SpecError:
        return "refused"
    return f"{kept:.3f}".removeprefix("0")


if __name__ == "__main__":
    main()

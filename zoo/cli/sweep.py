"""``zoo sweep``: one recipe over several seeds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from zoo.cli.options import common_options
from zoo.cli.sweeping import Asked, Told, carry_out, over_seeds, seeds_option
from zoo.cli.train_options import (
    TrainCommand,
    asked_options,
    layers_of,
    refuse_unknown_variables,
    typed_again,
    variable,
)
from zoo.errors import UsageError
from zoo.runs.configuring import configured


@click.command("sweep", cls=TrainCommand)
@asked_options
@click.option(
    "--out",
    metavar="DIR",
    envvar=variable("out"),
    type=click.Path(path_type=Path),
    help="The sweep's own folder. Default: runs/TIMESTAMP-MODEL-DATA-seeds. If it holds this sweep, that goes on.",
)
@seeds_option
@click.option(
    "--jobs",
    metavar="N",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Runs at a time, each a process of its own; they share the CPU's cores.",
)
@common_options
@click.pass_context
def sweep(
    ctx: click.Context,
    /,
    assignments: tuple[str, ...],
    recipe: str | None,
    file: Path | None,
    out: Path | None,
    seeds: int | None,
    jobs: int,
    quiet: bool,
    as_json: bool,
    **settings: Any,
) -> int:
    """Train one recipe with several seeds.

    \b
      zoo sweep --model cnn_dropout --seeds 5 --out runs/five

    It takes all options of zoo train. Each run is an ordinary one in a directory of its own; the same command goes on
    where it was killed.
    """  # noqa: D301 - click wants the control character itself
    refuse_unknown_variables(ctx)
    if seeds is None:
        raise UsageError("what shall differ between the runs? Give --seeds N")
    config = configured(layers_of(ctx, assignments, settings), recipe=recipe, file=file)
    asked = Asked(config, typed_again(ctx, assignments))
    return carry_out(over_seeds(asked, out, seeds, jobs), Told(quiet=quiet, as_json=as_json))

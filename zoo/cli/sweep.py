"""``zoo sweep``: one recipe over several seeds, or a search."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from zoo.cli.completion import complete_names
from zoo.cli.options import common_options
from zoo.cli.searching import Searched, extremes, own_and_runs, search
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
    help="The sweep's own folder; if it holds this sweep, that goes on. Default: a new one under runs.",
)
@seeds_option
@click.option(
    "--search",
    "searched",
    metavar="KEY=SPACE",
    multiple=True,
    help="Search a setting: model.p='[0.1,0.5]', model.p='(0,0.5)', optimizer.lr='log(1e-4,1e-1)', "
    "train.batch_size='int(32,256)'.",
)
@click.option(
    "--searcher",
    metavar="NAME",
    default="random",
    show_default=True,
    shell_complete=complete_names("searchers"),
    help="What proposes settings; its options: --set search.OPTION=VALUE.",
)
@click.option(
    "--trials",
    metavar="N",
    type=click.IntRange(min=1),
    help="Trials of a search. Default: 20, or all of a grid.",
)
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
    assignments: Sequence[str],
    recipe: str | None,
    file: Path | None,
    out: Path | None,
    seeds: int | None,
    searched: tuple[str, ...],
    searcher: str,
    trials: int | None,
    jobs: int,
    quiet: bool,
    as_json: bool,
    **settings: Any,
) -> int:
    """Train with several seeds, or search for better settings.

    \b
      zoo sweep --model cnn_dropout --seeds 5 --out runs/five
      zoo sweep --model mlp --search 'optimizer.lr=log(1e-4,1e-1)' --out runs/rates

    It takes all options of zoo train. Each run is an ordinary one in a directory of its own; the same command goes on
    where it was killed.
    """  # noqa: D301 - click wants the control character itself
    refuse_unknown_variables(ctx)
    if (seeds is None) == (not searched):
        raise UsageError("what shall differ between the runs? Give --seeds N, or --search KEY=SPACE and no seeds")
    own, assignments = own_and_runs(assignments)
    layers, told = layers_of(ctx, assignments, settings), Told(quiet=quiet, as_json=as_json)
    asked = Asked(configured(layers, recipe=recipe, file=file), typed_again(ctx, assignments))
    if seeds is not None:
        if own or trials:
            raise UsageError("--trials and --set search.OPTION=VALUE are a search's; leave them out with --seeds")
        return carry_out(over_seeds(asked, out, seeds, jobs), told)
    configured([*layers, *extremes(searched)], recipe=recipe, file=file)
    return carry_out(search(asked, Searched(searched, searcher, trials), own, out, jobs), told)

"""``zoo sweep``: one recipe over several seeds, or a search."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from zoo.cli.completion import complete_names
from zoo.cli.options import common_options, seeds_option
from zoo.cli.sweeping import Told, carry_out
from zoo.cli.train_options import (
    TrainCommand,
    asked_options,
    layers_of,
    refuse_unknown_variables,
    typed_again,
    variable,
)
from zoo.config import assigned
from zoo.errors import UsageError
from zoo.runs.configuring import configured
from zoo.sweeps.asking import Asked, share_of
from zoo.sweeps.searching import DEFAULT_SEARCHER, Searched, chosen, extremes, split_options


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
    "--folds",
    metavar="K",
    type=click.IntRange(min=2),
    help="Cross-validate: hold out each of K parts of the training images in turn, and tell the accuracy on all.",
)
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
    default=DEFAULT_SEARCHER,
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
    "--prune",
    "pruner",
    metavar="NAME",
    shell_complete=complete_names("pruners"),
    help="What ends trials early that are worse than others, as halving; its options: --set prune.OPTION=VALUE.",
)
@click.option(
    "--jobs",
    metavar="N",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Runs at a time, each a process of its own; they share the CPU's cores.",
)
@click.option(
    "--share",
    metavar="I/K",
    help="Make every K-th run from the I-th on alone, where machines share no DIR; copy the runs together afterwards.",
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
    folds: int | None,
    searched: tuple[str, ...],
    searcher: str,
    trials: int | None,
    pruner: str | None,
    jobs: int,
    share: str | None,
    quiet: bool,
    as_json: bool,
    **settings: Any,
) -> int:
    """Train with several seeds, cross-validate, or search.

    \b
      zoo sweep --model cnn_dropout --seeds 5 --out runs/five
      zoo sweep --model cnn_dropout --folds 5 --out runs/folds
      zoo sweep --model mlp --search 'optimizer.lr=log(1e-4,1e-1)' --out runs/rates

    It takes all options of zoo train. Each run is an ordinary one in a directory of its own; the same command goes on
    where it was killed, and helps where it is typed once more meanwhile, as on another machine that shares DIR.
    """  # noqa: D301 - click wants the control character itself
    refuse_unknown_variables(ctx)
    if sum((seeds is not None, folds is not None, bool(searched))) != 1:
        raise UsageError(
            "what shall differ between the runs? Give --seeds N, or --folds K, or --search KEY=SPACE, and one alone"
        )
    own, assignments = split_options(assignments, assigned)
    layers = layers_of(ctx, assignments, settings)
    config = configured(layers, recipe=recipe, file=file)
    asked = Asked(config, typed_again(ctx, assignments), out, jobs, share_of(share))
    configured([*layers, *extremes(searched)], recipe=recipe, file=file)
    asked_for = Searched(searched, searcher, trials, own["search"], pruner, own["prune"])
    return carry_out(chosen(asked, seeds, folds, asked_for), Told(quiet, as_json))

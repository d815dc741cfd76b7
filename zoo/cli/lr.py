"""``zoo lr``: find a learning rate."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from zoo.cli.options import common_options
from zoo.cli.output import write_json
from zoo.cli.train_options import TrainCommand, asked_options, layers_of, refuse_unknown_variables
from zoo.errors import UsageError
from zoo.registry.entry import in_one_line
from zoo.runs.configuring import configured


@click.command("lr", cls=TrainCommand)
@asked_options
@click.option("--lowest", metavar="X", type=float, default=1e-7, show_default=True, help="The first step's rate.")
@click.option("--highest", metavar="X", type=float, default=1.0, show_default=True, help="The last step's rate.")
@click.option(
    "--picture", metavar="FILE", type=click.Path(path_type=Path), help="Draw the losses over the rates, as an SVG file."
)
@common_options
@click.pass_context
def lr(
    ctx: click.Context,
    /,
    assignments: Sequence[str],
    recipe: str | None,
    file: Path | None,
    lowest: float,
    highest: float,
    picture: Path | None,
    quiet: bool,
    as_json: bool,
    **settings: Any,
) -> None:
    """Find a learning rate.

    A copy is trained while its rate rises, to see where its loss does.

    \b
      zoo lr --model cnn_dropout --picture rates.svg

    It takes all options of zoo train; --steps is how many it takes, 100 if left out. It prints the rate to begin with,
    a tenth of the highest at which the loss was still low. No run is begun or changed.
    """  # noqa: D301 - click wants the control character itself
    refuse_unknown_variables(ctx)
    asked = configured(layers_of(ctx, assignments, settings), recipe=recipe, file=file)
    from zoo.runs.lr_range import measured

    found = measured(asked, lowest, highest)
    if picture is not None:
        _draw(picture, found.rates, found.losses, found.smoothed, found.suggestion)
    if as_json:
        drawn = {"picture": str(picture)} if picture else {}
        write_json({"lr": found.suggestion, "rates": found.rates, "losses": found.losses, **drawn})
        return
    if not quiet:
        click.echo(
            f"{len(found.rates)} steps, the rate from {found.rates[0]:.1e} to {found.rates[-1]:.1e}, "
            f"the lowest loss {min(found.smoothed):.4g}",
            err=True,
        )
    click.echo(f"{found.suggestion:.2g}")


def _draw(
    path: Path, rates: Sequence[float], losses: Sequence[float], smoothed: Sequence[float], suggestion: float
) -> None:
    from zoo.reports.rate_picture import rate_picture

    try:
        path.write_text(rate_picture(rates, losses, smoothed, suggestion), encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot write {str(path)!r}: {in_one_line(error)}; give another --picture") from error

"""``zoo data sheet``: what the model is shown."""

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


@click.command("sheet", cls=TrainCommand)
@asked_options
@click.option(
    "--out",
    metavar="FILE",
    type=click.Path(path_type=Path),
    default=Path("sheet.png"),
    show_default=True,
    help="The picture; its name's end says its kind.",
)
@click.option("--images", metavar="N", type=click.IntRange(min=1), default=6, show_default=True, help="Rows.")
@click.option("--columns", metavar="N", type=click.IntRange(min=1), default=7, show_default=True, help="Epochs shown.")
@common_options
@click.pass_context
def sheet(
    ctx: click.Context,
    /,
    assignments: Sequence[str],
    recipe: str | None,
    file: Path | None,
    out: Path,
    images: int,
    columns: int,
    quiet: bool,
    as_json: bool,
    **settings: Any,
) -> None:
    """Draw some training images as the model is shown them, each epoch in its own way.

    \b
      zoo data sheet --data folder --set data.root=photos --model timm/resnet18 --augment crop,flip,trivial

    It takes all options of zoo train, since size, fit, normalisation and augmentation hang on them. The first column is
    without augmentation; each other one is an epoch. No run is begun.
    """  # noqa: D301 - click wants the control character itself
    refuse_unknown_variables(ctx)
    asked = configured(layers_of(ctx, assignments, settings), recipe=recipe, file=file)
    from zoo.runs.contact_sheet import drawn

    picture = drawn(asked, images, columns, None)
    try:
        picture.save(out)
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot write {str(out)!r}: {in_one_line(error)}; give another --out") from error
    if as_json:
        write_json({"file": str(out), "width": picture.width, "height": picture.height})
    elif not quiet:
        click.echo(out)

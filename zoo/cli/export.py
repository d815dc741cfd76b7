"""``zoo export``: a run's model as one file that carries its preprocessing."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from zoo.cli.completion import complete_names
from zoo.cli.options import checkpoint_option, common_options
from zoo.cli.output import percent, write_json
from zoo.config import assigned


@click.command("export")
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--format",
    metavar="NAME",
    default="onnx",
    show_default=True,
    shell_complete=complete_names("exporters"),
    help="How: one of 'zoo list exporters'.",
)
@click.option(
    "--out", metavar="FILE", type=click.Path(path_type=Path), help="The file. Default: model.onnx in the run's folder."
)
@checkpoint_option
@click.option(
    "--quantize",
    metavar="int8",
    help="Write a smaller file that only resembles the model, fitted to validation images, and measure its accuracy.",
)
@click.option(
    "--set",
    "assignments",
    metavar="KEY=VALUE",
    multiple=True,
    help="An option of the exporter, as export.OPTION=VALUE, or data.root=DIR where the run's images have moved "
    "(data.images=DIR of a table).",
)
@common_options
def export(
    run: Path,
    format: str,
    out: Path | None,
    checkpoint: str,
    quantize: str | None,
    assignments: tuple[str, ...],
    quiet: bool,
    as_json: bool,
) -> None:
    """Export a run's model as one file for other runtimes.

    RUN is a run's directory. The file takes images as the dataset stores them, uint8, and gives logits and
    probabilities: it converts, normalises and resizes by itself. It gets its name when it has said of up to 1,000 of
    the run's test images what the model says.
    """
    from zoo.sharing.export import export as write

    options = dict(map(assigned, assignments))
    found = write(run, format=format, out=out, checkpoint=checkpoint, quantize=quantize, options=options)
    if as_json:
        write_json(found)
    elif not quiet:
        click.echo(_told(found))


def _told(found: Mapping[str, Any]) -> str:
    size = f"{found['file']}: {found['bytes'] / 1e6:,.2f} MB"
    if found["accuracy"] is not None:
        accuracies = f"{percent(found['accuracy'])} where the model has {percent(found['model_accuracy'])}"
        return f"{size}, {found['quantize']}: accuracy {accuracies}, of {found['checked']:,} test images"
    if not found["checked"]:
        return f"{size}, not checked: {found['format']} files are not read again"
    tempered = "" if found["temperature"] is None else f", temperature {found['temperature']:.4f}"
    return (
        f"{size}, checked on {found['checked']:,} test images: "
        f"logits within {found['largest_difference']:.1e} of the model's{tempered}"
    )

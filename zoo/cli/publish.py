"""``zoo publish``: a run as a folder to share."""

from __future__ import annotations

from pathlib import Path

import click

from zoo.cli.options import common_options
from zoo.cli.output import write_json


@click.command("publish")
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--licence", metavar="SPDX", help="Under which the weights are published, such as Apache-2.0.")
@click.option("--as-rgb", is_flag=True, help="Publish a model of grey images as one of colour.")
@click.option("--onnx", is_flag=True, help="Add the model as 'zoo export' writes it, model.onnx.")
@click.option("--to", metavar="hf:USER/NAME", help="Upload the folder to the Hugging Face hub. Default: nothing is.")
@common_options
def publish(
    run: Path,
    folder: Path,
    licence: str | None,
    as_rgb: bool,
    onnx: bool,
    to: str | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Write a finished run as a folder to share.

    RUN is a run's directory, FOLDER a new one: the weights of the best epoch, the recipe, a model card, and the SHA-256
    of every file. zoo.load takes the folder, or its model.safetensors alone; timm and transformers load timm's models.
    """
    from zoo.sharing.publishing import publish as write

    found = write(run, folder, licence=licence, as_rgb=as_rgb, onnx=onnx, to=to)
    if as_json:
        write_json(found)
    elif not quiet:
        also = "; timm and transformers load it, too" if found["timm"] else ""
        click.echo(f"{found['folder']}: {len(found['files'])} files, {found['bytes'] / 1e6:,.1f} MB{also}")
        if found["hub"]:
            click.echo(f"uploaded; zoo.load({found['hub']!r}) loads it anywhere")

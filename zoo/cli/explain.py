"""``zoo explain``: where in an image a run's model sees a class."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from zoo.cli.options import checkpoint_option, common_options
from zoo.cli.output import one_line, write_json

if TYPE_CHECKING:
    from zoo.reports.explanations import Explanation


@click.command("explain")
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("image", type=click.Path(path_type=Path))
@click.option(
    "--out",
    metavar="FILE.png",
    type=click.Path(path_type=Path),
    help="The picture. Default: IMAGE's name with -explained.png, in the working folder.",
)
@click.option("--class", "label", metavar="NAME", help="The class. Default: the likeliest.")
@click.option(
    "--method",
    type=click.Choice(["auto", "grad-cam", "occlusion"]),
    default="auto",
    show_default=True,
    help="How; auto is Grad-CAM where the last layers are convolutions, and else occlusion.",
)
@checkpoint_option
@common_options
def explain(
    run: Path,
    image: Path,
    out: Path | None,
    label: str | None,
    method: str,
    checkpoint: str,
    quiet: bool,
    as_json: bool,
) -> None:
    """Show where in an image a model sees a class.

    RUN is a run's directory. The picture has the image as the model is shown it, and beside it what speaks for the
    class: the brighter, the more. It says what the model used, not whether it was right to.
    """
    from zoo.sharing.explaining import explain as look

    found = look(run, image, label=label, method=method, checkpoint=checkpoint)
    path = out if out is not None else Path(f"{image.stem}-explained.png")
    found.save(path)
    if as_json:
        told = {name: getattr(found, name) for name in ("image", "label", "probability", "method", "layer")}
        write_json({**told, "file": str(path)})
    elif not quiet:
        click.echo(_told(found, path))


def _told(found: Explanation, path: Path) -> str:
    how = f"Grad-CAM of {found.layer!r}" if found.layer else "occlusion"
    seen = "" if found.heat.any() else "; no place speaks for it"
    return f"{one_line(found.image)}: {one_line(found.label)}, {100 * found.probability:.2f} %, {how}{seen}: {path}"

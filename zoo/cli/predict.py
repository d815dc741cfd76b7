"""``zoo predict``: what a run's model says of images."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from zoo.cli.options import common_options
from zoo.cli.output import one_line, write_json
from zoo.errors import UsageError
from zoo.progress_bar import ProgressBar

if TYPE_CHECKING:
    from zoo.runs.predicting import Prediction, Unread

_CURE = "--skip-damaged passes over such files."


@click.command("predict")
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("images", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="IMAGE...")
@click.option("--top-k", type=click.IntRange(min=1), default=1, show_default=True, help="How many classes to tell of.")
@click.option(
    "--skip-damaged",
    is_flag=True,
    help="Predict the other images, and name the damaged ones at the end, with exit code 4.",
)
@click.option(
    "--checkpoint", type=click.Choice(["best", "last"]), default="best", show_default=True, help="Which weights."
)
@common_options
def predict(
    run: Path,
    images: tuple[Path, ...],
    top_k: int,
    skip_damaged: bool,
    checkpoint: str,
    quiet: bool,
    as_json: bool,
) -> None:
    """Classify images with a run's model.

    RUN is a run's directory. Each IMAGE is a file, or a folder of files. It is made grey or coloured and resized like
    the images that the model knows; it gives one line: the file, the likeliest label and its probability.
    """
    from zoo.records.directory import RunDirectory

    directory = RunDirectory.open(run)
    paths = _paths(images)
    from zoo.runs.predicting import Prediction, damaged_files, outcomes

    found: list[Prediction] = []
    unread: list[Unread] = []
    with ProgressBar("predicting", len(paths), sys.stderr) as bar:
        for outcome in outcomes(directory, paths, top_k=top_k, checkpoint=checkpoint):
            if not isinstance(outcome, Prediction):
                if not skip_damaged:
                    raise damaged_files([outcome], _CURE if len(paths) > 1 else "")
                unread.append(outcome)
            elif as_json:
                found.append(outcome)
            else:
                if sys.stdout.isatty():
                    bar.hide()
                _write(outcome)
            if not quiet:
                bar.advance(1)
    if as_json:
        damaged = [{"image": image.image, "fault": str(image.fault)} for image in unread]
        write_json({"predictions": [dataclasses.asdict(prediction) for prediction in found], "damaged": damaged})
    if unread:
        raise damaged_files(unread)


def _paths(images: tuple[Path, ...]) -> list[Path]:
    """Return all files, folders unfolded; one that is missing is told before torch is imported."""
    from zoo.files.folders import files_of

    paths = [path for image in images for path in files_of(image)]
    if missing := [path for path in images if not path.exists()]:
        raise UsageError(f"cannot read {str(missing[0])!r}: No such file or directory")
    return paths


def _write(prediction: Prediction) -> None:
    likely = zip(prediction.labels, prediction.probabilities, strict=True)
    click.echo("\t".join([one_line(prediction.image), *(f"{one_line(label)}\t{100 * p:.2f} %" for label, p in likely)]))

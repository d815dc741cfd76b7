"""``zoo predict``: what a run's model says of images."""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from zoo.cli.embeddings_file import embeddings_file
from zoo.cli.exported import is_exported, refuse_for_file
from zoo.cli.options import checkpoint_option, common_options
from zoo.cli.output import one_line, write_json
from zoo.cli.predictions_file import Write, predictions_file
from zoo.errors import UsageError
from zoo.progress_bar import ProgressBar

if TYPE_CHECKING:
    from zoo.reports.predictions import Prediction, Unread

_CURE = "--skip-damaged passes over such files."


@click.command("predict")
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("images", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="IMAGE...")
@click.option("--top-k", type=click.IntRange(min=1), default=1, show_default=True, help="How many classes to tell of.")
@click.option(
    "--threshold",
    metavar="X",
    type=click.FloatRange(0, 1),
    default=0.0,
    help="Say 'unknown' where no class has a probability of X or more.",
)
@click.option(
    "--out",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Write a table (.csv) or a line of JSON an image (.jsonl) rather than to the terminal.",
)
@click.option(
    "--embeddings",
    metavar="FILE.npy",
    type=click.Path(path_type=Path),
    help="Write what the model's head is given, a row an image in their order: float32 (N, D).",
)
@click.option(
    "--skip-damaged",
    is_flag=True,
    help="Predict the other images, and name the damaged ones at the end, with exit code 4.",
)
@checkpoint_option
@common_options
def predict(
    run: Path,
    images: tuple[Path, ...],
    top_k: int,
    threshold: float,
    out: Path | None,
    embeddings: Path | None,
    skip_damaged: bool,
    checkpoint: str,
    quiet: bool,
    as_json: bool,
) -> None:
    """Classify images with a run's model.

    RUN is a run's directory, what was published of one, weights:NAME of a plugin's ('zoo list weights'),
    hf:USER/NAME@COMMIT on the hub, or a file that 'zoo export' wrote, FILE.onnx. Each IMAGE is a file, or a folder of
    files. It is made grey or coloured and resized like the images that the model knows; it gives one line: the file,
    the likeliest label and its probability.
    """
    if out is not None and as_json:
        raise UsageError("--out writes a file and --json prints; give one of them")
    wishes: dict[str, Any] = {"top_k": top_k, "threshold": threshold}
    paths, asked = _asked(run, images, checkpoint, embeddings is not None, wishes)
    from zoo.reports.predictions import Prediction, damaged_files

    found: list[Prediction] = []
    unread: list[Unread] = []
    with (
        _destination(out, top_k) as write,
        _rows(embeddings, len(paths)) as keep,
        _bar(len(paths), quiet) as bar,
    ):
        for outcome in asked:
            if isinstance(outcome, Prediction):
                found += [outcome] if as_json else []
            elif skip_damaged:
                unread.append(outcome)
            else:
                raise damaged_files([outcome], _CURE if len(paths) > 1 else "")
            if out is None and sys.stdout.isatty():
                bar.hide()
            if not as_json:
                write(outcome)
            keep(outcome)
            bar.advance(1)
    if as_json:
        damaged = [{"image": image.image, "fault": str(image.fault)} for image in unread]
        write_json({"predictions": [prediction.to_dict() for prediction in found], "damaged": damaged})
    if unread:
        raise damaged_files(unread)


def _asked(
    run: Path, images: tuple[Path, ...], checkpoint: str, embeddings: bool, wishes: Mapping[str, Any]
) -> tuple[list[Path], Iterator[Prediction | Unread]]:
    """Return the images' files, and what will be said of them; a run or a file that is missing is told first."""
    if is_exported(run):
        refuse_for_file(run, "checkpoint", "embeddings")
        from zoo.sharing.export_reading import ExportedFile, file_outcomes

        file = ExportedFile(run)
        paths = _paths(images)
        return paths, file_outcomes(file, paths, **wishes)
    from zoo.runs.elsewhere import refuse_missing

    refuse_missing(run)
    paths = _paths(images)
    from zoo.runs.predicting import outcomes

    return paths, outcomes(run, paths, checkpoint=checkpoint, embeddings=embeddings, **wishes)


def _bar(count: int, quiet: bool) -> ProgressBar:
    return ProgressBar("predicting", count, io.StringIO() if quiet else sys.stderr)


def _destination(out: Path | None, top_k: int) -> contextlib.AbstractContextManager[Write]:
    return contextlib.nullcontext(_print) if out is None else predictions_file(out, top_k)


def _rows(path: Path | None, count: int) -> contextlib.AbstractContextManager[Write]:
    return contextlib.nullcontext(lambda _: None) if path is None else embeddings_file(path, count)


def _paths(images: tuple[Path, ...]) -> list[Path]:
    """Return all files, folders unfolded; one that is missing is told before torch is imported."""
    from zoo.files.folders import files_of

    paths = [path for image in images for path in files_of(image)]
    if missing := [path for path in images if not path.exists()]:
        raise UsageError(f"cannot read {str(missing[0])!r}: No such file or directory")
    return paths


def _print(outcome: Prediction | Unread) -> None:
    """Print a prediction's line; an image that could not be read has none, and is named at the end."""
    from zoo.reports.predictions import Prediction

    if isinstance(outcome, Prediction):
        likely = zip([outcome.label, *outcome.labels[1:]], outcome.probabilities, strict=True)
        click.echo(
            "\t".join([one_line(outcome.image), *(f"{one_line(label)}\t{100 * p:.2f} %" for label, p in likely)])
        )

"""``zoo evaluate``: a run's numbers, measured again, or on other images."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from zoo.cli.completion import complete_names
from zoo.cli.exported import is_exported, refuse_for_file
from zoo.cli.options import checkpoint_option, common_options, joined
from zoo.cli.output import percent, table, write_json
from zoo.config import assigned

_WEAKEST = 5  # classes that are told of


@click.command("evaluate")
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--split",
    type=click.Choice(["test", "validation", "train", "all"]),
    help="On which images. Default: test; with other data: all.",
)
@checkpoint_option
@click.option(
    "--data",
    metavar="NAME",
    shell_complete=complete_names("datasets"),
    help="Another dataset to measure on; its classes are matched by name.",
)
@click.option(
    "--set",
    "assignments",
    metavar="KEY=VALUE",
    multiple=True,
    help="An option of the other data, such as data.root=DIR; that, or a table's data.images, where the run's own "
    "images have moved.",
)
@click.option(
    "--name",
    metavar="NAME",
    help="What the evaluation of other data is kept under. Default: the data's and its root's.",
)
@click.option(
    "--tta",
    metavar="NAME,...",
    multiple=True,
    callback=joined,
    shell_complete=complete_names("augmentations"),
    help="Test-time augmentation: average over the views that an augmentation, such as flip or shift, shows.",
)
@common_options
def evaluate(
    run: Path,
    split: str | None,
    checkpoint: str,
    data: str | None,
    assignments: tuple[str, ...],
    name: str | None,
    tta: str | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Measure a run's checkpoint again.

    \b
      zoo evaluate RUN
      zoo evaluate FILE.onnx
      zoo evaluate RUN --data folder --set data.root=NEW

    RUN is a run's directory, what was published of one, weights:NAME of a plugin's, or hf:USER/NAME@COMMIT on the hub.
    The recorded batch size, precision and threads are used, so that the logged numbers come out again, to the bit. What
    was said of each image is kept in the run's folder evaluations. FILE.onnx, which 'zoo export' wrote, is measured on
    its run's test images, in fp32.
    """  # noqa: D301 - click wants the control character itself
    options = dict(map(assigned, assignments))
    if is_exported(run):
        refuse_for_file(run, "split", "checkpoint", "data", "name", "tta")
        from zoo.sharing.export_evaluating import evaluate_file

        found = evaluate_file(run, options)
    else:
        from zoo.runs.elsewhere import refuse_missing

        refuse_missing(run)
        from zoo.runs.evaluating import evaluate as measure

        found = measure(
            run,
            split=split,
            checkpoint=checkpoint,
            data=data,
            options=options,
            name=name,
            tta=tta or (),
        )
    if as_json:
        write_json(found)
        return
    click.echo(_headline(found))
    if not quiet:
        click.echo("\n".join(_details(found)))


def _headline(found: Mapping[str, Any]) -> str:
    from zoo.training.evaluation import standard_error

    error = standard_error(found["accuracy"], found["samples"])
    five = "" if found["top5_accuracy"] is None else f", top-5 {100 * found['top5_accuracy']:.2f} %"
    split = found["data"].rpartition("/")[2] if "left_out" in found else found["split"]
    views = f", averaged over the views of {' and '.join(found['tta'])}" if found.get("tta") else ""
    return (
        f"{split} accuracy {100 * found['accuracy']:.2f} % +- {100 * error:.2f}{five}, loss {found['loss']:.4f} "
        f"on {found['samples']:,} images ({found['checkpoint']} checkpoint, epoch {found['epoch']}{views})"
    )


def _details(found: Mapping[str, Any]) -> list[str]:
    """Return the further numbers, and the classes that are recognised worst."""
    low, high = found["accuracy_interval"]
    balanced, f1 = percent(found["balanced_accuracy"]), percent(found["macro_f1"])
    error, chance = percent(found["ece"]), percent(found["ece_by_chance"])
    lines = [f"95 % interval {100 * low:.2f} to {100 * high:.2f} %, balanced accuracy {balanced}, macro-F1 {f1}"]
    lines.append(
        f"log loss {found['nll']:.4f}, Brier {found['brier']:.4f}, calibration error {error} ({chance} by chance)"
    )
    lines += _unmatched(found)
    known = sorted((row for row in found["classes"] if row["images"]), key=lambda row: row["recall"])
    if weakest := [row for row in known if row["recall"] < 1][:_WEAKEST]:
        header = ("WEAKEST CLASS", "IMAGES", "RECALL", "PRECISION", "TAKEN FOR")
        lines += table([header, *map(_row, weakest)])
    return lines


def _unmatched(found: Mapping[str, Any]) -> list[str]:
    lines = []
    if unknown := found.get("unknown_classes"):
        lines.append(
            f"left out: {found['left_out']:,} images of classes that the model does not know: {_some(unknown)}"
        )
    if missing := found.get("missing_classes"):
        lines.append(f"no images of {len(missing)} of the model's {len(found['classes'])} classes: {_some(missing)}")
    return lines


def _row(row: Mapping[str, Any]) -> tuple[str, ...]:
    taken = row["taken_for"]
    return (
        row["class"],
        f"{row['images']:,}",
        percent(row["recall"]),
        percent(row["precision"]),
        f"{taken['class']} ({taken['images']:,})" if taken else "",
    )


def _some(names: list[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")

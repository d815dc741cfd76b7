"""A table of images as a dataset."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import torch

import zoo
from zoo_table.reading import read_rows
from zoo_table.samples import Sample, read_samples

CURE = "Mend it, or remove its row from the table."


def table(
    *,
    root: str | None = None,
    images: str | None = None,
    size: int | list[int] | None = None,
    color: bool | None = None,
    stream: bool | None = None,
    fit: Literal["stretch", "pad", "crop"] = "stretch",
    test_fraction: float = 0.2,
    validation_fraction: float = 0.1,
    seed: int = 0,
) -> zoo.Dataset:
    """Read images that a table lists, however many they are.

    Its columns are ``file``, a path; ``label``, the name of one class; and optionally ``split``, one of train, test
    and validation; ``group``, whatever keeps images together that may not be divided between splits: the frames of a
    video, the slices of a patient; and ``weight``, a number of 0 or more: training sees an image of weight 2 twice as
    often as one of weight 1, and one of weight 0 never. Evaluations count every image once. Other columns are left
    alone.

    Args:
        root: The table, whose name ends in .csv, .tsv, .jsonl or .parquet; the last needs ``torch-zoo[table]``.
        images: The folder that files are relative to; if left out, the table's.
        size: [H, W] to which images are resized, or one number for both. If left out, chosen as for a folder.
        color: True for three channels, False for one. If left out: three if any training image is in colour.
        stream: Whether images are read while training; if left out, as for a folder.
        fit: ``"stretch"``, ``"pad"`` or ``"crop"``: how a picture of another aspect becomes the size's.
        test_fraction: The share that is kept for testing, in (0, 1), where no row is of the test split.
        validation_fraction: The same for validation, in [0, 1), where there are groups and no row is of the validation
            split. Without groups the run holds out what ``--validation`` says.
        seed: Which images those are.

    Returns:
        The dataset. Its classes are sorted, as numbers where all are such. Rows of the validation split are the test
        set where there is no other.

    Raises:
        UsageError: If *root* is not given or no table, or a row cannot be; the line is named.
        DamagedError: If the table, or an image that was looked at, is damaged.
    """
    if root is None:
        raise zoo.UsageError("which table? --set data.root=FILE names it: .csv, .tsv, .jsonl or .parquet")
    if not (0 < test_fraction < 1 and 0 <= validation_fraction < 1):
        raise zoo.UsageError(
            "test_fraction must be above 0 and below 1, and validation_fraction from 0 to below 1, not "
            f"{test_fraction!r} and {validation_fraction!r}"
        )
    path = Path(root).expanduser()
    samples = read_samples(path, read_rows(path))
    grouped = any(sample.group for sample in samples)
    train, test, validation = _divided(path, samples, test_fraction, validation_fraction if grouped else 0.0, seed)
    classes = sorted({sample.label for sample in train}, key=_as_number_or_text)
    folder = Path(images).expanduser() if images is not None else path.parent

    def labelled(part: Sequence[Sample]) -> tuple[zoo.ImageFiles, list[int], list[float] | None]:
        labels = {label: index for index, label in enumerate(classes)}
        for sample in part:
            if sample.label not in labels:
                raise zoo.UsageError(
                    f"{str(path)!r}, line {sample.line}: no training image has the class {sample.label!r}"
                )
        files = zoo.ImageFiles(folder, [sample.file for sample in part], cure=CURE)
        weights = [sample.weight for sample in part]
        return files, [labels[sample.label] for sample in part], weights if set(weights) != {1.0} else None

    if not any(sample.weight for sample in train):
        raise zoo.UsageError(f"the table {str(path)!r} has a weight of 0 for every training image")
    return zoo.encoded_dataset(
        labelled(train),
        labelled(test),
        classes,
        validation=labelled(validation) if validation else None,
        size=size,
        color=color,
        stream=stream,
        fit=fit,
        divisible=not grouped,
        groups=[sample.group for sample in train] if grouped else None,
    )


def _divided(
    path: Path, samples: Sequence[Sample], test_fraction: float, validation_fraction: float, seed: int
) -> tuple[Sequence[Sample], Sequence[Sample], Sequence[Sample]]:
    """Return the training, the test and the validation images."""
    parts: dict[str, list[Sample]] = {"": [], "train": [], "test": [], "validation": []}
    for sample in samples:
        parts[sample.split].append(sample)
    train: Sequence[Sample] = parts["train"] or parts[""]
    if not train:
        raise zoo.UsageError(f"the table {str(path)!r} has no row of the split 'train'")
    test: Sequence[Sample] = parts["test"] or parts["validation"]
    validation: Sequence[Sample] = parts["validation"] if parts["test"] else []
    if not test:
        train, test = _set_aside(train, test_fraction, seed)
        if not test:
            raise zoo.UsageError(
                f"the table {str(path)!r} has one image or group alone of each class; none can be set aside for testing"
            )
    if not validation and validation_fraction:
        train, validation = _set_aside(train, validation_fraction, seed + 1)
    return train, test, validation


def _set_aside(samples: Sequence[Sample], fraction: float, seed: int) -> tuple[Sequence[Sample], Sequence[Sample]]:
    """Divide images by a hash of their names, or of their groups' names: a group stays together."""
    units: dict[str, list[Sample]] = {}
    for sample in samples:
        units.setdefault(f"group {sample.group}" if sample.group else sample.file, []).append(sample)
    labels = {label: index for index, label in enumerate(sorted({sample.label for sample in samples}))}
    of_unit = torch.tensor([labels[unit[0].label] for unit in units.values()])
    kept, held = zoo.split_by_name(list(units), of_unit, fraction, seed)
    every = list(units.values())
    one, other = ([sample for index in part.tolist() for sample in every[index]] for part in (kept, held))
    return one, other


def _as_number_or_text(label: str) -> tuple[bool, int, str]:
    number = label.isascii() and label.isdigit()
    return not number, int(label) if number else 0, label

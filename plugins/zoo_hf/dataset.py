"""A Hugging Face dataset as one of zoo's."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Literal

import torch

import zoo
from zoo_hf.library import load

_SPLITS = {
    "train": ("train", "training"),
    "test": ("test", "testing"),
    "validation": ("validation", "valid", "val", "dev"),
}


class Rows:
    """The encoded images of rows.

    Args:
        rows: A ``datasets.Dataset``.
        column: Which column holds the images.
        name: Of the split.
        chosen: Which rows; None for all.
    """

    cure = "Mend the dataset, or filter the row out."
    sizes = None  # nobody knows without reading them

    def __init__(self, rows: Any, column: str, name: str, chosen: Sequence[int] | None = None) -> None:
        import datasets

        images = rows.select_columns([column])
        self._rows = images.cast_column(column, datasets.Image(decode=False)).with_format(None)
        self._column = column
        self._name = name
        self._places = range(len(rows)) if chosen is None else chosen

    @property
    def names(self) -> Sequence[str]:
        """The split's name and each row's number."""
        return [f"{self._name}/{place}" for place in self._places]

    def place(self, index: int) -> str:
        """Return the split's name and the row's number."""
        return f"{self._name}[{self._places[index]}]"

    def open(self, index: int) -> BinaryIO:
        """Open an image: its bytes in the row, or the file that the row names.

        Raises:
            DamagedError: If there is neither.
        """
        found: Mapping[str, Any] | None = self._rows[int(self._places[index])][self._column]
        if found and found.get("bytes") is not None:
            return io.BytesIO(found["bytes"])
        try:
            return Path((found or {})["path"]).open("rb")
        except (OSError, KeyError, TypeError) as error:
            raise zoo.DamagedError(f"{self.place(index)} has no image that can be read: {error}") from error


def hf(
    *,
    root: str | None = None,
    hub: str | None = None,
    subset: str | None = None,
    revision: str | None = None,
    image: str | None = None,
    label: str | None = None,
    size: int | list[int] | None = None,
    color: bool | None = None,
    stream: bool | None = None,
    fit: Literal["stretch", "pad", "crop"] = "stretch",
    test_fraction: float = 0.2,
    seed: int = 0,
) -> zoo.Dataset:
    """Read images from a Hugging Face dataset; zoo decodes them itself, as any others.

    Its library keeps what it downloads and converts in its own cache. Splits called train, test and validation are
    taken; a validation split is the test set where there is no other.

    Args:
        root: A folder that ``save_to_disk`` wrote, or one of parquet, arrow or image files as ``load_dataset`` reads.
        hub: Instead of it a name on the hub, such as ``user/name``.
        subset: Which of its configurations.
        revision: Which commit, branch or tag of it: a commit's hash keeps it the same.
        image: Which column holds the images; if left out, the first that does.
        label: Which column holds the classes: of ``ClassLabel``, texts or whole numbers; if left out, the only
            ``ClassLabel``, or ``label``.
        size: [H, W] to which images are resized, or one number for both. If left out, chosen as for a folder.
        color: True for three channels, False for one. If left out: three if any training image is in colour.
        stream: Whether images are read while training; if left out, as for a folder.
        fit: How a picture of another aspect becomes one of that size, as for a folder.
        test_fraction: The share that is kept for testing, in (0, 1), where there is no test split.
        seed: Which images those are.

    Returns:
        The dataset.

    Raises:
        UsageError: If neither a folder nor a name is given, the extra is missing, or a column cannot be.
        DamagedError: If the dataset cannot be read.
    """
    if not 0 < test_fraction < 1:
        raise zoo.UsageError(f"test_fraction must be above 0 and below 1, not {test_fraction!r}")
    found = _named(load(root, hub, subset, revision))
    image, label = _columns(found["train"], image, label)
    texts = {part: _texts(rows, label, part) for part, rows in found.items()}
    classes = _classes(found["train"], label, texts)
    numbers = {text: number for number, text in enumerate(classes)}
    labels = {part: [numbers[text] for text in values] for part, values in texts.items()}
    sources = {part: (Rows(rows, image, part), labels[part]) for part, rows in found.items()}
    if "test" not in sources:
        whole = Rows(found["train"], image, "train")
        parts = zoo.split_by_name(whole.names, torch.tensor(labels["train"]), test_fraction, seed)
        for part, places in zip(("train", "test"), (places.tolist() for places in parts), strict=True):
            own = [labels["train"][place] for place in places]
            sources[part] = Rows(found["train"], image, "train", places), own
    return zoo.encoded_dataset(
        sources["train"],
        sources["test"],
        classes,
        validation=sources.get("validation"),
        size=size,
        color=color,
        stream=stream,
        fit=fit,
    )


def _named(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return the splits that zoo knows, by its names for them."""
    parts = {part: found[name] for part, names in _SPLITS.items() for name in names if name in found}
    if "train" not in parts:
        raise zoo.UsageError(f"the dataset has no split 'train'; it has {', '.join(map(repr, found))}")
    if "test" not in parts and "validation" in parts:
        parts["test"] = parts.pop("validation")
    return parts


def _columns(rows: Any, image: str | None, label: str | None) -> tuple[str, str]:
    """Return the columns of the images and of the classes."""
    import datasets

    kinds = rows.features
    images = [name for name, kind in kinds.items() if isinstance(kind, datasets.Image)]
    labels = [name for name, kind in kinds.items() if isinstance(kind, datasets.ClassLabel)]
    if label is None:
        label = labels[0] if len(labels) == 1 else "label"
    if image is None:
        image = images[0] if images else "image"
    for option, name, known in (("image", image, images), ("label", label, list(kinds))):
        if name not in known:
            raise zoo.UsageError(
                f"the dataset has no column {name!r} of {option}s: --set data.{option}=COLUMN names it; "
                f"there are {', '.join(map(repr, known)) or 'none'}"
            )
    return image, label


def _texts(rows: Any, column: str, part: str) -> list[str]:
    """Return each row's class, by its name."""
    import datasets

    kind, values = rows.features[column], rows[column][:]
    wrong = next((place for place, value in enumerate(values) if not _is_class(value)), None)
    if wrong is not None:
        raise zoo.UsageError(f"{part}[{wrong}]: {column!r} must be one class, not {values[wrong]!r}")
    return [kind.int2str(value) if isinstance(kind, datasets.ClassLabel) else str(value) for value in values]


def _is_class(value: Any) -> bool:
    """Whether a value can be a class: a text or a whole number; -1 is what test sets of competitions have instead."""
    if isinstance(value, str):
        return bool(value.strip())
    return isinstance(value, int) and not isinstance(value, bool) and value != -1


def _classes(rows: Any, column: str, texts: Mapping[str, Sequence[str]]) -> list[str]:
    """Return the classes: a ``ClassLabel``'s own, or those of the training images, sorted, numbers as numbers."""
    import datasets

    kind = rows.features[column]
    classes = list(kind.names) if isinstance(kind, datasets.ClassLabel) else sorted(set(texts["train"]), key=_order)
    if strangers := sorted({text for values in texts.values() for text in values} - set(classes)):
        raise zoo.UsageError(f"there are classes that no training image has: {', '.join(strangers[:3])}")
    return classes


def _order(text: str) -> tuple[bool, int, str]:
    number = text.isascii() and text.isdigit()
    return not number, int(text) if number else 0, text

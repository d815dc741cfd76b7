"""Kept evaluations, read and written without torch: `RUN/evaluations/NAME.safetensors` and the JSON beside it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zoo.errors import DamagedError, UsageError
from zoo.records.directory import EVALUATIONS
from zoo.records.disk import DISK, Disk, parse_json, read_bytes, write_atomic
from zoo.reports.metrics import Outcomes, outcomes_of

SCHEMA = 1

OWN = ("test-best", "validation-best")
"""Those that a run's end leaves; its page shows the details of the first that is there."""

_TTA = "-tta-"  # between the images and the augmentations, in the name of an evaluation over several views
_MAX_JSON = 64 * 2**20  # bytes; the classes of ImageNet-21k take 8 million
_MAX_TENSORS = 2**31
_KEYS = {
    "split": str,
    "checkpoint": str,
    "epoch": int,
    "checkpoint_digest": str,
    "classes": list,
    "samples": int,
    "images": dict,
    "metrics": dict,
    "tensors": dict,
}

Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Evaluation:
    """What a checkpoint said of each image of a split.

    Attributes:
        name: Its files', such as ``test-best``.
        document: What its JSON tells.
        arrays: By name, as docs/reference/files.md lists them.
    """

    name: str
    document: Mapping[str, Any]
    arrays: Arrays

    @property
    def classes(self) -> Sequence[str]:
        """The K classes."""
        names: Sequence[str] = self.document["classes"]
        return names

    @property
    def logits(self) -> NDArray[np.float32] | None:
        """All logits, (N, K); None where there were too many to keep."""
        return self.arrays.get("logits")

    @cached_property
    def outcomes(self) -> Outcomes:
        """What became of each image."""
        return outcomes_from(self.arrays)

    @property
    def digest(self) -> str:
        """What the images are known by: equal ones in equal order have equal digests."""
        return f"{self.document['images'].get('known_by')}:{self.document['images'].get('sha256')}"


def outcomes_from(arrays: Arrays) -> Outcomes:
    """Return what became of each image, from all logits or from what was kept in their place."""
    labels, predictions, in_five = arrays["labels"], arrays["predictions"], arrays.get("in_five")
    if "logits" in arrays:
        return outcomes_of(arrays["logits"], labels, predictions=predictions, in_five=in_five)
    totals = arrays["log_sum_exp"].astype(np.float64)
    return Outcomes(
        labels,
        predictions,
        in_five,
        confidence=np.exp(arrays["top_logits"][:, 0] - totals),
        label_log_probability=arrays["label_logits"] - totals,
        squares=arrays["squares"].astype(np.float64),
    )


def evaluation_name(images: str, tta: Sequence[str], checkpoint: str) -> str:
    """Return what an evaluation is kept under, such as ``test-best``, or ``test-tta-flip+shift-best``.

    Args:
        images: The split, or what other data are called.
        tta: The full names of the augmentations over whose views the probabilities were averaged.
        checkpoint: ``"best"`` or ``"last"``.
    """
    views = f"{_TTA}{'+'.join(name.rpartition('/')[2] for name in tta)}" if tta else ""
    return f"{images}{views}-{checkpoint}"


def evaluation_names(run: Path) -> list[str]:
    """Return the names of a run's kept evaluations, sorted."""
    return sorted(path.stem for path in (run / EVALUATIONS).glob("*.json") if not path.name.startswith("."))


def read_document(run: Path, name: str) -> dict[str, Any]:
    """Return what an evaluation's JSON tells.

    Raises:
        UsageError: If the run has no such evaluation.
        DamagedError: If it is damaged.
    """
    path = run / EVALUATIONS / f"{name}.json"
    if not path.exists():
        raise UsageError(f"{run} keeps no evaluation {name!r}; {_how_to_make(run, name)}")
    found = parse_json(read_bytes(path, _MAX_JSON), str(path))
    if not isinstance(found, dict) or not isinstance(found.get("schema"), int):
        raise DamagedError(f"{path} is damaged: it is no evaluation; {_how_to_make(run, name)}")
    if found["schema"] > SCHEMA:
        raise UsageError(f"{path} was written by a newer zoo, in schema {found['schema']}: upgrade torch-zoo")
    if wrong := [key for key, kind in _KEYS.items() if not isinstance(found.get(key), kind)]:
        raise DamagedError(f"{path} is damaged: it misstates {wrong[0]!r}; {_how_to_make(run, name)}")
    return found


def read_evaluation(run: Path, name: str) -> Evaluation:
    """Return an evaluation of a run, every byte of its tensors verified.

    Raises:
        UsageError: If the run has no such evaluation.
        DamagedError: If it is damaged.
    """
    document, path = read_document(run, name), run / EVALUATIONS / f"{name}.safetensors"
    data = read_bytes(path, _MAX_TENSORS)
    if hashlib.sha256(data).hexdigest() != document["tensors"].get("sha256"):
        raise DamagedError(
            f"{path} is damaged: its bytes are not those that were written (SHA-256); {_how_to_make(run, name)}"
        )
    from safetensors.numpy import load

    arrays = load(data)
    _check(arrays, document, path)
    return Evaluation(name, document, arrays)


def main_evaluation(run: Path) -> Evaluation:
    """Return the evaluation that tells most of a run: of its test images, else of its validation images.

    Raises:
        UsageError: If the run keeps neither.
        DamagedError: If it is damaged.
    """
    names = evaluation_names(run)
    # Of a run that keeps none, this says how one is made.
    return read_evaluation(run, next((name for name in OWN if name in names), OWN[0]))


def _how_to_make(run: Path, name: str) -> str:
    split, _, checkpoint = name.rpartition("-")
    split, _, views = split.partition(_TTA)
    options = [] if split == "test" else [f"--split {split}"]
    options += [f"--tta {view}" for view in views.split("+") if view]
    options += [] if checkpoint == "best" else [f"--checkpoint {checkpoint}"]
    return f"make it by: {' '.join(['zoo evaluate', str(run), *options])}"


def _check(arrays: Arrays, document: Mapping[str, Any], path: Path) -> None:
    """See that the arrays fit together: whatever is wrong with them, their digest says that they were written so.

    Raises:
        DamagedError: If they do not.
    """
    samples, classes = document["samples"], len(document["classes"])
    shapes: dict[str, tuple[int, ...]] = {"labels": (samples,), "predictions": (samples,), "places": (samples,)}
    if "logits" in arrays:
        shapes["logits"] = (samples, classes)
    else:
        shapes |= dict.fromkeys(("label_logits", "log_sum_exp", "squares"), (samples,))
    for name, shape in shapes.items():
        if name not in arrays or arrays[name].shape != shape:
            raise DamagedError(f"{path} is no evaluation of {samples} images: {name!r} is missing or has another shape")
    for name in ("labels", "predictions"):
        if samples and not (arrays[name].min() >= 0 and arrays[name].max() < classes):
            raise DamagedError(f"{path} is no evaluation of {classes} classes: {name!r} goes beyond them")


def keep_evaluation(run: Path, name: str, found: Mapping[str, Any], data: bytes, disk: Disk = DISK) -> None:
    """Write an evaluation; where a kill interrupts this, there is none of that name, or the old or the new one.

    Args:
        run: Its directory, locked by the caller.
        name: Such as ``test-best``.
        found: Its document.
        data: Its tensors' file.
        disk: Where to write.

    Raises:
        OSError: If the disk is full, or refuses otherwise.
    """
    folder = run / EVALUATIONS
    text = json.dumps(found, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    target = folder / f"{name}.json"
    if _is_there(folder, name, text, len(data)):
        return
    if not folder.is_dir():
        disk.make_directory(folder)
        disk.sync_directory(run)
    disk.remove(target)  # else the old document would for a moment tell of the new tensors
    write_atomic(folder / f"{name}.safetensors", data, disk)
    write_atomic(target, text, disk)


def _is_there(folder: Path, name: str, text: str, size: int) -> bool:
    try:
        return (folder / f"{name}.json").read_text(encoding="utf-8") == text and (
            folder / f"{name}.safetensors"
        ).stat().st_size == size
    except (OSError, ValueError):
        return False

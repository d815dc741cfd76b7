"""Evaluations that are kept: what a checkpoint said of each image of a split, beside the run.

They are read without torch by `zoo.reports.evaluations`, which knows the same files.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from zoo.config import Config
from zoo.data import ImageFacts, Split, TensorImages
from zoo.data.splits import looked_up, places_of
from zoo.files.json_pieces import json_sha256
from zoo.records.tensors import tensor_chunks
from zoo.reports.evaluations import SCHEMA, outcomes_from
from zoo.reports.metrics import metrics_of
from zoo.runs.network import Network

WORST = 64
"""Mistakes whose pixels are kept."""

_PIXEL_BYTES = 16 * 2**20  # that they take at most
_AT_ONCE = 1024  # images that are hashed at a time
_SAMPLE = 32  # images that are hashed where they are neither in memory nor have names


@dataclass(frozen=True)
class Measured:
    """What an evaluation found.

    Attributes:
        split: The images, in the order of the predictions.
        loss: The criterion's mean.
        predictions: What a `zoo.training.predictions.PredictionRecord` kept.
    """

    split: Split
    loss: float
    predictions: Mapping[str, Tensor]


def about_evaluation(
    config: Config, network: Network, split: str, checkpoint: str, epoch: int, step: int, digest: str
) -> dict[str, Any]:
    """Return what an evaluation's document tells of what was measured.

    Args:
        config: The run's.
        network: What computed.
        split: The name of the images.
        checkpoint: ``"best"`` or ``"last"``.
        epoch: Epochs before it.
        step: Optimizer steps before it.
        digest: The checkpoint's.
    """
    return {
        "model": config.model.name,
        "data": config.data.name,
        "split": split,
        "checkpoint": checkpoint,
        "epoch": epoch,
        "step": step,
        "checkpoint_digest": digest,
        "precision": network.precision,
        "device": network.device.type,
        "tta": list(network.tta),
    }


def document(measured: Measured, images: ImageFacts, about: Mapping[str, Any]) -> tuple[dict[str, Any], bytes]:
    """Return an evaluation as it is kept: its JSON document, and the bytes of its tensors' file.

    Args:
        measured: What was found.
        images: The classes.
        about: What was measured: ``split``, ``checkpoint``, ``epoch``, ``step``, ``checkpoint_digest`` and so on.
    """
    tensors = {**measured.predictions, "places": places_of(measured.split)}
    arrays = {name: tensor.numpy() for name, tensor in tensors.items()}
    outcomes = outcomes_from(arrays)
    worst = torch.from_numpy(outcomes.worst(_worst_count(images)))
    names: Any = getattr(measured.split, "names", None)
    if len(worst):
        tensors["worst"] = worst
        tensors["worst_pixels"] = measured.split.batch(worst.to(measured.split.labels.device))[0].cpu()
    data, told = packed(tensors)
    found = {
        "schema": SCHEMA,
        **about,
        "classes": list(images.classes),
        "samples": len(measured.split),
        "images": digest_of(measured.split),
        "worst_names": None if names is None else [names[row] for row in worst.tolist()],
        "metrics": {
            "loss": measured.loss if math.isfinite(measured.loss) else None,
            **metrics_of(outcomes, images.classes),
        },
        "tensors": told,
    }
    return found, data


def packed(tensors: Mapping[str, Tensor]) -> tuple[bytes, dict[str, Any]]:
    """Return the bytes of an evaluation's tensors' file, and what its document tells of them."""
    data = b"".join(tensor_chunks(tensors))
    return data, {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def digest_of(split: Split) -> dict[str, str]:
    """Return what the images of a split are known by: their names and sizes where they have such, else their pixels.

    Equal images in equal order have equal digests.
    """
    names, sizes, labels = getattr(split, "names", None), getattr(split, "sizes", None), split.labels.cpu()
    if names is not None and sizes is not None:
        return {"known_by": "names and sizes", "sha256": json_sha256([names, map(int, sizes), labels.tolist()])}
    found = hashlib.sha256()
    source, places = looked_up(split, torch.arange(len(split), device=split.labels.device))
    in_memory = isinstance(source, TensorImages)
    if not in_memory and len(places) > _SAMPLE:  # which reads the images only for this
        places = places[torch.arange(_SAMPLE, device=places.device) * len(places) // _SAMPLE]
    for some in torch.split(places, _AT_ONCE):
        found.update(source.batch(some)[0].cpu().contiguous().numpy())  # type: ignore[arg-type]
    found.update(labels.contiguous().numpy())  # type: ignore[arg-type]
    return {"known_by": "pixels" if in_memory else f"pixels of {_SAMPLE}", "sha256": found.hexdigest()}


def _worst_count(images: ImageFacts) -> int:
    each = images.in_channels * images.image_size[0] * images.image_size[1]
    return min(WORST, _PIXEL_BYTES // each)

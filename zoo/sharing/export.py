"""`zoo.export`: a run's model as one file that carries its preprocessing, checked before it gets its name."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from zoo.data import EvaluationBatches, Split
from zoo.errors import PluginError, UsageError
from zoo.registry import Entry, build, registry
from zoo.reports.calibration import read_temperature
from zoo.runs.evaluating import own_split
from zoo.runs.evaluations import digest_of
from zoo.runs.loading import LoadedRun, load_run
from zoo.sharing.export_check import Accuracies, Agreement, accuracies_of, agreement_of
from zoo.sharing.export_facts import facts_of
from zoo.sharing.export_module import ExportedModel, ModelInFp32
from zoo.training.arithmetic import own_arithmetic

CHECKED = 1_000
"""Test images that an exported file is checked on, at most."""

CALIBRATING = 500
"""Validation images that quantised numbers are fitted to, at most."""

_AT_ONCE = 64  # images that are read at a time
_OWN = "export."


def export(
    run: str | Path | Any,
    *,
    format: str = "onnx",
    out: str | Path | None = None,
    checkpoint: str = "best",
    quantize: str | None = None,
    options: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Write a run's model as one file for other runtimes, and check it on the run's own test images.

    The model is exported in fp32. Its input ``images``, uint8 (N, C, H, W) in the dataset's size, is converted,
    normalised and resized inside; its outputs are ``logits`` and ``probabilities``, float32 (N, K), the latter by the
    temperature that `zoo.calibrate` found. The file gets its name when what it says of up to 1,000 test images is what
    the model says; a file of that name is replaced.

    Args:
        run: The run's directory, or what `zoo.train` returned.
        format: A registered exporter.
        out: The file; by default ``model.onnx`` in the run's directory, or what the format is called.
        checkpoint: ``"best"`` or ``"last"``.
        quantize: ``"int8"`` for a smaller file that only resembles the model, where the exporter has that: what is
            compared on the test images is then how often each is right, and the file is kept whatever that gives.
        options: The exporter's, such as ``{"export.opset": 20}``, and ``{"data.root": DIR}`` where the run's images
            have moved.

    Returns:
        ``run``, ``file``, ``format``, ``bytes``, ``checked``, how many test images were compared, 0 where the format
        cannot be read again, ``largest_difference`` of a logit, ``quantize``, of a quantised file ``accuracy`` and
        ``model_accuracy``, ``temperature``, ``checkpoint`` and ``checkpoint_digest``.

    Raises:
        UsageError: If there is no such run, checkpoint, format or folder, or what the exporter needs is not installed.
        ZooError: If the model cannot be exported, or the file says something else than the model.
        PluginError: If the exporter is broken.
        DamagedError: If the checkpoint or the data is damaged.
    """
    entry = registry().find("exporters", format)
    own, others = _divided({**(options or {}), **({} if quantize is None else {f"{_OWN}quantize": quantize})})
    with own_arithmetic():
        loaded = load_run(getattr(run, "directory", run), checkpoint)
        path = Path(out) if out is not None else loaded.directory.path / f"model.{entry.name}"
        temperature = read_temperature(loaded.directory.path, loaded.checkpoint.manifest.digest)
        split = own_split(loaded, "test", others)
        facts = facts_of(loaded, checkpoint, temperature, digest_of(split))
        with _named_when_done(path) as part:
            calibration = _calibration(loaded, others) if own.get("quantize") else None
            found = _written(entry, loaded, split, facts, part, own, calibration)
            size = part.stat().st_size
    return {
        "run": str(loaded.directory),
        "file": str(path),
        "format": entry.full_name,
        "bytes": size,
        "checked": found.images,
        "largest_difference": found.largest_difference if isinstance(found, Agreement) else None,
        "quantize": own.get("quantize") or None,
        "accuracy": found.file if isinstance(found, Accuracies) else None,
        "model_accuracy": found.model if isinstance(found, Accuracies) else None,
        "temperature": temperature,
        "checkpoint": checkpoint,
        "checkpoint_digest": loaded.checkpoint.manifest.digest,
    }


def _divided(options: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the exporter's options, by their own names, and the others by key."""
    own = {key.removeprefix(_OWN): value for key, value in options.items() if key.startswith(_OWN)}
    return own, {key: value for key, value in options.items() if not key.startswith(_OWN)}


def _written(
    entry: Entry,
    loaded: LoadedRun,
    split: Split,
    facts: Mapping[str, Any],
    part: Path,
    options: Mapping[str, Any],
    calibration: Tensor | None,
) -> Agreement | Accuracies:
    """Have an exporter write a file, and compare it with the model."""
    images = sample_of(split)
    network = ModelInFp32(loaded.network)
    module = ExportedModel(network, loaded.images.image_size, facts["temperature"]).eval()
    given = {
        "module": module,
        "example": images[torch.arange(2) % len(images)],
        "facts": facts,
        "path": part,
        "calibration": calibration,
    }
    with torch.no_grad():
        classify = build(entry, facts=given, options=options)
    if not part.is_file():
        raise PluginError(f"{entry} wrote no file at the path that it was given")
    if classify is None:
        return Agreement(0, None)
    if not callable(classify):
        raise PluginError(f"{entry} must return what runs its file, or None, and returned {classify!r:.60}")
    if calibration is not None:
        return accuracies_of(network, classify, EvaluationBatches(split, _AT_ONCE, Tensor.cpu))
    return agreement_of(network, classify, images, facts["temperature"])


def _calibration(loaded: LoadedRun, options: Mapping[str, Any]) -> Tensor:
    """Return images that say which numbers a model meets: of the validation images, or where there are none others."""
    try:
        return sample_of(own_split(loaded, "validation", options), CALIBRATING)
    except UsageError:
        return sample_of(own_split(loaded, "train", options), CALIBRATING)


def sample_of(split: Split, most: int = CHECKED) -> Tensor:
    """Return up to *most* images of a split, evenly spread, uint8 (N, C, H, W)."""
    count = min(len(split), most)
    places = torch.arange(count) * len(split) // max(count, 1)
    parts = torch.split(places.to(split.labels.device), _AT_ONCE)
    return torch.cat([split.batch(some)[0].cpu() for some in parts])


@contextlib.contextmanager
def _named_when_done(path: Path) -> Iterator[Path]:
    """Give a path of the same name to write to; what is written there gets its place in the end, or is removed.

    Raises:
        UsageError: If there is no such folder, or nothing can be written there.
    """
    if path.is_dir():
        raise UsageError(f"cannot write {str(path)!r}: it is a folder; give a file's name to --out")
    try:
        folder = tempfile.TemporaryDirectory(prefix=".export-", dir=path.parent)
    except OSError as error:
        raise UsageError(f"cannot write {str(path)!r}: {error.strerror}") from error
    with folder as name:
        part = Path(name, path.name)
        yield part
        part.replace(path)

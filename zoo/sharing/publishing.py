"""`zoo.publish`: a run as a folder that others load, check and train again."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import tomli_w
from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression
from torch import nn

from zoo.errors import PluginError, UsageError
from zoo.records.directory import ENVIRONMENT, METRICS, REPORTS, RunDirectory
from zoo.records.disk import DISK, Written, canonical_json, read_bytes, write_synced
from zoo.records.manifest import MANIFEST
from zoo.records.published import CARD, HUB_CONFIG, RECIPE, WEIGHTS, write_folder_manifest
from zoo.records.weight_file import write_weight_file
from zoo.registry.entry import in_one_line
from zoo.reports.calibration import read_temperature
from zoo.runs.loading import LoadedRun, load_run
from zoo.sharing.card import model_card
from zoo.sharing.record import record_of
from zoo.training.arithmetic import own_arithmetic

_COPIED = (ENVIRONMENT, METRICS, REPORTS[0])
_MAX_COPIED = 2**30  # bytes


def publish(run: str | Path | Any, folder: str | Path, *, licence: str | None = None) -> dict[str, Any]:
    """Write a finished run as a folder to share: its weights, its recipe and a card that tells of both.

    Args:
        run: The run's directory, or what `zoo.train` returned; the weights are those of its best epoch.
        folder: Where; it must not exist, and is there whole or not at all.
        licence: Under which the weights are published, as an SPDX expression such as ``"Apache-2.0"``.

    Returns:
        ``folder``, ``files``, a list of names, ``bytes``, what they take but for the manifest, and ``timm``, whether
        timm and transformers load it, too.

    Raises:
        UsageError: If the run is not finished, the folder exists, or the licence is no SPDX expression.
        DamagedError: If the run is damaged.
        PluginError: If the model's plugin is broken.
    """
    target = Path(folder).expanduser()
    if target.exists() or target.is_symlink():
        raise UsageError(f"{str(target)!r} exists; nothing is written over, give another folder")
    spdx = None if licence is None else _checked_licence(licence)
    directory = RunDirectory.open(getattr(run, "directory", run))
    summary = directory.read_summary()
    if summary.get("status") != "finished":
        raise UsageError(
            f"{directory} is not finished ({summary.get('status', 'nothing is known of it')}); "
            f"'zoo train --resume {directory}' goes on with it"
        )
    with own_arithmetic():
        loaded = load_run(directory)
    return _written(loaded, summary, target, spdx)


def _checked_licence(licence: str) -> str:
    try:
        return str(canonicalize_license_expression(licence))
    except InvalidLicenseExpression as error:
        raise UsageError(
            f"{licence!r} is no licence that SPDX knows; give one such as Apache-2.0, MIT or CC-BY-4.0, "
            "or LicenseRef-NAME for one of your own"
        ) from error


def _written(loaded: LoadedRun, summary: Mapping[str, Any], target: Path, licence: str | None) -> dict[str, Any]:
    record = record_of(loaded, read_temperature(loaded.directory.path, loaded.checkpoint.manifest.digest))
    hub = hub_config(loaded)
    card = model_card(target.name, record, summary, licence, timm=hub is not None)
    temporary = target.with_name(f".{target.name}.tmp")
    try:
        DISK.remove(temporary)  # what an interrupted publication left
        temporary.mkdir(parents=True)
        files = {WEIGHTS: write_weight_file(temporary / WEIGHTS, _contiguous(loaded.network.model), record)}
        files |= _texts(temporary, {CARD: card, RECIPE: tomli_w.dumps(record["config"])})
        files |= _texts(temporary, {HUB_CONFIG: canonical_json(hub or _own_config(record)).decode()})
        files |= _copies(loaded.directory.path, temporary, _COPIED)
        write_folder_manifest(temporary, files)
        DISK.sync_directory(temporary)
        DISK.rename(temporary, target)
        DISK.sync_directory(target.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    size = sum(file.size for file in files.values())
    return {"folder": str(target), "files": sorted([*files, MANIFEST]), "bytes": size, "timm": hub is not None}


def hub_config(loaded: LoadedRun) -> dict[str, Any] | None:
    """Return the config.json with which another library builds the model; None where its plugin tells of none.

    Raises:
        PluginError: If the plugin's ``hub_config`` fails, or returns something else.
    """
    model, prepare = loaded.network.model, loaded.network.prepare_evaluation
    make: Any = getattr(model, "hub_config", None)
    if make is None or isinstance(make, nn.Module):
        return None
    expects, images = loaded.network.expects, loaded.images
    facts = {
        "classes": images.classes,
        "mean": expects.mean if expects else images.mean,
        "std": expects.std if expects else images.std,
        "input_size": (prepare.channels, *(prepare.size or images.image_size)),
        "interpolation": prepare.interpolation,
    }
    try:
        found = make(model, facts)
        canonical_json(found)
    except Exception as error:
        raise PluginError(f"the hub_config of {loaded.config.model.name} fails: {in_one_line(error)}") from error
    return dict(found)


def _own_config(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return what config.json tells of a model that zoo alone loads."""
    images = record["images"]
    shape = [images["in_channels"], *images["image_size"]]
    name = record["config"]["model"]["name"]
    return {"library_name": "zoo", "architecture": name, "label_names": images["classes"], "image_size": shape}


def _contiguous(model: nn.Module) -> dict[str, Any]:
    return {name: tensor.contiguous() for name, tensor in model.state_dict().items()}


def _texts(folder: Path, texts: Mapping[str, str]) -> dict[str, Written]:
    return {name: write_synced(folder / name, [text.encode()]) for name, text in texts.items()}


def _copies(run: Path, folder: Path, names: Iterable[str]) -> dict[str, Written]:
    """Copy those of a run's files that it has."""
    there = [name for name in names if (run / name).is_file()]
    return {name: write_synced(folder / name, [read_bytes(run / name, _MAX_COPIED)]) for name in there}

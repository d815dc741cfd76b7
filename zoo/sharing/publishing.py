"""`zoo.publish`: a run as a folder that others load, check and train again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import tomli_w
from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression
from torch import nn

from zoo.errors import PluginError, UsageError, ZooError
from zoo.files.hub import HubName
from zoo.records.directory import ENVIRONMENT, METRICS, REPORTS, RunDirectory
from zoo.records.disk import (
    DISK,
    Written,
    canonical_json,
    directory_when_whole,
    read_bytes,
    refuse_existing,
    write_synced,
)
from zoo.records.manifest import MANIFEST
from zoo.records.published import CARD, HUB_CONFIG, RECIPE, WEIGHTS, write_folder_manifest
from zoo.records.weight_file import write_weight_file
from zoo.registry.entry import in_one_line
from zoo.runs.loading import LoadedRun, load_run
from zoo.sharing.as_rgb import as_rgb as with_luma
from zoo.sharing.card import model_card
from zoo.sharing.export import export
from zoo.sharing.record import record_of
from zoo.training.arithmetic import own_arithmetic

_COPIED = (ENVIRONMENT, METRICS, REPORTS[0])
_MAX_COPIED = 2**30  # bytes
_ELSEWHERE = "give another folder"


def publish(
    run: str | Path | Any,
    folder: str | Path,
    *,
    licence: str | None = None,
    as_rgb: bool = False,
    onnx: bool = False,
    to: str | None = None,
) -> dict[str, Any]:
    """Write a finished run as a folder to share: its weights, its recipe and a card that tells of both.

    Args:
        run: The run's directory, or what `zoo.train` returned; the weights are those of its best epoch.
        folder: Where; it must not exist, and is there whole or not at all.
        licence: Under which the weights are published, as an SPDX expression such as ``"Apache-2.0"``.
        as_rgb: Publish a model of grey images as one of colour: luma is folded into its first convolution.
        onnx: Add the model as `zoo.export` writes it, ``model.onnx``.
        to: A repository on the Hugging Face hub, ``"hf:user/name"``, to which the folder is uploaded; by default
            nothing is.

    Returns:
        ``folder``, ``files``, a list of names, ``bytes``, what they take but for the manifest, ``timm``, whether
        timm and transformers load it, too, and ``hub``, the repository at its new commit, or None.

    Raises:
        UsageError: If the run is not finished, the folder exists, the licence is no SPDX expression, *to* is no
            repository, or the model cannot be one of colour.
        ZooError: If the upload fails; the folder stays.
        DamagedError: If the run is damaged.
        PluginError: If the model's plugin is broken.
    """
    target = Path(folder).expanduser()
    refuse_existing(target, _ELSEWHERE)
    spdx = None if licence is None else _checked_licence(licence)
    repository = None if to is None else _repository(to)
    directory = RunDirectory.open(getattr(run, "directory", run))
    summary = directory.read_summary()
    if summary.get("status") != "finished":
        raise UsageError(
            f"{directory} is not finished ({summary.get('status', 'nothing is known of it')}); "
            f"'zoo train --resume {directory}' goes on with it"
        )
    with own_arithmetic():
        loaded = with_luma(load_run(directory)) if as_rgb else load_run(directory)
    found = _written(loaded, summary, target, spdx, folded=as_rgb, onnx=onnx)
    return {**found, "hub": None if repository is None else str(_uploaded(repository, target, found["files"]))}


def _repository(text: str) -> HubName:
    name = HubName.parse(text)
    if name.revision:
        raise UsageError(f"--to names a repository, whose next commit is made: hf:{name.repository}, not {text!r}")
    return name


def _uploaded(repository: HubName, folder: Path, files: Sequence[str]) -> HubName:
    try:
        return repository.write(folder, files, "Publish with zoo")
    except ZooError as error:
        also = f"{str(folder)!r} is whole: 'hf upload {repository.repository} {folder}' sends it when that is mended"
        raise type(error)(f"{error}\n{also}") from error


def _checked_licence(licence: str) -> str:
    try:
        return str(canonicalize_license_expression(licence))
    except InvalidLicenseExpression as error:
        raise UsageError(
            f"{licence!r} is no licence that SPDX knows; give one such as Apache-2.0, MIT or CC-BY-4.0, "
            "or LicenseRef-NAME for one of your own"
        ) from error


def _written(
    loaded: LoadedRun, summary: Mapping[str, Any], target: Path, licence: str | None, *, folded: bool, onnx: bool
) -> dict[str, Any]:
    record = record_of(loaded, loaded.temperature, folded=folded)
    hub = hub_config(loaded)
    card = model_card(target.name, record, summary, licence, timm=hub is not None)
    with directory_when_whole(target, _ELSEWHERE) as temporary:
        files = {WEIGHTS: write_weight_file(temporary / WEIGHTS, _contiguous(loaded.network.model), record)}
        files |= _texts(temporary, {CARD: card, RECIPE: tomli_w.dumps(record["config"])})
        files |= _texts(temporary, {HUB_CONFIG: canonical_json(hub or _own_config(record)).decode()})
        files |= _copies(loaded.directory.path, temporary, _COPIED)
        files |= _exported(loaded, temporary) if onnx else {}
        write_folder_manifest(temporary, files)
        DISK.sync_directory(temporary)
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
        found = dict(make(model, facts))
        canonical_json(found)
    except Exception as error:
        raise PluginError(f"the hub_config of {loaded.config.model.name} fails: {in_one_line(error)}") from error
    return found


def _own_config(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return what config.json tells of a model that zoo alone loads."""
    images = record["images"]
    shape = [images["in_channels"], *images["image_size"]]
    name = record["config"]["model"]["name"]
    return {"library_name": "zoo", "architecture": name, "label_names": images["classes"], "image_size": shape}


def _exported(loaded: LoadedRun, folder: Path) -> dict[str, Written]:
    """Write the model as ONNX, which takes the images as the run's data stores them, folded or not."""
    path = folder / "model.onnx"
    export(loaded.directory.path, out=path)
    data = path.read_bytes()
    path.unlink()
    return {path.name: write_synced(path, [data])}


def _contiguous(model: nn.Module) -> dict[str, Any]:
    return {name: tensor.contiguous() for name, tensor in model.state_dict().items()}


def _texts(folder: Path, texts: Mapping[str, str]) -> dict[str, Written]:
    return {name: write_synced(folder / name, [text.encode()]) for name, text in texts.items()}


def _copies(run: Path, folder: Path, names: Iterable[str]) -> dict[str, Written]:
    """Copy those of a run's files that it has."""
    there = [name for name in names if (run / name).is_file()]
    return {name: write_synced(folder / name, [read_bytes(run / name, _MAX_COPIED)]) for name in there}

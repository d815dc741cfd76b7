"""torchvision's pretrained weights: downloaded, checked, read as tensors alone, and fitted to a model."""

from __future__ import annotations

import hashlib
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import zoo
from zoo_torchvision.library import torchvision
from zoo_torchvision.stem import adapted_filters

# torchvision's files carry the first digits of their SHA-256 in their names.
_DIGEST = re.compile(r"-([0-9a-f]{8,64})\.pth$")

# The DenseNets' weights are older than the names of their layers: norm.1 has become norm1.
_OLD_NAME = re.compile(r"^(.*denselayer\d+\.(?:norm|relu|conv))\.([12]\..*)$")


def find_weights(architecture: str, pretrained: bool | str) -> Any:
    """Return torchvision's record of an architecture's best weights, or of those that are named.

    Raises:
        zoo.UsageError: If it has none of this name.
    """
    known = torchvision.models.get_model_weights(architecture)
    name = "DEFAULT" if pretrained is True else str(pretrained)
    try:
        return known[name]
    except KeyError:
        there = ", ".join(weights.name for weights in known)
        raise zoo.UsageError(f"torchvision has no weights {name!r} for {architecture}; there are: {there}") from None


def expected_of(weights: Any, in_channels: int) -> zoo.Expects:
    """Return what torchvision records of weights: size, statistics, filter, crop, classes, licence.

    Args:
        weights: torchvision's record.
        in_channels: The data's C. A model of colour serves grey images, and for other numbers the statistics of the
            colours are taken in turn, as `adapted_filters` does with the filters.
    """
    preset = weights.transforms()
    channels = 3 if in_channels in (1, 3) else in_channels
    turns = [channel % 3 for channel in range(channels)]
    side = preset.crop_size[0]
    return zoo.Expects(
        mean=[preset.mean[turn] for turn in turns],
        std=[preset.std[turn] for turn in turns],
        size=(side, side),
        interpolation=preset.interpolation.value,
        crop=side / preset.resize_size[0],
        classes=weights.meta["categories"],
        source=f"torchvision/{weights}",
        license=weights.meta.get("license", ""),
    )


def load_pretrained(
    model: nn.Module, architecture: str, stem_name: str, weights: Any, rows: Sequence[int] | None
) -> str:
    """Load torchvision's weights into a model, whatever its number of classes, channels and pixels.

    Args:
        model: Built for K classes, C channels and a size.
        architecture: torchvision's name for it.
        stem_name: The name of its first convolution.
        weights: torchvision's record of the weights.
        rows: Which K rows of their head serve the model's classes; None for a new head.

    Returns:
        The SHA-256 of their file.

    Raises:
        zoo.DamagedError: If the file is not what torchvision published.
        zoo.ZooError: If it cannot be downloaded, or does not fit the model.
    """
    state, digest = read_weights(weights.url)
    try:
        load_fitted(model, state, stem_name, rows)
    except (KeyError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise zoo.ZooError(
            f"torchvision's weights for {architecture} do not fit the model: {reason}; look at model.extra"
        ) from error
    return digest


def load_fitted(model: nn.Module, state: dict[str, Tensor], stem_name: str, rows: Sequence[int] | None = None) -> None:
    """Load a state dict of a model for 1,000 classes and three channels.

    Args:
        model: What it is loaded into.
        state: Changed in place.
        stem_name: The name of the first convolution, whose filters are adapted to the model's channels.
        rows: Which rows of the last layer the model's classes have; None where its own, new one stays.

    Raises:
        KeyError, RuntimeError: If it does not fit.
    """
    own = model.state_dict()
    _rename(state)
    for name in [name for name in state if name not in own and name.startswith(("aux", "AuxLogits"))]:
        del state[name]
    stem = f"{stem_name}.weight"
    state[stem] = adapted_filters(state[stem], own[stem].shape[1])
    _fit_positions(model, state)
    for name in _head_names(model):
        state[name] = own[name] if rows is None else state[name][list(rows)]
    model.load_state_dict(state)


def read_weights(url: str) -> tuple[dict[str, Tensor], str]:
    """Return the state dict at *url* and its file's SHA-256, checked, from torch's hub folder if it is there.

    Raises:
        zoo.DamagedError: If the file has another hash, or holds something else than tensors.
        zoo.ZooError: If it is not there and cannot be downloaded.
    """
    path = Path(torch.hub.get_dir()) / "checkpoints" / url.rpartition("/")[2]
    digest = _DIGEST.search(path.name)
    if digest is None:
        raise zoo.ZooError(f"{url} names no SHA-256 to check its content by, so that it is not loaded")
    if not path.exists():
        _download(url, path, digest[1])
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if not found.startswith(digest[1]):
        raise zoo.DamagedError(
            f"{str(path)!r} is damaged: its SHA-256 begins with {found[: len(digest[1])]}, not {digest[1]}; delete it"
        )
    try:
        state: dict[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        reason = " ".join(str(error).split())[:120]
        raise zoo.DamagedError(f"{str(path)!r} holds something else than tensors: {reason}; delete it") from error
    return state, found


def _download(url: str, path: Path, digest: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        # It writes beside the file, compares the hash, and renames.
        torch.hub.download_url_to_file(url, str(path), hash_prefix=digest, progress=sys.stderr.isatty())
    except Exception as error:
        reason = " ".join(str(getattr(error, "reason", error)).split())[:160]
        raise zoo.ZooError(
            f"cannot download {url}: {reason}; place it in {str(path.parent)!r} by hand, or leave pretrained out"
        ) from error


def _rename(state: dict[str, Tensor]) -> None:
    # In place, since the dictionary carries the layers' versions, which loading needs.
    for name in list(state):
        if match := _OLD_NAME.match(name):
            state[match[1] + match[2]] = state.pop(name)


def _fit_positions(model: nn.Module, state: dict[str, Tensor]) -> None:
    """Interpolate the position embedding of a vision transformer to its number of patches."""
    side, patch = getattr(model, "image_size", None), getattr(model, "patch_size", None)
    if isinstance(side, int) and isinstance(patch, int) and "encoder.pos_embedding" in state:
        fitted: Any = torchvision.models.vision_transformer.interpolate_embeddings(side, patch, {**state})
        state["encoder.pos_embedding"] = fitted["encoder.pos_embedding"]


def _head_names(model: nn.Module) -> Iterator[str]:
    """Yield the names of the parameters of the last linear layer, or of SqueezeNet's last convolution."""
    layers = [name for name, module in model.named_modules() if isinstance(module, (nn.Linear, nn.Conv2d))]
    head = model.get_submodule(layers[-1])
    for name, _ in head.named_parameters():
        yield f"{layers[-1]}.{name}"

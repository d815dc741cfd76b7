"""timm's pretrained weights: whether they are to be had, what they expect, which file they are."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import torch

import zoo
from zoo_timm.library import data, models

_TIMEOUT = 15.0  # seconds
# In the order in which timm prefers them.
_FILES = ("model.safetensors", "pytorch_model.bin", "open_clip_model.safetensors")
_DIGEST = re.compile(r"-([0-9a-f]{8,64})\.\w+$")


def check_weights(name: str) -> str:
    """Return the SHA-256 of pretrained weights' file, or nothing where it is yet to be downloaded and the hub answers.

    Args:
        name: An architecture, or one with its tag: ``"resnet18.a1_in1k"``.

    Raises:
        zoo.UsageError: If timm has no such weights.
        zoo.DamagedError: If their file is on this machine and damaged.
        zoo.ZooError: If they would have to be downloaded and the hub cannot be reached.
    """
    if not models.is_model_pretrained(name):
        architecture, _, tag = name.partition(".")
        known = models.get_arch_pretrained_cfgs(architecture)
        tags = [known_name.partition(".")[2] for known_name in known if models.is_model_pretrained(known_name)]
        there = f"there are: {', '.join(tags)}" if tags else "leave pretrained out"
        wanted = f"weights {tag!r}" if tag else "pretrained weights"
        raise zoo.UsageError(f"timm has no {wanted} for {architecture}; {there}")
    digest = verified_sha256(name)
    if not digest and models.get_pretrained_cfg(name).hf_hub_id:
        _check_hub(name)
    return digest


def expected_of(name: str, in_channels: int, class_names: Sequence[str]) -> zoo.Expects:
    """Return what timm records of weights: the size they were trained at, statistics, filter, crop, classes, licence.

    Args:
        name: As for `check_weights`.
        in_channels: The data's C. A model of colour serves grey images, and for other numbers the statistics of the
            colours are taken in turn, as timm does with the filters.
        class_names: The data's classes. ImageNet's are known by their words and by their numbers in WordNet; those are
            given which the data's are, else the words.
    """
    config = models.get_pretrained_cfg(name)
    own, height, width = config.input_size
    channels = own if in_channels in (1, own) else in_channels
    namings = list(_namings(config)) or [()]
    expects = [
        zoo.Expects(
            mean=_in_turn(config.mean, channels),
            std=_in_turn(config.std, channels),
            size=(height, width),
            interpolation=config.interpolation if config.interpolation in ("bilinear", "bicubic") else "bicubic",
            crop=config.crop_pct,
            classes=classes,
            source=f"timm/{config.architecture}" + (f".{config.tag}" if config.tag else ""),
            license=config.license or "",
        )
        for classes in namings
    ]
    return next((known for known in expects if known.rows(class_names)), expects[0])


def verified_sha256(name: str) -> str:
    """Return the SHA-256 of the file with the weights, or nothing where it is not on this machine.

    Raises:
        zoo.DamagedError: If the file has another than its publisher states.
    """
    found = _found_file(models.get_pretrained_cfg(name))
    if found is None:
        return ""
    path, stated = found
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if not digest.startswith(stated):
        raise zoo.DamagedError(
            f"{str(path)!r} is damaged: its SHA-256 begins with {digest[: len(stated)]}, not {stated}; delete it"
        )
    return digest


def _found_file(config: Any) -> tuple[Path, str] | None:
    """Return the weights' file, and what is stated of its SHA-256: all of it by the hub, its beginning in a name."""
    from huggingface_hub import try_to_load_from_cache

    if config.hf_hub_id:
        files = (config.hf_hub_filename,) if config.hf_hub_filename else _FILES
        paths = (try_to_load_from_cache(config.hf_hub_id, file) for file in files)
        path = next((Path(path) for path in paths if isinstance(path, str)), None)
        # The hub's cache names what a link leads to after its SHA-256.
        stated = path.resolve().name if path else ""
        return (path, stated if re.fullmatch("[0-9a-f]{64}", stated) else "") if path else None
    path = Path(torch.hub.get_dir()) / "checkpoints" / str(config.url).rpartition("/")[2]
    digest = _DIGEST.search(path.name)
    return (path, digest[1] if digest else "") if path.is_file() else None


def _check_hub(name: str) -> None:
    """Ask the hub once, since huggingface_hub would ask ten times, in 50 seconds, each with a message of its own."""
    from huggingface_hub import constants, get_session, is_offline_mode

    try:
        if is_offline_mode():
            raise OSError("HF_HUB_OFFLINE is set")
        get_session().head(constants.ENDPOINT, timeout=_TIMEOUT)
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise zoo.ZooError(
            f"the pretrained weights of timm/{name} are not on this machine and the hub cannot be reached ({reason}); "
            "connect it, or leave pretrained out"
        ) from error


def _namings(config: Any) -> Iterator[tuple[str, ...]]:
    """Yield the names of the weights' classes: in words, and as WordNet numbers them."""
    subset = data.infer_imagenet_subset(config)
    if subset is None:
        if config.label_names:
            yield tuple(config.label_names)
        return
    known = data.ImageNetInfo(subset)
    yield _first_words(known.label_descriptions())
    yield tuple(known.label_names())


def _first_words(descriptions: Sequence[str]) -> tuple[str, ...]:
    """Return the first synonym of each, or all of them where two have the same first."""
    first = [description.partition(",")[0] for description in descriptions]
    shared = {name for name, times in Counter(first).items() if times > 1}
    return tuple(whole if name in shared else name for name, whole in zip(first, descriptions, strict=True))


def _in_turn(values: Sequence[float], channels: int) -> tuple[float, ...]:
    return tuple(islice((value for _ in range(channels) for value in values), channels))

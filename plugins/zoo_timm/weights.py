"""Whether a model's pretrained weights are to be had, found out before timm tries for a minute."""

from __future__ import annotations

import zoo
from zoo_timm.library import timm

_TIMEOUT = 15.0  # seconds


def check_weights(name: str) -> None:
    """Raise unless timm has pretrained weights of this name, and they are on this machine or the hub answers.

    Args:
        name: An architecture, or one with its tag: ``"resnet18.a1_in1k"``.

    Raises:
        zoo.UsageError: If timm has no such weights.
        zoo.ZooError: If they would have to be downloaded and the hub cannot be reached.
    """
    if not timm.models.is_model_pretrained(name):
        architecture, _, tag = name.partition(".")
        known = timm.models.get_arch_pretrained_cfgs(architecture)
        tags = [known_name.partition(".")[2] for known_name in known if timm.models.is_model_pretrained(known_name)]
        there = f"there are: {', '.join(tags)}" if tags else "leave pretrained out"
        wanted = f"weights {tag!r}" if tag else "pretrained weights"
        raise zoo.UsageError(f"timm has no {wanted} for {architecture}; {there}")
    config = timm.models.get_pretrained_cfg(name)
    if config and config.hf_hub_id and not _cached(config.hf_hub_id):
        _check_hub(name)


def _cached(repository: str) -> bool:
    from huggingface_hub import try_to_load_from_cache

    files = ("model.safetensors", "pytorch_model.bin", "open_clip_model.safetensors")
    return any(isinstance(try_to_load_from_cache(repository, file), str) for file in files)


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

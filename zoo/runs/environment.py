"""What a run computes with: versions, device and threads, as environment.json holds them."""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

import torch

import zoo


def environment(
    device: torch.device, threads: int, providers: Mapping[str, Any], weights: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Return what a run computes with, as environment.json holds it."""
    return {
        "schema": 1,
        "zoo": zoo.__version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "torchvision": version("torchvision"),
        "timm": version("timm"),
        "entries": dict(providers),
        "weights": weights,
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        "threads": threads,
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "processor": platform.processor() or platform.machine(),
        "platform": platform.platform(),
        "argv": sys.argv,
        "git_commit": _git_commit(),
    }


def _git_commit() -> str | None:
    """Return the commit of the repository around the working directory, or None."""
    if shutil.which("git") is None:
        return None
    found = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False)  # noqa: S607
    return found.stdout.strip() or None

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
from zoo.runs.parts import Parts
from zoo.runs.summary import weights_of
from zoo.runs.together import counted


def environment_of(parts: Parts) -> dict[str, Any]:
    """Return what a run computes with here and now, as environment.json holds it."""
    machine, weights = parts.machine, weights_of(parts.network.expects)
    return {
        **environment(machine.device, machine.threads, parts.components.providers, weights),
        **counted(parts.config.train, parts.task.world),
    }


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


def environment_changes(then: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Return what differs between two environments that may change the bits of a run, a text each."""
    keys = ("torch", "python", "threads", "cpu_capability", "device")
    changed = [f"{key} {then[key]} then, {now[key]} now" for key in keys if key in then and then[key] != now[key]]
    counts = [known.get("processes", "any number of") for known in (then, now)]
    if then and counts[0] != counts[1]:  # of a run that kept nothing, nothing is known
        changed.append(f"{counts[0]} processes then, {counts[1]} now")
    for name, provider in now["entries"].items():
        before = then.get("entries", {}).get(name)
        if before and before["version"] != provider["version"]:
            changed.append(f"{provider['distribution']} {before['version']} then, {provider['version']} now")
    return changed


def _git_commit() -> str | None:
    """Return the commit of the repository around the working directory, or None."""
    if shutil.which("git") is None:
        return None
    found = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False)  # noqa: S607
    return found.stdout.strip() or None

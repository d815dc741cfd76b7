"""The names of torchvision's classifiers, found without importing torchvision or torch."""

from __future__ import annotations

import os
import re
from importlib.util import find_spec
from pathlib import Path

import zoo

_MODEL = re.compile(rb"\n@register_model\(\)\s+(?:@[^\n]*\s+)*def (\w+)")


def model_names() -> dict[str, str]:
    """Return the name of each of torchvision's classifiers, with its family: the module that holds it.

    Raises:
        zoo.PluginError: If torchvision is not installed.
    """
    found = find_spec("torchvision")
    if found is None or not found.submodule_search_locations:
        raise zoo.PluginError("torchvision is not installed; pip install torchvision")
    return scanned_names(Path(found.submodule_search_locations[0]) / "models") or imported_names()


def scanned_names(folder: Path) -> dict[str, str]:
    """Return the functions that the source files in *folder* register as models, each with its file's stem.

    Args:
        folder: torchvision's ``models``, which need not exist. Its subfolders hold what is no classifier: detection,
            segmentation, video, and quantised copies.
    """
    names: dict[str, str] = {}
    try:
        files = sorted(entry.path for entry in os.scandir(folder) if entry.name.endswith(".py"))
    except OSError:
        return {}
    for path in files:
        with open(path, "rb") as file:  # noqa: PTH123 - half the time of Path's
            family = os.path.basename(path)[:-3]  # noqa: PTH119
            for name in _MODEL.findall(file.read()):
                names[name.decode()] = family
    return names


def imported_names() -> dict[str, str]:
    """Return the same from torchvision itself, which takes seconds: for one whose files are laid out in another way."""
    import logging  # 8 ms that a listing has no other use for

    logging.getLogger(__name__).warning(
        "zoo cannot read this torchvision's files and imports it to list its models (slow)"
    )
    from zoo_torchvision.library import torchvision

    models = torchvision.models
    return {
        name: models.get_model_builder(name).__module__.rpartition(".")[2] for name in models.list_models(module=models)
    }

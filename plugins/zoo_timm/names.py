"""The names that timm offers, found without importing timm or torch."""

from __future__ import annotations

import os
import re
from importlib.util import find_spec
from pathlib import Path

import zoo

# Why a model of timm's is left out: it can give no logits.
ENCODERS = "it is the encoder of a vision-language model, gives tokens or feature maps, and has no classifier"

# A compiled pattern that begins with plain text is searched for as fast as the text is; anchoring it to line starts
# with `^` would take six times as long.
_MODEL = re.compile(rb"\n@register_model\s+(?:@[^\n]*\s+)*def (\w+)")


def model_names() -> dict[str, str]:
    """Return the name of each of timm's classifiers, with its family: the module that holds it.

    Raises:
        zoo.PluginError: If timm is not installed.
    """
    found = find_spec("timm")
    if found is None or not found.submodule_search_locations:
        raise zoo.PluginError("timm is not installed; pip install timm")
    names = scanned_names(Path(found.submodule_search_locations[0]) / "models") or imported_names()
    return {name: family for name, family in names.items() if not name.endswith("_enc")}


def scanned_names(folder: Path) -> dict[str, str]:
    """Return the functions that timm's source files in *folder* register as models, each with its file's stem.

    Args:
        folder: timm's ``models``, which need not exist.
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
    """Return the same from timm itself, which takes seconds: for a timm whose files are laid out in another way."""
    import logging  # 8 ms that a listing has no other use for

    logging.getLogger(__name__).warning("zoo cannot read this timm's files and imports it to list its models (slow)")
    import timm
    from timm.models import _registry

    modules = getattr(_registry, "_model_to_module", {})
    return {name: modules.get(name, "models") for name in timm.list_models()}

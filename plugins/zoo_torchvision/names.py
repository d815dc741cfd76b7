"""The names of torchvision's classifiers, found without importing torchvision or torch."""

from __future__ import annotations

import zoo


def model_names() -> dict[str, str]:
    """Return the name of each of torchvision's classifiers, with its family: the module that holds it.

    The subfolders of torchvision's ``models`` hold what is no classifier: detection, segmentation, video, and quantised
    copies.

    Raises:
        zoo.PluginError: If torchvision is not installed.
    """
    return zoo.decorated_functions("torchvision", "models", "register_model") or imported_names()


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

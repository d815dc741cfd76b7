"""The names that timm offers, found without importing timm or torch."""

from __future__ import annotations

import zoo

# Why a model of timm's is left out: it can give no logits.
ENCODERS = "it is the encoder of a vision-language model, gives tokens or feature maps, and has no classifier"


def model_names() -> dict[str, str]:
    """Return the name of each of timm's classifiers, with its family: the module that holds it.

    Raises:
        zoo.PluginError: If timm is not installed.
    """
    names = zoo.decorated_functions("timm", "models", "register_model") or imported_names()
    return {name: family for name, family in names.items() if not name.endswith("_enc")}


def imported_names() -> dict[str, str]:
    """Return the same from timm itself, which takes seconds: for a timm whose files are laid out in another way."""
    import logging  # 8 ms that a listing has no other use for

    logging.getLogger(__name__).warning("zoo cannot read this timm's files and imports it to list its models (slow)")
    import timm
    from timm.models import _registry

    modules = getattr(_registry, "_model_to_module", {})
    return {name: modules.get(name, "models") for name in timm.list_models()}

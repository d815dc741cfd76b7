"""Count what every registered model has and costs, and write the files that the catalogue reads.

    python tests/benchmarks/facts.py            all plugins of zoo's own, some ten minutes on one core
    python tests/benchmarks/facts.py cnn mlp    some of them

Each model is built on the meta device, where nothing is computed, at the size of its default weights, or of MNIST for
zoo's own. What libraries say of their weights is taken from their own records; nothing is downloaded.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import timm
import torch
import torchvision
from timm.models._registry import _model_to_module

from zoo.inspection.cost import cost_of
from zoo.inspection.meta import on_meta
from zoo.registry import Entry, registry
from zoo.registry.catalogue import FILE, ModelFacts, WeightsFacts, packed

PLUGINS = Path(__file__).parents[2] / "plugins"


def main(chosen: list[str]) -> None:
    """Write a file for each plugin."""
    by_plugin: dict[str, list[Entry]] = {}
    for entry in registry().entries("models"):
        by_plugin.setdefault(entry.plugin, []).append(entry)
    for plugin in chosen or sorted(by_plugin):
        rows = [(entry.name, facts) for entry in by_plugin[plugin] if (facts := facts_of_one(entry)) is not None]
        path = PLUGINS / f"zoo_{plugin}" / FILE
        path.write_bytes(packed(rows))
        print(f"{path.name} of {plugin}: {len(rows)} of {len(by_plugin[plugin])} models, {path.stat().st_size:,} bytes")


def facts_of_one(entry: Entry) -> ModelFacts | None:
    """Return a model's facts; None, with a line, where it cannot be counted."""
    try:
        return _MEASURES.get(entry.plugin, own_facts)(entry)
    except Exception as error:  # whatever a library's model raises
        print(f"{entry.full_name} is left out: {type(error).__name__}: {' '.join(str(error).split())[:120]}")
        return None


def own_facts(entry: Entry) -> ModelFacts:
    """Count a model of zoo's own, for MNIST."""
    model = _on_meta(lambda: entry.load()(num_classes=10, in_channels=1, **_with_size(entry)))
    return _facts(model, (1, 28, 28), family=entry.plugin)


def _with_size(entry: Entry) -> dict[str, Any]:
    from zoo.registry import signature_of

    return {"image_size": (28, 28)} if "image_size" in signature_of(entry).facts else {}


def timm_facts(entry: Entry) -> ModelFacts:
    """Count one of timm's, at the size of its default weights, with their classes."""
    config = timm.get_pretrained_cfg(entry.name)
    size = tuple(config.input_size) if config else (3, 224, 224)
    model = _on_meta(lambda: timm.create_model(entry.name))
    tags = [name for name in timm.models.get_arch_pretrained_cfgs(entry.name) if timm.models.is_model_pretrained(name)]
    weights = tuple(_timm_weights(name) for name in tags)
    return _facts(model, size, _model_to_module[entry.name], (config and config.paper_ids) or "", weights)


def _timm_weights(name: str) -> WeightsFacts:
    config = timm.get_pretrained_cfg(name)
    return WeightsFacts(name.partition(".")[2], _plain(config.license or ""))


def torchvision_facts(entry: Entry) -> ModelFacts:
    """Count one of torchvision's, at the size that its default weights are evaluated at."""
    versions = list(torchvision.models.get_model_weights(entry.name))
    default = torchvision.models.get_model_weights(entry.name).DEFAULT
    side = default.transforms().crop_size[0]
    options = {"image_size": side} if entry.name.startswith("vit_") else _HEADS.get(entry.name, {})
    model = _on_meta(lambda: torchvision.models.get_model(entry.name, weights=None, **options))
    weights = [
        WeightsFacts(each.name, "", round(each.meta["_metrics"]["ImageNet-1K"]["acc@1"] / 100, 5)) for each in versions
    ]
    weights.sort(key=lambda each: each.tag != default.name)
    family = sys.modules[torchvision.models.get_model_builder(entry.name).__module__].__name__.rpartition(".")[2]
    return _facts(model, (3, side, side), family, "", tuple(weights))


_HEADS = {name: {"aux_logits": False, "init_weights": True} for name in ("googlenet", "inception_v3")}
_MEASURES = {"timm": timm_facts, "torchvision": torchvision_facts}


def _on_meta(build: Callable[[], torch.nn.Module]) -> torch.nn.Module:
    """Build a model on the meta device, or where its builder reads values that are not there, move it afterwards."""
    try:
        with on_meta():
            return build()
    except (NotImplementedError, RuntimeError):
        return build().to("meta")


def _facts(
    model: torch.nn.Module,
    size: tuple[int, int, int],
    family: str,
    paper: str = "",
    weights: tuple[WeightsFacts, ...] = (),
) -> ModelFacts:
    cost = cost_of(model, size)
    return ModelFacts(cost.parameters, cost.macs, cost.activations, size, family, _plain(paper), weights)


def _plain(text: Any) -> str:
    return ", ".join(text) if isinstance(text, list | tuple) else str(text).replace(";", ",").replace("|", "/")


if __name__ == "__main__":
    main(sys.argv[1:])

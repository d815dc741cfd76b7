"""A model of grey images as one of colour: what luma makes of a picture is folded into its first convolution."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import torch
from torch import Tensor

from zoo.data import Expects
from zoo.errors import UsageError
from zoo.runs.components import find_components
from zoo.runs.loading import LoadedRun, network_with

LUMA = (299 / 1000, 587 / 1000, 114 / 1000)
"""Shares of red, green and blue in a grey picture, as Pillow converts it. Source: ITU-R BT.601."""


def as_rgb(loaded: LoadedRun) -> LoadedRun:
    """Return a run's grey model as one of three channels, which says of a colour picture what it said of its luma.

    Each filter of the first convolution is taken three times, by the share of each colour. The shares add up to 1, so
    that with the same mean and standard deviation for each colour nothing else changes.

    Raises:
        UsageError: If the model takes colour already, or does not begin with one convolution.
    """
    prepare = loaded.network.prepare_evaluation
    if prepare.channels != 1:
        raise UsageError(f"--as-rgb is for models of grey images, and {loaded.config.model.name} takes colour already")
    own = loaded.network.expects
    base = own or Expects(mean=loaded.images.mean, std=loaded.images.std, interpolation=prepare.interpolation)
    expects = dataclasses.replace(base, mean=tuple(base.mean) * 3, std=tuple(base.std) * 3, size=prepare.size)
    component = find_components(loaded.config, only=("model",))["model"].without_pretrained()
    draft = component.build(
        num_classes=loaded.images.num_classes,
        in_channels=3,
        image_size=prepare.size or loaded.images.image_size,
        class_names=loaded.images.classes,
    )
    weights = _folded(loaded.network.model.state_dict(), draft.state_dict(), loaded.config.model.name)
    machine, network = network_with(weights, component, loaded.images, loaded.config.train, expects)
    return dataclasses.replace(loaded, machine=machine, network=network)


def _folded(grey: Mapping[str, Tensor], colour: Mapping[str, Tensor], name: str) -> dict[str, Tensor]:
    """Return the weights of the grey model with the shapes of the coloured one's."""
    others = [key for key in colour if key not in grey or colour[key].shape != grey[key].shape]
    first = others[0] if len(others) == 1 and len(grey) == len(colour) else ""
    if not first or first not in grey or colour[first].shape != (len(grey[first]), 3, *grey[first].shape[2:]):
        raise UsageError(f"--as-rgb folds luma into a first convolution, and {name} has no single one for its channels")
    shares = torch.tensor(LUMA, dtype=torch.float64).reshape(1, 3, *[1] * (grey[first].ndim - 2))
    # (O, 1, h, w) becomes (O, 3, h, w)
    return {**grey, first: (grey[first].cpu().double() * shares).to(grey[first].dtype)}

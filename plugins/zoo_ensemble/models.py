"""Ensembles of registered models: the option ``members`` tells which."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn

import zoo
from zoo_ensemble.tables import ALONE, MemberTable, Size, Statistics, read_members, read_statistics


def ensemble(
    num_classes: int,
    in_channels: int,
    image_size: tuple[int, int],
    class_names: Sequence[str] = (),
    *,
    members: Sequence[Any],
    mean: Sequence[float] = (),
    std: Sequence[float] = (),
) -> zoo.Ensemble:
    """Build several registered models as one, which answers with the mean of their probabilities.

    `zoo ensemble` writes these options for models that were trained, each by itself. Without that they are built with
    new weights, and trained together.

    Args:
        num_classes: K.
        in_channels: C.
        image_size: (H, W), in pixels.
        class_names: K names.
        members: Registered models, at least two: names, or tables with name, options, the input_size that the member is
            given and by which interpolation, the image_size that it is built for where that is another, and its own
            mean and std.
        mean: What the ensemble's inputs are normalised by, where white is 1; needed where a member has its own.
        std: Likewise.

    Returns:
        A module that maps inputs (N, C, H, W), floating, to logits (N, K): logarithms of probabilities.

    Raises:
        UsageError: If a member cannot be built, or is an ensemble, or there are fewer than two, or it is not told how
            the inputs of one are normalised.
    """
    tables = read_members(members, in_channels)
    given = read_statistics({"mean": mean, "std": std}, in_channels, "the ensemble")
    if given is not None and len(given.mean) != in_channels:
        raise zoo.UsageError(f"model.mean and model.std must be one number each for grey images, not {len(given.mean)}")
    facts = {"num_classes": num_classes, "in_channels": in_channels, "class_names": class_names}
    models = [_built(table, {**facts, "image_size": image_size}) for table in tables]
    images = (in_channels, image_size)
    pairs = zip(tables, models, strict=True)
    return zoo.Ensemble(models, [_inputs(table, model, given, images) for table, model in pairs])


def _built(table: MemberTable, facts: Mapping[str, Any]) -> nn.Module:
    own: dict[str, Any] = {"in_channels": len(table.statistics.mean)} if table.statistics else {}
    own |= {"image_size": table.image_size or table.input_size or facts["image_size"]}
    model: nn.Module = zoo.create("models", table.name, **{**facts, **own}, **table.options)
    if isinstance(model, zoo.Ensemble):
        raise zoo.UsageError("a member of an ensemble cannot be an ensemble; name its members instead")
    told = table.statistics is not None and table.input_size is not None
    if not told and isinstance(getattr(model, "expects", None), zoo.Expects):
        raise zoo.UsageError(
            f"member {table.name!r} has weights that expect inputs of their own kind; {ALONE}, or give its mean, std "
            "and input_size"
        )
    return model


def _inputs(table: MemberTable, model: nn.Module, given: Statistics | None, images: tuple[int, Size]) -> nn.Module:
    """Return what turns the ensemble's inputs, of so many channels and that size, into a member's."""
    channels, size = images
    interpolation = table.interpolation or "bilinear"
    own = table.statistics or given
    asked: Any = getattr(model, "input_size", None)
    height, width = table.input_size or (None if isinstance(asked, nn.Module) else asked) or size
    if own == given and (height, width) == tuple(size):
        return nn.Identity()
    if given is None and (own is not None or interpolation == "bicubic"):
        raise zoo.UsageError(
            f"model.mean and model.std must tell by which the inputs are normalised that member {table.name!r} gets"
        )
    unchanged = Statistics((0.0,) * channels, (1.0,) * channels)
    return zoo.MemberInputs(
        given or unchanged, own or unchanged, size=size, own_size=(height, width), interpolation=interpolation
    )

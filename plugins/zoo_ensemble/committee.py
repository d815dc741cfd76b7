"""Ensembles of registered models: the option ``members`` tells which."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn

import zoo

_Statistics = tuple[tuple[float, ...], tuple[float, ...]]
"""Means and standard deviations."""

_KEYS = ("name", "options", "image_size", "input_size", "interpolation", "mean", "std")


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
        UsageError: If a member cannot be built, or is an ensemble, or there are fewer than two.
    """
    if len(members) < 2:
        raise zoo.UsageError(f"model.members must name at least two models, not {len(members)}")
    tables = [_checked(member) for member in members]
    facts = {"num_classes": num_classes, "in_channels": in_channels, "class_names": class_names}
    models = [_built(table, {**facts, "image_size": image_size}) for table in tables]
    given = _statistics({"mean": mean, "std": std}) if mean or std else None
    images = (in_channels, image_size)
    pairs = zip(tables, models, strict=True)
    return zoo.Ensemble(models, [_inputs(table, model, given, images) for table, model in pairs])


def _checked(member: Any) -> Mapping[str, Any]:
    table = {"name": member} if isinstance(member, str) else member
    if not isinstance(table, Mapping) or not isinstance(table.get("name"), str):
        raise zoo.UsageError(f"each of model.members must be a model's name, or a table with one, not {member!r:.60}")
    if unknown := [key for key in table if key not in _KEYS]:
        raise zoo.UsageError(f"a member of an ensemble has no {unknown[0]!r}; it takes {', '.join(_KEYS)}")
    if ("mean" in table) != ("std" in table):
        raise zoo.UsageError(f"member {table['name']!r} needs mean and std together")
    return table


def _built(table: Mapping[str, Any], facts: Mapping[str, Any]) -> nn.Module:
    own: dict[str, Any] = {"in_channels": len(table["mean"])} if "mean" in table else {}
    own |= {"image_size": tuple(table.get("image_size") or table.get("input_size") or facts["image_size"])}
    model: nn.Module = zoo.create("models", table["name"], **{**facts, **own}, **table.get("options", {}))
    if isinstance(model, zoo.Ensemble):
        raise zoo.UsageError("a member of an ensemble cannot be an ensemble; name its members instead")
    return model


def _inputs(
    table: Mapping[str, Any], model: nn.Module, given: _Statistics | None, images: tuple[int, tuple[int, int]]
) -> nn.Module:
    """Return what turns the ensemble's inputs, of so many channels and that size, into a member's."""
    channels, size = images
    interpolation = table.get("interpolation", "bilinear")
    own = _statistics(table) if "mean" in table else given
    asked: Any = getattr(model, "input_size", None)
    height, width = table.get("input_size") or (None if isinstance(asked, nn.Module) else asked) or size
    if own == given and (height, width) == tuple(size):
        return nn.Identity()
    if given is None and (own is not None or interpolation == "bicubic"):
        raise zoo.UsageError(
            f"model.mean and model.std must tell by which the inputs are normalised that member {table['name']!r} gets"
        )
    unchanged = ((0.0,) * channels, (1.0,) * channels)
    return zoo.MemberInputs(
        given or unchanged, own or unchanged, size=size, own_size=(height, width), interpolation=interpolation
    )


def _statistics(table: Mapping[str, Any]) -> _Statistics:
    mean, std = (tuple(map(float, table[key])) for key in ("mean", "std"))
    return mean, std

"""The options of an ensemble, read and checked: what each member is built from, and what it is given."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import zoo

Size = tuple[int, int]

_KEYS = ("name", "options", "image_size", "input_size", "interpolation", "mean", "std")
_INTERPOLATIONS = ("nearest", "bilinear", "bicubic")
ALONE = "train it alone, and let 'zoo ensemble' put the runs together"
"""What is right for a member that is more than a model with new weights."""

_FACTS = ("num_classes", "in_channels", "image_size", "class_names")


class Statistics(NamedTuple):
    """By which inputs are normalised: a number a channel each, where white is 1."""

    mean: tuple[float, ...]
    std: tuple[float, ...]


@dataclass(frozen=True)
class MemberTable:
    """What ``model.members`` says of one member; None where it leaves something open.

    Attributes:
        name: Of a registered model.
        options: The model's own.
        image_size: (H, W) that it is built for.
        input_size: (H, W) that it is given.
        interpolation: How images are resized to that.
        statistics: By which its inputs are normalised.
    """

    name: str
    options: Mapping[str, Any]
    image_size: Size | None
    input_size: Size | None
    interpolation: str | None
    statistics: Statistics | None


def read_members(members: Any, in_channels: int) -> list[MemberTable]:
    """Read the option ``members`` of an ensemble that is given *in_channels* channels.

    Raises:
        UsageError: If there are fewer than two, or one is no model's name and no table that could be one.
    """
    if isinstance(members, str) or not isinstance(members, Sequence):
        raise zoo.UsageError(f"model.members must be a list of models, not {members!r:.60}")
    if len(members) < 2:
        raise zoo.UsageError(f"model.members must name at least two models, not {len(members)}")
    return [_member(member, in_channels) for member in members]


def read_statistics(given: Mapping[str, Any], in_channels: int, where: str) -> Statistics | None:
    """Read ``mean`` and ``std`` for inputs of *in_channels* channels; None where neither says anything.

    Raises:
        UsageError: If one is missing, or they are not as many numbers as channels, every std above 0.
    """
    mean, std = (_numbers(given.get(key), f"{key} of {where}") for key in ("mean", "std"))
    if not mean and not std:
        return None
    if not mean or not std:
        raise zoo.UsageError(f"{where} needs mean and std together")
    # Grey is repeated for a model of colour.
    if len(mean) != len(std) or (in_channels != 1 and len(mean) != in_channels):
        raise zoo.UsageError(
            f"mean and std of {where} must have a number for each channel, of which there are {in_channels}, "
            f"not {len(mean)} and {len(std)}"
        )
    if min(std) <= 0:
        raise zoo.UsageError(f"every std of {where} must be above 0, not {list(std)}")
    return Statistics(mean, std)


def _member(member: Any, in_channels: int) -> MemberTable:
    table = {"name": member} if isinstance(member, str) else member
    if not isinstance(table, Mapping) or not isinstance(table.get("name"), str):
        raise zoo.UsageError(f"each of model.members must be a model's name, or a table with one, not {member!r:.60}")
    if unknown := [key for key in table if key not in _KEYS]:
        raise zoo.UsageError(f"a member of an ensemble has no {unknown[0]!r}; it takes {', '.join(_KEYS)}")
    where = f"member {table['name']!r}"
    how = table.get("interpolation")
    if how is not None and how not in _INTERPOLATIONS:
        raise zoo.UsageError(f"interpolation of {where} must be one of {', '.join(_INTERPOLATIONS)}, not {how!r:.60}")
    return MemberTable(
        name=table["name"],
        options=_options(table.get("options", {}), where),
        image_size=_size(table.get("image_size"), f"image_size of {where}"),
        input_size=_size(table.get("input_size"), f"input_size of {where}"),
        interpolation=how,
        statistics=read_statistics(table, in_channels, where),
    )


def _options(options: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(options, Mapping):
        raise zoo.UsageError(f"options of {where} must be a table, such as {{p = 0.1}}, not {options!r:.60}")
    if given := [name for name in options if name in _FACTS]:
        raise zoo.UsageError(f"{where}: {given[0]!r} is no option; zoo gives it from what is trained. Leave it out.")
    if options.get("pretrained"):  # what its weights expect, and where they are from, is recorded of a run's own alone
        raise zoo.UsageError(f"{where} cannot begin with pretrained weights; {ALONE}")
    return options


def _size(given: Any, what: str) -> Size | None:
    if given is None:
        return None
    sides = [given, given] if isinstance(given, int) else given
    if (
        not isinstance(sides, list | tuple)
        or len(sides) != 2
        or not all(type(side) is int and side > 0 for side in sides)
    ):
        raise zoo.UsageError(f"{what} must be a side or [H, W], in pixels, not {given!r:.60}")
    return sides[0], sides[1]


def _numbers(given: Any, what: str) -> tuple[float, ...]:
    numbers = () if given is None else given
    if not isinstance(numbers, list | tuple) or not all(map(_is_number, numbers)):
        raise zoo.UsageError(f"{what} must be a list of numbers, one for each channel, not {given!r:.60}")
    return tuple(map(float, numbers))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)

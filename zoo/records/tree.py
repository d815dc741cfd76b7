"""Trees of plain data as JSON: what JSON cannot say is tagged, and tensors are set aside under names.

=========================  ==================================================================
in the tree                in JSON
=========================  ==================================================================
None, bool, int, str       themselves
float                      itself, or ``{"$float": "nan"}``, ``"inf"``, ``"-inf"``
list                       a list
dict with string keys      an object, unless a key starts with ``$``; its keys come back sorted
any other dict             ``{"$dict": [[key, value], ...]}``
tuple                      ``{"$tuple": [...]}``
bytes                      ``{"$bytes": "base64"}``
torch.dtype                ``{"$dtype": "bfloat16"}``
tensor                     ``{"$tensor": "name"}``
=========================  ==================================================================

Anything else is refused rather than guessed at. What comes back equals what went in; a subclass of dict or of float
(NumPy's float64) comes back as a plain one.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from zoo.errors import DamagedError, UsageError

MAX_DEPTH = 64


def encode(tree: Any, tensors: dict[str, Tensor], place: str = "") -> Any:
    """Return *tree* as data that the `json` module writes.

    Args:
        tree: Of the types that the module's table names, at most `MAX_DEPTH` deep.
        tensors: Takes up the tree's tensors, not copied. Their names are made of the keys that lead to them.
        place: The name of the tree's root, for the tensors' names and the message.

    Raises:
        UsageError: If the tree holds anything else; the message names the place and the type.
    """
    return _encode(tree, tensors, (place,) if place else ())


def _encode(value: Any, tensors: dict[str, Tensor], keys: tuple[str, ...]) -> Any:
    if len(keys) > MAX_DEPTH:
        raise UsageError(f"{'/'.join(keys[:4])}... nests deeper than {MAX_DEPTH} levels")
    if isinstance(value, Tensor):
        return {"$tensor": _set_aside(value, tensors, keys)}
    if value is None or type(value) in (bool, int, str):
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else {"$float": str(float(value))}
    if isinstance(value, dict):
        return _encode_dict(value, tensors, keys)
    if type(value) is bytes:
        return {"$bytes": base64.b64encode(value).decode("ascii")}
    if isinstance(value, torch.dtype):
        return {"$dtype": str(value).removeprefix("torch.")}
    if type(value) in (list, tuple):
        items = [_encode(item, tensors, (*keys, str(i))) for i, item in enumerate(value)]
        return items if type(value) is list else {"$tuple": items}
    raise UsageError(
        f"{'/'.join(keys) or 'the value'} is a {type(value).__name__}, which cannot be kept in a checkpoint"
    )


def _encode_dict(value: dict[Any, Any], tensors: dict[str, Tensor], keys: tuple[str, ...]) -> Any:
    if all(type(key) is str and not key.startswith("$") for key in value):
        return {key: _encode(item, tensors, (*keys, key)) for key, item in value.items()}
    return {
        "$dict": [
            [_encode(key, tensors, (*keys, "key")), _encode(item, tensors, (*keys, str(key)))]
            for key, item in value.items()
        ]
    }


def _set_aside(value: Tensor, tensors: dict[str, Tensor], keys: tuple[str, ...]) -> str:
    name = "/".join(keys)
    while name in tensors:  # a key may itself have a slash in it
        name += "'"
    tensors[name] = value
    return name


def decode(data: Any, tensors: Mapping[str, Tensor]) -> Any:
    """Return the tree that `encode` made *data* of.

    Args:
        data: As the `json` module reads it. Anyone may have written it.
        tensors: The tensors that were set aside, by name; the tree gets the same objects.

    Raises:
        DamagedError: If *data* is nothing that `encode` makes, or one of its tensors is missing.
    """
    return _decode(data, tensors, MAX_DEPTH)


def _decode(data: Any, tensors: Mapping[str, Tensor], levels: int) -> Any:
    if levels < 0:
        raise DamagedError(f"saved state nests deeper than {MAX_DEPTH} levels")
    if isinstance(data, list):
        return [_decode(item, tensors, levels - 1) for item in data]
    if not isinstance(data, dict):
        return data
    if not any(key.startswith("$") for key in data):
        return {key: _decode(item, tensors, levels - 1) for key, item in data.items()}
    try:
        ((tag, content),) = data.items()
        return _DECODERS[tag](content, tensors, levels)
    except (KeyError, TypeError, ValueError) as error:
        raise DamagedError(f"saved state has the unknown form {str(data)[:60]!r}") from error


def _decode_float(content: Any, tensors: Mapping[str, Tensor], levels: int) -> float:  # noqa: ARG001
    return {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}[content]


def _list(content: Any) -> list[Any]:
    if not isinstance(content, list):
        raise TypeError("not a list")
    return content


def _decode_tuple(content: Any, tensors: Mapping[str, Tensor], levels: int) -> tuple[Any, ...]:
    return tuple(_decode(item, tensors, levels - 1) for item in _list(content))


def _decode_dict(content: Any, tensors: Mapping[str, Tensor], levels: int) -> dict[Any, Any]:
    return {_decode(key, tensors, levels - 1): _decode(item, tensors, levels - 1) for key, item in _list(content)}


def _decode_bytes(content: Any, tensors: Mapping[str, Tensor], levels: int) -> bytes:  # noqa: ARG001
    return base64.b64decode(content, validate=True)


def _decode_dtype(content: Any, tensors: Mapping[str, Tensor], levels: int) -> torch.dtype:  # noqa: ARG001
    dtype = getattr(torch, content, None)
    if not isinstance(dtype, torch.dtype):
        raise ValueError("no element type")
    return dtype


def _decode_tensor(content: Any, tensors: Mapping[str, Tensor], levels: int) -> Tensor:  # noqa: ARG001
    return tensors[content]


_DECODERS = {
    "$float": _decode_float,
    "$tuple": _decode_tuple,
    "$dict": _decode_dict,
    "$bytes": _decode_bytes,
    "$dtype": _decode_dtype,
    "$tensor": _decode_tensor,
}

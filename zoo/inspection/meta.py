"""Models on the meta device, where tensors have shapes and no values, built and run in a fraction of torch's time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

aten = torch.ops.aten


class _Unfilled(TorchFunctionMode):
    """Leaves out what fills parameters that have no values: drawing weights is most of the time of building on meta."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if func in _FILLS and args and isinstance(args[0], nn.Parameter) and args[0].is_meta:
            return args[0]
        return func(*args, **(kwargs or {}))


_FILLS = {
    getattr(Tensor, name)
    for name in (
        "add_",
        "clamp_",
        "div_",
        "erfinv_",
        "fill_",
        "mul_",
        "normal_",
        "sub_",
        "trunc_normal_",
        "uniform_",
        "zero_",
    )
    if hasattr(Tensor, name)
}


@contextmanager
def on_meta() -> Iterator[None]:
    """Build what is built meanwhile on the meta device, where nothing has values, and draw no weights."""
    with torch.device("meta"), _Unfilled():
        yield


def run(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any] | None) -> Any:
    """Run an operation on tensors of the meta device.

    Norms and elementwise operations are most of the time of a pass there: torch decomposes a batch norm into dozens,
    and looks for the result of a sum in Python. Where the result's shape is plain it is given at once; everything else,
    and what does not fit together, is left to torch.

    Args:
        func: As a `TorchDispatchMode` is given it, with its arguments.
        args: Positional.
        kwargs: By name, or None.
    """
    shortcut = _SHORTCUTS.get(func)
    if shortcut and not kwargs and args[0].is_meta and (result := shortcut(*args)) is not None:
        return result
    return func(*args, **(kwargs or {}))


class Quick(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Runs what happens meanwhile, on tensors of the meta device, by `run`."""

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Run the operation."""
        return run(func, args, kwargs)


def _batch_norm(inputs: Tensor, weight: Any, bias: Any, mean: Any, variance: Any, training: bool, *_: Any) -> Any:
    channels = inputs.shape[1]
    if any(tensor is not None and tensor.numel() != channels for tensor in (weight, bias, mean, variance)):
        return None
    saved = channels if training else 0
    return torch.empty_like(inputs), inputs.new_empty(saved), inputs.new_empty(saved)


def _batch_norm_backward(_: Tensor, inputs: Tensor, *rest: Any) -> Any:
    mask = rest[-1]
    channels = inputs.shape[1]
    wanted = [inputs.new_empty(channels) if wanted else None for wanted in mask[1:]]
    return (torch.empty_like(inputs) if mask[0] else None, *wanted)


def _layer_norm(inputs: Tensor, shape: Any, *_: Any) -> Any:
    if list(inputs.shape[-len(shape) :]) != list(shape):
        return None
    lengths = [*inputs.shape[: -len(shape)], *[1] * len(shape)]
    return torch.empty_like(inputs), inputs.new_empty(lengths), inputs.new_empty(lengths)


def _layer_norm_backward(_: Tensor, inputs: Tensor, shape: Any, *rest: Any) -> Any:
    mask = rest[-1]
    wanted = [inputs.new_empty(list(shape)) if wanted else None for wanted in mask[1:]]
    return (torch.empty_like(inputs) if mask[0] else None, *wanted)


def _like_first(first: Tensor, *_: Any) -> Tensor:
    return torch.empty_like(first)


def _like_both(first: Tensor, second: Any, *_: Any) -> Any:
    alike = isinstance(second, Tensor) and second.shape == first.shape and second.dtype == first.dtype
    return torch.empty_like(first) if alike else None


def _matrix_product(bias: Tensor, left: Tensor, right: Tensor, *_: Any) -> Any:
    fits = left.shape[1] == right.shape[0] and bias.shape == right.shape[1:]
    return left.new_empty(left.shape[0], right.shape[1]) if fits else None


_SHORTCUTS: dict[Any, Callable[..., Any]] = {
    aten.native_batch_norm.default: _batch_norm,
    aten.native_batch_norm_backward.default: _batch_norm_backward,
    aten.native_layer_norm.default: _layer_norm,
    aten.native_layer_norm_backward.default: _layer_norm_backward,
    aten.addmm.default: _matrix_product,
    aten.add.Tensor: _like_both,
    aten.mul.Tensor: _like_both,
    aten.gelu.default: _like_first,
    aten.mul.Scalar: _like_first,
    aten.relu.default: _like_first,
    aten.sigmoid.default: _like_first,
    aten.silu.default: _like_first,
    aten._safe_softmax.default: _like_first,
    aten._softmax.default: _like_first,
    aten.gelu_backward.default: _like_first,
    aten.sigmoid_backward.default: _like_first,
    aten.silu_backward.default: _like_first,
    aten.threshold_backward.default: _like_first,
    aten._softmax_backward_data.default: _like_first,
}

"""Whether a model looks at every row and column of its input, told from the shapes of a forward pass alone."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.weak import WeakTensorKeyDictionary

from zoo.inspection.meta import run

aten = torch.ops.aten

# For each of the two axes (rows, columns): the indices that the input's last row or column still influences. Windows
# begin at the top left and what is left over lies at the bottom right, so that the last one is the one to follow.
Indices = Collection[int]
Reach = tuple[Indices, Indices]

_EVERYWHERE: Reach = (range(1), range(1))
_AXES = ("rows", "columns")


class LeftOutError(ValueError):
    """A model would leave out its input's last rows or columns.

    Args:
        axis: 0 for rows, 1 for columns.
        size: The input's (H, W).
        window: Of a convolution that takes the input itself: its kernel, stride and padding, in pixels, else None.
    """

    def __init__(self, axis: int, size: Sequence[int], window: tuple[int, int, int] | None = None) -> None:
        super().__init__(f"the model would leave out the last {_AXES[axis]} of {size[axis]}")
        self._window = window

    def may_suit(self, side: int) -> bool:
        """Return whether another *side*, in pixels, might be seen whole, if the fault lay with the first layer."""
        if self._window is None:
            return True
        kernel, stride, padding = self._window
        return side + 2 * padding >= kernel and (side + 2 * padding - kernel) % stride <= padding


class EveryPixel(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Follows the input's last row and column through a forward pass, while it is the active mode.

    A patch embedding of 16 that is given 28 pixels makes one patch and says nothing of the other 12. Convolutions,
    pooling, padding and slices are followed; whatever else mixes or moves pixels is taken to spread them everywhere, so
    that it never refuses a model which sees everything.

    Args:
        inputs: What the model will be given, (N, C, H, W), on any device, the meta device too.
    """

    def __init__(self, inputs: Tensor) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._inputs = inputs
        self._reach = WeakTensorKeyDictionary()
        self._reach[inputs] = ({inputs.shape[-2] - 1}, {inputs.shape[-1] - 1})
        self._first_layer: dict[int, tuple[int, int, int]] = {}  # for each axis that it loses: the window that does

    def check(self, outputs: Tensor) -> None:
        """Raise unless *outputs* depend on the input's last row and column.

        Raises:
            LeftOutError: If they do not.
        """
        reach: Reach = self._reach.get(outputs, _EVERYWHERE)  # type: ignore[no-untyped-call]
        for axis, influenced in enumerate(reach):
            if not influenced:
                raise LeftOutError(axis, self._inputs.shape[-2:], self._first_layer.get(axis))

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Run the operation and note how far its results reach."""
        result = run(func, args, kwargs)
        sources = [tensor for tensor in _tensors(args) if tensor in self._reach]
        if sources:
            for output in _tensors([result]):
                self._note(func, args, sources, output)
        return result

    def _note(self, func: Any, args: tuple[Any, ...], sources: list[Tensor], output: Tensor) -> None:
        reaches = [self._reach[source] for source in sources]
        follow = _FOLLOWED.get(func)
        if follow and args[0].ndim == 4 and len(sources) == 1:
            reach = follow(reaches[0], output, *args)
            if sources[0] is self._inputs and func is aten.convolution.default:
                self._first_layer |= {axis: _window(args, axis) for axis in (0, 1) if not reach[axis]}
        else:
            alike = all(source.ndim == 4 and source.shape[-2:] == output.shape[-2:] for source in sources)
            reach = _joined(reaches) if alike and output.ndim == 4 else _spread(reaches, output)
        self._reach[output] = reach


def _window(convolution: tuple[Any, ...], axis: int) -> tuple[int, int, int]:
    """Return the kernel, stride and padding of a convolution's arguments, in pixels along an axis."""
    _, weight, _, stride, padding, dilation, *_ = convolution
    return _at(dilation, axis) * (weight.shape[2 + axis] - 1) + 1, _at(stride, axis), _at(padding, axis)


def _tensors(values: Iterable[Any]) -> Iterator[Tensor]:
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, (list, tuple)):
            yield from (item for item in value if isinstance(item, Tensor))


def _joined(reaches: list[Reach]) -> Reach:
    """Return the reach of what is computed, element by element, from tensors with *reaches*."""
    if len(reaches) == 1:
        return reaches[0]
    rows, columns = (set().union(*axis) for axis in zip(*reaches, strict=True))
    return rows, columns


def _spread(reaches: list[Reach], output: Tensor) -> Reach:
    """Return the reach of what may mix and move the elements of tensors with *reaches*: none, or everywhere."""
    lengths = output.shape[2:] if output.ndim == 4 else (1, 1)
    rows, columns = (any(map(len, axis)) for axis in zip(*reaches, strict=True))
    return range(lengths[0] * rows), range(lengths[1] * columns)


def _windows(reach: Reach, counts: Sequence[int], kernel: Any, stride: Any, padding: Any, dilation: Any) -> Reach:
    """Return which of *counts* windows of *kernel* pixels, *stride* apart, touch what is influenced."""

    def follow(axis: int) -> Indices:
        k, s, p, d = (_at(value, axis) for value in (kernel, stride, padding, dilation))
        starts = {index + p - d * tap for index in reach[axis] for tap in range(k)}
        return {start // s for start in starts if start % s == 0 and 0 <= start // s < counts[axis]}

    return follow(0), follow(1)


def _at(value: Any, axis: int) -> int:
    return int(value) if isinstance(value, int) else int(value[min(axis, len(value) - 1)])


def _convolution(reach: Reach, output: Tensor, *args: Any) -> Reach:
    _, weight, _, stride, padding, dilation, transposed, *_ = args
    if transposed:
        return _spread([reach], output)
    return _windows(reach, output.shape[2:], weight.shape[2:], stride, padding, dilation)


def _max_pool(
    reach: Reach,
    output: Tensor,
    _: Tensor,
    kernel: Any,
    stride: Any = (),
    padding: Any = 0,
    dilation: Any = 1,
    *__: Any,
) -> Reach:
    return _windows(reach, output.shape[2:], kernel, stride or kernel, padding, dilation)


def _avg_pool(
    reach: Reach, output: Tensor, _: Tensor, kernel: Any, stride: Any = (), padding: Any = 0, *__: Any
) -> Reach:
    return _windows(reach, output.shape[2:], kernel, stride or kernel, padding, 1)


def _unfold(
    reach: Reach, output: Tensor, source: Tensor, kernel: Any, dilation: Any, padding: Any, stride: Any
) -> Reach:
    def count(axis: int) -> int:
        k, s, p, d = (_at(value, axis) for value in (kernel, stride, padding, dilation))
        return int(source.shape[2 + axis] + 2 * p - d * (k - 1) - 1) // s + 1

    # The windows become one long dimension, so that what is not lost may be anywhere afterwards.
    return _spread([_windows(reach, (count(0), count(1)), kernel, stride, padding, dilation)], output)


def _pad(source_of: Callable[[int, int], int]) -> Callable[..., Reach]:
    """Return how to follow a padding, given from which index of an axis of a length each of its own is taken."""

    def follow(reach: Reach, output: Tensor, source: Tensor, pad: Any, *_: Any) -> Reach:
        before = (pad[2] if len(pad) > 2 else 0, pad[0])  # given as left, right, top, bottom

        def axis(number: int) -> Indices:
            length = source.shape[2 + number]
            return {
                index
                for index in range(output.shape[2 + number])
                if source_of(index - before[number], length) in reach[number]
            }

        return axis(0), axis(1)

    return follow


def _reflected(index: int, length: int) -> int:
    return length - 1 - abs(length - 1 - abs(index))


def _replicated(index: int, length: int) -> int:
    return min(max(index, 0), length - 1)


def _slice(
    reach: Reach, output: Tensor, source: Tensor, dim: int = 0, start: int | None = None, _: Any = None, step: int = 1
) -> Reach:
    axis = dim % 4 - 2
    if axis < 0:
        return reach
    begin = start or 0
    begin = max(0, begin + source.shape[dim] if begin < 0 else begin)
    kept = {
        (index - begin) // step
        for index in reach[axis]
        if index >= begin and (index - begin) % step == 0 and (index - begin) // step < output.shape[dim]
    }
    return (kept, reach[1]) if axis == 0 else (reach[0], kept)


_FOLLOWED: dict[Any, Callable[..., Reach]] = {
    aten.convolution.default: _convolution,
    aten.max_pool2d_with_indices.default: _max_pool,
    aten.avg_pool2d.default: _avg_pool,
    aten.im2col.default: _unfold,
    aten.constant_pad_nd.default: _pad(lambda index, _: index),
    aten.reflection_pad2d.default: _pad(_reflected),
    aten.replication_pad2d.default: _pad(_replicated),
    aten.slice.Tensor: _slice,
}

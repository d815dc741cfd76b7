"""Slices of a step, which do not know who computes them, and their sum, always in one order."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from zoo.data import Batch, share_of
from zoo.errors import PluginError
from zoo.training.early_gradients import EarlyGradients
from zoo.training.losses import LossRecord
from zoo.training.randomness import seed_everything
from zoo.training.rows import Field, RowLayout
from zoo.training.world import World

_SINGLE = torch.float32
_PIECES = 3
"""Single numbers that hold what a double does, where it is not too large for them."""

WISHES = 3
"""What a process can ask all to do after a step: numbers that are added over the processes."""


class Slices:
    """Makes a step's slices independent of one another and of the number of processes.

    Each slice begins with the buffers that the step began with, and with generators seeded from (seed, epoch, step,
    slice) alone. What it leaves goes into a row: its gradients, its buffers by its share, its loss. The rows are
    added in the order of the slices, whoever computed them, and the sum is what the optimizer sees. So a run is a
    function of its configuration, and the number of processes is none of it.

    It stands around the loop as the windows' generator, as the running loss, and before the optimizer's step.

    Args:
        model: Whose gradients are added. Its parameters are on one device.
        losses: Is given the loss of each batch, when its step's slices have been added.
        world: The processes among which the slices are dealt.
        seed: The run's seed.
        slices: The most slices that a step can have.
        fast: Whether the sum's order may hang on the number of processes.
        sharded: Whether the gradients are summed already, as those of sharded weights are in the backward pass.

    Attributes:
        wish: Is asked once a step for this process's wishes, `WISHES` numbers; none by default.
        granted: After a step, the sum of all processes' wishes.
    """

    def __init__(
        self,
        model: nn.Module,
        losses: LossRecord,
        world: World,
        seed: int,
        slices: int,
        *,
        fast: bool = False,
        sharded: bool = False,
    ) -> None:
        self._losses, self._world, self._seed = losses, world, seed
        learning = [parameter for parameter in model.parameters() if parameter.requires_grad]
        learning.reverse()  # the backward pass makes the last one's gradient first
        self._device, self._parameters = learning[0].device, [] if sharded else learning
        self._buffers = list(_buffers_of(model))
        self.wish: Callable[[], Sequence[float]] = lambda: [0.0] * WISHES
        self.granted: list[float] = [0.0] * WISHES
        # Batch norms that meet in the backward pass do so in one order: what is sent meanwhile comes when it may.
        meets = any(isinstance(module, nn.SyncBatchNorm) for module in model.modules())
        self._make_rows(slices, early=0 if meets else len(self._parameters), fast=fast)

    def window(
        self, parts: Iterable[Batch], sizes: Sequence[Sequence[int]], place: str
    ) -> Generator[Batch, None, None]:
        """Yield this process's slices of a window, each from the state that the step began with.

        Args:
            parts: This process's, in order.
            sizes: The number of samples in each slice of each batch of the window, whoever computes it.
            place: Which window it is, as text: the epoch and the step within it.
        """
        self._sizes, counts = sizes, [count for batch in sizes for count in batch]
        mine = share_of(len(counts), self._world.rank, self._world.size)
        self._sum.rows.zero_()
        start = [buffer.get().clone() for buffer in self._buffers]
        for row, (number, part) in enumerate(zip(mine, parts, strict=True)):
            for buffer, before in zip(self._buffers, start, strict=True):
                buffer.get().copy_(before)
            seed_everything(_hashed(f"slice/{self._seed}/{place}/{number}"))
            with self._early.taken(last=row + 1 == len(mine)) as taken:
                yield part
                self._leave(row % len(self._views), number, counts[number] / sum(counts), start, taken)
        for buffer, before in zip(self._buffers, start, strict=True):
            buffer.get().copy_(before)
        # What a checkpoint keeps of the generators must not tell which slices were computed here.
        seed_everything(_hashed(f"slice/{self._seed}/{place}/end"))

    def add(self, loss: Tensor, targets: Tensor) -> None:
        """Take the mean *loss* of the slice that was just computed: this is the loop's running loss."""
        self._loss = loss, self._losses.denominator(targets)

    def gather(self) -> None:
        """Give the model the sum of all slices: gradients, buffers, losses."""
        views = self._views[0]
        views.wishes.copy_(torch.tensor(self.wish()))
        self._sum.add(sum(map(len, self._sizes)))
        total = self._total_views
        marks, losses, self.granted = total.marks.tolist(), _joined(total.losses), total.wishes.tolist()
        for parameter, gradient, seen in zip(self._parameters, total.gradients, marks, strict=False):
            parameter.grad = gradient if seen else None
        changed = marks[len(self._parameters) :]
        for buffer, value, seen in zip(self._buffers, total.buffers, changed, strict=True):
            if seen:
                buffer.put(value)
        self._tell_losses(losses)

    def _make_rows(self, slices: int, *, early: int, fast: bool) -> None:
        device = self._device
        fields = [Field.like(parameter) for parameter in self._parameters]
        dtypes = {tensor.dtype for tensor in (*self._parameters, *(buffer.get() for buffer in self._buffers))}
        # Rows of one type are added with one call. Apple's GPUs have no doubles.
        single = device.type == "mps" or {dtype for dtype in dtypes if dtype.is_floating_point} == {_SINGLE}
        kind = _SINGLE if single else torch.float64
        fields += [buffer.field(kind) for buffer in self._buffers]
        fields.append(Field.numbers(2 * slices * (_PIECES if single else 1), kind))
        fields += [Field.numbers(count, kind) for count in (len(self._parameters) + len(self._buffers), WISHES)]
        self._layout = RowLayout(fields, self._world.size, early=early)
        self._sum = self._world.row_sum(self._layout, slices, device, fast=fast)
        self._views = [self._named(row) for row in self._sum.rows]
        self._total_views = self._named(self._sum.total)
        self._early = EarlyGradients(self._parameters, self._views[0].gradients, self._sum)

    def _named(self, row: Tensor) -> _Row:
        views, count = self._layout.views(row), len(self._parameters)
        return _Row(views[:count], views[count:-3], *views[-3:])

    def _leave(self, place: int, number: int, share: float, start: Sequence[Tensor], taken: set[int]) -> None:
        """Write what the slice *number* left into a row; where several share it, they are added one by one.

        The gradients of the parameters *taken* are in it already.
        """
        row = self._views[place]
        used = [each in taken or parameter.grad is not None for each, parameter in enumerate(self._parameters)]
        with torch.no_grad():
            self._put_gradients(row)
            changed = [
                buffer.leave(view, before, share, first=number == 0)
                for buffer, view, before in zip(self._buffers, row.buffers, start, strict=True)
            ]
        row.marks.add_(torch.tensor([*used, *changed], dtype=row.marks.dtype))
        loss, weight = self._loss
        _put(row.losses, 2 * number, loss)
        _put(row.losses, 2 * number + 1, weight)

    def _put_gradients(self, row: _Row) -> None:
        """Add the parameters' gradients to the row, and leave them none."""
        pairs = zip(self._parameters, row.gradients, strict=True)
        found = [(view, parameter.grad) for parameter, view in pairs if parameter.grad is not None]
        if found:
            views, gradients = zip(*found, strict=True)
            torch._foreach_add_(views, gradients)
        for parameter in self._parameters:
            parameter.grad = None

    def _tell_losses(self, numbers: Sequence[float]) -> None:
        pairs = iter(zip(numbers[::2], numbers[1::2], strict=True))
        for batch in self._sizes:
            loss, weight = _mean([next(pairs) for _ in batch])
            self._losses.put(torch.tensor(loss, dtype=torch.float64), weight)


class _Row:
    """A row's fields by name."""

    def __init__(
        self, gradients: list[Tensor], buffers: list[Tensor], losses: Tensor, marks: Tensor, wishes: Tensor
    ) -> None:
        self.gradients, self.buffers, self.losses, self.marks, self.wishes = gradients, buffers, losses, marks, wishes


class _Buffer:
    """A buffer by its place in the model, which may put another tensor there."""

    def __init__(self, owner: dict[str, Tensor | None], name: str, tensor: Tensor) -> None:
        self._owner, self._name = owner, name
        self._floating = tensor.is_floating_point() or tensor.is_complex()
        self._size = tensor.size()

    def get(self) -> Tensor:
        tensor = self._owner[self._name]
        if tensor is None or tensor.size() != self._size:
            found = "nothing" if tensor is None else f"shape {tuple(tensor.size())}"
            raise PluginError(
                f"the model changed its buffer {self._name!r} from shape {tuple(self._size)} to {found} in a step; "
                "it can be trained with --slices 1 alone"
            )
        return tensor

    def field(self, kind: torch.dtype) -> Field:
        """Return the field in which it travels: as it is, or where it counts or marks, as numbers of that *kind*."""
        like = self.get()
        return Field.like(like) if self._floating else Field.numbers(len(_small(like)), kind)

    def put(self, value: Tensor) -> None:
        """Make it what travelled."""
        tensor = self.get()
        if not self._floating:
            value = value.to(_small(tensor).dtype).view(tensor.dtype).view(self._size)
        tensor.copy_(value)

    def leave(self, view: Tensor, before: Tensor, share: float, *, first: bool) -> bool:
        """Add what it is after a slice to *view*, and say whether it changed.

        Floating buffers become the mean over the samples; of the others, such as batch norm's counter of steps, the
        step's first slice has the value.
        """
        tensor = self.get()
        if self._floating:
            view.add_(tensor * share)  # not in one operation, which would round otherwise than rows that are added
        elif first:
            view.add_(_small(tensor))
        return not torch.equal(tensor, before)


def _small(tensor: Tensor) -> Tensor:
    """Return whole numbers in a line, as ones that single precision holds: those of 4 and 8 bytes as two and four."""
    flat = tensor.reshape(-1)
    return flat.view(torch.int16 if flat.itemsize > 1 else torch.uint8)


def _put(line: Tensor, place: int, number: Any) -> None:
    """Put a number into a line of doubles, or of single ones: then as three that add up to it, one after another."""
    pieces = _PIECES if line.dtype == _SINGLE else 1
    if pieces == 1 or _is_single(number):
        line[pieces * place] = number
        return
    rest = torch.as_tensor(number, dtype=torch.float64, device="cpu")
    for piece in range(pieces):
        line[pieces * place + piece] = rest
        rest = rest - rest.to(_SINGLE)  # of what is not finite, nothing is left
        rest = torch.where(rest.isfinite(), rest, 0.0)


def _is_single(number: Any) -> bool:
    """Say whether a number is known to be one of single precision."""
    if isinstance(number, Tensor):
        return number.is_floating_point() and number.dtype.itemsize <= 4
    return isinstance(number, int) and abs(number) <= 2**24


def _joined(line: Tensor) -> list[float]:
    """Return the numbers that `_put` put into a line."""
    if line.dtype != _SINGLE:
        return line.tolist()
    first, second, third = line.cpu().double().view(-1, _PIECES).unbind(1)
    return (first + second + third).tolist()


def _buffers_of(model: nn.Module) -> Iterator[_Buffer]:
    seen = set()
    for module in model.modules():
        for name, tensor in module._buffers.items():
            if tensor is not None and id(tensor) not in seen:
                seen.add(id(tensor))
                yield _Buffer(module._buffers, name, tensor)


def _mean(pairs: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Return the mean loss of a batch, and what it is divided by, from those of its slices."""
    total = math.fsum(weight for _, weight in pairs)
    wrong = [loss for loss, _ in pairs if not math.isfinite(loss)]
    summed = math.fsum(loss * weight for loss, weight in pairs) if not wrong else wrong[0]
    return (summed / total if total and not wrong else summed), total


def _hashed(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1

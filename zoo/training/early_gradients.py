"""Gradients that are sent to the other processes while the backward pass is still making others."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial

from torch import Tensor, nn

from zoo.errors import PluginError
from zoo.training.sums import RowSum


class EarlyGradients:
    """Puts gradients into a row as they are made, and has each stretch of it sent that is full.

    All processes send the stretches in one order. So where a gradient is not made, as its parameter was not used, what
    stands behind it in the row waits until the backward pass is over, and goes with the rest.

    Args:
        parameters: The last to be used first: in the order, roughly, in which their gradients are made.
        gradients: Where those stand in the row.
        row_sum: Sends the row. Where it sends nothing early, nothing is done here.
    """

    def __init__(self, parameters: Sequence[nn.Parameter], gradients: Sequence[Tensor], row_sum: RowSum) -> None:
        self._parameters, self._gradients, self._sum = parameters, gradients, row_sum

    @contextmanager
    def taken(self, *, last: bool) -> Iterator[set[int]]:
        """Yield the numbers of those parameters whose gradients are in the row; they come as the backward pass does.

        Args:
            last: Whether this process adds nothing more to the row: else nothing can be sent yet.
        """
        taken: set[int] = set()
        waiting = deque(self._sum.early if last else ())

        def take(number: int, parameter: Tensor) -> None:
            if number in taken:
                raise PluginError(
                    "a weight got a second gradient in one backward pass, and the first one may have been sent; "
                    "give torch.utils.checkpoint use_reentrant=False, or train with --slices 1"
                )
            self._gradients[number].add_(parameter.grad)  # type: ignore[arg-type]  # it was just made
            parameter.grad = None
            taken.add(number)
            while waiting and taken.issuperset(waiting[0]):
                waiting.popleft()
                self._sum.start()

        hooks = [
            self._parameters[number].register_post_accumulate_grad_hook(partial(take, number))  # type: ignore[no-untyped-call]
            for fields in waiting
            for number in fields
            if self._parameters[number].requires_grad  # else it is frozen at this step
        ]
        try:
            yield taken
        finally:
            for hook in hooks:
                hook.remove()

"""Gradients that are sent to the other processes while the backward pass is still making others."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial

import torch
from torch import Tensor, nn

from zoo.errors import PluginError
from zoo.training.sums import RowSum


class EarlyGradients:
    """Puts gradients into a row while others are made, and has each stretch of it sent that is full.

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
        """Yield the numbers of those parameters whose gradients were sent; they come as the backward pass does.

        Where it is left by an error, or closed after one, nobody waits for what was sent.

        Args:
            last: Whether this process adds nothing more to the row: else nothing can be sent yet.
        """
        made, taken = set[int](), set[int]()
        waiting = deque(self._sum.early if last else ())

        def note(number: int, _: Tensor) -> None:
            if number in taken:
                raise PluginError(
                    "a weight got a second gradient in one backward pass when the first one was sent to the other "
                    "processes; give torch.utils.checkpoint use_reentrant=False, or train in one process"
                )
            made.add(number)
            while waiting and made.issuperset(waiting[0]):
                fields = waiting.popleft()
                self._take(fields)
                taken.update(fields)
                self._sum.start()

        hooks = [
            self._parameters[number].register_post_accumulate_grad_hook(partial(note, number))  # type: ignore[no-untyped-call]
            for fields in waiting
            for number in fields
            if self._parameters[number].requires_grad  # else it is frozen at this step
        ]
        try:
            yield taken
        except BaseException:
            self._sum.drop()
            raise
        finally:
            for hook in hooks:
                hook.remove()

    def _take(self, fields: Sequence[int]) -> None:
        """Put gradients into the row. Until then they stand where autograd adds to them what is made twice."""
        found = [self._parameters[number].grad for number in fields]
        torch._foreach_add_([self._gradients[number] for number in fields], found)  # type: ignore[arg-type]  # all are made
        for number in fields:
            self._parameters[number].grad = None

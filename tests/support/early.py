"""Processes of which even small models' gradients are sent early, or none."""

from __future__ import annotations

from typing import Any


def send_early(rank: int, *, early: bool = True) -> None:
    """Have this process cut its rows into stretches of 256 bytes or more, sent early or else in the end."""
    del rank
    from zoo.training import processes, sums

    row_sum = processes.row_sum

    def own(*arguments: Any, **options: Any) -> sums.RowSum:
        found = row_sum(*arguments, **options)
        assert found.early
        found.early = found.early if early else ()
        return found

    sums._STRETCH = 256
    processes.row_sum = own


def send_early_and_break(rank: int) -> None:
    """Send early, and have process 1's tenth backward pass break off before the first layer's gradients are made."""
    send_early(rank)
    from torch import Tensor, nn

    from zoo.training.slices import Slices

    make, passes = Slices.__init__, list[int]()

    def burst(_: Tensor) -> None:
        passes.append(1)
        if rank == 1 and len(passes) == 10:
            raise RuntimeError("burst")

    def watch(_layer: nn.Module, _inputs: object, hidden: Tensor) -> None:
        if hidden.requires_grad:
            hidden.register_hook(burst)

    def made(self: Slices, model: nn.Module, *arguments: Any, **options: Any) -> None:
        make(self, model, *arguments, **options)
        first = next(layer for layer in model.modules() if isinstance(layer, nn.Linear))
        first.register_forward_hook(watch)

    Slices.__init__ = made  # type: ignore[method-assign]

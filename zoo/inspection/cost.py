"""What one pass through a model costs, counted on the meta device: nothing is computed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

from zoo.inspection.meta import run


@dataclass(frozen=True)
class Cost:
    """What a model has and what one image costs it.

    Attributes:
        parameters: Trainable numbers.
        macs: Multiply-accumulates of its convolutions, matrix products and attentions for one image.
        activations: Numbers that these put out for one image.
    """

    parameters: int
    macs: int
    activations: int


def cost_of(model: nn.Module, shape: tuple[int, int, int]) -> Cost:
    """Count what one image of *shape*, (C, H, W), costs a model that is on the meta device, in evaluation mode.

    Everything else than products (norms, activations, additions) is left out, as is custom of the field.

    Raises:
        Exception: Whatever the model raises for inputs of that shape.

    Source: the formulas are torch's own, torch.utils.flop_counter; a multiply-accumulate is two of its operations.
    """
    counted = _Counting()
    with torch.no_grad(), counted:
        model.eval()(torch.empty(1, *shape, device="meta"))
    parameters = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    return Cost(parameters, counted.operations // 2, counted.activations)


class _Counting(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the products that happen meanwhile on tensors of the meta device."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.operations = 0
        self.activations = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Run the operation, and count it where it is a product."""
        result = run(func, args, kwargs)
        formula = flop_registry.get(func.overloadpacket)
        if formula is not None:
            self.operations += formula(*args, **(kwargs or {}), out_val=result)
            outputs = [leaf for leaf in tree_leaves(result) if isinstance(leaf, Tensor)]
            self.activations += outputs[0].numel()
        return result

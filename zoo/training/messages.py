"""What processes tell one another: trees of plain data as JSON, and the bytes of tensors. Nothing is pickled."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from zoo.records import tree


def packed(value: Any) -> tuple[Tensor, list[Tensor]]:
    """Return a tree as a header, uint8 (n,), and the tensors that follow it, each uint8 (n,), on the CPU.

    Raises:
        UsageError: If it holds anything that `zoo.records.tree` does not know.
    """
    tensors: dict[str, Tensor] = {}
    content = tree.encode(value, tensors, "message")
    kinds = {name: [str(t.dtype).removeprefix("torch."), *t.shape] for name, t in tensors.items()}
    text = json.dumps([content, kinds], allow_nan=False).encode()
    return torch.frombuffer(bytearray(text), dtype=torch.uint8), [as_bytes(each) for each in tensors.values()]


def as_bytes(tensor: Tensor) -> Tensor:
    """Return a tensor's elements in row-major order, uint8 (n,), on the CPU."""
    return tensor.detach().cpu().contiguous().view(-1).view(torch.uint8)


class Header:
    """A message's header, and the tensors that it announces.

    Args:
        data: What `packed` returned, uint8 (n,).

    Attributes:
        bodies: Where the bytes of the tensors go, in order, each uint8 (n,).
    """

    def __init__(self, data: Tensor) -> None:
        self._content, kinds = json.loads(data.numpy().tobytes())
        self._tensors = dict(_empty(kinds))
        self.bodies = [as_bytes(each) for each in self._tensors.values()]

    def value(self) -> Any:
        """Return the tree, with the tensors as `bodies` has them by now."""
        return tree.decode(self._content, self._tensors)


def _empty(kinds: Mapping[str, list[Any]]) -> Iterator[tuple[str, Tensor]]:
    for name, (dtype, *shape) in kinds.items():
        yield name, torch.empty(shape, dtype=tree.decode({"$dtype": dtype}, {}))

"""Weights that are shared out over processes, for models that do not fit into one: torch's FSDP2.

Each process keeps a part of every weight, of its gradient and of the optimizer's state. A block's whole weights are put
together for its forward and its backward pass alone. Names and shapes stay those of the model.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from zoo.errors import UsageError
from zoo.training.recomputing import blocks_of
from zoo.training.world import World

_ELEMENTWISE = ("Adadelta", "Adam", "AdamW", "Adamax", "ASGD", "NAdam", "RAdam", "RMSprop", "Rprop", "SGD")
"""torch's optimizers that treat each number of a weight by itself, and keep no state before their first step."""


class Shards:
    """The weights of a model, each process's part of which is in the model itself.

    Args:
        model: On this process's device. Its parameters become `torch.distributed.tensor.DTensor`; optimizers, and
            averages of it, are to be made afterwards.
        world: All processes that torch.distributed joins.
        idle: Runs a model on an empty image: what a process does in an evaluation that has no batch left for it, while
            others have, since all must run the model together.
    """

    def __init__(self, model: nn.Module, world: World, idle: Callable[[nn.Module], object]) -> None:
        self._world, self.idle = world, idle
        self._outline = _outline(model)
        shard(model)

    @contextmanager
    def collecting(self, tensors: Mapping[str, Mapping[str, Tensor]]) -> Iterator[Callable[[Tensor], Tensor]]:
        """Yield, in the first process, what puts one of *tensors* together; the others help with `lend` meanwhile.

        So no process has more than one of them whole at a time.

        Args:
            tensors: By file and name; those that are no parts are given back as they are.
        """
        keys = {id(tensor): [file, name] for file, found in tensors.items() for name, tensor in found.items()}

        def whole(tensor: Tensor) -> Tensor:
            if not is_sharded(tensor):
                return tensor
            self._world.first(lambda: keys[id(tensor)])
            return _full(tensor)

        try:
            yield whole
        finally:  # also where the disk was full: the others wait
            self._world.first(lambda: None)

    def lend(self, tensors: Mapping[str, Mapping[str, Tensor]]) -> None:
        """Give this process's parts of the tensors that the first process puts together, until it is done."""
        while (key := self._world.first(lambda: None)) is not None:
            file, name = key
            _full(tensors[file][name])

    def whole_model(self, model: nn.Module) -> nn.Module:
        """Return a copy of *model*, or of its average, with plain weights, in the memory of the CPU.

        All processes call this, and each gets one.
        """
        found, made = copy.deepcopy(self._outline), dict[int, nn.Parameter]()
        for module, plain in zip(model.modules(), found.modules(), strict=True):
            for name, parameter in module._parameters.items():
                if parameter is not None and id(parameter) not in made:
                    made[id(parameter)] = nn.Parameter(_full(parameter).cpu(), requires_grad=parameter.requires_grad)
                plain._parameters[name] = None if parameter is None else made[id(parameter)]
            for name, buffer in module._buffers.items():
                plain._buffers[name] = None if buffer is None else buffer.detach().cpu()
            plain.training = module.training
        return found


def shard(model: nn.Module) -> None:
    """Share out the parameters of *model* over all processes that torch.distributed joins, in place.

    Gradients are summed over the processes.
    """
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import FSDPModule, fully_shard

    device = next(model.parameters()).device
    mesh = init_device_mesh(device.type, (torch.distributed.get_world_size(),))
    for parameter in model.parameters():
        parameter.data = parameter.data.contiguous()  # FSDP2 takes no other layout
    for module in [*_units(model), model]:
        fully_shard(module, mesh=mesh, reshard_after_forward=True)
    for module in model.modules():
        if isinstance(module, FSDPModule):
            module.set_gradient_divide_factor(1.0)  # the shares are of the whole step, whichever process has them
            module.set_force_sum_reduction_for_comms(True)


@contextmanager
def collecting(
    shards: Shards | None, tensors: Mapping[str, Mapping[str, Tensor]]
) -> Iterator[Callable[[Tensor], Tensor]]:
    """Yield what makes each of *tensors* whole: those of weights that are not shared out are."""
    if shards is None:
        yield lambda tensor: tensor
        return
    with shards.collecting(tensors) as whole:
        yield whole


def refuse_whole(optimizer: Optimizer) -> None:
    """See that *optimizer* treats each number of a weight by itself, so that it can step on parts of weights.

    An optimizer of somebody's own says so by an attribute, ``elementwise = True``.

    Raises:
        UsageError: If it does not.
    """
    kind = type(optimizer)
    if not getattr(optimizer, "elementwise", kind in {getattr(torch.optim, name) for name in _ELEMENTWISE}):
        raise UsageError(
            f"--shard-weights needs an optimizer that treats each number by itself, as adamw and sgd do, and "
            f"{kind.__name__} is not known to; choose another, or leave it out"
        )


def step_on_parts(optimizer: Optimizer) -> Optimizer:
    """Return *optimizer*, made to step on parts: fused steps pair a part with other numbers, or take none."""
    for group in (*optimizer.param_groups, optimizer.defaults):
        if group.get("fused"):
            group["fused"] = False
    return optimizer


def is_sharded(tensor: Tensor) -> bool:
    """Say whether this process has only a part of *tensor*."""
    return hasattr(tensor, "full_tensor")


def part(tensor: Tensor, like: Tensor) -> Tensor:
    """Return this process's part of a whole *tensor*, shared out as *like* is; all of it where that is no part."""
    if not is_sharded(like) or is_sharded(tensor):
        return tensor
    from torch.distributed.tensor import distribute_tensor

    mesh, placements = like.device_mesh, like.placements  # type: ignore[attr-defined]
    return distribute_tensor(tensor.to(like.device), mesh, placements, src_data_rank=None)


def _full(tensor: Tensor) -> Tensor:
    """Put a tensor together from the parts of all processes, which all call this."""
    return tensor.detach().full_tensor() if is_sharded(tensor) else tensor.detach()  # type: ignore[attr-defined]


def _units(model: nn.Module) -> Sequence[nn.Module]:
    """Return the blocks whose weights are put together at a time; none where one has weights of another."""
    blocks = [block for block in blocks_of(model) if any(True for _ in block.parameters())]
    held = [id(parameter) for block in blocks for parameter in block.parameters()]
    inside = {id(parameter) for block in blocks for parameter in block.parameters()}
    outside = [name for name, parameter in model.named_parameters(remove_duplicate=False) if id(parameter) in inside]
    return blocks if len(held) == len(inside) == len(outside) else []


def _outline(model: nn.Module) -> nn.Module:
    """Return a copy of *model* without the memory of its weights."""
    tensors = [*model.parameters(), *model.buffers()]
    return copy.deepcopy(model, {id(tensor): _empty(tensor) for tensor in tensors})


def _empty(tensor: Tensor) -> Tensor:
    bare = torch.empty_like(tensor, device="meta")
    return nn.Parameter(bare, requires_grad=tensor.requires_grad) if isinstance(tensor, nn.Parameter) else bare

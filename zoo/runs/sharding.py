"""A run whose weights are shared out over its processes: what it cannot have, how it begins, and how it goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from zoo.config import TrainSettings
from zoo.errors import UsageError
from zoo.runs.network import Network
from zoo.training.averaging import Average
from zoo.training.sharding import Shards, part, refuse_whole, shard
from zoo.training.world import World


def share_out(
    settings: TrainSettings,
    network: Network,
    optimizer: Optimizer,
    average: Average | None,
    world: World,
    image_size: tuple[int, int],
) -> Shards | None:
    """Share out the weights of a run's model, and those of their average, over its processes, where that is wanted.

    Args:
        settings: Where what is left to zoo is decided.
        network: Whose model.
        optimizer: One of the kind that will be made for the parts; this one has the model's weights no more then.
        average: Of the model; None without.
        world: The processes.
        image_size: H and W, in pixels.

    Returns:
        None where each process has all weights.

    Raises:
        UsageError: If the run has something that needs them whole.
    """
    if not settings.shard_weights or world.size == 1:
        return None
    refuse_clashes(settings, network.precision)
    refuse_whole(optimizer)
    shards = Shards(network.model, world, partial(_run_empty, network, image_size))
    if average is not None:
        shard(average.module)
        average.pair()
    return shards


def refuse_clashes(settings: TrainSettings, precision: str) -> None:
    """See that nothing else of a run needs its weights whole.

    Args:
        settings: Where what is left to zoo is decided.
        precision: Of the model.

    Raises:
        UsageError: Naming the first option that does.
    """
    if settings.tune != "off":
        raise UsageError(f"--shard-weights does not go with --tune {settings.tune}; give --tune off")
    clashes = {
        "--freeze": settings.freeze != 0,
        "--sum fast": settings.sum == "fast",
        "--sync-batch-norm": settings.sync_batch_norm,
        "--precision fp16": precision == "fp16",
        "--compile": settings.compile,
        "--checkpoint-activations": settings.checkpoint_activations,
    }
    if found := next((option for option, clashing in clashes.items() if clashing), None):
        raise UsageError(f"--shard-weights does not go with {found}; leave one of them out")


class Sent(Mapping[str, Tensor]):
    """Tensors that the first process reads and sends to all, one at a time: so others never hold all of them.

    All processes go through them together, as often and in the same order.

    Args:
        world: The processes.
        read: Returns the tensors, by name; called in the first process alone.
    """

    def __init__(self, world: World, read: Callable[[], Mapping[str, Tensor]]) -> None:
        self._world, self._found = world, dict[str, Tensor]()
        self._names: list[str] = world.first(lambda: self._read(read))

    def __getitem__(self, name: str) -> Tensor:
        """Return one of them; all processes ask for it."""
        return self._world.first(lambda: self._found[name])

    def __iter__(self) -> Iterator[str]:
        """Yield their names."""
        return iter(self._names)

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._names)

    def _read(self, read: Callable[[], Mapping[str, Tensor]]) -> list[str]:
        self._found.update(read())
        return list(self._found)


def parts_of(model: nn.Module, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return this process's parts of a model's state dict, or of its optimizer's state.

    Args:
        model: Whose tensors may be shared out.
        tensors: By the model's names, or by keys of the form ``state/PARAMETER/NAME``; whole.
    """
    own = model.state_dict(keep_vars=True)
    found = {}
    for key, tensor in tensors.items():
        like = own.get(key) if key in own else own.get(key.split("/")[1] if "/" in key else "")
        found[key] = tensor if like is None or like.shape != tensor.shape else part(tensor, like)
    return found


def tensors_of(
    world: World, names: Sequence[str], read: Callable[[str], Mapping[str, Tensor]], *, sharded: bool
) -> dict[str, Mapping[str, Tensor]]:
    """Send the tensors of a checkpoint from the first process to all, whole files or one tensor at a time.

    Args:
        world: The processes.
        names: Of the files.
        read: Returns the tensors of one of them; called in the first process alone.
        sharded: Whether no process shall hold all of them.
    """
    if sharded:
        return {name: Sent(world, partial(read, name)) for name in names}
    return world.first(lambda: {name: dict(read(name)) for name in names})


def _run_empty(network: Network, image_size: tuple[int, int], model: nn.Module) -> Tensor:
    """Run *model* on an empty image, as other processes run it on theirs."""
    prepare = network.prepare_evaluation
    empty = torch.zeros(1, prepare.channels, *(prepare.size or image_size), device=network.device)
    logits: Tensor = model(empty)
    return logits

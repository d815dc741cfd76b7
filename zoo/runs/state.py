"""Everything of a run that changes, as a checkpoint holds it, and back."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from zoo.errors import DamagedError, UsageError
from zoo.records import tree
from zoo.records.checkpoints import CheckpointStore
from zoo.records.epochs import results_from
from zoo.records.optimizer_state import pack, unpack
from zoo.runs.network import Network
from zoo.runs.sharding import parts_of, tensors_of
from zoo.training.fit import Progress, Task
from zoo.training.randomness import random_state, restore_random_state
from zoo.training.world import World

Tensors = dict[str, Mapping[str, Tensor]]


def capture(task: Task, progress: Progress, network: Network) -> tuple[Tensors, dict[str, Any]]:
    """Return the tensors, by file, and the plain data that `restore` needs.

    Where weights are shared out, those are this process's parts.

    Raises:
        UsageError: If the optimizer's or the scheduler's state cannot be kept.
    """
    optimizer, optimizer_data = pack(task.updates.optimizer, dict(network.model.named_parameters()))
    tensors: Tensors = {"model": network.model.state_dict(), "optimizer": optimizer}
    state = {
        "progress": tree.encode(dataclasses.asdict(progress), {}),
        "losses": {"values": task.losses.values(), "weights": task.losses.weights()},
        "optimizer": optimizer_data,
        "scheduler": packed_scheduler(task),
        "random": random_state(),
    }
    if task.updates.average is not None:
        tensors["average"] = task.updates.average.module.state_dict()
        state["average_updates"] = task.updates.average.updates
    if task.updates.scale is not None:
        state["loss_scale"] = task.updates.scale.state()
    return tensors, state


def restore(task: Task, network: Network, tensors: Mapping[str, Mapping[str, Tensor]], state: Any) -> Progress:
    """Put everything back as `capture` found it, to the bit.

    Returns:
        How far the run was.

    Raises:
        DamagedError: If something is missing or has another form.
        UsageError: If the state belongs to another model or optimizer.
    """
    try:
        load_weights(network.model, tensors["model"])
        unpack(
            task.updates.optimizer,
            dict(network.model.named_parameters()),
            parts_of(network.model, tensors["optimizer"]),
            state["optimizer"],
        )
        if task.updates.scheduler is not None:
            task.updates.scheduler.load_state_dict(tree.decode(state["scheduler"], {}))
        if task.updates.average is not None:
            load_weights(task.updates.average.module, tensors["average"])
            task.updates.average.updates = state["average_updates"]
        if task.updates.scale is not None:
            task.updates.scale.restore(state["loss_scale"])
        task.losses.restore(state["losses"]["values"], state["losses"]["weights"])
        restore_random_state(state["random"])
        return Progress(**{**tree.decode(state["progress"], {}), "results": results_from(state)})
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        if isinstance(error, UsageError):
            raise
        raise DamagedError(f"the checkpoint's state.json lacks or misstates something: {error}") from error


def load_weights(model: torch.nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Copy *weights* into *model*, each tensor keeping the layout that the model's has.

    Raises:
        UsageError: If they are another model's: the first name or shape that differs is told.
    """
    own, weights = model.state_dict(), parts_of(model, weights)
    lacking, unknown = sorted(own.keys() - weights.keys()), sorted(weights.keys() - own.keys())
    if lacking or unknown:
        told = [f"only the model has {lacking[0]!r}"] if lacking else []
        told += [f"only the checkpoint has {unknown[0]!r}"] if unknown else []
        raise UsageError(f"the checkpoint is of another model: {', and '.join(told)}")
    for name, tensor in own.items():
        if tensor.shape != weights[name].shape:
            raise UsageError(
                f"the checkpoint is of another model: {name!r} is {tuple(weights[name].shape)} in the checkpoint and "
                f"{tuple(tensor.shape)} in the model"
            )
    with torch.no_grad():
        for name, tensor in own.items():
            tensor.copy_(weights[name])


def load_weights_at(
    store: CheckpointStore, step: int, name: str, model: torch.nn.Module, world: World, *, sharded: bool
) -> str:
    """Put the weights of a checkpoint into *model* in all processes, or return what is wrong with it.

    Args:
        store: The run's checkpoints, which the first process alone reads.
        step: Which of them.
        name: ``"model"`` or ``"average"``.
        model: What gets the weights.
        world: The processes.
        sharded: Whether no process shall hold all weights.
    """
    found: list[Mapping[str, Tensor]] = []  # in the first process

    def find() -> str:
        try:
            checkpoint = store.at(step)
            if checkpoint is None:
                return f"the checkpoint of step {step} is gone"
            found.append(checkpoint.tensors(name))
        except DamagedError as error:
            return str(error)
        return ""

    damage = world.first(find)
    if not damage:
        load_weights(model, tensors_of(world, [name], lambda _: found[0], sharded=sharded)[name])
    return damage


def packed_scheduler(task: Task) -> Any:
    """Return the scheduler's state as plain data.

    Raises:
        UsageError: If it cannot be kept.
    """
    if task.updates.scheduler is None:
        return None
    tensors: dict[str, Tensor] = {}
    packed = tree.encode(task.updates.scheduler.state_dict(), tensors, "scheduler")
    if tensors:
        name = type(task.updates.scheduler).__name__
        raise UsageError(f"scheduler {name} keeps tensors in its state_dict(), so runs with it cannot be checkpointed")
    return packed

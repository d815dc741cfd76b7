"""What the processes of one run must have in common, and see to before they train."""

from __future__ import annotations

import dataclasses
import hashlib
import os
from collections import Counter
from collections.abc import Mapping

import torch
from torch import nn

import zoo
from zoo.config import Config, TrainSettings, flattened
from zoo.data import TrainingBatches
from zoo.data.identity import DataIdentity
from zoo.errors import UsageError, ZooError
from zoo.runs.task import slices_in_step
from zoo.training.messages import as_bytes
from zoo.training.sharding import is_sharded
from zoo.training.world import World


def among(config: Config, world: World) -> Config:
    """Return a new run's configuration with what hangs on the processes that begin it, and stays the run's.

    That is the number of slices, and the threads that compute one: the machine's cores are divided among its processes,
    unless ``OMP_NUM_THREADS`` says how many each shall have.
    """
    slices, threads = config.train.slices or world.size, config.train.threads
    if world.size > 1 and threads is None:
        whole = torch.get_num_threads()
        threads = whole if "OMP_NUM_THREADS" in os.environ else max(1, whole // world.local_size)
        threads = world.first(lambda: threads)
    return dataclasses.replace(config, train=dataclasses.replace(config.train, slices=slices, threads=threads))


def refuse_too_many(config: Config, world: World) -> None:
    """See that no process would be without work at every step.

    Raises:
        UsageError: If there are more processes than a step has slices.
    """
    slices = slices_in_step(config.train)
    if world.size > slices:
        raise UsageError(
            f"a step of this run has {slices} slice{'s' if slices > 1 else ''}, for {world.size} processes; "
            f"start {slices if slices > 1 else 'one'}{' or fewer' if slices > 1 else ''}, "
            f"or a new run with --slices {world.size}"
        )


def refuse_uneven(training: TrainingBatches, world: World, option: str) -> None:
    """See that all processes have as many slices at each step: by that *option*, all compute each of them together.

    Raises:
        UsageError: If a step has slices that cannot be dealt evenly.
    """
    for window in {0, training.steps - 1}:  # all but the last are alike
        slices = sum(map(len, training.sizes(window)))
        if slices % world.size:
            which = "the last step of an epoch" if window else "a step"
            raise UsageError(
                f"{option} needs as many slices in each process, and {which} has {slices} for {world.size}; "
                "give another --batch-size or --slices, or leave it out"
            )


def counted(settings: TrainSettings, world: World) -> dict[str, int]:
    """Return the number of processes under its name, where a run's bits hang on it; else nothing."""
    sharded = settings.shard_weights and world.size > 1
    hangs = settings.sum == "fast" or settings.sync_batch_norm or sharded
    return {"processes": world.size} if hangs else {}


def refuse_nameless(world: World) -> None:
    """See that a run of several machines has a directory that the same command finds again.

    Raises:
        UsageError: If processes are on several machines.
    """
    if world.local_size < world.size:
        raise UsageError("processes on several machines need --out DIR, by which the same command finds the run again")


def refuse_differences(config: Config, samples: Mapping[str, int], images: DataIdentity, world: World) -> None:
    """See that all processes train one run: the same settings, software and images.

    Raises:
        UsageError: Naming the first process that has something else than the first one, and what.
    """
    mine = {
        "zoo": zoo.__version__,
        "torch": str(torch.__version__),
        **{key: repr(value) for key, value in flattened(config.to_dict()).items()},
        **{f"{split} images": count for split, count in samples.items()},
        **{f"the SHA-256 of the {split} split's labels": known.labels_sha256 for split, known in images.splits.items()},
        **{f"the SHA-256 of the {split} split's images": known.images_sha256 for split, known in images.splits.items()},
    }
    told = world.gather(mine)
    for rank, theirs in enumerate(told):
        if changed := [key for key in {**told[0], **theirs} if told[0].get(key) != theirs.get(key)]:
            key = changed[0]
            raise _common(
                UsageError(
                    f"the processes do not agree: {key} is {told[0].get(key)} in process 0 and {theirs.get(key)} in "
                    f"process {rank}"
                )
            )


def refuse_odd_weights(model: nn.Module, world: World, step: int) -> None:
    """See that all processes have the same weights: one whose memory or processor is at fault is named.

    Raises:
        ZooError: If they have not.
    """
    if world.size == 1:
        return
    found = world.gather(_checksum(model))
    usual = Counter(found).most_common(1)[0][0]
    if odd := [str(rank) for rank, checksum in enumerate(found) if checksum != usual]:
        raise _common(
            ZooError(
                f"the weights of process {', '.join(odd)} of {world.size} are not those of the others at step {step}, "
                "and are not saved; look at its machine, and go on from the last checkpoint"
            )
        )


def _common(error: ZooError) -> ZooError:
    """Mark an error that all processes raise at this point."""
    error.is_common = True
    return error


def _checksum(model: nn.Module) -> str:
    digest = hashlib.sha256()
    for tensor in model.state_dict().values():
        if is_sharded(tensor):
            continue  # no other process has it
        digest.update(as_bytes(tensor).numpy())  # type: ignore[arg-type]  # an array is a buffer
    return digest.hexdigest()

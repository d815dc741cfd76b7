"""What a run is made of."""

from __future__ import annotations

from dataclasses import dataclass

from zoo.config import Config
from zoo.data import ImageFacts
from zoo.data.identity import Identification
from zoo.runs.components import Components
from zoo.runs.datasets import Splits
from zoo.runs.machine import Machine
from zoo.runs.network import Network
from zoo.runs.observers import Observers
from zoo.training.fit import Task


@dataclass(frozen=True)
class Parts:
    """What a run is made of, all built before anything is written.

    Attributes:
        config: Resolved.
        components: What the parts were built from.
        machine: What computes.
        network: The model and what surrounds it.
        images: The facts of the dataset.
        identity: What the dataset is known by.
        splits: The parts of the dataset.
        task: What `fit` works with.
        checkpoint_bytes: What a checkpoint takes on the disk, estimated.
        observers: The plugins that watch.
    """

    config: Config
    components: Components
    machine: Machine
    network: Network
    images: ImageFacts
    identity: Identification
    splits: Splits
    task: Task
    checkpoint_bytes: int
    observers: Observers

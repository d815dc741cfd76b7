"""What a run computes with: device, precision and threads."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import torch

from zoo.config import TrainSettings
from zoo.errors import UsageError
from zoo.training import dynamo
from zoo.training.arithmetic import choose_device, choose_dropout_masks, choose_precision
from zoo.training.memory import keep_freed_memory


@dataclass(frozen=True)
class Machine:
    """What a run computes with, decided once and recorded."""

    device: torch.device
    precision: str
    threads: int
    dropout_masks: str = "torch"

    @classmethod
    def prepare(cls, settings: TrainSettings) -> Machine:
        """Choose the device and precision and set the process up for them.

        Raises:
            UsageError: If the device is not available.
        """
        if not settings.compile:
            dynamo.postpone()  # by optimizers, where no plugin was loaded by name
        device = choose_device(settings.device)
        if settings.threads is not None and settings.threads != torch.get_num_threads():
            torch.set_num_threads(settings.threads)
        keep_freed_memory()
        if settings.compile and settings.checkpoint_activations:
            raise UsageError("--compile and --checkpoint-activations exclude each other; leave one out")
        again = settings.compile or settings.checkpoint_activations
        masks = choose_dropout_masks(settings.dropout_masks, device, compiled=again)
        return cls(device, choose_precision(settings.precision, device), torch.get_num_threads(), masks)

    def resolved(self, settings: TrainSettings, memory_format: torch.memory_format, precision: str) -> TrainSettings:
        """Return *settings* with what ``auto`` came to; layout and precision hang on the model."""
        layout = "channels_last" if memory_format == torch.channels_last else "contiguous"
        return dataclasses.replace(
            settings,
            device=self.device.type,
            precision=precision,
            threads=self.threads,
            memory_format=layout,
            dropout_masks=self.dropout_masks,
        )


def usable_here(settings: TrainSettings) -> TrainSettings:
    """Return a run's *settings* with a device that is here: what began on a GPU can go on and be used without one."""
    try:
        choose_device(settings.device)
    except UsageError:
        return dataclasses.replace(settings, device="auto")
    return settings

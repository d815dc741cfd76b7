"""From components to the objects that the loop works with."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy
from torch.optim import Optimizer
from torch.optim.lr_scheduler import ReduceLROnPlateau

from zoo.config import Config, TrainSettings
from zoo.data import (
    Dataset,
    EvaluationBatches,
    ImageFacts,
    Preparation,
    Split,
    Subset,
    TrainingBatches,
    capped,
    hold_out,
    on_device,
    resident,
    validation_count,
)
from zoo.data.augmentation import Augmenter
from zoo.errors import PluginError, UsageError
from zoo.registry.entry import in_one_line
from zoo.runs.components import Component, Components
from zoo.training import dynamo
from zoo.training.arithmetic import (
    choose_device,
    choose_dropout_masks,
    choose_memory_format,
    choose_precision,
    in_precision,
)
from zoo.training.averaging import Average
from zoo.training.evaluation import evaluating
from zoo.training.fit import Task
from zoo.training.losses import LossRecord
from zoo.training.memory import keep_freed_memory
from zoo.training.parameters import parameter_groups
from zoo.training.updates import Updates

Denominator = Callable[[Tensor], Any]


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
            dynamo.postpone()
        device = choose_device(settings.device)
        if settings.threads is not None and settings.threads != torch.get_num_threads():
            torch.set_num_threads(settings.threads)
        keep_freed_memory()
        masks = choose_dropout_masks(settings.dropout_masks, device, compiled=settings.compile)
        return cls(device, choose_precision(settings.precision, device), torch.get_num_threads(), masks)

    def resolved(self, settings: TrainSettings, memory_format: torch.memory_format) -> TrainSettings:
        """Return *settings* with what ``auto`` came to."""
        layout = "channels_last" if memory_format == torch.channels_last else "contiguous"
        return dataclasses.replace(
            settings,
            device=self.device.type,
            precision=self.precision,
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


@dataclass(frozen=True)
class Splits:
    """The three parts of a dataset that a run uses; *validation* is None where nothing is held out."""

    train: Split
    validation: Split | None
    test: Split


@dataclass(frozen=True)
class Network:
    """A model on its device, with what surrounds it.

    Attributes:
        model: The module that the plugin built; its state dict is what checkpoints hold.
        forward: What runs it: the model, compiled or in bf16 where that was chosen.
        prepare: Turns stored images into its inputs.
        memory_format: Layout of its convolution weights and inputs.
        precision: ``"fp32"`` or ``"bf16"``.
        device: Where it is.
    """

    model: nn.Module
    forward: nn.Module
    prepare: Preparation
    memory_format: torch.memory_format
    precision: str
    device: torch.device

    def around(self, model: nn.Module) -> nn.Module:
        """Return what runs another *model* of the same architecture in the same precision."""
        return in_precision(model, self.precision, self.device)


def load_dataset(component: Component, device: torch.device) -> Dataset:
    """Build the dataset, its in-memory splits on *device*.

    Raises:
        UsageError: If its options are wrong.
        DamagedError: If its files are damaged.
    """
    dataset: Dataset = component.build()
    return dataclasses.replace(dataset, train=resident(dataset.train, device), test=resident(dataset.test, device))


def split_dataset(dataset: Dataset, config: Config) -> Splits:
    """Hold the validation images out and cap what is left, all as a pure function of the settings and the seed."""
    labels, seed = dataset.train.labels, config.train.seed
    count = validation_count(len(dataset.train), config.train.validation)
    kept, held = (indices.to(labels.device) for indices in hold_out(labels, count, seed))
    validation = capped(Subset(dataset.train, held), config.limit, seed) if count else None
    return Splits(
        train=capped(Subset(dataset.train, kept), config.limit, seed),
        validation=validation,
        test=capped(dataset.test, config.limit, seed),
    )


def build_network(component: Component, images: ImageFacts, machine: Machine, settings: TrainSettings) -> Network:
    """Build the model and see that it maps images to one logit a class.

    Raises:
        UsageError: If its options are wrong.
        PluginError: If it is no module, or gives another shape.
    """
    model: nn.Module = component.build(
        num_classes=images.num_classes, in_channels=images.in_channels, image_size=images.image_size
    )
    if lazy := [name for name, parameter in model.named_parameters() if is_lazy(parameter)]:
        raise PluginError(
            f"{component.label} leaves the size of {lazy[0]!r} open; give it from in_channels and image_size"
        )
    if not any(parameter.requires_grad for parameter in model.parameters()):
        raise PluginError(f"{component.label} has no trainable parameter")
    memory_format = choose_memory_format(settings.memory_format, model, machine.device)
    model = model.to(device=machine.device, memory_format=memory_format)  # type: ignore[call-overload]
    size = _input_size(model, images, component)
    prepare = Preparation(images.mean, images.std, size=size, device=machine.device, memory_format=memory_format)
    forward = in_precision(model, machine.precision, machine.device)
    if settings.compile:
        forward = torch.compile(forward)  # type: ignore[assignment]
    network = Network(model, forward, prepare, memory_format, machine.precision, machine.device)
    check_logits(network, images, component.label)
    return network


def check_logits(network: Network, images: ImageFacts, label: str) -> None:
    """Run the model on two blank images and see that it gives (2, K) logits.

    Raises:
        PluginError: If it fails or gives anything else.
    """
    inputs = network.prepare(torch.zeros(2, images.in_channels, *images.image_size, dtype=torch.uint8))
    try:
        with evaluating(network.model):
            logits = network.around(network.model)(inputs)
    except Exception as error:
        raise PluginError(f"{label} fails on inputs {tuple(inputs.shape)}: {in_one_line(error)}") from error
    expected = (2, images.num_classes)
    if not isinstance(logits, Tensor) or tuple(logits.shape) != expected:
        got = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
        raise PluginError(f"{label} maps inputs {tuple(inputs.shape)} to {got}; it must give logits {expected}")


def build_criterion(
    component: Component, device: torch.device
) -> tuple[Callable[[Tensor, Tensor], Tensor], Denominator]:
    """Build the criterion, and what its mean is divided by.

    Raises:
        UsageError: If its options are wrong.
        PluginError: If it is not callable.
    """
    criterion = component.build()
    if isinstance(criterion, nn.Module):
        criterion = criterion.to(device)
    return criterion, getattr(criterion, "denominator", len)


def build_augmenter(
    parts: tuple[Component, ...], images: ImageFacts, split: Split, network: Network, seed: int
) -> Augmenter | None:
    """Build the augmentations in their order; None where there are none.

    Raises:
        UsageError: If their options are wrong.
    """
    if not parts:
        return None
    size = network.prepare.size or images.image_size
    augmentations = [
        part.build(num_classes=images.num_classes, in_channels=images.in_channels, image_size=size) for part in parts
    ]

    def fetch(indices: Tensor) -> tuple[Tensor, Tensor]:
        stored, labels = split.batch(indices)
        return network.prepare(stored), on_device(labels, network.device)

    return Augmenter(augmentations, seed=seed, num_samples=len(split), fetch=fetch)


def build_task(components: Components, config: Config, images: ImageFacts, splits: Splits, network: Network) -> Task:
    """Put together everything that `fit` works with.

    Raises:
        UsageError: If an option is wrong, or the criterion cannot take what the augmentations give.
        PluginError: If a builder fails or returns something else.
    """
    settings = config.train
    criterion, denominator = build_criterion(components["criterion"], network.device)
    augmenter = build_augmenter(components.several["augment"], images, splits.train, network, settings.seed)
    training = TrainingBatches(
        splits.train,
        settings.batch_size,
        seed=settings.seed,
        prepare=network.prepare,
        accumulate=settings.accumulate,
        # The shares are taken from labels, before they are mixed: the mean over soft targets is one over samples.
        denominator=len if augmenter is not None and augmenter.soft_targets else denominator,
        augment=augmenter,
    )
    _check_criterion(components["criterion"], criterion, images.num_classes, augmenter, network.device)
    if settings.patience is not None and splits.validation is None:
        raise UsageError("--patience waits for a better validation accuracy, but --validation 0 holds no images out")
    steps = settings.steps or settings.epochs * training.steps
    optimizer = build_optimizer(components["optimizer"], network.model)
    scheduler = components["scheduler"].build(optimizer=optimizer, total_steps=steps, steps_per_epoch=training.steps)
    if isinstance(scheduler, ReduceLROnPlateau):
        raise PluginError(
            f"{components['scheduler'].label} waits for a measure, which schedulers of zoo are not given: they set the "
            "rate step by step"
        )
    average = Average(network.model, settings.ema) if settings.ema is not None else None
    return Task(
        forward=network.forward,
        judged=network.around(average.module if average else network.model),
        criterion=criterion,
        denominator=denominator,
        updates=Updates(
            optimizer,
            scheduler,
            parameters=network.model.parameters(),
            clip_norm=settings.clip_norm,
            average=average,
        ),
        training=training,
        validation=evaluation_batches(splits.validation, settings, network) if splits.validation else None,
        losses=LossRecord(denominator),
        steps=steps,
        patience=settings.patience,
    )


def build_optimizer(component: Component, model: nn.Module) -> Optimizer:
    """Build the optimizer over the model's trainable parameters; weight decay spares biases and norms.

    Raises:
        UsageError: If its options are wrong.
        PluginError: If its builder fails.
    """
    groups = parameter_groups(model)
    # Two groups cost two kernel launches a step, so where nothing decays there is one.
    if not component.may_decay:
        groups = [{"params": [parameter for group in groups for parameter in group["params"]]}]
    optimizer: Optimizer = component.build(params=groups)
    return optimizer


def evaluation_batches(split: Split, settings: TrainSettings, network: Network) -> EvaluationBatches:
    """Return the batches of *split* in its own order."""
    return EvaluationBatches(split, settings.eval_batch_size, network.prepare)


def parameter_count(model: nn.Module) -> int:
    """Count the trainable numbers of *model*."""
    return sum(math.prod(parameter.shape) for parameter in model.parameters() if parameter.requires_grad)


def _check_criterion(
    component: Component,
    criterion: Callable[[Tensor, Tensor], Tensor],
    classes: int,
    augmenter: Augmenter | None,
    device: torch.device,
) -> None:
    """See that the criterion gives a scalar for the targets that training will have."""
    soft = augmenter is not None and augmenter.soft_targets
    hard = torch.zeros(2, dtype=torch.int64, device=device)
    targets = torch.full((2, classes), 1 / classes, device=device) if soft else hard
    try:
        loss = criterion(torch.zeros(2, classes, device=device), targets)
    except Exception as error:
        if soft:
            raise UsageError(
                f"{component.label} does not take the soft targets that the chosen augmentation mixes; "
                "--criterion cross_entropy does"
            ) from error
        wrong = UsageError if component.options else PluginError
        raise wrong(f"{component.label} fails on (2, {classes}) logits: {in_one_line(error)}") from error
    if not isinstance(loss, Tensor) or loss.ndim:
        got = f"shape {tuple(loss.shape)}" if isinstance(loss, Tensor) else type(loss).__name__
        raise PluginError(f"{component.label} must return the mean loss as a scalar tensor, not {got}")


def _input_size(model: nn.Module, images: ImageFacts, component: Component) -> tuple[int, int] | None:
    """Return the size that the model asks for, None where it takes the images as they are."""
    size: Any = getattr(model, "input_size", None)
    if size is None or isinstance(size, nn.Module):
        return None
    try:
        height, width = (int(length) for length in size)
    except (TypeError, ValueError):
        raise PluginError(f"{component.label} set input_size to {size!r}; it must be (H, W)") from None
    return None if (height, width) == images.image_size else (height, width)

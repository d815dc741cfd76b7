"""Everything that the loop works with, built from a run's components."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import ReduceLROnPlateau

from zoo.config import Config, TrainSettings
from zoo.data import EvaluationBatches, ImageFacts, Reader, Split, TrainingBatches, on_device, reader_count
from zoo.data.augmentation import NEAR, Augmentation, Augmenter
from zoo.data.cutting import Cutting
from zoo.data.dataset import weights_of
from zoo.data.order import Order, visits
from zoo.errors import PluginError, UsageError
from zoo.registry.entry import in_one_line
from zoo.runs.components import Component, Components
from zoo.runs.datasets import Splits
from zoo.runs.network import Network
from zoo.runs.sharding import share_out
from zoo.runs.tuning import build_freezing, build_probe, build_refit, rates_for
from zoo.training.averaging import Average
from zoo.training.fit import Task
from zoo.training.loss_scale import LossScale
from zoo.training.losses import LossRecord
from zoo.training.parameters import parameter_groups
from zoo.training.predictions import PredictionRecord
from zoo.training.sharding import step_on_parts
from zoo.training.slices import Slices
from zoo.training.updates import Updates
from zoo.training.world import ALONE, World

Denominator = Callable[[Tensor], Any]

_DEEPEST = 4  # partners of partners of ... whose images are remembered; what is not is read again


def build_task(
    components: Components,
    config: Config,
    images: ImageFacts,
    splits: Splits,
    network: Network,
    world: World,
) -> Task:
    """Put together everything that `fit` works with.

    Raises:
        UsageError: If an option is wrong, or the criterion cannot take what the augmentations give.
        PluginError: If a builder fails or returns something else.
    """
    settings = config.train
    criterion, denominator = build_criterion(components["criterion"], network.device)
    reader, augmenter = build_reading(components.several["augment"], images, splits.train, network, settings)
    training = TrainingBatches(
        splits.train,
        settings.images_in_batch,
        seed=settings.seed,
        prepare=network.prepare,
        accumulate=settings.batches_in_step,
        slices=settings.slices or 1,
        process=(world.rank, world.size),
        # The shares are taken from labels, before they are mixed: the mean over soft targets is one over samples.
        denominator=len if augmenter is not None and augmenter.soft_targets else denominator,
        augment=augmenter,
        reader=reader,
        balance=settings.balance,
        order=settings.order,
    )
    _check_criterion(components["criterion"], criterion, images.num_classes, augmenter, network.device)
    if settings.patience is not None and settings.validation == 0:
        raise UsageError("--patience waits for a better validation, but --validation 0 holds no images out")
    average = Average(network.model, settings.ema) if settings.ema is not None else None
    steps = settings.steps or settings.epochs * training.steps  # also of the schedule of a run that takes none
    rates = rates_for(components["optimizer"], network.model, settings)
    optimizer = build_optimizer(components["optimizer"], network.model, rates)
    shards = share_out(settings, network, optimizer, average, world, images.image_size)
    if shards is not None:  # of the parts
        optimizer = step_on_parts(build_optimizer(components["optimizer"], network.model, rates))
    scheduler = components["scheduler"].build(optimizer=optimizer, total_steps=steps, steps_per_epoch=training.steps)
    if isinstance(scheduler, ReduceLROnPlateau):
        raise PluginError(
            f"{components['scheduler'].label} waits for a measure, which schedulers of zoo are not given: they set the "
            "rate step by step"
        )
    losses = LossRecord(denominator)
    slices = build_slices(settings, network, losses, world, sharded=shards is not None)
    probe = build_probe(network, settings, splits.train, average, world)
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
            gather=slices.gather if slices else None,
            scale=LossScale(network.model) if network.precision == "fp16" else None,
        ),
        training=training,
        validation=evaluation_batches(splits.validation, settings, network, world) if splits.validation else None,
        losses=losses,
        steps=0 if settings.tune == "probe" else steps,
        patience=settings.patience,
        select=settings.select,
        slices=slices,
        predictions=PredictionRecord(len(splits.validation), images.num_classes) if splits.validation else None,
        freezing=build_freezing(network.model, settings, training.steps),
        world=world,
        probe=probe,
        refit=build_refit(probe, network, settings, average),
        shards=shards,
    )


def build_slices(
    settings: TrainSettings, network: Network, losses: LossRecord, world: World, *, sharded: bool
) -> Slices | None:
    """Return what cuts the steps into slices; None where a batch is one slice: then nothing is done to it."""
    if (settings.slices or 1) == 1:
        return None
    fast = settings.sum == "fast"
    return Slices(network.model, losses, world, settings.seed, slices_in_step(settings), fast=fast, sharded=sharded)


def slices_in_step(settings: TrainSettings) -> int:
    """Return the most slices of a step, among which processes are dealt; 1 where batches are not cut."""
    return settings.slices * settings.batches_in_step if settings.slices and settings.slices > 1 else 1


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


def build_reading(
    parts: tuple[Component, ...], images: ImageFacts, split: Split, network: Network, settings: TrainSettings
) -> tuple[Reader, Augmenter | None]:
    """Return what reads the training images, or parts of them, and what augments them; None for nothing.

    Raises:
        UsageError: If an augmentation's options are wrong.
    """
    augmentations = build_augmentations(parts, images, network)
    cut = settings.crop_from == "file"
    boxes = Cutting(augmentations[0], settings.seed, network.prepare.size or images.image_size) if cut else None
    remembered = NEAR * min(len(parts), _DEEPEST)
    reader = Reader(split, reader_count(settings.readers), remembered=remembered, boxes=boxes)
    if not parts:
        return reader, None

    def fetch(epoch: int, indices: Tensor) -> tuple[Tensor, Tensor]:
        stored, labels = reader.batch(epoch, indices)
        return network.prepare(stored), on_device(labels, network.device)

    near = None
    if getattr(split, "partners", "any") == "near":
        near = partial(_visits, split.labels, weights_of(split), settings)
    augmenter = Augmenter(
        augmentations, seed=settings.seed, num_samples=len(split), fetch=fetch, near=near, begun=1 if cut else 0
    )
    return reader, augmenter


def build_augmentations(parts: tuple[Component, ...], images: ImageFacts, network: Network) -> list[Augmentation]:
    """Build the augmentations in their order.

    Raises:
        UsageError: If their options are wrong.
    """
    prepare = network.prepare
    size = prepare.size or images.image_size
    facts = {"num_classes": images.num_classes, "in_channels": prepare.channels, "image_size": size}
    facts |= {"pixel_mean": prepare.mean, "pixel_std": prepare.std}
    return [part.build(**facts) for part in parts]


def _visits(labels: Tensor, weights: Tensor | None, settings: TrainSettings, epoch: int) -> Order:
    return visits(settings.seed, epoch, labels, settings.balance, settings.order, weights)


def build_optimizer(component: Component, model: nn.Module, rates: Mapping[str, float] | None = None) -> Optimizer:
    """Build the optimizer over the model's trainable parameters; weight decay spares biases and norms.

    Args:
        component: What builds it.
        model: Whose parameters.
        rates: Each parameter's own rate by name, absolute, so that any scheduler moves it; None for one rate.

    Raises:
        UsageError: If its options are wrong.
        PluginError: If its builder fails.
    """
    groups = parameter_groups(model, rates, decays=component.may_decay)
    optimizer: Optimizer = component.build(params=groups)
    return optimizer


def evaluation_batches(
    split: Split, settings: TrainSettings, network: Network, world: World = ALONE
) -> EvaluationBatches:
    """Return this process's batches of *split* in its own order."""
    readers, process = reader_count(settings.readers), (world.rank, world.size)
    prepare = network.prepare_evaluation
    return EvaluationBatches(split, settings.eval_batch_size, prepare, readers=readers, process=process)


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

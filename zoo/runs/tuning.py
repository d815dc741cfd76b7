"""How pretrained weights are tuned: what is left to zoo is decided here, once, and recorded."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import torch
from torch import nn

from zoo.config import TrainSettings
from zoo.data import EvaluationBatches, Split, capped, reader_count
from zoo.errors import UsageError
from zoo.runs.components import Component, Components
from zoo.runs.network import Network
from zoo.training.averaging import Average
from zoo.training.freezing import Freezing, batch_norms, frozen_names
from zoo.training.layer_groups import head_of, layer_groups
from zoo.training.parameters import groups_below, layer_rates
from zoo.training.probing import Probe, can_be_probed
from zoo.training.world import World

LAYER_DECAY = 0.75
"""What rates fall by a layer group from the head down, where weights are tuned."""

GENTLE = 1 / 30
"""What the optimizer's own rate is multiplied by where whole networks are tuned and no rate is given."""

GENTLE_SMALL = 1 / 10
"""The same for small sets, which take few steps, and whose head is fitted anew."""

PROBED_IMAGES = 20_000
"""Images that the head is fitted to at most, mirrored ones counted: what it sees of them stays in memory."""


SMALL = 2000
"""Training images up to which a set is small: few steps are taken, and they leave the head behind the rest."""

SMALL_BATCH = 16
"""Images in a batch where a small set is tuned and nobody says how many, so that there are steps enough."""

HARDLY = 1 / 5
"""The share of the rate below which a layer group of a small set stands still, with all that comes before it.

Its steps are few, and half of their time goes into layers that they hardly move."""


def decided(settings: TrainSettings, components: Components, network: Network, split: Split) -> TrainSettings:
    """Return *settings* with what was left open decided: tuning where the model begins with pretrained weights.

    It does where it was asked to, or says what its weights expect. The *split* has the training images.

    Raises:
        UsageError: If settings contradict one another.
    """
    tune = settings.tune
    if tune == "auto":
        pretrained = components["model"].option("pretrained") or network.expects is not None
        tune = "full" if pretrained else "off"
    tuned = tune != "off"
    rated = base_rate(components["optimizer"]) is not None
    if not rated and (settings.layer_decay or settings.head_lr):
        raise UsageError(
            f"--layer-decay and --head-lr multiply a rate, but {components['optimizer'].label} has none of its own; "
            "give --lr, or leave them out"
        )
    small = tune == "full" and len(split) <= SMALL
    settings = dataclasses.replace(
        settings,
        tune=tune,
        batch_size=SMALL_BATCH if small and settings.batch_size == "auto" else settings.images_in_batch,
        layer_decay=settings.layer_decay or (LAYER_DECAY if tuned and rated else 1.0),
        head_lr=settings.head_lr or 1.0,
        batch_norm=settings.batch_norm if settings.batch_norm != "auto" else "frozen" if tuned else "train",
    )
    freeze = _hardly_learning(settings, network, small=small) if settings.freeze == "auto" else settings.freeze
    if settings.unfreeze_after is not None and freeze == 0 and tune != "head":
        raise UsageError("--unfreeze-after needs --freeze or --tune head: nothing is frozen here")
    refit = "on" if _is_refitted(settings, network, split) else "off"
    return dataclasses.replace(settings, refit=refit, freeze=freeze)


def with_rate(components: Components, settings: TrainSettings, images: int) -> Components:
    """Return *components* with the rate for tuning, where whole networks are tuned and nobody gave a rate.

    There are so many training *images*, and the settings are `decided`.
    """
    optimizer = components["optimizer"]
    rate = base_rate(optimizer)
    if settings.tune != "full" or "lr" in optimizer.options or rate is None:
        return components
    own = {"lr": rate * (GENTLE_SMALL if images <= SMALL and settings.refit == "on" else GENTLE)}
    choice = dataclasses.replace(optimizer.choice, options={**optimizer.choice.options, **own})
    gentle = dataclasses.replace(optimizer, choice=choice, options={**optimizer.options, **own})
    return dataclasses.replace(components, single={**components.single, "optimizer": gentle})


def base_rate(component: Component) -> float | None:
    """Return the rate that an optimizer would begin with; None where that cannot be told."""
    rate = component.option("lr")
    return float(rate) if isinstance(rate, int | float) and not isinstance(rate, bool) and rate > 0 else None


def rates_for(component: Component, model: nn.Module, settings: TrainSettings) -> dict[str, float] | None:
    """Return the rate of each parameter by name; None where all have the optimizer's own."""
    decay, head_lr, rate = settings.layer_decay or 1.0, settings.head_lr or 1.0, base_rate(component)
    if rate is None or decay == head_lr == 1:
        return None
    return layer_rates(layer_groups(model), lr=rate, layer_decay=decay, head_lr=head_lr)


def build_freezing(model: nn.Module, settings: TrainSettings, steps_per_epoch: int) -> Freezing | None:
    """Return what freezes parameters and batch norms; None where nothing is frozen.

    Raises:
        UsageError: If ``--freeze`` means no parameter, or all of them.
        PluginError: If the model's head cannot be found.
    """
    frozen: set[str] = set()
    if settings.freeze != 0 or settings.tune == "head":
        frozen = _frozen(layer_groups(model), settings)
    norms = batch_norms(model, head_of(model)[0]) if settings.batch_norm == "frozen" else set()
    if not frozen and not norms:
        return None
    until = settings.unfreeze_after
    return Freezing(model, frozen, until=until * steps_per_epoch if until else None, norms=norms)


def build_probe(
    network: Network, settings: TrainSettings, split: Split, average: Average | None, world: World
) -> Probe | None:
    """Return what fits the head before the first step; None where nothing is probed.

    A head that came with the weights, since the classes have the same names, is tuned on from what it is; it is fitted
    anew only where a probe is asked for by name.

    Raises:
        UsageError: If a probe is asked for, and the model's head cannot be fitted.
    """
    if settings.tune not in ("probe", "full"):
        return None
    name, head = head_of(network.model)
    probed = settings.refit == "on" or _is_probed(settings, network, split)  # the former was decided by the latter
    if not probed or not isinstance(head, nn.Linear):
        if settings.tune == "full":
            return None
        raise UsageError(
            f"--tune probe fits a linear head that is given one vector for each image, which {name!r} "
            f"({type(head).__name__}) is not; use --tune head"
        )
    copies = [average.module.get_submodule(name)] if average is not None else []
    images = capped(split, PROBED_IMAGES, settings.seed)
    return Probe(
        forward=network.around(network.model),
        head=head,
        copies=[layer for layer in copies if isinstance(layer, nn.Linear)],
        mirrored=2 * len(images) <= PROBED_IMAGES,
        batches=batches_for_probe(images, settings, network, world),
    )


def batches_for_probe(split: Split, settings: TrainSettings, network: Network, world: World) -> EvaluationBatches:
    """Return this process's batches of images that a head is fitted to, in the size of training."""
    readers, process = reader_count(settings.readers), (world.rank, world.size)
    return EvaluationBatches(split, settings.eval_batch_size, network.prepare, readers=readers, process=process)


def build_refit(
    probe: Probe | None, network: Network, settings: TrainSettings, average: Average | None
) -> Probe | None:
    """Return what fits the head anew after the last step, that of the averaged weights where there are such; or None.

    Whether it is, is `decided`.
    """
    if probe is None or settings.refit != "on":
        return None
    if average is None:
        return dataclasses.replace(probe, copies=())
    (head,) = probe.copies
    return dataclasses.replace(probe, forward=network.around(average.module), head=head, copies=())


def _is_refitted(settings: TrainSettings, network: Network, split: Split) -> bool:
    """Decide whether the head is fitted anew after the last step.

    Raises:
        UsageError: If it is asked for, and nothing is probed, no step is taken after the probe, or the last may not be.
    """
    if settings.refit == "on":
        if settings.patience is not None:
            raise UsageError("--refit on is for the last epoch, which --patience may leave out; leave one of them out")
        if settings.tune != "full" or not _is_probed(settings, network, split):
            raise UsageError(
                "--refit on fits anew what --tune full began with, a fitted head, and there is none; leave it out"
            )
        return True
    wanted = settings.refit == "auto" and settings.patience is None
    return wanted and settings.tune == "full" and len(split) <= SMALL and _is_probed(settings, network, split)


def _hardly_learning(settings: TrainSettings, network: Network, *, small: bool) -> int:
    """Return how many layer groups, from the input on, a *small* set's few steps would hardly move.

    Batch norms that count on are left to do so, in whichever layer.
    """
    if not small or settings.batch_norm != "frozen":
        return 0
    return groups_below(HARDLY, len(layer_groups(network.model)), settings.layer_decay or 1.0)


def _is_probed(settings: TrainSettings, network: Network, split: Split) -> bool:
    """Whether the head can be fitted before the first step, and is not one to be tuned on from what it is."""
    if settings.tune == "full" and _kept_head(network):
        return False
    pixels, _ = split.batch(torch.arange(min(2, len(split)), device=split.labels.device))
    _, head = head_of(network.model)
    return can_be_probed(network.around(network.model), head, network.prepare(pixels))


def _kept_head(network: Network) -> bool:
    return network.expects is not None and network.expects.head == "kept"


def _frozen(groups: Sequence[Sequence[str]], settings: TrainSettings) -> set[str]:
    below_head = {name for group in groups[:-1] for name in group} if settings.tune == "head" else set()
    return below_head | (frozen_names(groups, settings.freeze) if settings.freeze != 0 else set())

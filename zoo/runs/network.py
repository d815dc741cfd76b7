"""A run's model on its device, and what turns stored images into its inputs."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from zoo.config import TrainSettings
from zoo.data import Expects, ImageFacts, Preparation
from zoo.errors import PluginError, UsageError
from zoo.registry.entry import in_one_line
from zoo.runs.components import Component
from zoo.runs.machine import Machine
from zoo.training.arithmetic import choose_memory_format, in_precision, suits_bf16
from zoo.training.evaluation import evaluating
from zoo.training.recomputing import Recomputed, blocks_of


@dataclass(frozen=True)
class Network:
    """A model on its device, with what surrounds it.

    Attributes:
        model: The module that the plugin built; its state dict is what checkpoints hold.
        forward: What runs it: the model, compiled or in half precision where that was chosen.
        prepare: Turns stored images into its inputs.
        prepare_evaluation: The same in evaluations and predictions, which may be of another size.
        expects: What the model's weights expect of images, as it is used; None where they expect nothing, and images
            are normalised by the data's own statistics.
        memory_format: Layout of its convolution weights and inputs.
        precision: ``"fp32"``, ``"bf16"`` or ``"fp16"``.
        device: Where it is.
        tta: The augmentations over whose views of an image *forward* averages; none in training.
    """

    model: nn.Module
    forward: nn.Module
    prepare: Preparation
    prepare_evaluation: Preparation
    expects: Expects | None
    memory_format: torch.memory_format
    precision: str
    device: torch.device
    tta: tuple[str, ...] = ()

    def around(self, model: nn.Module) -> nn.Module:
        """Return what runs another *model* of the same architecture in the same precision."""
        return in_precision(model, self.precision, self.device)


def build_network(
    component: Component,
    images: ImageFacts,
    machine: Machine,
    settings: TrainSettings,
    *,
    recorded: Expects | None = None,
) -> Network:
    """Build the model and see that it maps images to one logit a class.

    Args:
        component: What builds it.
        images: The images that the data stores.
        machine: What computes.
        settings: How the run trains.
        recorded: What the weights expect that will be loaded from a checkpoint; they need not be fetched again.

    Raises:
        UsageError: If its options are wrong, or its weights expect other images than these.
        PluginError: If it is no module, or gives another shape.
    """
    if recorded is not None:
        component = component.without_pretrained()
    source = component.beginning.open(images)
    known = source.expects if source else recorded
    model: nn.Module = component.build(
        num_classes=images.num_classes,
        in_channels=images.in_channels if known is None else known.channels,
        image_size=images.image_size if known is None or known.size is None else known.size,
        class_names=images.classes,
    )
    if lazy := [name for name, parameter in model.named_parameters() if is_lazy(parameter)]:
        raise PluginError(
            f"{component.label} leaves the size of {lazy[0]!r} open; give it from in_channels and image_size"
        )
    if not any(parameter.requires_grad for parameter in model.parameters()):
        raise PluginError(f"{component.label} has no trainable parameter")
    if source is not None:
        model.expects = dataclasses.replace(source.expects, head=source.load_into(model, images))  # type: ignore[assignment]
    memory_format = choose_memory_format(settings.memory_format, model, machine.device)
    model = model.to(device=machine.device, memory_format=memory_format)  # type: ignore[call-overload]
    expects = recorded or _expectations(model, images, component)
    prepare = _preparation(model, expects, images, component, (machine.device, memory_format))
    slow = settings.precision == "auto" and not suits_bf16(model, machine.device)
    precision = "fp32" if slow else machine.precision
    forward = in_precision(
        _recomputed(model, component) if settings.checkpoint_activations else model, precision, machine.device
    )
    if settings.compile:
        forward = torch.compile(forward)  # type: ignore[assignment]
    judged = prepare.at((settings.eval_size,) * 2) if settings.eval_size else prepare
    network = Network(model, forward, prepare, judged, expects, memory_format, precision, machine.device)
    check_logits(network, images, component.label)
    return network


def _recomputed(model: nn.Module, component: Component) -> nn.Module:
    if blocks := blocks_of(model):
        return Recomputed(model, blocks)
    raise UsageError(
        f"--checkpoint-activations needs blocks of layers, of which {component.label} has none; leave it out"
    )


def prepared_for(network: Network, images: ImageFacts, component: Component) -> Network:
    """Return *network* for images whose size and statistics were not known when its model was built."""
    if network.expects is not None and component.beginning.leaves_statistics(network.model):
        measured = dataclasses.replace(network.expects, mean=images.mean, std=images.std)
        network = dataclasses.replace(network, expects=measured)
    device_and_format = (network.device, network.memory_format)
    prepare = _preparation(network.model, network.expects, images, component, device_and_format)
    judged = prepare
    if network.prepare_evaluation is not network.prepare and network.prepare_evaluation.size is not None:
        judged = prepare.at(network.prepare_evaluation.size)
    return dataclasses.replace(network, prepare=prepare, prepare_evaluation=judged)


def _preparation(
    model: nn.Module,
    expects: Expects | None,
    images: ImageFacts,
    component: Component,
    device_and_format: tuple[torch.device, torch.memory_format],
) -> Preparation:
    """Return what turns images as they are stored into what the model takes."""
    device, memory_format = device_and_format
    return Preparation(
        expects.mean if expects else images.mean,
        expects.std if expects else images.std,
        size=_resized(expects.size if expects else _input_size(model, component), images),
        interpolation=expects.interpolation if expects else "bilinear",
        device=device,
        memory_format=memory_format,
    )


def check_logits(network: Network, images: ImageFacts, label: str) -> None:
    """Run the model on two blank images and see that it gives (2, K) logits, at the size of evaluations as well.

    Raises:
        PluginError: If it fails or gives anything else.
        UsageError: If it does so at the size of evaluations alone.
    """
    blank = torch.zeros(2, images.in_channels, *images.image_size, dtype=torch.uint8)
    _check_logits_for(network, network.prepare(blank), images, label)
    if network.prepare_evaluation is not network.prepare:
        try:
            _check_logits_for(network, network.prepare_evaluation(blank), images, label)
        except PluginError as error:
            raise UsageError(f"--eval-size: {error}") from error


def _check_logits_for(network: Network, inputs: Tensor, images: ImageFacts, label: str) -> None:
    try:
        with evaluating(network.model):
            logits = network.around(network.model)(inputs)
    except Exception as error:
        raise PluginError(f"{label} fails on inputs {tuple(inputs.shape)}: {in_one_line(error)}") from error
    expected = (2, images.num_classes)
    if not isinstance(logits, Tensor) or tuple(logits.shape) != expected:
        got = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
        raise PluginError(f"{label} maps inputs {tuple(inputs.shape)} to {got}; it must give logits {expected}")


def parameter_count(model: nn.Module) -> int:
    """Count the trainable numbers of *model*."""
    return sum(math.prod(parameter.shape) for parameter in model.parameters() if parameter.requires_grad)


def _expectations(model: nn.Module, images: ImageFacts, component: Component) -> Expects | None:
    """Return what the model's weights expect, with the size at which they will be used; None where that is nothing.

    Raises:
        UsageError: If the images have another number of channels.
        PluginError: If the builder set something else.
    """
    stated: Any = getattr(model, "expects", None)
    expects = None if isinstance(stated, nn.Module) else stated
    if expects is not None and not isinstance(expects, Expects):
        raise PluginError(f"{component.label} set expects to {expects!r:.60}; it must be a zoo.Expects")
    component.beginning.verify(expects)
    expects = component.beginning.applied(expects, images)
    if expects is None:
        return None
    if images.in_channels not in (1, expects.channels):
        raise UsageError(
            f"the weights of {component.label} take images of {expects.channels} "
            f"channel{'s' if expects.channels != 1 else ''}, and the data has {images.in_channels}"
        )
    return dataclasses.replace(expects, size=_input_size(model, component) or expects.size)


def _input_size(model: nn.Module, component: Component) -> tuple[int, int] | None:
    """Return the size that the model asks for, None where it takes the images as they are."""
    size: Any = getattr(model, "input_size", None)
    if size is None or isinstance(size, nn.Module):
        return None
    try:
        height, width = (int(length) for length in size)
    except (TypeError, ValueError):
        raise PluginError(f"{component.label} set input_size to {size!r}; it must be (H, W)") from None
    return height, width


def _resized(size: tuple[int, int] | None, images: ImageFacts) -> tuple[int, int] | None:
    """Return the size to which images are resized, None where they have it."""
    return None if size == images.image_size else size

"""Building an entry of any kind as a run would, with facts that nobody has to think about."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import SGD, Optimizer
from torch.optim.lr_scheduler import LRScheduler

from zoo.config import Choice, TrainSettings
from zoo.data import Dataset, Expects, ImageFacts
from zoo.errors import UsageError
from zoo.registry import Entry, build, options_of, signature_of
from zoo.registry.signatures import checked_options
from zoo.runs.components import Component
from zoo.runs.machine import Machine
from zoo.runs.network import Network, build_network
from zoo.runs.task import build_optimizer
from zoo.testing.outcome import ContractError, NotChecked
from zoo.training.randomness import seed_everything

SIZES = ((28, 28), (32, 32), (64, 64), (96, 96), (224, 224))
"""Image sizes, (H, W), of which a model must take one."""

_SETTINGS = TrainSettings(memory_format="contiguous", precision="fp32", device="cpu")


@dataclasses.dataclass(frozen=True)
class Case:
    """The data that a model is built for.

    Attributes:
        num_classes: K.
        in_channels: C.
        image_size: (H, W), in pixels.
    """

    num_classes: int = 10
    in_channels: int = 3
    image_size: tuple[int, int] = SIZES[0]

    @property
    def facts(self) -> dict[str, Any]:
        """What a builder may ask for."""
        normalised_by = {"pixel_mean": (0.5,) * self.in_channels, "pixel_std": (0.25,) * self.in_channels}
        return {**dataclasses.asdict(self), "class_names": self.class_names, **normalised_by}

    @property
    def class_names(self) -> tuple[str, ...]:
        """K names."""
        return tuple(map(str, range(self.num_classes)))

    def __str__(self) -> str:
        height, width = self.image_size
        return f"{self.num_classes} classes, {self.in_channels} channels, {height} x {width} pixels"


def with_options(entry: Entry, options: Mapping[str, Any]) -> Entry:
    """Return *entry* with options bound to it, for one that cannot be built without.

    Raises:
        UsageError: If it does not take them.
    """
    if not options:
        return entry
    return dataclasses.replace(
        entry, arguments={**entry.arguments, **checked_options(entry, signature_of(entry), options)}
    )


def require_buildable(entry: Entry) -> None:
    """Do nothing if *entry* can be built from its defaults alone.

    Raises:
        NotChecked: If an option has none, or a dataset asks for one.
    """
    if missing := [option.name for option in options_of(entry) if option.required]:
        names = ", ".join(map(repr, missing))
        raise NotChecked(f"{entry} cannot be built without {names}; give options to check it")
    if entry.kind == "datasets":
        try:
            dataset(entry)
        except UsageError as error:
            raise NotChecked(f"{entry} asks for options: {error}") from None


@contextmanager
def seeded(seed: int = 0) -> Iterator[None]:
    """Seed all that models draw from, and leave torch's generator as it was."""
    with torch.random.fork_rng(devices=[]):
        seed_everything(seed)
        yield


def network(entry: Entry, case: Case, seed: int = 0, recorded: Expects | None = None) -> Network:
    """Build a model on the CPU as a run does, from a seed, or as a run that *recorded* what its weights expect.

    Raises:
        UsageError: If its builder refuses the size.
        PluginError: If it is no model, or gives other than (N, K) logits in evaluation.
    """
    images = ImageFacts(
        case.class_names,
        (0.5,) * case.in_channels,
        (0.25,) * case.in_channels,
        case.in_channels,
        case.image_size,
    )
    return network_of(_component(entry), images, seed, recorded)


def network_of(component: Component, images: ImageFacts, seed: int = 0, recorded: Expects | None = None) -> Network:
    """Build the model of a run's component, likewise."""
    machine = Machine(torch.device("cpu"), "fp32", torch.get_num_threads())
    with seeded(seed):
        return build_network(component, images, machine, _SETTINGS, recorded=recorded)


def inputs_of(built: Network, case: Case, count: int = 8, seed: int = 1) -> Tensor:
    """Return normal noise, float32 (count, C', H, W), of the channels and the size that the model asks for."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, built.prepare.channels, *(built.prepare.size or case.image_size), generator=generator)


@lru_cache(maxsize=64)
def sensible_size(entry: Entry) -> tuple[int, int]:
    """Return the first size that the model's builder does not refuse for grey and for coloured images.

    Raises:
        ContractError: If it refuses them all.
    """
    refusal = ""
    for size in SIZES:
        try:
            for channels in (1, 3):
                network(entry, Case(in_channels=channels, image_size=size))
        except UsageError as error:
            refusal = str(error)
        else:
            return size
    raise ContractError(
        entry,
        expected=f"a model for images of one of the sizes {', '.join(f'{h} x {w}' for h, w in SIZES)}",
        seen=f"each refused, the last with: {refusal}",
        mend="Let the builder take these sizes, or set model.input_size = (H, W), to which zoo then resizes.",
    )


class Regression(nn.Module):
    """A problem whose loss is convex in its parameters, which have the ranks that image classifiers' have."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(8, 4)
        self.conv = nn.Conv2d(2, 3, 3)

    def loss(self) -> Tensor:
        """Return the mean squared distance to fixed targets."""
        generator = torch.Generator().manual_seed(3)
        features = torch.randn(64, 8, generator=generator)
        images = torch.randn(16, 2, 6, 6, generator=generator)
        first: Tensor = self.linear(features) - features @ torch.randn(8, 4, generator=generator) - 1
        kernel = torch.randn(3, 2, 3, 3, generator=generator)
        second: Tensor = self.conv(images) - nn.functional.conv2d(images, kernel) - 1
        return first.square().mean() + second.square().mean()


def regression(seed: int = 0) -> Regression:
    """Return the problem with weights drawn from a seed."""
    with seeded(seed):
        return Regression()


def optimizer(entry: Entry, problem: nn.Module) -> Optimizer:
    """Build an optimizer over a module's parameters, in groups, as a run does."""
    return build_optimizer(_component(entry), problem)


def scheduler(
    entry: Entry, over: Optimizer | None = None, total_steps: int = 20, steps_per_epoch: int = 5
) -> LRScheduler:
    """Build a scheduler, by default over an SGD."""
    over = over or SGD([nn.Parameter(torch.zeros(1))], lr=0.1, momentum=0.9)
    facts = {"optimizer": over, "total_steps": total_steps, "steps_per_epoch": steps_per_epoch}
    built: LRScheduler = build(entry, facts=facts, options={})
    return built


@lru_cache(maxsize=1)
def dataset(entry: Entry) -> Dataset:
    """Build a dataset; the last one is kept, since reading it may take long."""
    built: Dataset = build(entry, facts={}, options={})
    return built


def augmentation(entry: Entry, case: Case = Case()) -> Any:
    """Build an augmentation."""
    return build(entry, facts=case.facts, options={})


def plain(entry: Entry) -> Any:
    """Build an entry that needs no facts: a criterion, an observer."""
    return build(entry, facts={}, options={})


def build_somehow(entry: Entry) -> Any:
    """Build an entry of a kind that needs torch."""
    return _BUILDERS[entry.kind](entry)


_BUILDERS: Mapping[str, Callable[[Entry], Any]] = {
    "models": lambda entry: network(entry, Case(image_size=sensible_size(entry))),
    "optimizers": lambda entry: optimizer(entry, regression()),
    "criteria": plain,
    "schedulers": scheduler,
    "datasets": dataset,
    "augmentations": augmentation,
}


def _component(entry: Entry) -> Component:
    defaults = {option.name: option.default for option in options_of(entry) if not option.required}
    return Component(Choice(entry.full_name, defaults), {}, entry)

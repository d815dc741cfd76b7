"""What the contract tells a plugin's author: each fault's expectation, what was seen, and how to mend it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest
import torch
from entry_of import entry_of
from torch import Tensor, nn, optim
from torch.nn import functional as F
from torch.optim import lr_scheduler

import zoo
from zoo.errors import PluginError, UsageError, ZooError
from zoo.registry.signatures import signature_of
from zoo.testing import (
    ContractError,
    ContractWarning,
    augmentations,
    building,
    criteria,
    datasets,
    optimizers,
    signatures,
)
from zoo.testing.building import Case
from zoo.testing.costs import measured
from zoo.testing.outcome import Check, NotChecked, Outcome, warn


def told(check: Callable[[Any], Any], entry: Any) -> tuple[str, str, str]:
    """Return what was expected, what was seen and how to mend it, and check that the message has these three."""
    with pytest.raises(ContractError) as caught:
        check(entry)
    error = caught.value
    assert str(error) == f"{entry}: expected {error.expected}; saw {error.seen}.\n{error.mend}"
    assert (error.subject, error.exit_code) == (str(entry), 3)
    assert error.mend[0].isupper()
    assert error.mend.endswith((".", "one."))
    return error.expected, error.seen, error.mend


def giving(kind: str, part: Any) -> Any:
    """Return an entry whose builder gives *part*, whatever it is asked for."""

    def builder() -> Any:
        return part

    return entry_of(kind, builder)


def wobbling(logits: Tensor, targets: Tensor) -> Tensor:
    """Has an infinite loss for logits of 100 and more."""
    return F.cross_entropy(logits, targets) + torch.where(logits.abs().max() > 50, torch.inf, 0.0)


def steep(logits: Tensor, targets: Tensor) -> Tensor:
    """Has a finite loss, and a slope that is not."""
    return F.cross_entropy(logits, targets) + 0 * (logits[:, 0] * 0).sqrt().sum()


CRITERIA: list[tuple[Callable[[Any], Any], Callable[..., Any], tuple[str, str, str]]] = [
    (
        criteria.check_mean,
        lambda x, y: F.cross_entropy(x, y, reduction="none"),
        (
            "a floating scalar tensor for logits (12, 5) and targets (12,)",
            "torch.float32 (12,)",
            "Return the mean, .mean(), not one loss a sample and no Python number.",
        ),
    ),
    (
        criteria.check_mean,
        lambda x, y: (x.argmax(1) == y).sum(),
        (
            "a floating scalar tensor for logits (12, 5) and targets (12,)",
            "torch.int64 ()",
            "Return the mean, .mean(), not one loss a sample and no Python number.",
        ),
    ),
    (
        criteria.check_slope,
        lambda x, y: F.cross_entropy(x.detach(), y),
        (
            "a finite gradient with respect to the logits",
            "none",
            "Use torch's operations on the logits, without detach(), argmax or item().",
        ),
    ),
    (
        criteria.check_slope,
        steep,
        (
            "a finite gradient with respect to the logits",
            "nan or infinity",
            "Use torch's operations on the logits, without detach(), argmax or item().",
        ),
    ),
    (
        criteria.check_finite,
        wobbling,
        (
            "a finite loss and gradient for logits of +-100",
            "the loss inf",
            "Use log_softmax or logsumexp in place of log(softmax(...)), and clamp before roots and logs.",
        ),
    ),
    (
        criteria.check_finite,
        steep,
        (
            "a finite loss and gradient for logits of +-0",
            "a gradient with nan or infinity",
            "Use log_softmax or logsumexp in place of log(softmax(...)), and clamp before roots and logs.",
        ),
    ),
]


@pytest.mark.parametrize(("check", "function", "words"), CRITERIA, ids=[words[1] for _, _, words in CRITERIA])
def test_a_criterions_fault_is_told_whole(check: Any, function: Any, words: tuple[str, str, str]) -> None:
    """What it should return, what it returned, and which of torch's functions does it."""
    assert told(check, giving("criteria", function)) == words


def test_a_sum_is_told_with_both_numbers() -> None:
    """The whole batch's, and what its parts would make of it."""
    expected, seen, mend = told(
        criteria.check_mean, giving("criteria", lambda x, y: F.cross_entropy(x, y, reduction="sum"))
    )
    assert expected == "the mean over the batch"
    whole, parts = seen.split(" for 12 samples, where 4 and 8 of them have the mean ")
    assert float(whole) > float(parts) > 0
    assert mend.startswith("Divide by the number of samples. If the mean is over something else, such as weights")


class Idle(nn.Module):
    """An augmentation that does what a test says."""

    def __init__(self, change: Callable[..., Any], soft: bool = False) -> None:
        super().__init__()
        self.change = change
        if soft:
            self.soft_targets = True

    def forward(self, inputs: Tensor, targets: Tensor, draws: zoo.Draws) -> Any:
        return self.change(inputs, targets, draws)


def soft(share: float) -> Callable[..., Any]:
    return lambda x, y, draws: (x + draws.uniform(1, 1, 1), F.one_hot(y, 5).float() * share)


AUGMENTATIONS = [
    (
        augmentations.check_batches,
        Idle(soft(0.5), soft=True),
        (
            "soft targets whose rows have the sum 1",
            "sums from 0.5 to 0.5",
            "Weigh two labels by share and 1 - share.",
        ),
    ),
    (
        augmentations.check_batches,
        Idle(lambda x, y, draws: (x + 1, y), soft=True),
        (
            "soft_targets = True on an augmentation whose targets come out soft, and on no other",
            "torch.int64 targets (28,)",
            "Set the attribute on the callable that the builder returns.",
        ),
    ),
    (
        augmentations.check_batches,
        Idle(lambda x, y, draws: (x / 0, y)),
        (
            "finite inputs",
            "nan or infinity for images of 5 classes, 1 channels, 28 x 28 pixels",
            "Look at divisions by sizes or sums that can be 0.",
        ),
    ),
    (
        augmentations.check_batches,
        Idle(lambda x, y, draws: (x + 1, y.add_(1).remainder_(5))),
        (
            "the given inputs and targets as they were",
            "other values",
            "Return new tensors: mixing reads the same batch again.",
        ),
    ),
    (
        augmentations.check_purity,
        Idle(lambda x, y, draws: (x + len(x) * draws.uniform(1, 1, 1), y)),
        (
            "an image changed alike in whichever batch it comes",
            "another result in batches of 1",
            (
                "Take all random numbers from draws, with the same calls for every batch, and other images from "
                "draws.partners(), never from the batch."
            ),
        ),
    ),
    (
        augmentations.check_variety,
        Idle(lambda x, y, draws: (x.clone(), y)),
        (
            "images that change, each epoch in another way",
            "the given ones",
            "Take all random numbers from draws, and choose a default strength that does something.",
        ),
    ),
]


@pytest.mark.parametrize(
    ("check", "part", "words"), AUGMENTATIONS, ids=[words[1][:30] for _, _, words in AUGMENTATIONS]
)
def test_an_augmentations_fault_is_told_whole(check: Any, part: Any, words: tuple[str, str, str]) -> None:
    """What a batch must be afterwards, and where its numbers come from."""
    assert told(check, giving("augmentations", part)) == words


def images(count: int, seed: int = 0) -> Tensor:
    return torch.randint(256, (count, 1, 6, 6), dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))


class Split(zoo.TensorImages):
    """A split of which one thing is another."""

    def __init__(self, count: int = 30, seed: int = 0, **other: Any) -> None:
        super().__init__(images(count, seed), torch.arange(count) % 3)
        self.other = other

    def batch(self, indices: Tensor) -> tuple[Tensor, Tensor]:
        found = super().batch(indices)
        return self.other["batch"](*found) if "batch" in self.other else found


def data(**parts: Any) -> Any:
    made = {"train": Split(), "test": Split(seed=1), "classes": ("auk", "gull", "tern"), "mean": [0.5], "std": [0.3]}
    return giving("datasets", zoo.Dataset(**{**made, **parts}))


DATASETS = [
    (
        datasets.check_images,
        {"test": Split(batch=lambda x, y: (x[:, 0], y))},
        (
            "uint8 images (4, C, H, W) from test.batch of 4 indices",
            "torch.uint8 (4, 6, 6)",
            "Return bytes, not floats: zoo scales and normalises on the device.",
        ),
    ),
    (
        datasets.check_images,
        {"test": Split(seed=1, batch=lambda x, y: (x, y.flip(0)))},
        (
            "from test.batch the images at the indices, in their order, repeats among them",
            "others than when each is asked for by itself",
            "Index with the given tensor as it is; random changes are an augmentation's task.",
        ),
    ),
    (
        datasets.check_images,
        {"validation": Split(seed=2, batch=lambda x, y: (x.to(torch.int16), y))},
        (
            "uint8 images (4, C, H, W) from validation.batch of 4 indices",
            "torch.int16 (4, 1, 6, 6)",
            "Return bytes, not floats: zoo scales and normalises on the device.",
        ),
    ),
    (
        datasets.check_labels,
        {"classes": ("auk", None, 3)},
        ("names of classes as texts", "['auk', None, 3]", "Convert them with str."),
    ),
    (
        datasets.check_labels,
        {"validation": Split(seed=2, batch=lambda x, y: (x, (y + 1) % 3))},
        ("from validation.batch the labels that validation.labels has", "others", "Read both from one place."),
    ),
    (
        datasets.check_disjoint,
        {"test": Split()},
        (
            "splits that have no image in common",
            "30 of 30 test images among the training images",
            "Cut the images into two parts before anything else; never test on what was trained on.",
        ),
    ),
]


@pytest.mark.parametrize(("check", "parts", "words"), DATASETS, ids=[words[0][:40] for _, _, words in DATASETS])
def test_a_datasets_fault_is_told_whole(check: Any, parts: dict[str, Any], words: tuple[str, str, str]) -> None:
    """With the split that has it: the validation images count as well."""
    assert told(check, data(**parts)) == words


def test_labels_of_another_type_or_shape_are_told() -> None:
    """As what they are, and what they should be."""
    split = Split()
    split.labels = split.labels.int()
    words = ("train.labels int64 (30,)", "torch.int32 (30,)", "Convert with .long() and drop extra dimensions.")
    assert told(datasets.check_labels, data(train=split)) == words
    split.labels = split.labels.long().unsqueeze(1)
    assert told(datasets.check_labels, data(train=split))[1] == "torch.int64 (30, 1)"


@pytest.mark.parametrize("what", ["names", "sizes"])
def test_notes_that_are_not_one_an_image_are_told(what: str) -> None:
    """Names or sizes, of the training images or any others."""
    split = Split(seed=1)
    setattr(split, what, ["a"] * 29)
    words = told(datasets.check_known_again, data(test=split))
    assert words == (
        f"30 test.{what}, one for each image",
        "29",
        f"Give each image its own, or none: {what} = None.",
    )


def test_what_a_sound_dataset_is_told() -> None:
    """One line for each check, with the numbers that were looked at."""
    sound = data(validation=Split(9, seed=2))
    assert [check(sound) for check in datasets.CHECKS.values()] == [
        "30 train, 30 test, 1 x 6 x 6",
        "3 classes",
        "30 test images compared with 30 training images",
        "by pixels",
        "all in memory",
    ]


class NoRate(optim.SGD):
    """Has its rate elsewhere."""

    def __init__(self, params: Any, **options: Any) -> None:
        super().__init__(params, **options)
        for group in self.param_groups:
            del group["lr"]


def optimizing(kind: Any) -> Any:
    def builder(params: Any, *, lr: float = 0.01) -> Any:
        return kind(params, lr=lr)

    return entry_of("optimizers", builder)


def test_a_group_without_its_rate_is_told_with_what_it_has() -> None:
    """No scheduler could move it."""
    expected, seen, mend = told(optimizers.check_groups, optimizing(NoRate))
    assert expected == "the rate in each group, under 'lr'"
    assert seen.startswith("a group with dampening, ")
    assert "'lr': lr" in mend


def test_a_rate_that_climbs_past_the_end_is_told_with_the_run() -> None:
    """The first step at which it is wrong, and how long the run was."""

    def builder(optimizer: Any, *, total_steps: int) -> Any:
        return lr_scheduler.LambdaLR(optimizer, lambda step: float("nan") if step == 2 else 1.0)

    words = told(optimizers.check_schedule, entry_of("schedulers", builder))
    assert words == (
        "finite rates, 0 or above",
        "nan at step 3 with total_steps=3, steps_per_epoch=100",
        "Guard the divisions by total_steps or by parts of it: short runs have one step.",
    )


def test_a_schedule_that_stands_still_is_told() -> None:
    """No step would do anything."""

    def builder(optimizer: Any) -> Any:
        return lr_scheduler.LambdaLR(optimizer, lambda step: 0.0)

    words = told(optimizers.check_schedule, entry_of("schedulers", builder))
    assert words == (
        "a step at a rate above 0",
        "none with total_steps=1, steps_per_epoch=1",
        "Begin above 0, or reach the full rate before the last step.",
    )


def needs(kind: str, builder: Any, expected: str, seen: str, mend: str) -> Any:
    return pytest.param(kind, builder, (expected, seen, mend), id=f"{kind}: {seen}")


@pytest.mark.parametrize(
    ("kind", "builder", "words"),
    [
        needs(
            "models",
            lambda num_classes, width: None,
            "a builder with the arguments num_classes, in_channels",
            "num_classes, width",
            "Add in_channels: zoo passes them by keyword, from the data at hand.",
        ),
        needs(
            "models",
            lambda: None,
            "a builder with the arguments num_classes, in_channels",
            "no arguments",
            "Add num_classes and in_channels: zoo passes them by keyword, from the data at hand.",
        ),
        needs(
            "schedulers",
            lambda total_steps: None,
            "a builder with the arguments optimizer",
            "total_steps",
            "Add optimizer: zoo passes them by keyword, from the data at hand.",
        ),
        needs(
            "searchers",
            lambda seed: None,
            "a builder with the arguments space",
            "seed",
            "Add space: zoo passes them by keyword, from the data at hand.",
        ),
        needs(
            "optimizers",
            lambda params: None,
            "an option lr with a default, which --lr sets",
            "no lr",
            "Write lr: float = ... with the rate that suits the method.",
        ),
        needs(
            "optimizers",
            lambda params, lr: None,
            "an option lr with a default, which --lr sets",
            "an lr without default",
            "Write lr: float = ... with the rate that suits the method.",
        ),
    ],
)
def test_a_builder_that_lacks_an_argument_is_told_which(kind: str, builder: Any, words: tuple[str, str, str]) -> None:
    """From its signature alone: nothing is built."""
    assert told(signatures.check_target, entry_of(kind, builder)) == words


def test_a_builders_options_are_told_and_any_keyword_is_a_warning() -> None:
    """What it takes, in its order; where it takes anything, a misspelt option would pass."""
    assert signatures.check_target(entry_of("criteria", lambda b=1, a=2: None)) == "options: b, a"
    assert signatures.check_target(entry_of("criteria", lambda: None)) == "options: none"
    with pytest.warns(ContractWarning, match="takes any keyword, so a misspelt option passes unnoticed"):
        assert signatures.check_target(entry_of("models", lambda **options: None)) == "options: none"


def checked(function: Callable[[], str | None]) -> Outcome:
    return Check("model auk", "does it", function).run()


def raising(error: BaseException) -> Callable[[], str | None]:
    def check() -> str | None:
        raise error

    return check


@pytest.mark.parametrize(
    ("function", "outcome"),
    [
        (lambda: None, Outcome("ok", "")),
        (lambda: "3 classes", Outcome("ok", "3 classes")),
        (raising(NotChecked("no network")), Outcome("skipped", "no network")),
        (raising(UsageError("wrong")), Outcome("failed", "wrong")),
        (raising(PluginError("broken\nMend it.")), Outcome("failed", "broken\nMend it.")),
        (raising(ValueError("odd\nthing")), Outcome("failed", "model auk: ValueError: odd thing")),
        (lambda: warn("mind"), Outcome("warning", "mind")),
        (lambda: [warn("mind"), warn("this")] and "fine", Outcome("warning", "mind this")),
    ],
    ids=["ok", "detail", "skipped", "usage", "plugin", "any", "warning", "two warnings"],
)
def test_whatever_comes_of_a_check_is_an_outcome(function: Any, outcome: Outcome) -> None:
    """An error that is no zoo's gets the subject's name and its type."""
    assert checked(function) == outcome


def test_an_interruption_ends_the_checks() -> None:
    """It is no failure of the plugin."""
    with pytest.raises(KeyboardInterrupt):
        checked(raising(KeyboardInterrupt()))


def test_a_check_is_named_by_what_it_checks() -> None:
    """As pytest shows it."""
    check = Check("model auk", "does it", lambda: None)
    assert check.id == "model auk: does it"
    assert "function" not in repr(check)


def test_a_case_is_told_in_words_and_as_facts() -> None:
    """All that a builder may ask for, in numbers that fit together."""
    case = Case(3, 2, (8, 9))
    assert str(case) == "3 classes, 2 channels, 8 x 9 pixels"
    assert case.facts == {
        "num_classes": 3,
        "in_channels": 2,
        "image_size": (8, 9),
        "class_names": ("0", "1", "2"),
        "pixel_mean": (0.5, 0.5),
        "pixel_std": (0.25, 0.25),
    }
    assert str(Case()) == "10 classes, 3 channels, 28 x 28 pixels"


def test_options_are_bound_as_a_user_would_give_them() -> None:
    """A list becomes a tuple where one is wanted, and an option that is none is refused; without any, it is itself."""

    def builder(*, sides: tuple[int, ...] = (1,), p: float = 0.5) -> None:
        """Never called."""

    entry = entry_of("criteria", builder)
    assert building.with_options(entry, {}) is entry
    bound = building.with_options(entry, {"sides": [2, 3]})
    assert bound.arguments == {"sides": (2, 3)}
    assert building.with_options(bound, {"p": 0.1}).arguments == {"sides": (2, 3), "p": 0.1}
    assert entry.arguments == {}
    with pytest.raises(UsageError, match=r"no option of .* named 'q'"):
        building.with_options(entry, {"q": 1})
    assert signature_of(bound).options["sides"].default == (2, 3)


def test_what_cannot_be_built_from_its_defaults_is_not_checked() -> None:
    """It says which options are missing; given, they make it buildable."""

    def builder(*, root: str, count: int) -> None:
        """Never called."""

    entry = entry_of("criteria", builder)
    with pytest.raises(NotChecked) as caught:
        building.require_buildable(entry)
    assert str(caught.value) == f"{entry} cannot be built without 'root', 'count'; give options to check it"
    building.require_buildable(dataclasses.replace(entry, arguments={"root": "x", "count": 1}))


def test_a_dataset_that_asks_for_options_itself_is_not_checked() -> None:
    """As one does that finds nothing in its default folder."""

    def builder(*, root: str = "") -> None:
        raise UsageError("give --set data.root=FOLDER")

    entry = entry_of("datasets", builder)
    with pytest.raises(NotChecked) as caught:
        building.require_buildable(entry)
    assert str(caught.value).startswith(f"{entry} asks for options: ")
    assert str(caught.value).endswith("give --set data.root=FOLDER")


def test_seeding_leaves_the_generator_as_it_was() -> None:
    """A check draws the same each time, and whoever draws after it is not disturbed."""
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    with building.seeded(1):
        first = torch.rand(3)
    assert torch.equal(torch.rand(3), expected)
    with building.seeded(1):
        assert torch.equal(torch.rand(3), first)
    with building.seeded(2):
        assert not torch.equal(torch.rand(3), first)


def small(num_classes: int, in_channels: int) -> nn.Module:
    """Takes any size: 9 C * 4 weights, then K."""
    return nn.Sequential(
        nn.Conv2d(in_channels, 4, 3, bias=False), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, num_classes)
    )


def test_a_models_costs_are_counted_as_one_does_by_hand() -> None:
    """Weights; products of the convolution, once for each place, and of the head; numbers that both put out."""
    assert measured(entry_of("models", small), (3, 10, 8), 5) == {
        "parameters": 9 * 3 * 4 + 4 * 5 + 5,
        "macs": 8 * 6 * 4 * 9 * 3 + 4 * 5,
        "activations": 8 * 6 * 4 + 5,
        "input_size": (3, 10, 8),
    }


def test_a_model_that_asks_for_a_size_is_measured_at_it() -> None:
    """Images are resized to it before."""

    def sized(num_classes: int, in_channels: int) -> nn.Module:
        model = small(num_classes, in_channels)
        model.input_size = (5, 5)
        return model

    assert measured(entry_of("models", sized), (1, 28, 28), 2)["input_size"] == (1, 5, 5)


def test_a_model_that_cannot_be_measured_is_a_line() -> None:
    """With the size that was tried, and what it raised; zoo's own errors are as they are."""

    def reads(num_classes: int, in_channels: int) -> nn.Module:
        raise ValueError("the weights are\nread")

    def refuses(num_classes: int, in_channels: int) -> nn.Module:
        raise UsageError("too small")

    entry = entry_of("models", reads)
    with pytest.raises(ZooError) as caught:
        measured(entry, (3, 8, 8), 2)
    assert "the weights are read" in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1
    with pytest.raises(UsageError, match=r"too small$"):
        measured(entry_of("models", refuses), (3, 8, 8), 2)

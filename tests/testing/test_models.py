"""The contract of models: what each check lets pass, and which faults it finds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from entry_of import entry_of
from torch import Tensor, nn
from torch.nn import functional as F

import zoo
from zoo.testing import ContractError
from zoo.testing import models as contract
from zoo.testing.building import SIZES, sensible_size


class Net(nn.Module):
    """A sound classifier, from which the faulty ones below differ in one method."""

    def __init__(self, num_classes: int, in_channels: int, size: tuple[int, int]) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(in_channels)
        self.hidden = nn.Linear(in_channels * size[0] * size[1], 16)
        self.drop = nn.Dropout(0.5)
        self.head = nn.Linear(16, num_classes)

    def forward(self, inputs: Tensor) -> Any:
        return self.head(self.drop(self.hidden(self.norm(inputs).flatten(1))))


class Unused(Net):
    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.spare = nn.Linear(2, 2)


class RootOfZero(Net):
    def forward(self, inputs: Tensor) -> Any:
        return super().forward(inputs) + self.head.bias.sub(self.head.bias.detach()).sqrt()


class Infinite(Net):
    def forward(self, inputs: Tensor) -> Any:
        return super().forward(inputs) / 0


class Auxiliary(Net):
    def forward(self, inputs: Tensor) -> Any:
        logits = super().forward(inputs)
        return (logits, logits) if self.training else logits


class TenAlways(Net):
    def __init__(self, num_classes: int, *args: Any) -> None:
        super().__init__(10, *args)


class TopHalf(Net):
    def forward(self, inputs: Tensor) -> Any:
        rows = torch.arange(inputs.shape[2]) < inputs.shape[2] // 2
        return super().forward(inputs * rows.view(-1, 1))


class LastRowLeftOut(nn.Sequential):
    def __init__(self, num_classes: int, in_channels: int, size: tuple[int, int]) -> None:
        super().__init__(nn.Conv2d(in_channels, 4, 3, stride=3), nn.Flatten(), nn.LazyLinear(num_classes))
        self(torch.zeros(2, in_channels, *size))


class DropsAlways(Net):
    def forward(self, inputs: Tensor) -> Any:
        return F.dropout(super().forward(inputs))


class BatchStatistics(Net):
    def forward(self, inputs: Tensor) -> Any:
        return super().forward(inputs - inputs.mean())


class CountsEvaluations(Net):
    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, inputs: Tensor) -> Any:
        self.calls += 1
        return super().forward(inputs)


class NeverTrains(Net):
    def train(self, mode: bool = True) -> Any:
        super().train(mode)
        self.norm.train(False)
        return self


class ForgetsDropout(Net):
    def forward(self, inputs: Tensor) -> Any:
        return self.head(self.hidden(self.norm(inputs).flatten(1)))


class FrozenEstimates(Net):
    def forward(self, inputs: Tensor) -> Any:
        self.norm.momentum = 0.0
        return super().forward(inputs)


class UnsavedConstant(Net):
    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.constant = torch.rand(1)

    def forward(self, inputs: Tensor) -> Any:
        return super().forward(inputs) * self.constant


class OwnGenerator(Net):
    seeds = iter(range(10_000))

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        nn.init.normal_(self.head.weight, generator=torch.Generator().manual_seed(next(self.seeds)))


class SeedsItself(Net):
    def __init__(self, *args: Any) -> None:
        torch.manual_seed(0)
        super().__init__(*args)


def weighted(
    num_classes: int,
    in_channels: int,
    image_size: tuple[int, int],
    pretrained: bool = True,
    *,
    grey: bool = False,
    source: str = "here",
    other: bool = False,
) -> nn.Module:
    """Build a sound net whose weights expect colour at 12 x 12, or one of three faulty ones."""
    if not pretrained:
        return (Unused if other else Net)(num_classes, in_channels, image_size)
    model = Net(num_classes, 1 if grey else 3, (12, 12))
    model.expects = zoo.Expects(mean=[0.5] * 3, std=[0.5] * 3, size=(12, 12), source=source)
    return model


def test_a_model_with_weights_is_built_again_without_them():
    """From what it expects alone, for grey and coloured images."""
    assert contract.check_expects(entry_of("models", weighted)) == "of here"
    contract.check_logits(entry_of("models", weighted))
    assert contract.check_expects(entry(Net)) is None


@pytest.mark.parametrize(
    ("fault", "seen"),
    [
        ({"source": ""}, "source=''"),
        ({"other": True}, "only the model has 'spare.bias'"),
        ({"grey": True}, "fails on inputs"),
    ],
)
def test_a_model_that_misstates_its_weights_is_found(fault: dict[str, Any], seen: str):
    """No source, other layers without the weights, other channels than it says."""
    with pytest.raises((ContractError, zoo.PluginError), match=seen):
        contract.check_expects(entry_of("models", weighted, **fault))


def entry(kind: type[nn.Module]) -> Any:
    """Return an entry that builds a net of this class."""

    def builder(num_classes: int, in_channels: int, image_size: tuple[int, int]) -> nn.Module:
        return kind(num_classes, in_channels, image_size)

    return entry_of("models", builder)


@pytest.mark.parametrize("check", contract.CHECKS.values(), ids=lambda check: check.__name__)
def test_a_sound_model_passes(check: Callable[[Any], Any]) -> None:
    """Batch norm and dropout that do what they should are no fault."""
    check(entry(Net))


@pytest.mark.parametrize(
    ("check", "kind", "seen"),
    [
        (contract.check_logits, Infinite, "not finite"),
        (contract.check_logits, Auxiliary, "saw a tuple"),
        (contract.check_gradients, Unused, "none for 'spare.weight', 'spare.bias'"),
        (contract.check_gradients, RootOfZero, "nan or infinity in that of 'head.bias'"),
        (contract.check_reach, TopHalf, "none in 14 of 28 rows, none in 32 of 64 regions"),
        (contract.check_reach, LastRowLeftOut, "saw none in 1 of 28 rows, none in 1 of 28 columns."),
        (contract.check_evaluation, DropsAlways, "equal bits from two evaluations"),
        (contract.check_evaluation, BatchStatistics, "do not depend on the other images"),
        (contract.check_evaluation, CountsEvaluations, "another 'calls'"),
        (contract.check_training, NeverTrains, "False in 'norm'"),
        (contract.check_training, ForgetsDropout, "equal logits under two seeds"),
        (contract.check_training, FrozenEstimates, "'norm.running_mean' unchanged"),
        (contract.check_state, UnsavedConstant, "another instance with the saved weights"),
        (contract.check_determinism, OwnGenerator, "others in 'head.weight'"),
        (contract.check_determinism, SeedsItself, "the same ones after building under two seeds"),
    ],
)
def test_a_fault_is_found_and_named(check: Callable[[Any], Any], kind: type[nn.Module], seen: str) -> None:
    """The message names the entry and its distribution, what was seen, and on its second line what to do."""
    with pytest.raises(ContractError) as caught:
        check(entry(kind))
    told = str(caught.value)
    assert told.startswith("model 'auk/builder' (zoo-auk 1.0): expected ")
    assert seen in told
    assert len(told.splitlines()) == 2


def test_a_wrong_number_of_logits_is_zoos_own_error() -> None:
    """What a run would refuse, the check refuses in the same words."""
    with pytest.raises(zoo.PluginError, match="must give logits"):
        contract.check_logits(entry(TenAlways))


def test_a_model_is_tried_at_the_first_size_that_its_builder_takes() -> None:
    """A builder's own UsageError for a small image is no fault."""

    def picky(num_classes: int, in_channels: int, image_size: tuple[int, int]) -> nn.Module:
        if min(image_size) < 64:
            raise zoo.UsageError("images from 64 x 64 pixels up")
        return Net(num_classes, in_channels, image_size)

    chosen = entry_of("models", picky)
    assert sensible_size(chosen) == (64, 64)
    assert contract.check_logits(chosen) == "at 64 x 64"


def test_a_model_that_takes_no_size_is_a_fault_with_its_reason() -> None:
    """The last refusal is told."""

    def proud(num_classes: int, in_channels: int) -> nn.Module:
        raise zoo.UsageError("only 1000 x 1000 pixels will do")

    with pytest.raises(ContractError, match="only 1000 x 1000 pixels will do") as caught:
        contract.check_logits(entry_of("models", proud))
    assert f"{SIZES[-1][0]} x {SIZES[-1][1]}" in str(caught.value)


def test_a_model_that_asks_for_another_size_is_given_it() -> None:
    """As in a run, its inputs have the size that it set."""

    def upscaled(num_classes: int, in_channels: int) -> nn.Module:
        net = Net(num_classes, in_channels, (40, 40))
        net.input_size = (40, 40)
        return net

    assert contract.check_logits(entry_of("models", upscaled)) == "at 28 x 28, resized to 40 x 40"
    contract.check_reach(entry_of("models", upscaled))


def test_a_head_that_begins_at_zero_hides_nothing() -> None:
    """Zero weights give zero gradients at first; that is no blindness."""

    def zeroed(num_classes: int, in_channels: int, image_size: tuple[int, int]) -> nn.Module:
        net = Net(num_classes, in_channels, image_size)
        nn.init.zeros_(net.head.weight)
        return net

    contract.check_reach(entry_of("models", zeroed))

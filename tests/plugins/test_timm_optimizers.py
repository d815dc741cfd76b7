"""timm's optimizers: which are offered, and that each learns and can be resumed."""

from __future__ import annotations

import copy
import json

import pytest
import torch
from torch import Tensor, nn
from zoo_timm.optimizer_names import NEED_A_PACKAGE, NEED_SECOND_ORDER, OPTIMIZERS

import zoo
from zoo.records.optimizer_state import pack, unpack

NAMES = sorted(OPTIMIZERS)


def create(name: str, model: nn.Module, **options: object) -> torch.optim.Optimizer:
    """Build an optimizer as zoo's loop does: biases and norms in a group of their own, without weight decay."""
    matrices = [parameter for parameter in model.parameters() if parameter.ndim > 1]
    vectors = [parameter for parameter in model.parameters() if parameter.ndim == 1]
    groups = [{"params": matrices}, {"params": vectors, "weight_decay": 0.0}]
    optimizer: torch.optim.Optimizer = zoo.create("optimizers", f"timm/{name}", params=groups, **options)
    return optimizer


def small_net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, stride=2, padding=1),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.MaxPool2d(4),
        nn.Flatten(),
        nn.Linear(72, 10),
    )


def take_steps(model: nn.Module, optimizer: torch.optim.Optimizer, inputs: Tensor, labels: Tensor, count: int) -> float:
    for _ in range(count):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(inputs), labels)
        loss.backward()
        optimizer.step()
    return loss.item()


@pytest.fixture(scope="module")
def digits() -> tuple[Tensor, Tensor]:
    """64 real digits, normalised."""
    dataset = zoo.create("datasets", "mnist/mnist")
    images, labels = dataset.train.batch(torch.arange(64))
    return (images.float() / 255 - dataset.mean[0]) / dataset.std[0], labels


def test_the_offered_optimizers_are_timms_but_for_the_exceptions():
    """Nothing is missing that runs here, and nothing is offered that timm does not have."""
    import timm.optim
    from timm.optim.kron import Kron

    listed = timm.optim.list_optimizers()
    exempt = {name for name in listed if name in NEED_SECOND_ORDER or name.startswith(NEED_A_PACKAGE)}
    assert set(OPTIMIZERS) == set(listed) - exempt
    for name in exempt - set(NEED_SECOND_ORDER):
        wanted = timm.optim.get_optimizer_info(name).opt_class
        assert isinstance(wanted, str) or wanted is Kron, name
    for name in NEED_SECOND_ORDER:
        assert timm.optim.get_optimizer_info(name).second_order


@pytest.mark.parametrize("name", NAMES)
def test_an_optimizer_learns_and_goes_on_after_a_restart(name: str, digits: tuple[Tensor, Tensor]):
    """At its default rate it lowers the loss on 64 digits; its state, saved and loaded, gives the same bits."""
    model = small_net()
    optimizer = create(name, model)
    before = nn.functional.cross_entropy(model(digits[0]), digits[1]).item()
    after = take_steps(model, optimizer, *digits, 20)
    assert after < 0.9 * before

    twin = copy.deepcopy(model)
    resumed = create(name, twin)
    tensors, data = pack(optimizer, dict(model.named_parameters()))
    unpack(
        resumed, dict(twin.named_parameters()), {k: v.clone() for k, v in tensors.items()}, json.loads(json.dumps(data))
    )
    for each, its_optimizer in ((model, optimizer), (twin, resumed)):
        torch.manual_seed(1)
        take_steps(each, its_optimizer, *digits, 3)
    for parameter, its_twin in zip(model.parameters(), twin.parameters(), strict=True):
        assert torch.equal(parameter, its_twin)


def test_a_group_without_weight_decay_keeps_it_off(digits: tuple[Tensor, Tensor]):
    """The decay that is asked for is that of the groups which have none of their own."""
    optimizer = create("sgd", small_net(), weight_decay=0.1)
    assert [group["weight_decay"] for group in optimizer.param_groups] == [0.1, 0.0]


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("sgd", {"betas": [0.9, 0.99]}, "timm's sgd has no betas; it has lr, weight_decay, momentum"),
        ("adam", {"momentum": 0.9}, "timm's adam has no momentum; it has lr, weight_decay, betas, eps"),
        ("adam", {"lr": -1.0}, "timm's adam: Invalid learning rate"),
        ("adam", {"extra": {"nonsense": 1}}, "timm's adam: .*nonsense"),
    ],
)
def test_a_wrong_option_is_one_line(name: str, options: dict[str, object], message: str):
    """Nothing that the optimizer would ignore is taken."""
    with pytest.raises(zoo.UsageError, match=message) as caught:
        create(name, small_net(), **options)
    assert "\n" not in str(caught.value)

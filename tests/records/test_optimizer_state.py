"""An optimizer's state goes through a checkpoint's files into a fresh optimizer, which goes on with equal bits."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from faulty_disk import patient_disk
from small_optimizers import Odd, network, train
from torch import Tensor, nn
from torch.optim import SGD, Adam, AdamW, Optimizer

import zoo
from zoo.errors import DamagedError, UsageError
from zoo.records.disk import canonical_json, parse_json
from zoo.records.optimizer_state import pack, unpack
from zoo.records.tensors import read_tensors, write_tensors
from zoo.training.optimizer_trial import check_packable

Build = Callable[[nn.Module], Optimizer]


def through_files(tensors: dict[str, Tensor], data: Any, directory: Path) -> tuple[dict[str, Tensor], Any]:
    """Return what a later process reads of a packed state."""
    write_tensors(directory / "optimizer.safetensors", tensors, patient_disk())
    return read_tensors(directory / "optimizer.safetensors"), parse_json(canonical_json(data), "state.json")


def resumed(model: nn.Module, optimizer: Optimizer, build: Build, directory: Path) -> tuple[nn.Module, Optimizer]:
    """Return a fresh model and optimizer with the state of the given ones, as a new process makes them."""
    tensors, data = through_files(*pack(optimizer, dict(model.named_parameters())), directory)
    copy = network()
    copy.load_state_dict(model.state_dict())
    fresh = build(copy)
    unpack(fresh, dict(copy.named_parameters()), tensors, data)
    return copy, fresh


def assert_same(model: nn.Module, optimizer: Optimizer, other: nn.Module, fresh: Optimizer) -> None:
    """Fail unless both models and both optimizers' states have the same bits, types and memory layouts."""
    for (name, mine), theirs in zip(model.state_dict().items(), other.state_dict().values(), strict=True):
        assert torch.equal(mine, theirs), name
    mine, my_data = pack(optimizer, dict(model.named_parameters()))
    theirs, their_data = pack(fresh, dict(other.named_parameters()))
    assert my_data == their_data
    for name, tensor in mine.items():
        assert (theirs[name].dtype, theirs[name].stride()) == (tensor.dtype, tensor.stride()), name
        assert torch.equal(theirs[name], tensor), name


def assert_goes_on_with_equal_bits(build: Build, directory: Path) -> None:
    model = network()
    optimizer = build(model)
    train(model, optimizer, 0, 3)
    other, fresh = resumed(model, optimizer, build, directory)
    assert_same(model, optimizer, other, fresh)
    before = [parameter.detach().clone() for parameter in model.parameters()]
    for first in (3, 6):
        train(model, optimizer, first, 3)
        train(other, fresh, first, 3)
        assert_same(model, optimizer, other, fresh)
    assert not all(map(torch.equal, before, model.parameters()))


def registered(plugin: str) -> list[str]:
    return [entry.full_name for entry in zoo.entries("optimizers") if entry.plugin == plugin]


# One of each of timm's families of optimizers.
TIMM = [
    *("adafactor", "adafactorbv", "adamp", "adan", "adopt", "lamb", "laprop", "larc", "lars", "lion", "madgrad"),
    *("mars", "muon", "nadamw", "novograd", "radabelief", "rmsproptf", "sgdp", "sgdw"),
]


@pytest.mark.parametrize("name", registered("torch"))
def test_every_registered_torch_optimizer_goes_on_with_equal_bits(name: str, tmp_path: Path) -> None:
    """As zoo builds it by default: fused where torch can, on channels_last weights."""

    def build(model: nn.Module) -> Optimizer:
        optimizer: Optimizer = zoo.create("optimizers", name, params=model.parameters())
        return optimizer

    check_packable(build(model := network()), dict(model.named_parameters()))
    assert_goes_on_with_equal_bits(build, tmp_path)


@pytest.mark.parametrize("name", TIMM)
def test_timm_s_optimizers_go_on_with_equal_bits(name: str, tmp_path: Path) -> None:
    """One of each of timm's families."""

    def build(model: nn.Module) -> Optimizer:
        optimizer: Optimizer = zoo.create("optimizers", f"timm/{name}", params=model.parameters())
        return optimizer

    check_packable(build(model := network()), dict(model.named_parameters()))
    assert_goes_on_with_equal_bits(build, tmp_path)


VARIANTS: dict[str, Build] = {
    "adamw fused": lambda model: AdamW(model.parameters(), lr=0.01, fused=True),
    "adam fused amsgrad": lambda model: Adam(model.parameters(), lr=0.01, fused=True, amsgrad=True),
    "sgd fused": lambda model: SGD(model.parameters(), lr=0.01, momentum=0.9, nesterov=True, fused=True),
    "adagrad fused": lambda model: torch.optim.Adagrad(model.parameters(), lr=0.01, fused=True),
    "adamw foreach": lambda model: AdamW(model.parameters(), lr=0.01, foreach=True),
    "adamw tensor rate": lambda model: AdamW(model.parameters(), lr=torch.tensor(0.01)),
    "sgd without momentum": lambda model: SGD(model.parameters(), lr=0.01),
    "groups": lambda model: AdamW(
        [
            {"params": [p for p in model.parameters() if p.ndim > 1], "weight_decay": 0.1, "lr": 0.02},
            {"params": [p for p in model.parameters() if p.ndim <= 1], "weight_decay": 0.0},
        ]
    ),
    "names": lambda model: AdamW(model.named_parameters(), lr=0.01),
}


@pytest.mark.parametrize("build", VARIANTS.values(), ids=VARIANTS)
def test_variants_of_torch_s_optimizers_go_on_with_equal_bits(build: Build, tmp_path: Path) -> None:
    """Fused, foreach, with groups, with names, with a rate that is a tensor, with no state at all."""
    assert_goes_on_with_equal_bits(build, tmp_path)


def test_loading_row_major_moments_beside_channels_last_weights_would_be_wrong(tmp_path: Path) -> None:
    """The trap is real: torch's own load_state_dict, of what files give back, leads the fused AdamW elsewhere."""

    def build(model: nn.Module) -> Optimizer:
        return AdamW(model.parameters(), lr=0.01, fused=True)

    model = network()
    optimizer = build(model)
    train(model, optimizer, 0, 3)
    other = network()
    other.load_state_dict(model.state_dict())
    fresh = build(other)
    saved = optimizer.state_dict()
    plain = {
        k: {n: t.clone(memory_format=torch.contiguous_format) for n, t in v.items()} for k, v in saved["state"].items()
    }
    fresh.load_state_dict({**saved, "state": plain})
    train(model, optimizer, 3, 3)
    train(other, fresh, 3, 3)
    assert not torch.equal(model[0].weight, other[0].weight)


def test_a_moment_keeps_its_own_type(tmp_path: Path) -> None:
    """A float32 moment of a bfloat16 weight is not rounded, as load_state_dict rounds it."""

    class Momentum(SGD):
        def step(self, closure: Any = None) -> None:
            for parameter in self.param_groups[0]["params"]:
                average = self.state[parameter].setdefault("average", torch.zeros_like(parameter, dtype=torch.float32))
                with torch.no_grad():
                    average.mul_(0.9).add_(parameter.grad)
                    parameter.sub_(average.to(parameter.dtype), alpha=0.1)

    def make() -> tuple[nn.Module, Optimizer]:
        torch.manual_seed(0)
        model = nn.Linear(3, 3).bfloat16()
        return model, Momentum(model.parameters(), lr=0.1)

    model, optimizer = make()
    for parameter in model.parameters():
        parameter.grad = torch.full_like(parameter, 1 / 3)
    optimizer.step()
    other, fresh = make()
    other.load_state_dict(model.state_dict())
    unpack(
        fresh,
        dict(other.named_parameters()),
        *through_files(*pack(optimizer, dict(model.named_parameters())), tmp_path),
    )
    assert_same(model, optimizer, other, fresh)
    assert fresh.state[other.weight]["average"].dtype == torch.float32


@pytest.mark.parametrize(
    "value",
    [(1, 2.5, None), "text", {"a": [torch.ones(2), (torch.zeros(1),)]}, b"x", True, float("inf"), {1: 2}, 2**80],
)
def test_any_plain_state_comes_back_as_it_was(value: Any, tmp_path: Path) -> None:
    """Strings, nested lists and tuples, large and infinite numbers: to the type, which load_state_dict rebuilds."""

    class Kind(Odd):
        pass

    Kind.value = value
    model = network()
    optimizer = Kind(model.parameters(), lr=0.1)
    train(model, optimizer, 0, 1)
    other, fresh = resumed(model, optimizer, lambda copy: Kind(copy.parameters(), lr=0.1), tmp_path)
    assert_same(model, optimizer, other, fresh)
    found = fresh.state[other[0].weight]["odd"]
    assert type(found) is type(value)
    assert str(found) == str(value)


def test_rates_and_options_are_the_saved_ones_but_the_implementation_is_the_new_one(tmp_path: Path) -> None:
    """A run that goes on where no fused kernel is wanted does without; its rate and betas are what they were."""
    model = network()
    optimizer = AdamW(model.parameters(), lr=0.01, betas=(0.8, 0.95), fused=True)
    train(model, optimizer, 0, 1)
    optimizer.param_groups[0]["lr"] = 0.005
    optimizer.param_groups[0]["initial_lr"] = 0.01
    other, fresh = resumed(model, optimizer, lambda copy: AdamW(copy.parameters(), lr=0.3, fused=False), tmp_path)
    group = fresh.param_groups[0]
    assert (group["lr"], group["initial_lr"], group["betas"], group["fused"]) == (0.005, 0.01, (0.8, 0.95), False)
    train(other, fresh, 1, 1)


def test_what_was_packed_is_not_shared(tmp_path: Path) -> None:
    """Training on changes neither the packed tensors' copies nor the first optimizer."""
    model = network()
    optimizer = AdamW(model.parameters(), lr=0.01)
    train(model, optimizer, 0, 1)
    tensors, data = pack(optimizer, dict(model.named_parameters()))
    before = {name: tensor.clone() for name, tensor in tensors.items()}
    other = network()
    fresh = AdamW(other.parameters())
    unpack(fresh, dict(other.named_parameters()), tensors, data)
    train(other, fresh, 1, 1)
    assert all(torch.equal(tensor, before[name]) for name, tensor in tensors.items())


def test_parameters_are_told_apart_by_name_not_by_number() -> None:
    """The packed state names the model's parameters, and numbers none."""
    model = network()
    optimizer = AdamW(model.parameters(), lr=0.01)
    train(model, optimizer, 0, 1)
    tensors, data = pack(optimizer, dict(model.named_parameters()))
    assert "state/0.weight/exp_avg" in tensors
    assert data["optimizer"]["param_groups"][0]["params"] == [name for name, _ in model.named_parameters()]


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda model: AdamW(list(model.parameters())[:-1]), "8 in 1 groups were saved, AdamW has 7 in 1"),
        (lambda model: AdamW(reversed(list(model.parameters()))), "or their names differ"),
        (lambda model: AdamW([{"params": [p]} for p in model.parameters()]), "AdamW has 8 in 8"),
    ],
)
def test_the_state_of_other_parameters_is_refused(build: Build, message: str) -> None:
    """One line says how they differ, with exit code 2."""
    model = network()
    parameters = dict(model.named_parameters())
    state = pack(AdamW(model.parameters()), parameters)
    with pytest.raises(UsageError, match=message):
        unpack(build(model), parameters, *state)


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: None,
        lambda data: [],
        lambda data: {},
        lambda data: {**data, "optimizer": 3},
        lambda data: {**data, "cpu": ["no such tensor"]},
        lambda data: {**data, "cpu": 3},
        lambda data: {**data, "optimizer": {"state": [], "param_groups": {}}},
        lambda data: {**data, "optimizer": {"state": 3, "param_groups": []}},
        lambda data: {**data, "optimizer": {"param_groups": []}},
        lambda data: {**data, "optimizer": {"state": {}, "param_groups": [3]}},
        lambda data: {**data, "optimizer": {"state": {}, "param_groups": [{"params": 3}]}},
        lambda data: json.loads(json.dumps(data).replace("exp_avg_sq", "gone")),
    ],
)
def test_data_that_is_no_optimizer_s_is_damage(damage: Callable[[Any], Any]) -> None:
    """A stranger's state.json leads to one line and exit code 4 before the optimizer is touched."""
    model = network()
    parameters = dict(model.named_parameters())
    optimizer = AdamW(model.parameters())
    train(model, optimizer, 0, 1)
    tensors, data = pack(optimizer, parameters)
    fresh = AdamW(model.parameters())
    with pytest.raises(DamagedError):
        unpack(fresh, parameters, tensors, damage(data))
    assert not fresh.state

"""The optimizers of the torch plugin."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn, optim
from torch.nn import functional as F

import zoo

OPTIMIZERS = [
    "adadelta", "adafactor", "adagrad", "adam", "adamax", "adamw", "asgd", "muon", "nadam", "radam", "rmsprop", "rprop",
    "sgd",
]  # fmt: skip
WITHOUT_DECAY = {"rprop"}
FUSED = ["adagrad", "adam", "adamw", "sgd"]


def optimizer(name: str, params: object, **options: object) -> optim.Optimizer:
    """Build an optimizer of the torch plugin."""
    return zoo.create("optimizers", f"torch/{name}", params=params, **options)


def model() -> nn.Module:
    """Return a small net with every shape of parameter: convolutions, matrices, biases, norms; always the same."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, bias=False),  # batch norm would leave a bias nothing but rounding for a gradient
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(4 * 6 * 6, 8),
        nn.ReLU(),
        nn.Linear(8, 3),
    )


def batch() -> tuple[Tensor, Tensor]:
    """Return 24 images in three classes that differ in brightness."""
    labels = torch.arange(24) % 3
    images = torch.randn(24, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    return images + labels[:, None, None, None].float(), labels


def train(net: nn.Module, over: optim.Optimizer, steps: int) -> list[float]:
    """Step *steps* times on the same batch and return the losses before each."""
    images, labels = batch()
    losses = []
    for _ in range(steps):
        over.zero_grad()
        loss = F.cross_entropy(net(images), labels)
        loss.backward()
        over.step()
        losses.append(loss.item())
    return losses


def grouped(net: nn.Module) -> list[dict[str, object]]:
    """Return the net's parameters as zoo groups them: decay for weights alone."""
    weights = [parameter for parameter in net.parameters() if parameter.ndim > 1]
    others = [parameter for parameter in net.parameters() if parameter.ndim <= 1]
    return [{"params": weights}, {"params": others, "weight_decay": 0.0}]


def test_all_optimizers_of_the_plugin_are_tested_here():
    """An optimizer that is registered and not listed above would go unchecked."""
    assert [entry.name for entry in zoo.entries("optimizers") if entry.plugin == "torch"] == OPTIMIZERS


def test_every_optimizer_of_torch_that_needs_no_closure_is_registered():
    """LBFGS needs a closure, SparseAdam sparse gradients, which no image classifier has."""
    ours = {type(optimizer(name, [torch.zeros(2, 2)])).__name__ for name in OPTIMIZERS}
    theirs = {
        name
        for name, kind in vars(optim).items()
        if isinstance(kind, type) and issubclass(kind, optim.Optimizer) and kind is not optim.Optimizer
    }
    assert ours == theirs - {"LBFGS", "SparseAdam"}


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("form", ["generator", "list", "groups"])
def test_the_default_rate_lowers_the_loss(name, form):
    """Parameters come as any iterable of tensors, or in groups; 30 steps are enough to see it."""
    net = model()
    params = {"generator": net.parameters(), "list": list(net.parameters()), "groups": grouped(net)}[form]
    losses = train(net, optimizer(name, params), 30)
    # RAdam holds back most: its 30th step is a tenth of Adam's.
    assert losses[-1] < (0.95 if name == "radam" else 0.8) * losses[0]


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_each_parameter_is_in_exactly_one_group(name):
    """None is lost and none is stepped twice."""
    net = model()
    groups = optimizer(name, grouped(net)).param_groups
    held = [id(parameter) for group in groups for parameter in group["params"]]
    assert sorted(held) == sorted(id(parameter) for parameter in net.parameters())


@pytest.mark.parametrize("name", [name for name in OPTIMIZERS if name not in WITHOUT_DECAY])
def test_a_groups_own_weight_decay_outlasts_the_builders(name):
    """Biases and norms keep the 0 that zoo gave them, weights get the option's."""
    net = model()
    for group in optimizer(name, grouped(net), weight_decay=0.25).param_groups:
        weights = all(parameter.ndim > 1 for parameter in group["params"])
        assert group["weight_decay"] == (0.25 if weights else 0.0)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_building_leaves_the_given_groups_as_they_are(name):
    """Torch writes its defaults into the groups it gets; the caller's are copies' originals."""
    groups = grouped(model())
    before = [dict(group) for group in groups]
    optimizer(name, groups)
    assert groups == before


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_saved_state_goes_on_with_the_same_bits(name):
    """Three steps, a new optimizer over a copy with the state of the first, two more steps of both."""
    net = model()
    over = optimizer(name, grouped(net))
    train(net, over, 3)
    twin = copy.deepcopy(net)
    other = optimizer(name, grouped(twin))
    other.load_state_dict(copy.deepcopy(over.state_dict()))
    assert train(net, over, 2) == train(twin, other, 2)
    assert all(torch.equal(*pair) for pair in zip(net.parameters(), twin.parameters(), strict=True))


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_frozen_parameter_stays(name):
    """A parameter without a gradient is passed over, weight decay included."""
    net = model()
    over = optimizer(name, net.parameters())
    net[0].weight.requires_grad_(False)
    before = net[0].weight.clone()
    train(net, over, 2)
    assert torch.equal(net[0].weight, before)


@pytest.mark.parametrize("name", FUSED)
def test_a_fused_step_equals_a_plain_one(name):
    """Ten steps of the fused CPU kernel and of torch's single-tensor loop end within rounding of each other."""
    nets = [model().double(), model().double()]
    images, labels = batch()
    for net, fused in zip(nets, (None, False), strict=True):
        over = optimizer(name, grouped(net), fused=fused)
        assert all(group["fused"] is (fused is None) for group in over.param_groups)
        for _ in range(10):
            over.zero_grad()
            F.cross_entropy(net(images.double()), labels).backward()
            over.step()
    for first, second in zip(nets[0].parameters(), nets[1].parameters(), strict=True):
        torch.testing.assert_close(first, second, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("name", FUSED)
def test_fused_is_left_to_torch_where_there_is_no_kernel(name):
    """Parameters on the meta device have none; asking for it is one line."""
    params = [torch.zeros(2, 2, device="meta")]
    assert optimizer(name, params).param_groups[0]["fused"] is None
    with pytest.raises(zoo.UsageError, match=r"fused must be false .* parameter of torch\.float32 on meta"):
        optimizer(name, params, fused=True)


def test_sgd_has_momentum_by_default():
    """0.9, as everybody uses it."""
    assert optimizer("sgd", [torch.zeros(1)]).defaults["momentum"] == 0.9


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("lr", [-1.0, float("nan"), float("inf")])
def test_a_rate_outside_its_range_is_refused(name, lr):
    """The message holds what was given and what is allowed."""
    with pytest.raises(zoo.UsageError, match=f"lr must be at least 0 and finite, not {lr!r}"):
        optimizer(name, [torch.zeros(2, 2)], lr=lr)


@pytest.mark.parametrize(
    ("name", "option", "value", "rule"),
    [
        ("adamw", "betas", [0.9, 1.0], "two numbers in [0, 1)"),
        ("adamw", "betas", [0.9], "two numbers in [0, 1)"),
        ("adam", "eps", 0.0, "above 0"),
        ("adamw", "weight_decay", -0.1, "at least 0"),
        ("nadam", "momentum_decay", -0.1, "at least 0"),
        ("radam", "betas", [-0.1, 0.9], "two numbers in [0, 1)"),
        ("adamax", "eps", -1.0, "above 0"),
        ("adafactor", "d", 0.5, "at least 1"),
        ("adafactor", "beta2_decay", 0.5, "at most 0"),
        ("muon", "ns_steps", 0, "from 1 to 99"),
        ("muon", "momentum", 1.0, "[0, 1)"),
        ("sgd", "momentum", 1.0, "[0, 1)"),
        ("sgd", "dampening", -0.1, "[0, 1)"),
        ("asgd", "t0", -1.0, "at least 0"),
        ("rmsprop", "alpha", 1.0, "[0, 1)"),
        ("rprop", "etas", [1.2, 0.5], "a number in (0, 1) and one above 1"),
        ("rprop", "step_sizes", [1.0, 0.1], "in rising order"),
        ("adagrad", "lr_decay", -1.0, "at least 0"),
        ("adadelta", "rho", 1.0, "[0, 1)"),
    ],
)
def test_an_option_outside_its_range_is_refused_with_its_rule(name, option, value, rule):
    """The message holds the option's name, what was given and what is allowed."""
    with pytest.raises(zoo.UsageError) as caught:
        optimizer(name, [torch.zeros(2, 2)], **{option: value})
    assert f"{option} must be" in str(caught.value)
    assert repr(value) in str(caught.value)
    assert rule in str(caught.value)


def test_nesterov_needs_momentum():
    """The two options are refused together, with both values."""
    with pytest.raises(zoo.UsageError, match="nesterov needs momentum above 0 and dampening 0, not momentum 0"):
        optimizer("sgd", [torch.zeros(1)], nesterov=True, momentum=0.0)

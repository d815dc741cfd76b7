"""Muon: which parameter goes where, its steps against torch's, and its state."""

from __future__ import annotations

import copy
import pickle

import pytest
import torch
from torch import Tensor, nn, optim
from torch.optim._muon import _zeropower_via_newtonschulz as torchs_newton_schulz
from zoo_torch.muon import Muon, orthogonalise

import zoo


def model() -> nn.Sequential:
    """Return a net with a first convolution, a hidden matrix, a classifier, biases and a norm; always the same."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 6, 3, bias=False),
        nn.BatchNorm2d(6),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(216, 16),
        nn.ReLU(),
        nn.Linear(16, 3),
    )


def muon(params: object, **options: object) -> Muon:
    """Build muon through the registry."""
    return zoo.create("optimizers", "torch/muon", params=params, **options)


def step(net: nn.Module, over: optim.Optimizer, seed: int = 0) -> None:
    """Make one step on a batch of noise."""
    generator = torch.Generator().manual_seed(seed)
    over.zero_grad()
    nn.functional.cross_entropy(net(torch.randn(9, 1, 8, 8, generator=generator)), torch.arange(9) % 3).backward()
    over.step()


def named(net: nn.Module, over: optim.Optimizer) -> dict[str, set[str]]:
    """Return the names of the parameters by the algorithm that steps them."""
    names = {id(parameter): name for name, parameter in net.named_parameters()}
    found: dict[str, set[str]] = {"muon": set(), "adamw": set()}
    for group in over.param_groups:
        found[group["algorithm"]] |= {names[id(parameter)] for parameter in group["params"]}
    return found


@pytest.mark.parametrize("form", ["tensors", "groups"])
def test_hidden_matrices_and_convolutions_go_to_muon_and_the_rest_to_adamw(form):
    """The last matrix is the classifier, which AdamW steps, as it does biases and norms."""
    net = model()
    weights = [parameter for parameter in net.parameters() if parameter.ndim > 1]
    others = [parameter for parameter in net.parameters() if parameter.ndim <= 1]
    groups = [{"params": weights}, {"params": others, "weight_decay": 0.0}]
    found = named(net, muon(net.parameters() if form == "tensors" else groups))
    assert found["muon"] == {"0.weight", "4.weight"}
    assert found["adamw"] == {"1.weight", "1.bias", "4.bias", "6.weight", "6.bias"}


def test_an_embedding_of_positions_goes_to_adamw():
    """A tensor whose first dimension is 1 is one long row, not a matrix."""
    over = muon([torch.zeros(1, 50, 8), torch.zeros(1, 1, 8), torch.zeros(8, 8), torch.zeros(3, 8)])
    assert [[tuple(p.shape) for p in group["params"]] for group in over.param_groups] == [
        [(8, 8)],
        [(1, 50, 8), (1, 1, 8), (3, 8)],
    ]


@pytest.mark.parametrize("only", ["matrices", "vectors"])
def test_one_kind_of_parameter_is_enough(only):
    """Softmax regression has no hidden matrix; two matrices have no vector."""
    parameters = (
        [nn.Parameter(torch.ones(3, 3)) for _ in range(2)] if only == "matrices" else [nn.Parameter(torch.ones(3))]
    )
    over = muon(parameters)
    for parameter in parameters:
        parameter.grad = torch.eye(3) if only == "matrices" else torch.ones(3)
    over.step()
    assert all((parameter < 1).any() for parameter in parameters)


@pytest.mark.parametrize("shape", [(8, 8), (6, 30), (30, 6)])
def test_newton_schulz_equals_torchs_in_the_same_precision(shape):
    """In bfloat16, which torch's own always takes, the bits are the same."""
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    theirs = torchs_newton_schulz(matrix, (3.4445, -4.7750, 2.0315), 5, 1e-7)
    assert torch.equal(orthogonalise(matrix, 5, torch.bfloat16), theirs)


@pytest.mark.parametrize("shape", [(8, 8), (6, 30), (30, 6)])
def test_newton_schulz_brings_singular_values_near_1_and_keeps_their_directions(shape):
    """Against the decomposition that it replaces."""
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    left, _, right = torch.linalg.svd(matrix, full_matrices=False)
    turned = left.T @ orthogonalise(matrix, 5, torch.float32) @ right.T
    assert turned.diagonal().min() > 0.5
    assert turned.diagonal().max() < 1.3
    torch.testing.assert_close(turned, turned.diagonal().diag(), atol=1e-4, rtol=0)


@pytest.mark.parametrize("shape", [(6, 30), (30, 6), (6, 11), (1, 9), (32, 288)])
@pytest.mark.parametrize("steps", [1, 5, 12])
@pytest.mark.parametrize("rank", [2, None])
def test_newton_schulz_of_the_gram_matrix_equals_that_of_the_matrix_itself(shape, steps, rank):
    """In float32, also where most singular values are rounding alone; beside the plain iteration in float64."""
    generator = torch.Generator().manual_seed(0)
    matrix = torch.randn(shape, generator=generator)
    if rank is not None:
        matrix = torch.randn(shape[0], rank, generator=generator) @ torch.randn(rank, shape[1], generator=generator)
    exact = matrix.double() / matrix.double().norm()
    for _ in range(steps):
        gram = exact @ exact.T
        exact = 3.4445 * exact - 4.7750 * gram @ exact + 2.0315 * gram @ gram @ exact
    found = orthogonalise(matrix, steps, torch.float32).double()
    if rank is not None and steps > 5:  # by then that rounding has been brought near 1 as well, whichever way it points
        assert found.isfinite().all()
        assert torch.linalg.matrix_norm(found, 2) < 1.3
    else:
        assert (found - exact).norm() < 1e-3 * exact.norm()


def test_a_gradient_of_0_steps_nowhere():
    """The norm that everything is divided by is 0 then."""
    assert not orthogonalise(torch.zeros(3, 4), 5, torch.float32).any()


@pytest.mark.parametrize("nesterov", [True, False])
def test_steps_equal_torchs_muon_and_adamw_side_by_side(nesterov):
    """Five steps with the same gradients; torch multiplies in bfloat16, which is the difference that is left."""
    ours, theirs = nn.Sequential(*model()[4:]), nn.Sequential(*model()[4:])
    over = muon(ours.parameters(), lr=0.01, weight_decay=0.1, nesterov=nesterov)
    matrix = optim.Muon(
        [theirs[0].weight], lr=0.01, weight_decay=0.1, nesterov=nesterov, adjust_lr_fn="match_rms_adamw"
    )
    rest = optim.AdamW([theirs[0].bias, theirs[2].weight, theirs[2].bias], lr=0.01, weight_decay=0.1, fused=True)
    start = theirs[0].weight.detach().clone()
    for seed in range(5):
        generator = torch.Generator().manual_seed(seed)
        for mine, reference in zip(ours.parameters(), theirs.parameters(), strict=True):
            mine.grad = torch.randn(mine.shape, generator=generator)
            reference.grad = mine.grad.clone()
        for one in (over, matrix, rest):
            one.step()
    for index in ("0.bias", "2.weight", "2.bias"):
        assert torch.equal(ours.get_parameter(index), theirs.get_parameter(index))
    difference, travelled = ours[0].weight - theirs[0].weight, theirs[0].weight - start
    assert difference.norm() < 0.02 * travelled.norm()


def test_a_convolution_steps_as_the_matrix_of_its_filters():
    """(out_channels, in_channels * height * width), and back in its own shape."""
    filters = nn.Parameter(torch.zeros(4, 2, 3, 3))
    matrix = nn.Parameter(torch.zeros(4, 18))
    gradient = torch.randn(4, 18, generator=torch.Generator().manual_seed(0))
    filters.grad, matrix.grad = gradient.view(4, 2, 3, 3), gradient.clone()
    head = nn.Parameter(torch.zeros(3, 3))
    for parameter in (filters, matrix):
        muon([parameter, head]).step()
    assert torch.equal(filters.view(4, 18), matrix)
    assert filters.any()


def test_a_convolution_in_channels_last_steps_alike():
    """The memory layout of filters and gradient changes nothing but the layout of the momentum."""
    nets = [model(), model().to(memory_format=torch.channels_last)]
    for net in nets:
        over = muon(net.parameters())
        for seed in range(3):
            step(net, over, seed)
    for first, second in zip(nets[0].parameters(), nets[1].parameters(), strict=True):
        torch.testing.assert_close(first, second)


@pytest.mark.parametrize("way", ["state_dict", "deepcopy", "pickle"])
def test_its_state_goes_on_with_the_same_bits(way):
    """Momentum of the matrices and moments of the rest come back, whichever way they went."""
    net = model()
    over = muon(net.parameters())
    for seed in range(3):
        step(net, over, seed)
    if way == "state_dict":
        twin = copy.deepcopy(net)
        other = muon(twin.parameters())
        other.load_state_dict(copy.deepcopy(over.state_dict()))
    else:
        twin, other = copy.deepcopy((net, over)) if way == "deepcopy" else pickle.loads(pickle.dumps((net, over)))
    for each, optimizer in ((net, over), (twin, other)):
        for seed in range(3, 6):
            step(each, optimizer, seed)
    assert all(torch.equal(*pair) for pair in zip(net.parameters(), twin.parameters(), strict=True))
    assert all(not torch.equal(*pair) for pair in zip(net.parameters(), model().parameters(), strict=True))


def test_its_state_has_an_entry_for_every_parameter():
    """What a checkpoint keeps: one buffer a matrix, AdamW's three a parameter of the rest."""
    net = model()
    over = muon(net.parameters())
    step(net, over)
    kinds = {tuple(sorted(state)) for state in over.state_dict()["state"].values()}
    assert kinds == {("momentum_buffer",), ("exp_avg", "exp_avg_sq", "step")}
    assert len(over.state_dict()["state"]) == len(list(net.parameters()))


def test_a_schedule_drives_both_parts_after_loading_too():
    """A rate of 0 stops every parameter, before and after the groups were replaced by a loaded state's."""
    net = model()
    over = muon(net.parameters(), weight_decay=0.5)
    step(net, over)
    over.load_state_dict(over.state_dict())
    schedule = optim.lr_scheduler.LambdaLR(over, lambda step: float(step == 0))
    step(net, over)
    schedule.step()
    before = copy.deepcopy(net)
    step(net, over)
    assert all(torch.equal(*pair) for pair in zip(net.parameters(), before.parameters(), strict=True))


def test_step_returns_what_its_closure_returns():
    """As every torch optimizer does."""
    parameter = nn.Parameter(torch.ones(3))

    def closure() -> Tensor:
        loss = parameter.sum()
        loss.backward()
        return loss

    assert muon([parameter]).step(closure).item() == 3

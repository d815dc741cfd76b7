"""The probe: a convex problem, solved the same each time, and right where others are."""

from __future__ import annotations

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from small_images import preparation, small_split
from torch import nn
from torch.nn import functional
from tunable_net import tunable

import zoo
from zoo.data import EvaluationBatches
from zoo.training import probing
from zoo.training.probing import Probe, fit_logistic, seen_by_head
from zoo.training.world import World


def clouds(count: int, size: int, classes: int = 3, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Return samples around one centre a class, on a scale of their own."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % classes
    centres = torch.randn(classes, size, generator=generator)
    return 50 + 7 * (centres[labels] + torch.randn(count, size, generator=generator)), labels


@pytest.mark.parametrize(("count", "size"), [(60, 5), (12, 40)], ids=["tall", "wide"])
@pytest.mark.parametrize("strength", [1e-2, 1e-4])
def test_the_head_is_the_solution_that_scikit_learn_finds(monkeypatch, count, size, strength):
    """For one penalty, with more samples than features and with fewer; the bias is all but free."""
    monkeypatch.setattr(probing, "_chosen_strength", lambda *_: strength)
    features, labels = clouds(count, size)
    weight, bias, loss = fit_logistic(features, labels, 3)
    scaled = features.double()
    scaled = (scaled - scaled.mean(0)) / scaled.std(0, correction=0) / size**0.5
    with_bias = torch.cat([scaled, torch.ones(count, 1)], dim=1)  # the penalty is on the bias, too
    known = LogisticRegression(C=1 / (strength * count), fit_intercept=False, tol=1e-10, max_iter=10_000)
    expected = torch.from_numpy(known.fit(with_bias.numpy(), labels.numpy()).predict_proba(with_bias.numpy()))
    found = (features.double() @ weight.T + bias).softmax(1)
    assert torch.allclose(found, expected, atol=2e-4)
    assert loss == pytest.approx(float(functional.nll_loss(expected.log(), labels)), abs=1e-3)


@settings(max_examples=10)
@given(count=st.integers(1, 30), size=st.integers(1, 12), classes=st.integers(2, 6))
def test_any_number_of_samples_features_and_classes_has_a_finite_solution(count, size, classes):
    """One image, a feature that never changes, classes without an image: and the same bits again."""
    features, labels = clouds(count, size, classes)
    features[:, 0] = 3.0
    first, again = fit_logistic(features, labels, classes), fit_logistic(features, labels, classes)
    assert all(torch.equal(torch.as_tensor(a), torch.as_tensor(b)) for a, b in zip(first, again, strict=True))
    assert first[0].shape == (classes, size)
    assert first[0].isfinite().all()
    assert first[1].isfinite().all()


def test_a_noisy_problem_gets_a_stronger_penalty_than_a_clear_one():
    """Folds that were held out decide."""
    labels = torch.arange(60) % 3
    noise = torch.randn(60, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    clear = noise / 100 + functional.one_hot(labels, 6)
    assert probing._chosen_strength(noise, labels, 3) == 1e-2
    assert probing._chosen_strength(clear, labels, 3) == 1e-6
    assert probing._chosen_strength(noise[:5], labels[:5], 3) == 1e-5


def test_fitting_changes_the_head_alone_and_its_copies():
    """The rest is only looked at: neither its weights nor its statistics nor its mode move."""
    net = tunable(3, 1, (8, 8), pretrained=True).train()
    other = copy.deepcopy(net)
    before = copy.deepcopy(net.state_dict())
    batches = EvaluationBatches(small_split(40), 16, preparation())
    loss, images = Probe(net, net.head, [other.head], batches).fit(batches)
    moved = {name for name, value in net.state_dict().items() if not torch.equal(value, before[name])}
    assert (moved, images) == ({"head.weight", "head.bias"}, 40)
    assert all(module.training for module in net.modules())
    assert torch.equal(net.head.weight, other.head.weight)
    net.eval()
    inputs, labels = next(iter(EvaluationBatches(small_split(40), 40, preparation())))
    assert loss == pytest.approx(float(functional.cross_entropy(net(inputs).detach(), labels)), abs=1e-4)


def test_processes_that_share_the_batches_fit_what_one_fits():
    """Whole batches are dealt in turn, and taken up again in that order."""
    split, net = small_split(40), tunable(3, 1, (8, 8), pretrained=True)
    alone = copy.deepcopy(net)
    Probe(alone, alone.head, [], whole := EvaluationBatches(split, 7, preparation())).fit(whole)
    parts = [EvaluationBatches(split, 7, preparation(), process=(rank, 4)) for rank in range(4)]
    seen = [seen_by_head(net, net.head, part) for part in parts]

    class FirstOfFour(World):
        def gather(self, value):
            return [value, *seen[1:]]

    Probe(net, net.head, [], parts[0]).fit(parts[0], FirstOfFour())
    assert torch.equal(net.head.weight, alone.head.weight)


def test_a_head_that_gets_no_vector_is_told():
    """As a linear layer over patches does."""
    net = nn.Sequential(nn.Flatten(2), nn.Linear(64, 3))
    with pytest.raises(zoo.UsageError, match="a head that is given one vector for each image"):
        seen_by_head(net, net[1], EvaluationBatches(small_split(4), 4, preparation()))

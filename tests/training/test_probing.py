"""The probe: a convex problem, solved the same each time, and right where others are."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import Ridge
from small_images import preparation, small_split
from torch import nn
from torch.nn import functional
from tunable_net import tunable

import zoo
from zoo.data import EvaluationBatches
from zoo.training import probing
from zoo.training.probing import Probe, fit_ridge, seen_by_head
from zoo.training.world import World


def clouds(count: int, size: int, classes: int = 3, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Return samples around one centre a class, on a scale of their own."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % classes
    centres = torch.randn(classes, size, generator=generator)
    return 50 + 7 * (centres[labels] + torch.randn(count, size, generator=generator)), labels


def views(features: torch.Tensor) -> torch.Tensor:
    """Return one view of each sample, (N, 1, D)."""
    return features.double().unsqueeze(1)


def fitted(features: torch.Tensor, labels: torch.Tensor, penalty: float) -> Ridge:
    """Return scikit-learn's solution for one penalty."""
    variances = np.linalg.eigvalsh(np.cov(features.numpy().T, bias=True)) * len(features)
    unit = variances[variances > variances.max() * 1e-10].mean()
    return Ridge(alpha=penalty * unit).fit(features.numpy(), functional.one_hot(labels, 3).double().numpy())


@pytest.mark.parametrize(("count", "size"), [(60, 5), (12, 40)], ids=["tall", "wide"])
@pytest.mark.parametrize("penalty", [1e-4, 1.0])
def test_the_head_is_the_solution_that_scikit_learn_finds(count, size, penalty):
    """For one penalty, with more samples than features and with fewer."""
    features, labels = clouds(count, size)
    weight, bias = probing._Ridge(views(features), labels, 3).solution(penalty)
    known = fitted(features.double(), labels, penalty)
    np.testing.assert_allclose(weight.numpy(), known.coef_, atol=1e-6)
    np.testing.assert_allclose(bias.numpy(), known.intercept_, atol=1e-4)


@pytest.mark.parametrize(("count", "size"), [(20, 4), (7, 30)], ids=["tall", "wide"])
def test_what_is_said_of_a_sample_left_out_is_what_a_fit_without_it_says(count, size):
    """Of both its views, for fits that are made anew for each sample, with the same penalty."""
    features, labels = clouds(2 * count, size)
    features, labels = features.double().view(count, 2, size), labels[:count]
    rows, targets = features.flatten(0, 1), labels.repeat_interleave(2)
    ridge = probing._Ridge(features, labels, 3)
    scores, tried = ridge.scores_left_out(0.3)
    assert torch.equal(tried, labels[ridge.tried])
    for place, sample in enumerate(ridge.tried.tolist()):
        kept = torch.arange(2 * count) // 2 != sample
        known = Ridge(alpha=0.3 * ridge.unit).fit(
            rows[kept].numpy(), functional.one_hot(targets[kept], 3).double().numpy()
        )
        expected = known.predict(features[sample, :1].numpy())[0]
        np.testing.assert_allclose(scores[place].numpy(), expected, atol=1e-6)


@settings(max_examples=15)
@given(count=st.integers(1, 30), size=st.integers(1, 12), classes=st.integers(2, 6), sides=st.integers(1, 2))
def test_any_number_of_samples_features_and_classes_has_a_finite_solution(count, size, classes, sides):
    """One image, a feature that never changes, classes without an image: and the same bits again."""
    features, labels = clouds(count * sides, size, classes)
    features[:, 0] = 3.0
    features, labels = features.view(count, sides, size), labels[:count]
    first, again = fit_ridge(features, labels, classes), fit_ridge(features, labels, classes)
    assert all(torch.equal(torch.as_tensor(a), torch.as_tensor(b)) for a, b in zip(first, again, strict=True))
    assert first[0].shape == (classes, size)
    assert first[0].isfinite().all()
    assert first[1].isfinite().all()


def test_a_noisy_problem_gets_a_stronger_penalty_and_less_certain_scores():
    """What is said of samples that were left out decides."""
    labels = torch.arange(60) % 3
    noise = torch.randn(60, 1, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    clear = noise / 100 + functional.one_hot(labels, 6).unsqueeze(1)
    chosen = [
        min(probing.PENALTIES, key=probing._Ridge(features, labels, 3).error_left_out) for features in (noise, clear)
    ]
    assert chosen[0] >= 10
    assert chosen[1] <= 0.01
    certain = [
        (features[:, 0] @ weight.T + bias).softmax(1).amax(1).mean()
        for features in (noise, clear)
        for weight, bias, _ in [fit_ridge(features, labels, 3)]
    ]
    assert certain[0] < 0.5
    assert certain[1] > 0.95


def test_mirrored_images_are_looked_at_too():
    """A second view for each, of the inputs from right to left, in the same place of the batch."""
    net = nn.Sequential(nn.Flatten(), nn.Linear(64, 3))
    inputs, labels = next(iter(EvaluationBatches(small_split(4), 4, preparation())))
    (seen,), _ = seen_by_head(net, net[1], [(inputs, labels)], mirrored=True)
    assert torch.equal(seen, torch.stack([inputs.flatten(1), inputs.flip(3).flatten(1)], dim=1))


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

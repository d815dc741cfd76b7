"""Random numbers that are a pure function of their place, and augmentations in a row."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from zoo.data.augmentation import Augmenter, Draws
from zoo.errors import PluginError

SAMPLES = 1000
MASK = 2**64 - 1


def no_partners(indices: Tensor) -> tuple[Tensor, Tensor]:
    raise AssertionError(f"partners of {indices} were asked for")


def draws(key: str, indices: Tensor) -> Draws:
    return Draws(key, indices, "cpu", no_partners)


def fetch(indices: Tensor) -> tuple[Tensor, Tensor]:
    """Samples whose pixels are their index."""
    return indices.to(torch.float32).view(-1, 1, 1, 1).expand(-1, 1, 2, 2).clone(), indices.clone()


def add_noise(inputs: Tensor, targets: Tensor, draws: Draws) -> tuple[Tensor, Tensor]:
    return inputs + draws.uniform(1, 2, 2), targets


def swap(inputs: Tensor, targets: Tensor, draws: Draws) -> tuple[Tensor, Tensor]:
    return draws.partners()


def augmenter(*augmentations, seed: int = 0, num_samples: int = SAMPLES) -> Augmenter:
    return Augmenter(augmentations, seed=seed, num_samples=num_samples, fetch=lambda _, indices: fetch(indices))


def augmented(augment: Augmenter, epoch: int, indices: Tensor) -> Tensor:
    return augment(*fetch(indices), epoch, indices)[0]


def splitmix64(state: int) -> int:
    """The published finaliser, in Python's unbounded integers."""
    state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & MASK
    return state ^ (state >> 31)


def test_numbers_equal_splitmix64_computed_in_python():
    """Wrapping and shifting of torch's signed integers give the bits of the published method."""
    import hashlib

    key = int.from_bytes(hashlib.sha256(b"some key").digest()[:8], "big")
    golden = 0x9E3779B97F4A7C15
    indices = [0, 1, 54_999, 2**40]
    expected = [
        [(splitmix64((splitmix64((i * golden + key) & MASK) + n * golden) & MASK) >> 40) / 2**24 for n in (1, 2, 3)]
        for i in indices
    ]
    assert draws("some key", torch.tensor(indices)).uniform(3).tolist() == expected


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=9), st.integers(0, 5))
@settings(max_examples=30)
def test_a_samples_numbers_do_not_depend_on_its_batch(indices, start):
    """Uniform, normal and whole numbers of one sample have equal bits alone and in any batch."""
    together = torch.tensor(indices)
    everything = draws("key", together)
    alone = [draws("key", together[i : i + 1]) for i in range(len(indices))]
    for call in (lambda d: d.uniform(start + 1), lambda d: d.normal(3, 5), lambda d: d.integers(7, 2)):
        assert torch.equal(call(everything), torch.cat([call(one) for one in alone]))


@pytest.mark.parametrize("call", ["uniform", "normal"])
def test_large_draws_of_a_sample_have_equal_bits_in_any_batch(call):
    """Neither vectorised remainders nor parallel chunks change a number."""
    indices = torch.arange(200)
    whole = getattr(draws("key", indices), call)(3, 17, 17)
    assert torch.equal(whole[111:114], getattr(draws("key", indices[111:114]), call)(3, 17, 17))


def test_uniform_numbers_are_uniform():
    """A chi-square over 256 cells of 400,000 numbers stays within five sigmas, and no number leaves [0, 1)."""
    numbers = draws("key", torch.arange(4000)).uniform(100)
    assert numbers.dtype == torch.float32
    assert 0 <= numbers.min() < 1e-4
    assert 1 - 1e-4 < numbers.max() < 1
    counts = torch.histc(numbers.double(), 256, 0, 1)
    chi_square = ((counts - counts.mean()) ** 2 / counts.mean()).sum().item()
    assert abs(chi_square - 255) < 5 * math.sqrt(2 * 255)


def test_every_bit_of_a_number_is_fair():
    """Each of the 24 bits is set in half of the numbers, within five sigmas."""
    numbers = (draws("key", torch.arange(10_000)).uniform(10) * 2**24).long()
    for bit in range(24):
        share = ((numbers >> bit) & 1).double().mean().item()
        assert abs(share - 0.5) < 5 * 0.5 / math.sqrt(numbers.numel())


@pytest.mark.parametrize(
    "neighbour",
    [
        lambda i: draws("augment/0/0/0", i + 1),
        lambda i: draws("augment/0/0/0", i + 2**32),
        lambda i: draws("augment/0/1/0", i),
        lambda i: draws("augment/1/0/0", i),
        lambda i: draws("augment/0/0/1", i),
    ],
    ids=["index", "far index", "epoch", "seed", "place"],
)
def test_neighbouring_streams_are_uncorrelated(neighbour):
    """The numbers of the next index, epoch, seed or place are correlated with these no more than chance would."""
    indices = torch.arange(20_000)
    first, second = draws("augment/0/0/0", indices).uniform(5), neighbour(indices).uniform(5)
    correlation = torch.corrcoef(torch.stack([first.flatten(), second.flatten()]).double())[0, 1].item()
    assert abs(correlation) < 5 / math.sqrt(first.numel())
    assert (first == second).double().mean() < 1e-4


def test_successive_calls_give_independent_numbers():
    """The second call continues the stream; pairs of calls fill the square evenly."""
    stream = draws("key", torch.arange(100_000))
    first, second = stream.uniform(), stream.uniform()
    cells = torch.bincount((first * 16).long() * 16 + (second * 16).long(), minlength=256).double()
    chi_square = ((cells - cells.mean()) ** 2 / cells.mean()).sum().item()
    assert abs(chi_square - 255) < 5 * math.sqrt(2 * 255)


def test_normal_numbers_have_the_normal_distribution():
    """Quantiles of 200,000 numbers agree with the exact ones, and all are finite."""
    numbers = draws("key", torch.arange(2000)).normal(100).double().flatten()
    assert numbers.isfinite().all()
    levels = torch.tensor([0.001, 0.025, 0.16, 0.5, 0.84, 0.975, 0.999], dtype=torch.float64)
    shares = (numbers < torch.special.ndtri(levels).unsqueeze(1)).double().mean(1)
    assert ((shares - levels).abs() < 5 * (levels * (1 - levels) / len(numbers)).sqrt()).all()


def test_whole_numbers_take_every_value_evenly():
    """Seven values, each a seventh of the time; a range of one is always 0."""
    counts = torch.bincount(draws("key", torch.arange(7000)).integers(7, 10).flatten(), minlength=7)
    assert len(counts) == 7
    assert (counts - 10_000).abs().max() < 500
    assert draws("key", torch.arange(5)).integers(1).tolist() == [0] * 5


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 6, 7, 64])
def test_the_batch_a_sample_comes_in_changes_no_bit(size):
    """Lessons row 21: the same epoch in batches of any size, and from any step on, is augmented alike."""
    augment = augmenter(add_noise, swap, add_noise)
    order = torch.randperm(130, generator=torch.Generator().manual_seed(3))
    whole = augmented(augment, 2, order)
    parts = [augmented(augmenter(add_noise, swap, add_noise), 2, part) for part in order.split(size)]
    assert torch.equal(whole, torch.cat(parts))


def test_epochs_and_seeds_augment_differently():
    """Lessons row 21: no epoch repeats another's augmentation, nor does another seed."""
    indices = torch.arange(50)
    runs = [
        augmented(augmenter(add_noise, seed=seed), epoch, indices) for seed, epoch in [(0, 0), (0, 1), (1, 0), (1, 1)]
    ]
    for i, one in enumerate(runs):
        for other in runs[:i]:
            assert not (one == other).all(dim=(1, 2, 3)).any()


def test_the_same_augmentation_twice_draws_other_numbers():
    """Numbers depend on the place in the list."""
    seen = []

    def record(inputs, targets, draws):
        seen.append(draws.uniform())
        return inputs, targets

    augmented(augmenter(record, record), 0, torch.arange(20))
    assert (seen[0] != seen[1]).all()


def test_partners_are_other_samples_and_change_with_the_epoch():
    """Nobody is its own partner, every other sample can be one, and a new epoch brings new ones."""
    indices = torch.arange(6)
    partners = [augmented(augmenter(swap, num_samples=6), epoch, indices)[:, 0, 0, 0] for epoch in range(200)]
    for own, found in enumerate(torch.stack(partners).long().T.tolist()):
        assert set(found) == set(range(6)) - {own}


def test_a_lone_sample_is_its_own_partner():
    """With one training sample there is no other."""
    assert augmented(augmenter(swap, num_samples=1), 0, torch.tensor([0])).unique().tolist() == [0]


def test_a_partner_is_augmented_as_it_would_be_itself():
    """A partner comes as it reaches that place of the list in its own batch of this epoch."""
    indices = torch.arange(40)
    swapped = augmented(augmenter(add_noise, swap), 1, indices)
    alone = augmented(augmenter(add_noise), 1, torch.arange(SAMPLES))
    assert torch.equal(swapped, alone[swapped[:, 0, 0, 0].long()])


def test_targets_of_partners_come_with_their_inputs():
    """The partner's label is the partner's."""
    indices = torch.arange(10)
    inputs, targets = augmenter(swap)(*fetch(indices), 0, indices)
    assert targets.tolist() == inputs[:, 0, 0, 0].long().tolist()


def test_the_memory_layout_is_kept():
    """What an augmentation made contiguous is channels_last again, with equal values."""
    indices = torch.arange(4)
    inputs = torch.randn(4, 3, 5, 5).to(memory_format=torch.channels_last)
    changed, _ = augmenter(lambda x, y, _: (x.contiguous() * 2, y))(inputs, indices, 0, indices)
    assert changed.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(changed, inputs * 2)


def test_soft_targets_are_announced():
    """The augmenter has soft targets as soon as one augmentation has."""

    class Mixing:
        soft_targets = True

    assert not augmenter(add_noise).soft_targets
    assert augmenter(add_noise, Mixing()).soft_targets


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda x, y, _: (x[..., :1], y), r"turned inputs \(3, 1, 2, 2\) torch.float32 into \(3, 1, 2, 1\)"),
        (lambda x, y, _: (x.double(), y), r"must keep shape and type"),
        (lambda x, y, _: (x, y.double()), r"returned targets \(3,\) torch.float64 for 3 inputs"),
        (lambda x, y, _: (x, y[:2]), r"must be \(B,\) int64 or \(B, K\) floating"),
    ],
)
def test_a_wrong_result_is_the_plugins_fault(wrong, message):
    """A shape or type that the loop cannot use is reported at once, with the augmentation's name."""
    with pytest.raises(PluginError, match=f"augmentation <lambda>.*{message}"):
        augmented(augmenter(wrong), 0, torch.arange(3))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_draws_the_cpus_numbers():
    """Uniform and whole numbers have equal bits on both; the logarithms of normal ones may differ in the last."""
    indices = torch.arange(500)
    here, there = draws("key", indices), Draws("key", indices.cuda(), "cuda", no_partners)
    assert torch.equal(here.uniform(3, 4), there.uniform(3, 4).cpu())
    assert torch.equal(here.integers(9, 2), there.integers(9, 2).cpu())
    torch.testing.assert_close(here.normal(5), there.normal(5).cpu())

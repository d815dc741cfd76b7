"""An ensemble answers with the mean of its members' probabilities, each given the images as it knows them."""

from __future__ import annotations

import copy

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from zoo.data import Preparation
from zoo.errors import UsageError
from zoo.training.ensemble import Ensemble, MemberInputs, log_mean_probabilities
from zoo.training.layer_groups import head_of
from zoo.training.saliency import last_maps

_SIDES = st.integers(1, 30)


def test_the_answer_is_the_mean_of_the_probabilities():
    """Written out by hand, for three members that differ."""
    torch.manual_seed(0)
    models = [nn.Sequential(nn.Flatten(), nn.Linear(12, 5)) for _ in range(3)]
    inputs = torch.randn(4, 1, 3, 4)
    answer = Ensemble(models)(inputs)
    mean = sum(model(inputs).softmax(1) for model in models) / 3
    torch.testing.assert_close(answer.exp(), mean)
    torch.testing.assert_close(answer.softmax(1), mean)


def test_members_that_agree_change_nothing():
    """But for the logits' common offset."""
    logits = torch.randn(3, 7)
    torch.testing.assert_close(log_mean_probabilities([logits, logits]), logits.log_softmax(1))


def test_the_logarithm_is_finite_however_sure_a_member_is():
    """Where one leaves a class a probability that no float holds, the other's half counts."""
    sure, other = torch.tensor([[1000.0, -1000.0]]), torch.tensor([[0.0, 0.0]])
    torch.testing.assert_close(log_mean_probabilities([sure, other]).exp(), torch.tensor([[0.75, 0.25]]))
    assert log_mean_probabilities([sure, sure]).isfinite().all()


def test_half_precision_answers_are_averaged_in_full():
    """Logits in bf16 give a float32 answer."""
    answer = log_mean_probabilities([torch.randn(2, 3).bfloat16(), torch.randn(2, 3).bfloat16()])
    assert answer.dtype == torch.float32


def test_each_member_is_given_its_own_inputs():
    """In the order of the members."""
    doubled = nn.Flatten()
    answer = Ensemble([nn.Flatten(), doubled], [nn.Identity(), nn.ReLU()])(torch.tensor([[[[-1.0, 1.0]]]]))
    expected = log_mean_probabilities([torch.tensor([[-1.0, 1.0]]), torch.tensor([[0.0, 1.0]])])
    assert torch.equal(answer, expected)


def test_the_weights_are_the_members_alone():
    """What turns inputs into theirs follows from the options, and a copy has it as well."""
    own = MemberInputs(([0.5], [0.5]), ([0.1], [0.2]), size=(4, 4), own_size=(6, 5), interpolation="bilinear")
    model = Ensemble([nn.Sequential(nn.Flatten(), nn.Linear(30, 2)) for _ in range(2)], [own, own])
    assert sorted(model.state_dict()) == [f"members.{m}.1.{name}" for m in (0, 1) for name in ("bias", "weight")]
    inputs = torch.randn(2, 1, 4, 4)
    assert torch.equal(copy.deepcopy(model)(inputs), model(inputs))


@given(_SIDES, _SIDES, _SIDES, _SIDES, st.sampled_from(["nearest", "bilinear", "bicubic"]), st.sampled_from([1, 3]))
def test_a_member_sees_what_its_own_run_prepared(h: int, w: int, height: int, width: int, how: str, channels: int):
    """Whatever the sizes, filters, statistics and channels: from inputs that were normalised for the ensemble."""
    generator = torch.Generator().manual_seed(h * 31 + w)
    images = torch.randint(0, 256, (2, 1, h, w), dtype=torch.uint8, generator=generator)
    mean, std = [0.485, 0.456, 0.406][:channels], [0.229, 0.224, 0.225][:channels]
    wanted = Preparation(mean, std, size=(height, width), interpolation=how)(images)
    given_to_all = Preparation([0.13], [0.31])(images)
    own = MemberInputs(([0.13], [0.31]), (mean, std), size=(h, w), own_size=(height, width), interpolation=how)
    torch.testing.assert_close(own(given_to_all), wanted, rtol=1e-4, atol=1e-4)


def test_equal_statistics_and_sizes_change_no_bit():
    """Nothing is multiplied by one."""
    inputs = torch.randn(3, 2, 5, 5)
    same = ((0.1, 0.2), (0.3, 0.4))
    own = MemberInputs(same, same, size=(5, 5), own_size=(5, 5), interpolation="bicubic")
    assert torch.equal(own(inputs), inputs)


def test_pixels_are_resized_in_full_precision_under_autocast():
    """A half-precision product would blur them."""
    own = MemberInputs(([0.0], [1.0]), ([0.5], [0.25]), size=(9, 9), own_size=(5, 7), interpolation="bilinear")
    inputs = torch.rand(2, 1, 9, 9)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(own(inputs), own.float()(inputs))
        assert own(inputs).dtype == torch.float32
    torch.testing.assert_close(own(inputs), own.double()(inputs.double()).float())


def test_there_is_no_one_head_and_no_one_map():
    """Those of the last member would pass for the ensemble's."""
    model = Ensemble([nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(8, 3)) for _ in range(2)])
    with pytest.raises(UsageError, match="no head of its own, only its members have"):
        head_of(model)
    assert last_maps(model, torch.randn(1, 1, 4, 4)) is None
    assert last_maps(model.members[0], torch.randn(1, 1, 4, 4)) == "0"

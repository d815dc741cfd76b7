"""Rules that the parts of zoo_torch share: ranges of options, groups of parameters, and schedules as pure functions."""

from __future__ import annotations

import inspect
import math
from typing import Any

import pytest
import torch
import zoo_torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F
from torch.optim import SGD, AdamW
from zoo_torch import adaptive, annealing, checks, criteria, decays, descent, muon
from zoo_torch.parameters import ADAGRAD_DEVICES, ADAM_DEVICES, as_groups, choose_fused
from zoo_torch.schedule import cosine_way, straight_way

import zoo

SCHEDULES = {
    name: getattr(module, name)
    for module, names in (
        (annealing, ("one_cycle", "cosine", "linear", "constant")),
        (decays, ("step", "multi_step", "exponential")),
    )
    for name in names
}
INF, NAN = math.inf, math.nan


@pytest.mark.parametrize("value", [0, 0.0, 1e-300, 5, 1e308])
def test_at_least_zero_is_from_zero_on(value: float) -> None:
    """Up to what is finite."""
    checks.check_at_least(0, lr=value)


@pytest.mark.parametrize(
    ("check", "low", "value", "message"),
    [
        (checks.check_at_least, 0, -1e-300, "p must be at least 0 and finite, not -1e-300"),
        (checks.check_at_least, 0, INF, "p must be at least 0 and finite, not inf"),
        (checks.check_at_least, 1, NAN, "p must be at least 1 and finite, not nan"),
        (checks.check_at_least, 1.5, 1.4, "p must be at least 1.5 and finite, not 1.4"),
        (checks.check_above, 0, 0, "p must be above 0 and finite, not 0"),
        (checks.check_above, 0, -INF, "p must be above 0 and finite, not -inf"),
        (checks.check_above, 0, NAN, "p must be above 0 and finite, not nan"),
        (checks.check_above, 2, 2, "p must be above 2 and finite, not 2"),
    ],
)
def test_a_bound_is_told_with_the_option(check: Any, low: float, value: float, message: str) -> None:
    """The first option that breaks it, whichever come before."""
    with pytest.raises(ValueError, match="p must be") as caught:
        check(low, fine=low + 1, p=value, also=-5)
    assert str(caught.value) == message


@pytest.mark.parametrize("value", [-1e-9, 1.0, 2, NAN, INF])
def test_a_fraction_is_below_one(value: float) -> None:
    """And from 0 on."""
    checks.check_fraction(a=0, b=0.0, c=0.999999)
    with pytest.raises(ValueError, match=r"^p must be in \[0, 1\), not "):
        checks.check_fraction(a=0, p=value)


@pytest.mark.parametrize("betas", [(), (0.9,), (0.9, 0.9, 0.9), (1.0, 0.9), (0.9, 1.0), (-0.1, 0.9), (0.9, NAN)])
def test_betas_are_two_fractions(betas: tuple[float, ...]) -> None:
    """As a pair, whatever sequence they came in."""
    assert checks.check_betas([0, 0.5]) == (0, 0.5)
    with pytest.raises(ValueError, match="betas must be two numbers") as caught:
        checks.check_betas(betas)
    assert str(caught.value) == f"betas must be two numbers in [0, 1), not {list(betas)!r}"


DEFAULTS: dict[Any, dict[str, Any]] = {
    adaptive.adamw: {"lr": 0.003, "betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0.01, "amsgrad": False},
    adaptive.adam: {"lr": 0.003, "betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0.0, "amsgrad": False},
    adaptive.nadam: {"lr": 0.003, "betas": (0.9, 0.999), "weight_decay": 0.0, "momentum_decay": 0.004},
    adaptive.radam: {"lr": 0.006, "betas": (0.9, 0.999), "weight_decay": 0.0, "decoupled_weight_decay": False},
    adaptive.adamax: {"lr": 0.006, "betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0.0},
    adaptive.adafactor: {"lr": 0.03, "beta2_decay": -0.8, "eps": (None, 1e-3), "d": 1.0, "weight_decay": 0.0},
    descent.sgd: {"lr": 0.1, "momentum": 0.9, "dampening": 0.0, "nesterov": False, "weight_decay": 0.0},
    descent.asgd: {"lr": 0.1, "lambd": 1e-4, "alpha": 0.75, "t0": 1e6, "weight_decay": 0.0},
    descent.rmsprop: {"lr": 0.002, "alpha": 0.99, "eps": 1e-8, "momentum": 0.0, "centered": False},
    descent.rprop: {"lr": 0.0005, "etas": (0.5, 1.2), "step_sizes": (1e-6, 0.01)},
    descent.adagrad: {"lr": 0.03, "lr_decay": 0.0, "initial_accumulator_value": 0.0, "eps": 1e-10},
    descent.adadelta: {"lr": 1.0, "rho": 0.9, "eps": 1e-6, "weight_decay": 0.0},
}
CHANGED: dict[str, Any] = {
    "lr": 0.5,
    "betas": (0.5, 0.75),
    "eps": 0.125,
    "weight_decay": 0.25,
    "amsgrad": True,
    "momentum_decay": 0.5,
    "decoupled_weight_decay": True,
    "beta2_decay": -0.5,
    "d": 2.0,
    "momentum": 0.5,
    "dampening": 0.25,
    "nesterov": False,
    "lambd": 0.5,
    "alpha": 0.5,
    "t0": 3.0,
    "centered": True,
    "etas": (0.25, 2.0),
    "step_sizes": (0.125, 0.5),
    "lr_decay": 0.5,
    "initial_accumulator_value": 0.5,
    "rho": 0.5,
}


def parameters() -> list[torch.Tensor]:
    return [nn.Parameter(torch.ones(2, 3)), nn.Parameter(torch.ones(3))]


@pytest.mark.parametrize("builder", DEFAULTS, ids=lambda builder: builder.__name__)
def test_defaults_are_those_that_runs_were_recorded_with(builder: Any) -> None:
    """A run's record holds what was given: another default would repeat it otherwise, without a word."""
    group = builder(parameters()).param_groups[0]
    assert {name: group[name] for name in DEFAULTS[builder]} == DEFAULTS[builder]
    assert builder.__name__ in zoo_torch.OPTIMIZERS


@pytest.mark.parametrize("builder", DEFAULTS, ids=lambda builder: builder.__name__)
def test_every_option_reaches_torch(builder: Any) -> None:
    """Under its own name, each of them."""
    names = [name for name in inspect.signature(builder).parameters if name not in ("params", "fused")]
    given = {name: CHANGED[name] for name in names}
    group = builder(parameters(), **given).param_groups[0]
    expected = {**given, "eps": (None, given["eps"])} if builder is adaptive.adafactor else given
    assert {name: group[name] for name in names} == expected


def test_groups_are_copied_and_hold_lists() -> None:
    """Tensors, a generator of them, or groups; torch fills in the copies alone."""
    one, other = parameters()
    assert as_groups([one, other]) == [{"params": [one, other]}]
    assert as_groups(iter([one])) == [{"params": [one]}]
    given: list[dict[str, Any]] = [{"params": one, "lr": 0.5}, {"params": (other,), "weight_decay": 0.0}]
    made = as_groups(given)
    assert [group["params"] for group in made] == [[one], [other]]
    assert made[0]["lr"] == 0.5
    SGD(made, lr=0.1, momentum=0.9)
    assert given[0] == {"params": one, "lr": 0.5}
    assert as_groups([]) == []


@pytest.mark.parametrize("devices", [ADAM_DEVICES, ADAGRAD_DEVICES])
def test_a_fused_kernel_is_for_floating_parameters_on_its_devices(devices: frozenset[str]) -> None:
    """It is taken where all can be updated so, left to torch where not, and refused where it was asked for."""
    fine = [{"params": parameters()}]
    mixed = [*fine, {"params": [torch.zeros(2, device="meta")]}, {"params": [torch.zeros(2, dtype=torch.int64)]}]
    assert choose_fused(fine, None, devices) is True
    assert choose_fused(fine, False, devices) is False
    assert choose_fused(fine, True, devices) is True
    assert choose_fused([], None, devices) is True
    assert choose_fused(mixed, None, devices) is None
    assert choose_fused(mixed, False, devices) is False
    with pytest.raises(ValueError, match="fused must be") as caught:
        choose_fused(mixed, True, devices)
    told = "fused must be false or left out for a parameter of torch.float32 on meta, not True"
    assert str(caught.value) == told
    assert choose_fused(fine, None, frozenset({"cuda"})) is None


runs = st.tuples(st.integers(1, 60), st.integers(1, 20))


def built(name: str, total: int, an_epoch: int, over: Any = None, **options: Any) -> Any:
    over = over or SGD([nn.Parameter(torch.zeros(1))], lr=0.5, momentum=0.9)
    facts = {"total_steps": total, "steps_per_epoch": an_epoch}
    wanted = inspect.signature(SCHEDULES[name]).parameters
    return SCHEDULES[name](over, **{key: facts[key] for key in facts if key in wanted}, **options)


@settings(max_examples=60)
@given(st.sampled_from(list(SCHEDULES)), runs, st.integers(0, 30))
def test_a_schedule_is_a_function_of_the_steps_number(name: str, run: tuple[int, int], ahead: int) -> None:
    """In any order, again and again, and the same past the end as at it; never negative, never above the rate."""
    schedule = built(name, *run)
    factors = [schedule.factor(step) for step in range(run[0] + ahead)]
    assert [schedule.factor(step) for step in reversed(range(run[0] + ahead))] == factors[::-1]
    assert all(0 <= factor <= 1 for factor in factors)
    if name in ("one_cycle", "cosine", "linear", "constant"):
        assert len(set(factors[run[0] :])) <= 1


@settings(max_examples=40)
@given(st.sampled_from(list(SCHEDULES)), runs, st.data())
def test_a_loaded_schedule_gives_the_rates_to_come(name: str, run: tuple[int, int], data: st.DataObject) -> None:
    """From its state alone, which is plain data."""
    total, an_epoch = run
    stop = data.draw(st.integers(0, total - 1))
    schedule = built(name, total, an_epoch)
    for _ in range(stop):
        schedule.optimizer.step()
        schedule.step()
    state = schedule.state_dict()
    assert sorted(state) == ["base_lrs", "last_epoch", "last_lr", "step_count"]
    other = built(name, total, an_epoch)
    other.load_state_dict(state)
    assert other.last_epoch == stop
    assert other.get_last_lr() == schedule.get_last_lr()
    assert other.state_dict() == state
    state["base_lrs"][0] = 99.0
    assert other.base_lrs != [99.0]


@pytest.mark.parametrize(
    ("way", "middle", "quarter"), [(cosine_way, 0.6, 0.2 + 0.8 / 2 * (1 + math.sqrt(0.5))), (straight_way, 0.6, 0.8)]
)
def test_a_way_goes_from_its_start_to_its_end(way: Any, middle: float, quarter: float) -> None:
    """Up as well as down."""
    for start, end in ((1.0, 0.2), (0.2, 1.0)):
        assert way(start, end, 0.0) == pytest.approx(start)
        assert way(start, end, 1.0) == pytest.approx(end)
        assert way(start, end, 0.5) == pytest.approx(middle)
    assert way(1.0, 0.2, 0.25) == pytest.approx(quarter)


def test_milestones_count_from_their_step_on() -> None:
    """The step with that number is the first at the new rate; a milestone may stand twice."""
    schedule = built("multi_step", 20, 5, milestones=[1.0, 2.0, 2.0], gamma=0.5)
    assert [schedule.factor(step) for step in (0, 4, 5, 9, 10, 19)] == [1, 1, 0.5, 0.5, 0.125, 0.125]


def test_a_step_smaller_than_one_is_one() -> None:
    """Else every rate would be divided by nothing."""
    schedule = built("step", 20, 5, step_size=0.01, gamma=0.5)
    assert [schedule.factor(step) for step in range(4)] == [1, 0.5, 0.25, 0.125]


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("one_cycle", {"pct_start": 1.01}, "pct_start must be in [0, 1], not 1.01"),
        ("one_cycle", {"pct_start": -0.1}, "pct_start must be in [0, 1], not -0.1"),
        ("one_cycle", {"anneal_strategy": "cosine"}, "anneal_strategy must be 'cos' or 'linear', not 'cosine'"),
        ("one_cycle", {"div_factor": 0.5}, "div_factor must be at least 1 and finite, not 0.5"),
        ("one_cycle", {"final_div_factor": INF}, "final_div_factor must be at least 1 and finite, not inf"),
        ("one_cycle", {"base_momentum": 1.0}, "base_momentum must be in [0, 1), not 1.0"),
        ("cosine", {"end_factor": 1.1}, "end_factor must be in [0, 1], not 1.1"),
        ("linear", {"end_factor": -0.1}, "end_factor must be in [0, 1], not -0.1"),
        ("cosine", {"warmup": 1.0}, "warmup must be in [0, 1), not 1.0"),
        ("constant", {"warmup_epochs": -1}, "warmup_epochs must be at least 0 and finite, not -1"),
        ("linear", {"warmup_epochs": 4}, "warmup_epochs must be below the run's 4, not 4"),
        ("linear", {"warmup_epochs": 5.5}, "warmup_epochs must be below the run's 4, not 5.5"),
        ("step", {"step_size": 0}, "step_size must be above 0 and finite, not 0"),
        ("multi_step", {"milestones": [1, 0]}, "milestones must be epochs above 0, not [1, 0]"),
        ("multi_step", {"milestones": (INF,)}, "milestones must be epochs above 0, not [inf]"),
        ("exponential", {"gamma": 0.0}, "gamma must be above 0 and finite, not 0.0"),
    ],
)
def test_a_schedules_rule_is_told_whole(name: str, options: dict[str, Any], message: str) -> None:
    """Before anything is trained."""
    with pytest.raises(ValueError, match="must be") as caught:
        built(name, 20, 5, **options)
    assert str(caught.value) == message


def test_a_warm_up_in_epochs_replaces_the_share() -> None:
    """And may take all but the last step."""
    schedule = built("constant", 20, 5, warmup=0.9, warmup_epochs=1)
    assert [schedule.factor(step) for step in range(6)] == pytest.approx([1 / 6, 2 / 6, 3 / 6, 4 / 6, 5 / 6, 1])
    assert built("constant", 20, 5, warmup_epochs=0).factor(0) == 1
    assert built("linear", 4, 4, warmup=0.99).factor(3) == 1


def test_momentum_goes_the_other_way_in_each_group_that_has_it() -> None:
    """Highest where the rate is lowest; the second of betas stays."""
    groups = [
        {"params": [nn.Parameter(torch.zeros(1))]},
        {"params": [nn.Parameter(torch.zeros(1))], "betas": (0.9, 0.5)},
    ]
    schedule = built("one_cycle", 12, 12, AdamW(groups, lr=1.0), pct_start=0.5)
    seen = []
    for _ in range(12):
        seen.append([group["betas"] for group in schedule.optimizer.param_groups])
        schedule.optimizer.step()
        schedule.step()
    first = [pair[0][0] for pair in seen]
    assert first[0] == pytest.approx(0.95)
    assert min(first) == pytest.approx(0.85, abs=2e-3)
    assert first[-1] == pytest.approx(0.95)
    assert {pair[0][1] for pair in seen} == {0.999}
    assert {pair[1][1] for pair in seen} == {0.5}


@pytest.mark.parametrize("weight", [[1.0, NAN], [INF, 1.0], [[1.0], [2.0]], [], [0.0]])
def test_weights_of_classes_are_finite_numbers_in_a_row(weight: Any) -> None:
    """One at least of which counts."""
    for name in ("cross_entropy", "multi_margin", "focal"):
        with pytest.raises(
            ValueError, match="weight must be numbers of at least 0, not all 0, one for each class, not "
        ):
            getattr(criteria, name)(weight=weight)


@pytest.mark.parametrize("weight", ["balanced", {"auk": 2.0}])
def test_weights_that_a_run_makes_are_no_numbers_yet(weight: Any) -> None:
    """From Python it is told who knows the classes."""
    with pytest.raises(ValueError, match="is for a run, which knows the classes") as caught:
        criteria.focal(weight=weight)
    assert str(caught.value).startswith(f"weight {weight!r} is for a run")


@settings(max_examples=30)
@given(st.lists(st.integers(0, 3), min_size=1, max_size=9), st.booleans())
def test_the_denominator_is_what_torch_divides_by(labels: list[int], ignored: bool) -> None:
    """Times the mean it gives torch's sum, with weights and with labels that do not count."""
    weight, targets = [1.0, 0.5, 0.25, 4.0], torch.tensor(labels)
    logits = torch.arange(4 * len(labels)).view(-1, 4).sin().double()
    criterion = criteria.cross_entropy(weight=weight, ignore_index=2 if ignored else None)
    total = F.cross_entropy(
        logits, targets, torch.tensor(weight).double(), ignore_index=2 if ignored else -100, reduction="sum"
    )
    denominator = criterion.denominator(targets)
    assert float(denominator) == sum(weight[label] for label in labels if not (ignored and label == 2))
    torch.testing.assert_close(criterion(logits, targets) * denominator, total, rtol=1e-5, atol=1e-8)


def test_soft_targets_are_counted_by_samples() -> None:
    """Whatever the weights: a share of a label has no label."""
    criterion = criteria.cross_entropy(weight=[1.0, 3.0])
    assert criterion.denominator(torch.full((5, 2), 0.5)) == 5
    assert criteria.cross_entropy().denominator(torch.zeros(7, dtype=torch.int64)) == 7


def test_soft_targets_are_left_as_they_are() -> None:
    """Smoothing works on a copy: mixing would read them again."""
    soft = torch.full((2, 4), 0.25)
    kept = soft.clone()
    logits = torch.zeros(2, 4)
    for criterion in (criteria.bce(label_smoothing=0.2), criteria.focal(label_smoothing=0.2), criteria.mse()):
        criterion(logits, soft)
        assert torch.equal(soft, kept)


def test_multi_margin_says_what_to_take_for_soft_targets() -> None:
    """Another criterion, or another augmentation."""
    with pytest.raises(zoo.UsageError) as caught:
        criteria.multi_margin()(torch.zeros(2, 3), torch.zeros(2, 3))
    assert str(caught.value) == (
        "multi_margin takes labels, not soft targets; use another criterion, or no augmentation that mixes images"
    )


def test_a_groups_split_keeps_its_own_options() -> None:
    """What a group says of itself is stronger than what its algorithm begins with, and no parameter is lost."""
    matrix, classifier, bias = (nn.Parameter(torch.zeros(*shape)) for shape in ((4, 4), (3, 4), (3,)))
    split = muon.split_groups(
        [{"params": [matrix, bias], "momentum": 0.5}, {"params": [classifier], "eps": 1.0}],
        {"momentum": 0.9, "nesterov": True},
        {"eps": 1e-8},
    )
    assert [(group["algorithm"], len(group["params"])) for group in split] == [("muon", 1), ("adamw", 1), ("adamw", 1)]
    assert split[0]["momentum"] == 0.5
    assert (split[1]["eps"], split[2]["eps"]) == (1e-8, 1.0)
    assert split[2]["params"] == [classifier]


@pytest.mark.parametrize("ns_steps", [1, 99])
def test_muon_takes_the_bounds_of_its_iterations(ns_steps: int) -> None:
    """And tells them beyond."""
    assert muon.muon(parameters(), ns_steps=ns_steps).param_groups
    for wrong in (0, 100):
        with pytest.raises(ValueError, match=f"^ns_steps must be from 1 to 99, not {wrong}$"):
            muon.muon(parameters(), ns_steps=wrong)

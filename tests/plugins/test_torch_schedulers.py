"""The schedules of the torch plugin, against torch's own and against their closed forms."""

from __future__ import annotations

import json
import math

import pytest
import torch
from torch.optim import SGD, Adam, Optimizer, lr_scheduler

import zoo

SCHEDULERS = ["constant", "cosine", "exponential", "linear", "multi_step", "one_cycle", "step"]


def optimizer(kind: type[Optimizer] = SGD, **options: object) -> Optimizer:
    """Return an optimizer over two groups, with the rates 0.1 and 0.2."""
    groups = [{"params": [torch.zeros(1, requires_grad=True)], "lr": lr} for lr in (0.1, 0.2)]
    return kind(groups, **options)


def scheduler(name: str, over: Optimizer, total_steps: int, steps_per_epoch: int = 4, **options: object):
    """Build a schedule of the torch plugin."""
    facts = {"optimizer": over, "total_steps": total_steps, "steps_per_epoch": steps_per_epoch}
    return zoo.create("schedulers", f"torch/{name}", **facts, **options)


def run(over: Optimizer, schedule: lr_scheduler.LRScheduler, steps: int) -> list[list[float]]:
    """Step *steps* times and return the rates of all groups that each step was made with."""
    rates = []
    for _ in range(steps):
        rates.append([group["lr"] for group in over.param_groups])
        over.step()
        schedule.step()
    return rates


def rates_of(name: str, total_steps: int, steps_per_epoch: int = 4, **options: object) -> list[float]:
    """Return the first group's rates over a whole run, divided by its own rate, 0.1."""
    over = optimizer()
    schedule = scheduler(name, over, total_steps, steps_per_epoch, **options)
    return [rates[0] / 0.1 for rates in run(over, schedule, total_steps)]


def test_all_schedulers_of_the_plugin_are_tested_here():
    """A schedule that is registered and not listed above would go unchecked."""
    assert [entry.name for entry in zoo.entries("schedulers") if entry.plugin == "torch"] == SCHEDULERS


@pytest.mark.parametrize("name", SCHEDULERS)
@pytest.mark.parametrize("total_steps", [1, 2, 3, 4, 10, 11])
@pytest.mark.parametrize("steps_per_epoch", [1, 4, 100])
def test_a_run_of_any_length_has_finite_rates_and_never_raises(name, total_steps, steps_per_epoch):
    """As many steps as the run has, and some more; the first step does something."""
    over = optimizer(momentum=0.9)
    schedule = scheduler(name, over, total_steps, steps_per_epoch)
    rates = [pair[0] for pair in run(over, schedule, total_steps + 3)]
    assert all(0 <= rate <= 0.1 * (1 + 1e-12) for rate in rates)
    assert rates[0] > 0


@pytest.mark.parametrize("name", SCHEDULERS)
def test_each_group_keeps_its_share(name):
    """One factor multiplies the rate of every group."""
    over = optimizer()
    for first, second in run(over, scheduler(name, over, 20), 20):
        assert second == pytest.approx(2 * first)


@pytest.mark.parametrize("name", SCHEDULERS)
def test_a_resumed_schedule_goes_on_with_the_same_bits(name):
    """Its state is plain JSON; with the optimizer's, it is all that is needed."""
    whole = optimizer(Adam)
    expected = run(whole, scheduler(name, whole, 20), 20)
    momenta = [group["betas"] for group in whole.param_groups]

    first = optimizer(Adam)
    schedule = scheduler(name, first, 20)
    rates = run(first, schedule, 7)
    states = json.loads(json.dumps([first.state_dict(), schedule.state_dict()]))
    second = optimizer(Adam)
    schedule = scheduler(name, second, 20)
    second.load_state_dict(states[0])
    schedule.load_state_dict(states[1])
    assert rates + run(second, schedule, 13) == expected
    assert [tuple(group["betas"]) for group in second.param_groups] == momenta
    assert schedule.get_last_lr() == [group["lr"] for group in second.param_groups]


@pytest.mark.parametrize("strategy", ["cos", "linear"])
@pytest.mark.parametrize(("total_steps", "pct_start"), [(40, 0.3), (7, 0.5), (100, 0.05)])
@pytest.mark.parametrize(("kind", "options"), [(SGD, {"momentum": 0.9}), (Adam, {})])
def test_one_cycle_equals_torchs(strategy, total_steps, pct_start, kind, options):
    """Rates and momenta of both groups at every step, where torch's own does not divide by 0."""
    ours, theirs = optimizer(kind, **options), optimizer(kind, **options)
    mine = scheduler("one_cycle", ours, total_steps, pct_start=pct_start, anneal_strategy=strategy)
    reference = lr_scheduler.OneCycleLR(theirs, [0.1, 0.2], total_steps, pct_start=pct_start, anneal_strategy=strategy)
    for _ in range(total_steps):
        for group, other in zip(ours.param_groups, theirs.param_groups, strict=True):
            assert group["lr"] == pytest.approx(other["lr"], rel=1e-9)
            assert group.get("betas", group.get("momentum")) == pytest.approx(other.get("betas", other.get("momentum")))
        for over, schedule in ((ours, mine), (theirs, reference)):
            over.step()
            schedule.step()


def test_one_cycle_begins_at_the_top_where_there_is_no_time_to_go_up():
    """A run of one step is made at the rate itself, one of two ends at next to nothing."""
    assert rates_of("one_cycle", 1) == [1.0]
    assert rates_of("one_cycle", 2) == pytest.approx([1.0, 1 / 25e4])


@pytest.mark.parametrize("pct_start", [0.0, 1.0])
def test_one_cycle_may_only_go_up_or_only_down(pct_start):
    """The shares at both ends of the range are allowed."""
    rates = rates_of("one_cycle", 10, pct_start=pct_start)
    assert rates == sorted(rates, reverse=pct_start == 0)
    assert max(rates) == pytest.approx(1)


@pytest.mark.parametrize(("momentum", "expected"), [(0.0, 0.0), (0.9, 0.95)])
def test_one_cycle_leaves_momentum_alone_where_there_is_none(momentum, expected):
    """SGD without momentum stays so; with it, it starts at the highest."""
    over = optimizer(momentum=momentum)
    scheduler("one_cycle", over, 10)
    assert over.param_groups[0]["momentum"] == expected


def test_one_cycle_leaves_momentum_alone_where_it_is_told_to():
    """The option turns the cycle of momentum off, that of the rate stays."""
    over = optimizer(Adam, betas=(0.9, 0.99))
    schedule = scheduler("one_cycle", over, 10, cycle_momentum=False)
    run(over, schedule, 5)
    assert over.param_groups[0]["betas"] == (0.9, 0.99)


def test_cosine_equals_torchs():
    """Without a warm-up it is CosineAnnealingLR over the whole run, with its last rate."""
    theirs = optimizer(SGD)
    reference = lr_scheduler.CosineAnnealingLR(theirs, T_max=20, eta_min=0.01)
    expected = [rates[0] / 0.1 for rates in run(theirs, reference, 20)]
    assert rates_of("cosine", 20, end_factor=0.1) == pytest.approx(expected)


@pytest.mark.parametrize("options", [{"warmup": 0.25}, {"warmup_epochs": 1.25}, {"warmup": 0.9, "warmup_epochs": 1.25}])
def test_a_warm_up_rises_in_even_steps_to_the_rate(options):
    """As a share of the run or in epochs, which count if both are given: here five of twenty steps."""
    for name, after in (("constant", 1.0), ("linear", 1.0), ("cosine", 1.0)):
        rates = rates_of(name, 20, **options)
        assert rates[:5] == pytest.approx([1 / 6, 2 / 6, 3 / 6, 4 / 6, 5 / 6])
        assert rates[5] == pytest.approx(after)


def test_linear_ends_just_above_its_last_factor():
    """The factor falls evenly, and would be reached by the step after the last."""
    assert rates_of("linear", 4) == pytest.approx([1, 0.75, 0.5, 0.25])
    assert rates_of("linear", 4, end_factor=0.5) == pytest.approx([1, 0.875, 0.75, 0.625])


def test_step_equals_torchs_once_an_epoch():
    """Every two epochs of four steps, and every half epoch."""
    theirs = optimizer(SGD)
    reference = lr_scheduler.StepLR(theirs, step_size=8, gamma=0.5)
    expected = [rates[0] / 0.1 for rates in run(theirs, reference, 20)]
    assert rates_of("step", 20, step_size=2, gamma=0.5) == pytest.approx(expected)
    assert rates_of("step", 6, step_size=0.5, gamma=0.5) == pytest.approx([1, 1, 0.5, 0.5, 0.25, 0.25])


def test_multi_step_equals_torchs_at_fractions_of_an_epoch_too():
    """Milestones are epochs; half an epoch is two steps here."""
    theirs = optimizer(SGD)
    reference = lr_scheduler.MultiStepLR(theirs, milestones=[4, 10], gamma=0.1)
    expected = [rates[0] / 0.1 for rates in run(theirs, reference, 20)]
    assert rates_of("multi_step", 20, milestones=[2.5, 1]) == pytest.approx(expected)


def test_multi_step_changes_at_half_and_three_quarters_by_itself():
    """Without milestones the run's own length gives them."""
    assert rates_of("multi_step", 8) == pytest.approx([1, 1, 1, 1, 0.1, 0.1, 0.01, 0.01])


def test_exponential_equals_torchs_at_each_epoch():
    """Within an epoch it falls by even factors."""
    rates = rates_of("exponential", 9, gamma=0.5)
    assert rates[::4] == pytest.approx([1, 0.5, 0.25])
    assert rates[2] == pytest.approx(math.sqrt(0.5))


@pytest.mark.parametrize(
    ("name", "option", "value", "rule"),
    [
        ("one_cycle", "pct_start", 1.5, "[0, 1]"),
        ("one_cycle", "anneal_strategy", "sine", "'cos' or 'linear'"),
        ("one_cycle", "div_factor", 0.5, "at least 1"),
        ("one_cycle", "max_momentum", 1.0, "[0, 1)"),
        ("cosine", "warmup", 1.0, "[0, 1)"),
        ("cosine", "end_factor", 2.0, "[0, 1]"),
        ("constant", "warmup_epochs", -1.0, "at least 0"),
        ("linear", "warmup_epochs", 5.0, "below the run's 5"),
        ("step", "step_size", 0.0, "above 0"),
        ("step", "gamma", -0.1, "above 0"),
        ("multi_step", "milestones", [1.0, 0.0], "epochs above 0"),
        ("exponential", "gamma", 0.0, "above 0"),
    ],
)
def test_an_option_outside_its_range_is_refused_with_its_rule(name, option, value, rule):
    """The message holds the option's name, what was given and what is allowed."""
    with pytest.raises(zoo.UsageError) as caught:
        scheduler(name, optimizer(), 20, **{option: value})
    assert f"{option} must be" in str(caught.value)
    assert repr(value) in str(caught.value)
    assert rule in str(caught.value)

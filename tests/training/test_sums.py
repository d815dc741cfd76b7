"""Rows of several processes, added: the same bits however they travel, and nothing laid out anew in a step."""

from __future__ import annotations

from contextlib import nullcontext

import pytest
import torch
from threads import Done, Hall
from torch import distributed

from zoo.data import share_of
from zoo.training import sums
from zoo.training.rows import Field, RowLayout
from zoo.training.sums import Peers, row_sum

CPU = torch.device("cpu")
FIELDS = [Field.numbers(5, torch.float32), Field.numbers(3, torch.float64), Field.numbers(2, torch.int64)]


def row_of(layout: RowLayout, number: int) -> torch.Tensor:
    """Return the row of a slice, in which the order of a sum is told by its bits."""
    generator = torch.Generator().manual_seed(number)
    row = torch.zeros(layout.length, dtype=torch.uint8)
    for view in layout.views(row):
        view.copy_(torch.randn(view.shape, generator=generator, dtype=torch.float64).mul(10.0 ** (number % 7)))
    return row


def added(layout: RowLayout, slices: int) -> torch.Tensor:
    """Return the rows of so many slices, added one by one."""
    total, *others = (row_of(layout, number) for number in range(slices))
    for other in others:
        layout.add(total, other)
    return total


def totals(hall: Hall, steps: list[int], monkeypatch: pytest.MonkeyPatch, small: int) -> list[list[torch.Tensor]]:
    """Return the sums of steps of so many slices, in each of the processes."""
    monkeypatch.setattr(sums, "_SMALL", small)
    monkeypatch.setattr(sums, "gather_into", hall.gather_into)
    monkeypatch.setattr(distributed, "all_to_all_single", hall.all_to_all_single)
    layout = RowLayout(FIELDS, hall.size)

    def work(rank: int) -> list[torch.Tensor]:
        summed = row_sum(layout, max(steps), CPU, Peers(rank, hall.size, False, nullcontext), fast=False)
        found = []
        for slices in steps:
            summed.rows.zero_()
            for row, number in zip(summed.rows, share_of(slices, rank, hall.size), strict=False):
                row.copy_(row_of(layout, number))
            summed.add(slices)
            found.append(summed.total.clone())
        return found

    return hall.run(work)


@pytest.mark.parametrize("small", [0, 2**22], ids=["in parts", "at once"])
@pytest.mark.parametrize("size", [2, 3, 4])
def test_every_process_gets_the_rows_added_in_the_order_of_the_slices(monkeypatch, size: int, small: int):
    """Steps after one another, of other numbers of slices, and one with fewer slices than processes."""
    steps, layout = [7, 4, 7, size - 1], RowLayout(FIELDS, size)
    for found in totals(Hall(size), steps, monkeypatch, small):
        for total, slices in zip(found, steps, strict=True):
            assert torch.equal(total, added(layout, slices))


def test_the_order_of_a_sum_is_told_by_its_bits():
    """Else the test above could not fail."""
    layout = RowLayout(FIELDS)
    total = row_of(layout, 3)
    for number in (2, 1, 0):
        layout.add(total, row_of(layout, number))
    assert not torch.equal(total, added(layout, 4))


@pytest.mark.parametrize(
    ("size", "slices", "fields", "reduced"),
    [(2, 2, FIELDS[:1], True), (2, 2, FIELDS, False), (2, 3, FIELDS[:1], False), (3, 3, FIELDS[:1], False)],
    ids=["a row each", "two types", "two rows", "three processes"],
)
def test_two_rows_of_one_type_are_added_by_all_reduce(monkeypatch, size, slices, fields, reduced):
    """Two numbers have one sum in any order, with the same bits; three have not."""
    hall, layout = Hall(size), RowLayout(fields, size)
    calls = []
    monkeypatch.setattr(sums, "gather_into", hall.gather_into)
    monkeypatch.setattr(distributed, "all_reduce", lambda numbers, **_: calls.append(1) or hall.all_reduce(numbers))

    def work(rank: int) -> torch.Tensor:
        summed = row_sum(layout, slices, CPU, Peers(rank, size, False, nullcontext), fast=False)
        for row, number in zip(summed.rows, share_of(slices, rank, size), strict=False):
            row.copy_(row_of(layout, number))
        summed.add(slices)
        return summed.total

    for total in hall.run(work):
        assert torch.equal(total, added(layout, slices))
    assert bool(calls) is reduced


@pytest.mark.parametrize("small", [0, 2**22], ids=["in parts", "at once"])
def test_a_step_lays_nothing_out_anew(monkeypatch, small: int):
    """Where the sum stands, and where the rows do, stays: the optimizer's gradients are views of it."""
    monkeypatch.setattr(sums, "_SMALL", small)
    hall = Hall(2)
    monkeypatch.setattr(sums, "gather_into", hall.gather_into)
    monkeypatch.setattr(distributed, "all_to_all_single", hall.all_to_all_single)

    def places(rank: int) -> set[tuple[int, int]]:
        summed = row_sum(RowLayout(FIELDS, 2), 2, CPU, Peers(rank, 2, False, nullcontext), fast=False)
        found = set()
        for _ in range(3):
            summed.add(2)
            found.add((summed.rows.data_ptr(), summed.total.data_ptr()))
        return found

    assert [len(found) for found in hall.run(places)] == [1, 1]


def test_rows_that_gloo_cannot_reach_are_copied_and_copied_back(monkeypatch):
    """The device's rows stay where they are; what travels is on the CPU. A second CPU tensor stands for the device."""
    layout = RowLayout(FIELDS)
    monkeypatch.setattr(distributed, "all_reduce", lambda numbers, **_: [numbers.mul_(2), Done()][1])

    summed = object.__new__(sums._Reduced)
    summed._layout, summed._peers, summed._copies = layout, Peers(0, 2, False, nullcontext), True
    summed._sent, summed._sum = summed._lay_out(2, CPU)
    summed.rows, summed.total = summed._sent.clone(), summed._sum.clone()
    summed.rows[0].copy_(row_of(layout, 1))
    summed.add(2)
    for view, before in zip(layout.views(summed.total), layout.views(row_of(layout, 1)), strict=True):
        assert torch.equal(view, before * 2)

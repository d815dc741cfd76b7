"""Rows of bytes: what stands in them, and how stretches of them are added."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.training.rows import Field, RowLayout

DTYPES = (torch.float32, torch.float64, torch.bfloat16, torch.int64, torch.complex128)


def filled(layout: RowLayout, seed: int) -> torch.Tensor:
    """Return a row whose fields hold random numbers."""
    generator = torch.Generator().manual_seed(seed)
    row = torch.zeros(layout.length, dtype=torch.uint8)
    for view in layout.views(row):
        view.copy_(torch.randn(view.shape, generator=generator, dtype=torch.float64).mul(100))
    return row


@given(
    fields=st.lists(
        st.tuples(st.sampled_from(DTYPES), st.lists(st.integers(0, 5), max_size=3)), min_size=1, max_size=6
    ),
    parts=st.integers(1, 5),
)
def test_rows_added_in_stretches_are_the_sums_of_their_fields(fields, parts):
    """Whatever the fields' types and shapes, and however many stretches the row is cut into."""
    layout = RowLayout([Field.like(torch.empty(shape, dtype=dtype)) for dtype, shape in fields], parts)
    first, second = filled(layout, 1), filled(layout, 2)
    total, length = first.clone(), layout.length // parts
    for start in range(0, layout.length, length or 1):
        layout.add(total[start : start + length], second[start : start + length], start)
    for summed, one, other in zip(*map(layout.views, (total, first, second)), strict=True):
        assert torch.equal(summed, one + other)


def test_all_numbers_of_a_row_stand_in_one_line_a_type():
    """What is added to them is added to the fields; padding is left out."""
    layout = RowLayout(
        [Field.numbers(3, torch.float32), Field.numbers(2, torch.int64), Field.numbers(1, torch.float32)]
    )
    row = torch.zeros(layout.length, dtype=torch.uint8)
    for numbers in layout.numbers(row):
        numbers.add_(7)
    assert sorted(len(numbers) for numbers in layout.numbers(row)) == [2, 4]
    assert [view.tolist() for view in layout.views(row)] == [[7.0] * 3, [7, 7], [7.0]]


@settings(max_examples=40)
@given(
    fields=st.lists(st.tuples(st.sampled_from(DTYPES), st.integers(0, 9)), min_size=1, max_size=9),
    early=st.integers(0, 9),
    least=st.integers(1, 200),
)
def test_stretches_are_all_numbers_of_a_row_and_the_early_ones_fill_theirs(fields, early, least):
    """Each number stands in one of them; a full one is exactly its fields, and none of these is to come later."""
    layout = RowLayout([Field.numbers(count, dtype) for dtype, count in fields], early=min(early, len(fields)))
    row = torch.zeros(layout.length, dtype=torch.uint8)
    views, stretches = layout.views(row), layout.stretches(least)
    for number, stretch in enumerate(stretches):
        assert torch.equal(stretch.of(row), torch.zeros(len(stretch.of(row)), dtype=stretch.dtype))  # in no other one
        stretch.of(row).fill_(number + 1)
        if stretch.fields:
            assert max(stretch.fields) < early
            assert stretch.stop - stretch.start == sum(views[each].nbytes for each in stretch.fields) >= least
            assert all((views[each] == number + 1).all() for each in stretch.fields)
    assert all((view != 0).all() for view in views)
    assert [bool(stretch.fields) for stretch in stretches] == sorted((bool(s.fields) for s in stretches), reverse=True)


def test_a_field_keeps_the_memory_layout_of_its_tensor():
    """Else the optimizer would take a slower path, and round otherwise, than without slices."""
    weight = torch.randn(4, 3, 2, 2).to(memory_format=torch.channels_last)
    layout = RowLayout([Field.like(weight)])
    (view,) = layout.views(torch.zeros(layout.length, dtype=torch.uint8))
    assert view.stride() == weight.stride()

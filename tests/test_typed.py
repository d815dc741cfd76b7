"""Numbers that remember how they were typed."""

from __future__ import annotations

import json
from datetime import date

import pytest

from zoo.typed import plain, text_of, typed


@pytest.mark.parametrize(
    ("value", "text"), [(2024, "2024"), (16, "0x10"), (1000, "1_000"), (1000.0, "1e3"), (2024.1, "2024.10")]
)
def test_a_number_is_a_number_and_knows_its_text(value: float, text: str):
    """It compares, computes and is written like any other."""
    number = typed(value, text)
    assert number == value
    assert isinstance(number, type(value))
    assert json.dumps(number) == json.dumps(value)
    assert text_of(number) == text
    assert type(plain(number)) is type(value)
    assert plain(number) == value


def test_dates_are_text_and_truth_values_have_one_spelling():
    """No option takes a date, but folders are called like one."""
    assert typed(date(2024, 1, 15), "2024-01-15") == "2024-01-15"
    assert text_of(typed(True, "true")) == "true"
    assert text_of(typed(False, "false")) == "false"


def test_what_nobody_typed_has_no_text():
    """A number from a program or a file is a number alone."""
    assert text_of(2024) is None
    assert text_of([1]) is None
    assert typed([1], "[1]") == [1]

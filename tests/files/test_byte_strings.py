"""Many byte strings in one buffer."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.files.byte_strings import ByteStrings


@given(st.lists(st.binary(max_size=9), max_size=40), st.data())
def test_byte_strings_come_back_as_they_were_given(items, data):
    """Each at its place, from either end, empty ones among them; and those between two places."""
    strings = ByteStrings.of(items)
    assert list(strings) == items
    start = data.draw(st.integers(0, len(items)))
    stop = data.draw(st.integers(start, len(items)))
    assert strings.cut(start, stop) == items[start:stop]
    if items:
        assert strings[-1] == items[-1]
    with pytest.raises(IndexError):
        strings[len(items)]


def test_byte_strings_end_where_they_end():
    """Empty ones as well, and in 32 bits where that is enough."""
    strings = ByteStrings.of([b"", b"ab", b"", b"c"])
    assert strings._ends.tolist() == [0, 0, 2, 2, 3]
    assert strings._ends.dtype == np.uint32
    assert list(ByteStrings(b"abc", np.array([0, 2, 2, 3]))) == [b"", b"ab", b"", b"c"]


def test_the_first_string_with_a_byte_is_found():
    """Behind empty ones as well, or none at all."""
    strings = ByteStrings.of([b"", b"ab", b"", b"cb"])
    assert strings.having(b"b") == b"ab"
    assert strings.having(b"c") == b"cb"
    assert strings.having(b"d") is None

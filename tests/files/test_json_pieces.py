"""JSON that is written in pieces is the JSON that is written at once."""

from __future__ import annotations

import hashlib
import json
from array import array

from hypothesis import given
from hypothesis import strategies as st

from zoo.files.json_pieces import json_pieces, json_sha256

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
mappings = st.dictionaries(st.text(), scalars)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(scalars, max_size=5)
        | st.lists(st.lists(inner, max_size=3), max_size=3)
        | st.dictionaries(st.text(), inner)
    ),
    max_leaves=9,
)


@given(values, st.sampled_from([(", ", ": "), (",", ":")]))
def test_the_pieces_are_what_json_writes(value, separators):
    """Whatever is nested in what, with either kind of spaces."""
    assert "".join(json_pieces(value, *separators)) == json.dumps(value, separators=separators)


def test_rows_longer_than_a_stretch_are_joined_without_a_seam():
    """As many as fit, one more, one fewer, and several stretches; rows of rows alike."""
    for count in (0, 1, 4095, 4096, 4097, 10_000):
        row = list(range(count))
        assert "".join(json_pieces([row, row])) == json.dumps([row, row])
        nested = [[number] for number in row]
        assert "".join(json_pieces(nested)) == json.dumps(nested)


def test_a_row_may_be_an_array_or_make_its_items_as_it_goes():
    """Neither is turned into a list as a whole: no piece is longer than a stretch."""
    assert "".join(json_pieces({"a": array("q", [1, -2]), "b": iter("xy")})) == '{"a": [1, -2], "b": ["x", "y"]}'
    assert max(map(len, json_pieces(range(100_000)))) < 4096 * 8


def test_names_that_are_no_proper_text_are_escaped():
    """As JSON does it: the digests of listings are over ASCII."""
    assert "".join(json_pieces(["\udcff\u00fc"])) == '["\\udcff\\u00fc"]'


@given(values)
def test_the_digest_is_that_of_the_whole_text(value):
    """So that what was known by a text written at once stays known by it."""
    assert json_sha256(value) == hashlib.sha256(json.dumps(value).encode("ascii")).hexdigest()

"""Search spaces: what is read, what is in them, and what is refused."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.errors import UsageError
from zoo.sweeps.space import Choices, Range, parsed

SHARES = st.floats(0, 1, exclude_max=True)


def test_each_form_is_read():
    """Keys in order, so that a search does not hang on how it was typed."""
    texts = ["b.x=log(1e-4, 1e-1)", "a.x=[1, 'two', true]", "c.x=(0,0.5)", "d.x=int(8,64)"]
    space = parsed(texts)
    assert space == {
        "a.x": Choices((1, "two", True)),
        "b.x": Range(1e-4, 1e-1, log=True),
        "c.x": Range(0, 0.5),
        "d.x": Range(8, 64, whole=True),
    }
    assert list(space) == list(parsed(reversed(texts))) == sorted(space)
    assert parsed(f"{key}={domain}" for key, domain in space.items()) == space


@given(SHARES, st.floats(1e-6, 1e3), st.floats(1.001, 1e4), st.booleans())
def test_a_number_is_within_its_range_and_survives_being_typed(share: float, low: float, factor: float, log: bool):
    """Also at the ends, where rounding to four digits could leave it."""
    domain = Range(low, low * factor, log=log)
    value = domain.at(share)
    assert domain.low <= value <= domain.high
    assert json.loads(json.dumps(value)) == value
    points = domain.points(5)
    assert points == sorted(points)
    assert all(domain.low <= point <= domain.high for point in points)


@given(SHARES, st.integers(-50, 50), st.integers(1, 50), st.integers(1, 9))
def test_whole_numbers_are_whole_and_none_comes_twice_in_a_grid(share: float, low: int, more: int, count: int):
    """Fewer where there are fewer."""
    domain = Range(low, low + more, whole=True)
    assert isinstance(domain.at(share), int)
    assert low <= domain.at(share) <= low + more
    points = domain.points(count)
    assert len(set(points)) == len(points) == min(count, more + 1)


def test_both_ends_of_whole_numbers_are_drawn():
    """And every choice."""
    assert {Range(1, 3, whole=True).at(share / 10) for share in range(10)} == {1, 2, 3}
    assert {Choices(("a", "b")).at(share / 10) for share in range(10)} == {"a", "b"}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("model.p", "is not of the form SECTION.OPTION=SPACE"),
        ("p=[1]", "is not of the form SECTION.OPTION=SPACE"),
        ("model.p=0.5", "no space that zoo knows"),
        ("model.p=log(a,b)", "no space that zoo knows"),
        ("model.p=(0,inf)", "no space that zoo knows"),
        ("model.p=(1,0)", "the first number must be below the second"),
        ("model.p=log(0,1)", "below the second, and above 0"),
        ("model.p=int(0.5,2)", "both numbers must be whole"),
        ("model.p=[]", "at least one value"),
        ("model.p=[[1]]", "numbers, texts, true and false alone"),
        ("model.p=[1", "is no list such as"),
        ("model.p=[0.1, nan]", "give numbers that are finite"),
        ("model.p=[-inf]", "give numbers that are finite"),
        ("model.p=[2026-11-29]", "numbers, texts, true and false alone"),
        ("model.p=(1,1)", "the first number must be below the second"),
        ("model.p=log(-1,1)", "below the second, and above 0"),
        ("model.p=(1,2,3)", "no space that zoo knows"),
        ("model.p=exp(1,2)", "no space that zoo knows"),
        ("model.p=int(1,2.5)", "both numbers must be whole"),
    ],
)
def test_what_is_no_space_is_refused_in_a_line(text: str, told: str):
    """With the forms that there are."""
    with pytest.raises(UsageError) as caught:
        parsed([text])
    assert told in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_a_key_is_searched_once():
    """Two spaces for one would leave one of them out."""
    with pytest.raises(UsageError, match="twice"):
        parsed(["model.p=[1]", "model.p=[2]"])


@settings(max_examples=30)
@given(st.lists(st.integers() | st.booleans() | st.text("ab\"'\\ é", max_size=5), min_size=1, max_size=5))
def test_choices_are_written_as_they_are_read(values: list[int | bool | str]):
    """A sweep's record tells its space by what one would type."""
    choices = Choices(tuple(values))
    (found,) = parsed([f"model.p={json.dumps(values)}"]).values()
    assert found == choices
    assert choices.points(1) == values
    assert all(choices.nearest(value) is value for value in values)


@settings(max_examples=50)
@given(st.floats(1e-6, 1e6), st.floats(1.01, 1e3), st.floats(0, 2e9))
def test_the_nearest_number_of_a_range_is_within_it(low: float, factor: float, value: float):
    """What lies outside becomes the end that is on its side, and four digits are kept of what lies inside."""
    high = low * factor
    nearest = Range(low, high).nearest(value)
    assert low <= nearest <= high
    if value < 0.999 * low:
        assert nearest == low
    elif value > 1.001 * high:
        assert nearest == high
    else:
        assert nearest == pytest.approx(min(high, max(low, value)), rel=6e-4)


@pytest.mark.parametrize(
    ("domain", "count", "points"),
    [
        (Range(0, 1), 1, [0]),
        (Range(0, 1), 3, [0, 0.5, 1]),
        (Range(1e-4, 1e-2, log=True), 3, [1e-4, 1e-3, 1e-2]),
        (Range(1, 3), 2, [1, 3]),
        (Range(1, 9, whole=True), 1, [1]),
        (Range(1, 9, whole=True), 3, [1, 5, 9]),
        (Range(1, 2, whole=True), 9, [1, 2]),
        (Choices((3, 1)), 9, [3, 1]),
    ],
)
def test_points_are_evenly_spaced_with_both_ends(domain: Choices | Range, count: int, points: list[float]):
    """In equal factors where the range is logarithmic."""
    assert domain.points(count) == pytest.approx(points)


@pytest.mark.parametrize(
    ("domain", "share", "value"),
    [
        (Range(2, 4), 0.0, 2),
        (Range(2, 4), 0.5, 3),
        (Range(1, 100, log=True), 0.5, 10),
        (Range(0, 1), 0.123456, 0.1235),
        (Range(1, 4, whole=True), 0.2499, 1),
        (Range(1, 4, whole=True), 0.25, 2),
        (Range(1, 4, whole=True), 0.9999, 4),
        (Choices(("a", "b", "c")), 0.3333, "a"),
        (Choices(("a", "b", "c")), 0.6667, "c"),
    ],
)
def test_equal_shares_are_equally_likely(domain: Choices | Range, share: float, value: object):
    """Each whole number and each choice has a stretch of one length."""
    assert domain.at(share) == (pytest.approx(value) if isinstance(value, float) else value)

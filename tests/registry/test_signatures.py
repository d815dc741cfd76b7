"""What options a builder takes, and whether values fit their annotations."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pytest

from zoo.config import parse_assignment
from zoo.errors import UnknownNameError, UsageError
from zoo.registry import REQUIRED, Entry, options_of, signature_of
from zoo.registry.signatures import checked_options, fits

if TYPE_CHECKING:
    from nowhere import Unresolvable


def entry_of(target: Any, kind: str = "models", **arguments: Any) -> Entry:
    """Return an entry with this builder."""
    return Entry(kind, "net", target, "A net.", arguments, True, "penguin", "zoo-penguin", "1.0")


def builder(num_classes: int, image_size: tuple[int, int], p: float = 0.5, *, widths: Sequence[int], **_: Any) -> None:
    """Take two facts, two options and anything else."""


class Builder:
    """A class that takes an option."""

    def __init__(self, num_classes: int, depth: int = 3) -> None: ...


def untyped(num_classes, depth=3): ...


def unresolvable(x: Unresolvable | None = None, depth: int = 1) -> None: ...


def test_facts_and_options_are_told_apart_in_the_builders_order():
    """What zoo knows is not for the user to set."""
    signature = signature_of(entry_of(builder))
    assert list(signature.facts) == ["num_classes", "image_size"]
    assert [(option.name, option.default, option.type_name) for option in signature.options.values()] == [
        ("p", 0.5, "float"),
        ("widths", REQUIRED, "Sequence[int]"),
    ]
    assert signature.open


def test_the_plugins_arguments_are_the_defaults():
    """Entries that share a builder differ in them, and the user sees what holds."""
    assert [option.default for option in options_of(entry_of(builder, p=0.1, widths=(3,)))] == [0.1, (3,)]


@pytest.mark.parametrize(
    ("target", "names", "open_"),
    [
        (Builder, ["depth"], False),
        (functools.partial(builder, p=0.2), ["p", "widths"], True),
        (untyped, ["depth"], False),
        (unresolvable, ["x", "depth"], False),
        (dict, [], True),
    ],
)
def test_any_callable_is_read_as_far_as_it_can_be(target: Any, names: list[str], open_: bool):
    """Classes, partials, untyped functions and annotations that name what is not there; C code takes anything."""
    signature = signature_of(entry_of(target))
    assert (list(signature.options), signature.open) == (names, open_)


@pytest.mark.parametrize(
    ("value", "annotation", "fit"),
    [
        (1, int, True),
        (True, int, False),
        (1.0, int, False),
        (1, float, True),
        (True, float, False),
        ("1", float, False),
        (True, bool, True),
        (1, bool, False),
        ("a", str, True),
        (None, str, False),
        (None, str | None, True),
        (2, str | float | None, True),
        ([1, 2], tuple[int, int], True),
        ([1, 2, 3], tuple[int, int], False),
        ([1, 2, 3], tuple[int, ...], True),
        ([], Sequence[int], True),
        ([1, "a"], Sequence[int], False),
        ("ab", Sequence[str], False),
        (3, list, False),
        ([0.9, 1], list[float], True),
        ("max", Literal["max", "avg"], True),
        ("min", Literal["max", "avg"], False),
        (object(), dict[str, int], True),
        (object(), "Unresolvable", True),
    ],
)
def test_a_value_is_held_against_a_plain_annotation(value: object, annotation: object, fit: bool):
    """An int does for a float, a list for a tuple, a bool for neither number; what is not plain is not judged."""
    assert fits(value, annotation) is fit


def _checked(target: Any, **options: Any) -> dict[str, Any]:
    entry = entry_of(target)
    return checked_options(entry, signature_of(entry), options)


def test_a_list_becomes_a_tuple_where_the_builder_wants_one():
    """TOML and --set know lists alone."""

    def pair(betas: tuple[float, float] = (0.9, 0.99), rest: list[int] = []) -> None: ...  # noqa: B006

    assert _checked(pair, betas=[0.5, 1], rest=[1]) == {"betas": (0.5, 1), "rest": [1]}


@pytest.mark.parametrize("text", ["2024", "2024-01-15", "1e3", "true", "0x10", "inf", "10:30:00", "007", "plain"])
def test_what_looks_like_a_number_is_text_where_text_is_wanted(text: str):
    """Folders are called so, and the option's type says which is meant."""

    def reader(
        root: str = "", folder: str | None = None, path: Path | str | None = None, untyped="", size: int | None = None
    ) -> None: ...

    for option in ("root", "folder", "path"):
        given = parse_assignment(f"data.{option}={text}")["data"]
        assert _checked(reader, **given) == {option: text}
    if text != "true":  # which a truth value may mean, too, where no type is stated
        assert _checked(reader, **parse_assignment(f"data.untyped={text}")["data"]) == {"untyped": text}


@pytest.mark.parametrize(
    ("text", "annotation", "expected"),
    [
        ("3", int | str, 3),
        ("1e3", float, 1000.0),
        ("3", float, 3),
        ("true", bool | str, True),
        ("true", str | None, "true"),
        ("2.5", int | str, "2.5"),
        ('"3"', str, "3"),
        ("[3, 4]", list[int], [3, 4]),
        ("max", Literal["max"], "max"),
        ("5", Any, 5),
    ],
)
def test_a_number_stays_one_where_one_is_taken(text: str, annotation: Any, expected: object):
    """And the builder gets a plain one."""

    def taking(x=None) -> None: ...

    taking.__annotations__["x"] = annotation
    found = _checked(taking, **parse_assignment(f"model.x={text}")["model"])["x"]
    assert found == expected
    assert type(found) is type(expected)


def test_an_option_that_the_builder_does_not_take_is_an_error_with_a_suggestion():
    """Before anything starts, and with what it does take."""
    with pytest.raises(UnknownNameError) as caught:
        _checked(Builder, dept=3)
    assert str(caught.value) == (
        "no option of model 'penguin/net' (zoo-penguin 1.0) named 'dept'. Did you mean 'depth'? It takes depth."
    )


def test_a_builder_that_takes_any_keyword_takes_any_option():
    """Only what its signature names is checked."""
    assert _checked(builder, anything="goes") == {"anything": "goes"}
    with pytest.raises(UsageError, match=r"takes 'p' as float, not 'high'"):
        _checked(builder, p="high")


def test_a_fact_is_no_option():
    """The number of classes comes from the data."""
    with pytest.raises(UsageError, match=r"'num_classes' is no option; zoo gives it"):
        _checked(Builder, num_classes=3)


def test_none_does_where_it_is_the_default():
    """``depth: int = None`` is sloppy, and common."""

    def sloppy(depth: int = None) -> None: ...  # type: ignore[assignment]  # noqa: RUF013

    assert _checked(sloppy, depth=None) == {"depth": None}

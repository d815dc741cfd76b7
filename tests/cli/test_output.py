"""What commands print."""

from __future__ import annotations

import json
import math

import click
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.cli import output
from zoo.cli.choosing import Amount, Wish, check_kind, in_short
from zoo.cli.output import one_line, percent, table, write_json, write_table
from zoo.errors import UnknownNameError, UsageError

CELLS = st.text(st.characters(codec="ascii", exclude_characters=" ", categories=["L", "N", "P"]), max_size=9)
ROWS = st.integers(1, 4).flatmap(
    lambda count: st.lists(st.lists(CELLS.filter(bool), min_size=count, max_size=count), min_size=1, max_size=5)
)


def test_json_is_ascii_whatever_the_names(capsysbinary: pytest.CaptureFixture[bytes]):
    """A file name that is not UTF-8 comes back as Python keeps it, and no terminal's encoding is in the way."""
    write_json({"image": "caf\udce9.png", "label": "Grünfink"})
    written = capsysbinary.readouterr().out
    assert written.isascii()
    assert json.loads(written) == {"schema": 1, "image": "caf\udce9.png", "label": "Grünfink"}


def test_json_has_null_for_what_it_has_no_number_for(capsys: pytest.CaptureFixture[str]):
    """Python's NaN and Infinity are no JSON, and other parsers stop at them."""
    write_json({"loss": math.nan, "rows": [{"lr": (math.inf, -math.inf, 1.5)}], "path": object})
    document = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert document["loss"] is None
    assert document["rows"] == [{"lr": [None, None, 1.5]}]
    assert document["path"] == "<class 'object'>"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Grünfink 鳥", "Grünfink 鳥"),
        ("a\tb\nc\r", r"a\tb\nc\r"),
        ("red\x1b[31m", r"red\x1b[31m"),
        ("caf\udce9", r"caf\udce9"),
        ("a\u2028b\x85", r"a\u2028b\x85"),
    ],
)
def test_a_name_never_breaks_its_line_or_column(text: str, shown: str):
    """Tabs, line ends, a terminal's commands and what no encoding has are shown with escapes."""
    assert one_line(text) == shown


@pytest.mark.parametrize(
    ("share", "shown"), [(None, ""), (0.0, "0.00 %"), (1.0, "100.00 %"), (0.99375, "99.38 %"), (0.5, "50.00 %")]
)
def test_a_share_is_shown_with_two_digits(share: float | None, shown: str):
    """And none is no 0."""
    assert percent(share) == shown


@settings(max_examples=30)
@given(ROWS)
def test_columns_begin_one_below_another_and_nothing_is_lost(rows: list[list[str]]):
    """Two spaces apart; a line has no spaces at its end."""
    lines = list(table(rows))
    assert [line.split() for line in lines] == rows
    assert all(line == line.rstrip() for line in lines)
    starts = [max(len(row[0]) for row in rows) + 2] if len(rows[0]) > 1 else []
    for start in starts:
        assert all(line[start - 2 : start].isspace() and not line[start].isspace() for line in lines)


@settings(max_examples=30)
@given(ROWS, st.integers(1, 40))
def test_a_line_is_cut_to_the_width_but_never_within_a_name(rows: list[list[str]], width: int):
    """What is cut says so by its end."""
    for row, line, whole in zip(rows, table(rows, width), table(rows), strict=True):
        assert line.startswith(row[0])
        assert len(line) <= max(width, len(row[0]))
        if line != whole:
            assert len(whole) > width
            assert line == row[0] or line[:-1] == whole[: len(line) - 1]
            assert line == row[0] or line.endswith("…")


def test_a_table_without_rows_has_no_lines():
    """Not even a header: there are no columns to put under it."""
    assert list(table([])) == []


@pytest.mark.parametrize(("width", "shown"), [(None, "a  1\nb  2\n"), (80, "name  number\na     1\nb     2\n")])
def test_headings_are_for_a_terminal(
    width: int | None, shown: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """A pipe gets the rows alone, whole."""
    monkeypatch.setattr(output, "terminal_width", lambda: width)
    write_table(["name", "number"], [["a", "1"], ["b", "2"]])
    assert capsys.readouterr().out == shown


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        (0, "0"),
        (999, "999"),
        (1000, "1 k"),
        (1499, "1.5 k"),
        (999_499, "999 k"),
        (999_500, "1 M"),
        (999_999, "1 M"),
        (11_689_512, "11.7 M"),
        (999_999_999, "1 G"),
        (1_820_000_000, "1.82 G"),
        (999_499_999_999, "999 G"),
        (999_500_000_000, "1,000 G"),
        (12_345_000_000_000, "12,345 G"),
    ],
)
def test_a_number_in_short_has_three_digits_and_a_unit(number: int, shown: str):
    """What rounds up to a thousand of a unit is one of the next."""
    assert in_short(number) == shown


@given(st.integers(1, 10**13))
def test_a_number_in_short_is_read_as_about_the_same(number: int):
    """Within half a unit of its third digit; what is shown can be given to --params-below."""
    read = Amount().convert(in_short(number).replace(",", ""), None, None)
    assert abs(read - number) <= 0.005 * number


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("5M", 5_000_000),
        ("500k", 500_000),
        ("1.8G", 1_800_000_000),
        ("2b", 2_000_000_000),
        (" 7 m ", 7_000_000),
        (12, 12),
    ],
)
def test_an_amount_is_read_with_any_unit(text: object, number: int):
    """In either case, with or without a space."""
    assert Amount().convert(text, None, None) == number


@pytest.mark.parametrize("text", ["", "M", "-5M", "1e6", "5T", "1.M", ".5M", "5 M M", "1,000"])
def test_what_is_no_amount_is_refused_with_an_example(text: str):
    """Exit code 2, as click has it."""
    with pytest.raises(click.BadParameter, match=r"is no amount; give one such as 500k, 5M or 1.8G") as caught:
        Amount().convert(text, None, None)
    assert caught.value.exit_code == 2


def test_a_wish_is_one_where_anything_is_asked_for():
    """A limit of 0 is a wish, too."""
    assert not Wish()
    assert all([Wish(params_below=0), Wish(macs_below=0), Wish(pretrained=True), Wish(sort="name"), Wish(columns="")])


def test_columns_are_those_that_were_named_in_their_order():
    """One that there is not is told with those that there are."""
    assert Wish(columns="macs, name").shown == ["macs", "name"]
    assert Wish().shown[0] == "name"
    with pytest.raises(UnknownNameError, match="parms") as caught:
        Wish(columns="name,parms").shown  # noqa: B018 - it raises
    assert "It was given to --columns." in str(caught.value)
    assert "params" in str(caught.value)


@pytest.mark.parametrize(("kind", "shown"), [(None, "''"), ("optimizers", "'optimizers'")])
def test_only_models_are_chosen_by_their_cost(kind: str | None, shown: str):
    """Listing anything without a wish is fine."""
    check_kind(kind, Wish())
    check_kind("models", Wish(pretrained=True))
    with pytest.raises(UsageError, match=f"write 'zoo list models', not {shown}"):
        check_kind(kind, Wish(pretrained=True))

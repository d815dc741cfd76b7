"""What commands print."""

from __future__ import annotations

import json
import math

import pytest

from zoo.cli.output import one_line, write_json


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

"""``zoo lr``, as one types it."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from zoo.cli import main

TINY = ["lr", "--model", "linear", "--set", "data.limit=64", "--batch-size", "16", "--steps", "6", "--threads", "1"]


def test_a_rate_and_a_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """One number on stdout, what was done on stderr, and an SVG file; nothing else is left."""
    monkeypatch.chdir(tmp_path)
    assert main([*TINY, "--picture", "rates.svg"]) == 0
    out, err = capsys.readouterr()
    assert 0 < float(out) < 1
    assert err.startswith("6 steps, the rate from 1.0e-07 to ")
    picture = ET.parse("rates.svg").getroot()
    circles = picture.findall("{http://www.w3.org/2000/svg}circle")
    assert 1 <= len(circles) <= 6
    assert [path.name for path in tmp_path.iterdir()] == ["rates.svg"]
    assert main([*TINY, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert f"{told['lr']:.2g}\n" == out
    assert len(told["rates"]) == len(told["losses"])
    assert main([*TINY, "--quiet", "--picture", "there/is/none.svg"]) == 2
    assert "give another --picture" in capsys.readouterr().err

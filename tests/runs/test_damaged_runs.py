"""A run whose files are damaged in any way: every command goes on without them, or says in a line what is wrong."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from zoo.cli import main


def halved(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


DAMAGES: dict[str, Callable[[Path], object]] = {
    "gone": Path.unlink,
    "empty": lambda path: path.write_bytes(b""),
    "halved": halved,
    "other bytes": lambda path: path.write_bytes(bytes(range(256))),
    "an empty table": lambda path: path.write_text("{}"),
    "a list": lambda path: path.write_text("[1, 2]"),
    "null": lambda path: path.write_text("null"),
    "nested deeply": lambda path: path.write_text("[" * 5000),
    "a number too long": lambda path: path.write_text('{"schema": ' + "9" * 5000 + "}"),
    "a folder": folder,
}
COMMANDS = [
    "report run",
    "runs .",
    "evaluate run --quiet",
    "predict run digit.png",
    "train --resume run --quiet",
    "compare run whole",
    "calibrate run",
    "publish run published",
]
FILES = [
    "calibration.json",
    "checkpoints/*/MANIFEST.json",
    "checkpoints/*/model.safetensors",
    "checkpoints/*/state.json",
    "config.toml",
    "data.json",
    "environment.json",
    "evaluations/test-best.json",
    "evaluations/test-best.safetensors",
    "metrics.csv",
    "report.json",
    "summary.json",
]
EVERY = list(itertools.product(DAMAGES, COMMANDS))


@pytest.fixture
def whole(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A calibrated run in the working folder, beside an image."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(finished, "whole")
    assert main(["calibrate", "whole"]) == 0
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (28, 28), dtype=np.uint8)).save("digit.png")
    return tmp_path / "whole"


def damage_and_type(whole: Path, pattern: str, damage: str, command: str, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("run", "published"):
        shutil.rmtree(name, ignore_errors=True)
    shutil.copytree(whole, "run")
    places = list(Path("run").glob(pattern))
    assert places
    for path in places:
        DAMAGES[damage](path)
    capsys.readouterr()
    code = main(command.split())
    err = capsys.readouterr().err
    said = f"{pattern} {damage}, zoo {command}: {code}\n{err}"
    assert code in (0, 1, 2, 4), said
    assert "defect" not in err, said
    assert not code or any(line.startswith("zoo: ") for line in err.splitlines()), said
    assert len(err.splitlines()) <= 4, said


@pytest.mark.parametrize("pattern", FILES)
def test_a_damaged_file_costs_a_line(pattern: str, whole: Path, capsys: pytest.CaptureFixture[str]):
    """Never a traceback; one command for each damage, another one for the next file."""
    shift = FILES.index(pattern)
    for number, damage in enumerate(DAMAGES):
        damage_and_type(whole, pattern, damage, COMMANDS[(3 * number + shift) % len(COMMANDS)], capsys)


@pytest.mark.slow
@pytest.mark.parametrize("pattern", FILES)
def test_a_damaged_file_costs_every_command_a_line(pattern: str, whole: Path, capsys: pytest.CaptureFixture[str]):
    """All damages and all commands."""
    for damage, command in EVERY:
        damage_and_type(whole, pattern, damage, command, capsys)

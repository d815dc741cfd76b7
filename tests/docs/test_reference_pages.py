"""The reference pages say what the code says: generated blocks are current, nothing is missing or claimed wrongly."""

from __future__ import annotations

import dataclasses
import importlib
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import click
import pytest
from documented import DOCS, PAGES, ROOT, page_name
from forked_runs import forked_runs as forked_runs  # noqa: PLC0414 - a fixture is found by its name here
from PIL import Image

import zoo
from zoo.cli import main
from zoo.cli.group import cli
from zoo.cli.lazy import LazyCommand
from zoo.config import TrainSettings

COMMANDS = (DOCS / "reference/commands.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def generate() -> Iterator[ModuleType]:
    """The program that writes the generated blocks."""
    sys.path.insert(0, str(DOCS))
    yield importlib.import_module("generate")
    sys.path.remove(str(DOCS))


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_generated_blocks_are_current(page: Path, generate: ModuleType):
    """Commands, settings, entries, the Python interface and the loop are what the code says."""
    text = page.read_text(encoding="utf-8")
    assert text.count("<!-- generated:") == text.count("<!-- end -->")
    assert generate.regenerated(text) == text, "run: python docs/generate.py"


def test_every_generated_block_has_its_page(generate: ModuleType):
    """A generator that no page uses would keep nothing current."""
    used = {name for page in PAGES for name in re.findall(r"<!-- generated: ([\w-]+) -->", page.read_text())}
    assert used == set(generate.BLOCKS)


def test_the_picture_of_the_rooms_is_current(generate: ModuleType):
    """Every room is in it, and no arrow leads upward."""
    picture = generate.rooms.PICTURE.read_text(encoding="utf-8")
    assert picture == generate.rooms.drawing(), "run: python docs/generate.py"
    files = generate.rooms.rooms()
    assert {"errors", "registry", "training", "cli"} <= files.keys()
    assert all(f">{room}/<" in picture or f">{room}.py<" in picture for room in files)
    height = generate.rooms.levels(generate.rooms.arrows(files))
    assert height["cli"] == max(height.values()) > height["training"] > height["errors"] == 0


def test_every_public_name_is_documented(generate: ModuleType):
    """`zoo.__all__` and the headings of the page about Python are the same names."""
    page = (DOCS / "reference/python.md").read_text(encoding="utf-8")
    assert sorted(re.findall(r"^### zoo\.(\w+)$", page, re.MULTILINE)) == sorted(zoo.__all__)


def test_every_command_and_option_is_documented():
    """Asked of click, not of the generator."""
    assert "\b" not in COMMANDS

    def check(command: click.Command, name: str) -> None:
        command = command.load() if isinstance(command, LazyCommand) else command
        section = COMMANDS.partition(f"\n## {name}\n")[2].partition("\n## ")[0]
        common = COMMANDS.partition("\n## Options of every command\n")[2]
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                assert all(f"`{flag}" in section + common for flag in parameter.opts if flag.startswith("--")), name
            else:
                assert parameter.make_metavar(click.Context(command)).strip("[]") in section, name
        for child in getattr(command, "commands", {}).values():
            check(child, f"{name} {child.name}")

    for child in cli.commands.values():
        check(child, f"zoo {child.name}")


def test_every_test_that_the_loop_s_page_names_exists():
    """A truth without its test is a claim."""
    page = (DOCS / "explanation/the-one-loop.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(test_\w+)`", page))
    written = {
        name
        for path in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"^def (test_\w+)", path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert len(named) > 25
    assert named <= written


_RULES = {
    r"a whole number of at least (\d+)": lambda low: ([int(low)], [int(low) - 1]),
    r"a whole number of at least 1, or auto": lambda: ([1, 7, "auto"], [0, -1, "often", ""]),
    r"a number above 0": lambda: ([1e-9], [0, -1.0, float("inf")]),
    r"a number above 0, at most 1": lambda: ([1e-9, 1], [0, -1.0, 1.1]),
    r"a whole number, or patterns of names": lambda: ([0, 1, "blocks.*", "auto"], [-1, ""]),
    r"a number from 0 to 1": lambda: ([0, 0.5, 1], [-0.1, 1.1]),
    r"a number from 0 to below 1": lambda: ([0, 0.999], [1, -0.1]),
    r"a whole number from 0 to 2\*\*63 - 1": lambda: ([0, 2**63 - 1], [-1, 2**63]),
    r"one of (.+)": lambda names: (names.split(", "), ["neither"]),
    r"such as (.+)": lambda names: (re.split(", | or ", names), ["soon", "0epoch"]),
    r"a whole number, or a fraction from 0 to below 1": lambda: ([0, 0.5, 7], [-1, 1.0, 1.5]),
    r"I of K parts, as (.+): I from 1 to K, and K at least 2": lambda part: (
        [part, "1/2", "2/2"],
        ["0/2", "3/2", "1/1", "2"],
    ),
    r"a whole number from (\d+) to (\d+)": lambda low, high: (
        [int(low), int(high)],
        [int(low) - 1, int(high) + 1],
    ),
}


@pytest.mark.parametrize("field", dataclasses.fields(TrainSettings), ids=lambda field: field.name)
def test_a_setting_s_rule_says_what_is_checked(field: dataclasses.Field[Any]):
    """The words of the page at both sides of the boundary."""
    rule, check = field.metadata["rule"], field.metadata["check"]
    if check is None:
        assert rule == ""
        return
    (found,) = [
        (re.fullmatch(pattern, rule), cases) for pattern, cases in _RULES.items() if re.fullmatch(pattern, rule)
    ]
    right, wrong = found[1](*found[0].groups())
    assert all(map(check, right))
    assert not any(map(check, wrong))
    assert field.default is None or check(field.default)


def _keys(document: Any) -> set[str]:
    """Return the keys of a document, and of the tables in its lists."""
    keys = set(document) - {"schema"}
    for name, value in document.items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            keys |= {key for item in value for key in item} - {"schema"}
        elif name == "entry" and isinstance(value, dict):
            keys |= set(value)
    return keys


@pytest.mark.slow
@pytest.mark.usefixtures("forked_runs")
def test_the_keys_of_every_json_document_stand_on_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """Each command is run; its row names all keys and no others."""
    monkeypatch.chdir(tmp_path)
    Image.new("L", (28, 28)).save("digit.png")
    Path("none.png").write_bytes(b"no image")
    for name in ("train/a/1", "train/b/2", "test/a/3", "test/b/4"):
        path = Path("photos", f"{name}.png")
        path.parent.mkdir(parents=True)
        Image.new("L", (4, 4), int(name[-1])).save(path)
    summary = set(re.findall(r"`(\w+)`", _files_section("summary.json"))) - {"schema"}
    lines = {
        "zoo train": [
            "train --model linear --steps 1 --set data.limit=32 --out runs/run",
            "train --model mlp --steps 1 --set data.limit=32 --out runs/other",
        ],
        "zoo compare": ["compare runs/run runs/other"],
        "zoo sweep": ["sweep --model linear --steps 1 --set data.limit=32 --seeds 2 --out runs/seeds"],
        "zoo evaluate": ["evaluate runs/run"],
        "zoo calibrate": ["calibrate runs/run"],
        "zoo predict": ["predict runs/run digit.png none.png --skip-damaged"],
        "zoo explain": ["explain runs/run digit.png"],
        "zoo publish": ["publish runs/run published"],
        "zoo reproduce": ["reproduce published"],
        "zoo report": ["report runs/run"],
        "zoo runs": ["runs"],
        "zoo data check": ["data check photos"],
        "zoo pack": ["pack photos photos.pack"],
        "zoo list KIND": ["list models mlp", "list models mlp --sort macs"],
        "zoo show": ["show model mlp", "show recipe mnist-fast"],
        "zoo catalogue": ["catalogue --html models.html"],
        "zoo plugins": ["plugins"],
        "zoo plugins new": ["plugins new penguin"],
        "zoo plugins check": ["plugins check recipes"],
    }
    rows = dict(re.findall(r"^\| `(zoo [\w ]+)` \| (.+) \|$", COMMANDS, re.MULTILINE))
    listed = set(re.findall(r"`(\w+)`", rows["zoo list KIND"])) - {"entries"}
    for name, commands in lines.items():
        printed: set[str] = set()
        for command in commands:
            assert main([*command.split(), "--json"]) == (4 if "damaged" in command else 0)
            printed |= _keys(json.loads(capsys.readouterr().out))
        told = set(re.findall(r"`(\w+)`", rows.pop(name)))
        told |= summary if name in ("zoo train", "zoo runs") else set()
        told |= listed if name == "zoo show" else set()
        assert printed == told, name
    assert set(rows) == {"zoo list"}


def _files_section(title: str) -> str:
    """Return the first column of a table of the page about files."""
    page = (DOCS / "reference/files.md").read_text(encoding="utf-8")
    section = page.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    return "".join(re.findall(r"^\| (`[^|]+) \|", section, re.MULTILINE))

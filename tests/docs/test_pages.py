"""The pages: their commands run and print what they say, their links lead somewhere, their blocks are current."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import importlib
import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from urllib.parse import unquote

import click
import pytest
from documented import DOCS, PAGES, ROOT, Reader, blocks, zoo_commands
from fake_distributions import FakeSite
from fake_distributions import site as site  # noqa: PLC0414 - a fixture is found by its name here
from zoo_mnist.dataset import mnist

import zoo
from zoo.cli.group import cli
from zoo.cli.lazy import LazyCommand, LazyGroup
from zoo.cli.train import _layers
from zoo.config import KEYS, Choice, Layer
from zoo.registry import registry
from zoo.runs.api import configured
from zoo.runs.components import find_components

FOLLOWED = {
    "README.md": 9,
    "docs/how-to/evaluate-and-predict.md": 7,
    "docs/how-to/resume.md": 6,
    "docs/how-to/train.md": 12,
    "docs/reference/config.md": 1,
    "docs/reference/errors.md": 14,
    "docs/reference/python.md": 0,
    "docs/tutorial/first-run.md": 7,
}
"""The pages whose programs and commands are run, and how many commands they have at least."""

_OWN_PAGES = [page for page in PAGES if "examples" not in page.parts]  # an example's README is about another package
_READERS_OWN = ("penguin_net",)  # what a page lets its reader write


@pytest.fixture(scope="module")
def decoded_once() -> Callable[..., zoo.Dataset]:
    """MNIST, which most commands train on, without decoding it each time."""
    return functools.cache(mnist)


@pytest.fixture
def reader(
    site: FakeSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, decoded_once: Callable[..., zoo.Dataset]
) -> Reader:
    """Somebody with an empty working directory and nothing in the environment."""
    monkeypatch.setattr("zoo_mnist.dataset.mnist", decoded_once)
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    for name in [name for name in os.environ if name.startswith("ZOO_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("ZOO_TRAIN_DEVICE", "cpu")
    return Reader(site)


@pytest.mark.parametrize("name", FOLLOWED)
def test_following_a_page_prints_what_it_says(name: str, reader: Reader):
    """Every program and command of the page, in order, with small runs; numbers may differ."""
    if name == "docs/reference/errors.md":
        Path("notes.txt").write_text("no image")
        zoo.train("linear", epochs=1, options={"data.limit": 64}, out="runs/first")
    assert reader.follow(ROOT / name) >= FOLLOWED[name]


def _relative(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("page", _OWN_PAGES, ids=_relative)
def test_every_command_that_a_page_shows_could_be_typed(page: Path, monkeypatch: pytest.MonkeyPatch):
    """Commands, options, names and values are right also where a page only shows them."""
    for name in [name for name in os.environ if name.startswith("ZOO_")]:
        monkeypatch.delenv(name)
    text = page.read_text(encoding="utf-8")
    # The commands of the other blocks are not only typed but run, some to show how they fail.
    languages = ("sh",) if _relative(page) in FOLLOWED else ("sh", "console")
    lines = [line for block in blocks(text) if block.language in languages for line in block.text.splitlines()]
    shown = [line.removeprefix("$ ") for line in lines if re.match(r"(\$ )?(.*&& |[A-Z_]+=\S+ )*zoo ", line)]
    inline = re.findall(r"`(zoo [a-z][^`]*)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL).replace("\n", " "))
    for line in [*shown, *inline]:
        for variables, arguments in zoo_commands(line):
            with monkeypatch.context() as context:
                for name, value in variables.items():
                    context.setenv(name, value)
                _parse(arguments)


def _parse(arguments: list[str]) -> None:
    """Parse a command, and look up the names that a training command chooses."""
    command: click.Command = cli
    while arguments and isinstance(command, LazyGroup) and arguments[0] in command.commands:
        found = command.commands[arguments[0]]
        command, arguments = found.load() if isinstance(found, LazyCommand) else found, arguments[1:]
    if not arguments or any(word in ("...", "--help") for word in arguments):
        return
    with contextlib.suppress(click.MissingParameter):  # inline, a command may be shown without what it needs
        context = command.make_context(command.name, list(arguments))
        if command.name == "train" and context.params["resume"] is None and "NAME" not in arguments:
            _look_up(context)


def _look_up(context: click.Context) -> None:
    settings = {name: value for name, value in context.params.items() if name in KEYS}
    config = configured(
        [Layer("", {"model": {"name": "linear"}}), *_layers(context, context.params["assignments"], settings)]
    )
    if config.model.name in _READERS_OWN:
        config = dataclasses.replace(config, model=Choice("linear"))
    if config.model.name.startswith(("timm/", "torchvision/")):
        # Looking at the options would import the library, which takes seconds; the name is enough here.
        registry().find("models", config.model.name)
        config = dataclasses.replace(config, model=Choice("linear"))
    find_components(config)


def _anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=_relative)
def test_every_link_leads_somewhere(page: Path):
    """To a file of the repository, and to a heading in it."""
    text = re.sub(r"```.*?```|`[^`]*`", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = unquote(link).partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.is_file(), link
        assert not anchor or anchor in _anchors(target), link


def test_every_page_can_be_reached_from_the_index():
    """A page that no one links is not read."""
    linked = re.findall(r"\]\(([^)#]+\.md)", (DOCS / "index.md").read_text(encoding="utf-8"))
    reached = {(DOCS / link).resolve() for link in linked}
    assert {page for page in _OWN_PAGES if page.name != "index.md"} == reached


@pytest.fixture(scope="module")
def generate() -> Iterator[ModuleType]:
    """The program that writes the generated blocks."""
    sys.path.insert(0, str(DOCS))
    yield importlib.import_module("generate")
    sys.path.remove(str(DOCS))


@pytest.mark.parametrize("page", PAGES, ids=_relative)
def test_generated_blocks_are_current(page: Path, generate: ModuleType):
    """Commands, settings, entries, the Python interface and the loop are what the code says."""
    text = page.read_text(encoding="utf-8")
    assert text.count("<!-- generated:") == text.count("<!-- end -->")
    assert generate.regenerated(text) == text, "run: python docs/generate.py"


def test_every_generated_block_has_its_page(generate: ModuleType):
    """A generator that no page uses would keep nothing current."""
    used = {name for page in PAGES for name in re.findall(r"<!-- generated: ([\w-]+) -->", page.read_text())}
    assert used == set(generate.BLOCKS)


def test_every_public_name_is_documented(generate: ModuleType):
    """`zoo.__all__` and the headings of the page about Python are the same names."""
    page = (DOCS / "reference/python.md").read_text(encoding="utf-8")
    assert sorted(re.findall(r"^### zoo\.(\w+)$", page, re.MULTILINE)) == sorted(zoo.__all__)


def test_every_command_and_option_is_documented():
    """Asked of click, not of the generator."""
    page = (DOCS / "reference/commands.md").read_text(encoding="utf-8")
    assert "\b" not in page

    def check(command: click.Command, name: str) -> None:
        command = command.load() if isinstance(command, LazyCommand) else command
        section = page.partition(f"\n## {name}\n")[2].partition("\n## ")[0]
        common = page.partition("\n## Options of every command\n")[2]
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

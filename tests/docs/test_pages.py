"""The pages: their commands run and print what they say, their links lead somewhere, their blocks are current."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
from pathlib import Path
from urllib.parse import unquote

import click
import pytest
from documented import DOCS, PAGES, ROOT, Reader, blocks, page_name, zoo_commands
from fake_distributions import FakeSite
from fake_distributions import site as site  # noqa: PLC0414 - a fixture is found by its name here

import zoo
from zoo.cli.group import cli
from zoo.cli.lazy import LazyCommand, LazyGroup
from zoo.cli.train_options import layers_of
from zoo.config import KEYS, Choice, Layer
from zoo.registry import registry
from zoo.runs.components import find_components
from zoo.runs.configuring import configured

FOLLOWED = {
    "README.md": 9,
    "docs/how-to/choose-a-model.md": 4,
    "docs/how-to/compare.md": 4,
    "docs/how-to/evaluate-and-predict.md": 8,
    "docs/how-to/observe-a-run.md": 4,
    "docs/how-to/report.md": 3,
    "docs/how-to/resume.md": 6,
    "docs/how-to/share.md": 4,
    "docs/how-to/train.md": 12,
    "docs/reference/config.md": 1,
    "docs/reference/errors.md": 14,
    "docs/reference/python.md": 0,
    "docs/tutorial/first-run.md": 7,
}
"""The pages whose programs and commands are run, and how many commands they have at least."""

_OWN_PAGES = [page for page in PAGES if "examples" not in page.parts]  # an example's README is about another package
_READERS_OWN = ("penguin_net",)  # what a page lets its reader write


@pytest.fixture
def reader(site: FakeSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Reader:
    """Somebody with an empty working directory and nothing in the environment."""
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


@pytest.mark.parametrize("page", _OWN_PAGES, ids=page_name)
def test_every_command_that_a_page_shows_could_be_typed(page: Path, monkeypatch: pytest.MonkeyPatch):
    """Commands, options, names and values are right also where a page only shows them."""
    for name in [name for name in os.environ if name.startswith("ZOO_")]:
        monkeypatch.delenv(name)
    text = page.read_text(encoding="utf-8")
    # The commands of the other blocks are not only typed but run, some to show how they fail.
    languages = ("sh",) if page_name(page) in FOLLOWED else ("sh", "console")
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
        [Layer("", {"model": {"name": "linear"}}), *layers_of(context, context.params["assignments"], settings)]
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


@pytest.mark.parametrize("page", PAGES, ids=page_name)
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


def test_the_readme_s_plugin_has_twelve_lines():
    """As its heading says, the files' names and what is blank left out."""
    text = (ROOT / "README.md").read_text(encoding="utf-8").partition("## Add a model in 12 lines")[2]
    files = [block.text.splitlines()[1:] for block in blocks(text)[:2]]
    assert sum(bool(line.strip()) for lines in files for line in lines) == 12


def test_the_readme_s_test_command_is_what_continuous_integration_runs():
    """A newcomer's first test run is the one that is known to be green."""
    command = 'pip install -e ".[test]" && pytest -n 2'
    assert command in (ROOT / "README.md").read_text(encoding="utf-8")
    assert command in (ROOT / ".ci/run").read_text(encoding="utf-8")

"""Pages of the documentation: their code blocks, and running those as a reader would."""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import subprocess
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fake_distributions import FakeSite

from zoo.cli import main
from zoo.registry import registry

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]

SMALL = ["--steps", "2", "--batch-size", "32", "--set", "data.limit=64"]
"""What makes a training command of a page a matter of half a second; it is the same each time, so runs can go on."""

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_FILE = re.compile(r"# ([\w./-]+\.(?:py|toml))\n")
_LISTING = ("cat ", "ls ")
_TABLES = ("zoo list", "zoo runs", "zoo plugins")
_BROKEN = {"walrus": "import numpie\n"}
"""Plugins that are installed while a command names them."""
_INTERRUPTING = """import os, signal, zoo

@zoo.hookimpl
def run_started(run):
    os.kill(os.getpid(), signal.SIGINT)
"""


@dataclass(frozen=True)
class Block:
    """A fenced block of a page.

    Attributes:
        language: What stands behind the fence.
        text: What stands between the fences.
    """

    language: str
    text: str

    @property
    def commands(self) -> list[tuple[str, list[str]]]:
        """The commands behind ``$``, each with the lines that it prints."""
        found: list[tuple[str, list[str]]] = []
        for line in self.text.splitlines():
            if line.startswith("$ "):
                found.append((line[2:], []))
            else:
                found[-1][1].append(line)
        return found


def page_name(page: Path) -> str:
    """Return a page's path in the repository."""
    return page.relative_to(ROOT).as_posix()


def blocks(text: str) -> list[Block]:
    """Return a page's fenced blocks, in order."""
    return [Block(found[1], found[2]) for found in _FENCE.finditer(text)]


def zoo_commands(line: str) -> list[tuple[dict[str, str], list[str]]]:
    """Return the zoo commands in a line of shell, each as variables and arguments."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    parts: list[list[str]] = [[]]
    for word in lexer:
        if set(word) <= set("&|;<>()"):
            parts.append([])
        else:
            parts[-1].append(word)
    found = []
    for words in parts:
        variables = {}
        while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
            name, _, value = words.pop(0).partition("=")
            variables[name] = value
        if words[:1] == ["zoo"]:
            found.append((variables, words[1:]))
    return found


def shape(lines: list[str]) -> list[str]:
    """Return lines without what differs from machine to machine and run to run: numbers, precision, repeated epochs."""
    shaped: list[str] = []
    for line in lines:
        plain = re.sub(r"\d[\d,.:]*(?<![,.:])", "N", " ".join(line.split()))
        plain = plain.replace("bfN", "fpN").replace("N threads", "N thread").replace(", channels_last;", ";")
        if not shaped or plain != shaped[-1]:
            shaped.append(plain)
    return shaped


def agrees(promised: list[str], printed: list[str]) -> bool:
    """Return whether a command printed what a page promises, numbers aside; a line ``...`` stands for any lines."""
    pattern = "".join(r"(?:.*\n)*" if line == "..." else re.escape(line) + r"\n" for line in shape(promised))
    return re.fullmatch(pattern, "".join(f"{line}\n" for line in shape(printed))) is not None


class Reader:
    """Follows a page: writes its files, runs its programs and commands, and compares what they print.

    Args:
        site: Where the page's plugins are installed.
    """

    def __init__(self, site: FakeSite) -> None:
        self.site = site
        self.names: dict[str, Any] = {}
        self.code = 0

    def follow(self, page: Path) -> int:
        """Do all that a page says, and return the number of commands."""
        count = 0
        for block in blocks(page.read_text(encoding="utf-8")):
            if file := _FILE.match(block.text):
                self._write(Path(file[1]), block.text)
            elif block.language == "python":
                with contextlib.redirect_stdout(io.StringIO()):
                    exec(compile(block.text, page.name, "exec"), self.names)
            elif block.language == "console":
                for command, promised in block.commands:
                    self._check(command, promised)
                    count += 1
        return count

    def _write(self, path: Path, text: str) -> None:
        if path.name == "pyproject.toml":
            project = tomllib.loads(text)["project"]
            plugins = project["entry-points"]["zoo"]
            self.site.describe(project["name"], project["version"], project["dependencies"], plugins)
        folder = self.site.path if path.suffix == ".py" else Path()
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")

    def _check(self, command: str, promised: list[str]) -> None:
        if command == "echo $?":
            assert promised == [str(self.code)]
            return
        interrupted = "^C" in promised
        printed = self._run(command, interrupted=interrupted)
        promised = [line for line in promised if line != "^C"]
        assert agrees(promised, printed), "\n".join([command, *printed])
        fails = any(line.startswith("zoo: ") for line in promised)
        assert bool(self.code) == fails, "\n".join([command, *printed])

    def _run(self, command: str, *, interrupted: bool) -> list[str]:
        if command.startswith(_LISTING):
            done = subprocess.run(shlex.split(command), capture_output=True, text=True, check=True)
            return done.stdout.splitlines()
        plugins = {name: source for name, source in _BROKEN.items() if name in command}
        plugins |= {"interrupting": _INTERRUPTING} if interrupted else {}
        for name, source in plugins.items():
            self.site.install(name, source)
        printed = _Terminal() if command.startswith(_TABLES) else io.StringIO()
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
            for variables, arguments in zoo_commands(command):
                self.code = _zoo(arguments, variables)
        for name in plugins:
            self.site.remove(name)
        return printed.getvalue().splitlines()


class _Terminal(io.StringIO):
    """Where tables have headings. Training prints to a pipe: a page cannot show a bar that moves."""

    def isatty(self) -> bool:
        return True


def _zoo(arguments: list[str], variables: dict[str, str]) -> int:
    if arguments[0] == "train" and "--resume" not in arguments:
        arguments = [*arguments, *SMALL]
    before = dict(os.environ)
    os.environ.update({"COLUMNS": "200", **variables})
    registry.cache_clear()
    try:
        return main(arguments)
    finally:
        os.environ.clear()
        os.environ.update(before)
        registry.cache_clear()

"""Write what the reference pages take from the code: commands, settings, entries, the Python interface, the loop.

``python docs/generate.py`` rewrites every block between ``<!-- generated: NAME -->`` and ``<!-- end -->`` in README.md
and docs/, and draws docs/rooms.svg; ``--check`` changes nothing and exits with 1 where a page is old. The tests do the
same check.
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import click
import rooms
from docstrings import api_lines, plain_text

from zoo.cli.data import COMMANDS as DATA_COMMANDS
from zoo.cli.docstrings import argument_texts, first_paragraph
from zoo.cli.group import COMMANDS
from zoo.cli.plugins import COMMANDS as PLUGIN_COMMANDS
from zoo.cli.train_options import PREFIX, variable
from zoo.config import KEYS, TrainSettings
from zoo.registry import KINDS, Entry, Kind, registry, signature_of
from zoo.registry.weights import file_of

ROOT = Path(__file__).resolve().parents[1]
_BLOCK = re.compile(r"(<!-- generated: ([\w-]+) -->\n).*?(<!-- end -->)", re.DOTALL)
_COMMON = ("--no-plugin", "--strict", "--quiet", "--json")
_TYPES = {"int": "integer", "float": "float", "str": "string", "bool": "boolean"}
_LIBRARIES = {"timm": "timm", "torchvision": "torchvision"}


def commands() -> Iterator[str]:
    """Yield a section for each command, with every argument and option."""
    found = [(f"zoo {each.name}", each.load()) for each in COMMANDS]
    found += [(f"zoo plugins {each.name}", each.load()) for each in PLUGIN_COMMANDS]
    found += [(f"zoo data {each.name}", each.load()) for each in DATA_COMMANDS]
    for name, command in found:
        yield from (f"## {name}", "", "```", _usage(name, command), "```", "", *_help(command), "")
        rows = [_option_row(option) for option in command.params if isinstance(option, click.Option)]
        own = [row for row in rows if not row[0].startswith(tuple(f"`{flag}" for flag in _COMMON))]
        if own:
            yield from (*table(("option", "what"), own), "")
    common = [_option_row(o) for o in found[0][1].params if isinstance(o, click.Option) and o.opts[0] in _COMMON]
    yield from ("## Options of every command", "", *table(("option", "what"), common), "")


def _usage(name: str, command: click.Command) -> str:
    context = click.Context(command, info_name=name)
    return " ".join([name, *command.collect_usage_pieces(context)])


def _help(command: click.Command) -> Iterator[str]:
    """Yield a command's help; what click is told to leave as it is becomes a block."""
    for paragraph in inspect.cleandoc(command.help or "").split("\n\n"):
        if paragraph.startswith("\b\n"):
            yield from ("```sh", inspect.cleandoc(paragraph.removeprefix("\b\n")), "```", "")
        else:
            yield from (plain_text(paragraph), "")


def _option_row(option: click.Option) -> tuple[str, str]:
    shown = option.opts[0]
    if isinstance(option.type, click.Choice):
        shown += f" {'|'.join(option.type.choices)}"
    elif not option.is_flag:
        shown += f" {option.metavar or 'N'}"
    text = (option.help or "").strip()
    if option.show_default and option.default is not None:
        text += f" Default: {option.default}."
    return f"`{shown}`", plain_text(text)


def settings() -> Iterator[str]:
    """Yield the table of the keys of the section ``train``."""
    rows = []
    for field in dataclasses.fields(TrainSettings):
        kinds = [_TYPES[name.strip()] for name in str(field.type).split("|") if name.strip() != "None"]
        default = "off" if field.default is None else _toml(field.default)
        if field.name in ("validation", "threads", "slices"):
            default = "see below"
        rule = field.metadata["rule"] or ("true or false" if kinds == ["boolean"] else "")
        texts = (plain_text(rule), plain_text(field.metadata["help"]))
        rows.append((f"`{field.name}`", " or ".join(kinds), default, *texts))
    yield from table(("key", "type", "default", "rule", "what"), rows)
    yield ""


def flags() -> Iterator[str]:
    """Yield the table of what flag and what variable set which key."""
    rows = [(f"`{key}`", f"`--{name.replace('_', '-')}`", f"`{variable(name)}`") for name, key in KEYS.items()]
    yield from table(("key", "flag", "variable"), rows)
    yield from ("", f"`--recipe`, `--config` and `--out` have variables, too: `{PREFIX}RECIPE`, `{PREFIX}CONFIG`,")
    yield from (f"`{PREFIX}OUT`.", "")


def entries() -> Iterator[str]:
    """Yield a section for each kind with all entries that torch-zoo itself brings."""
    own = [entry for entry in registry().entries() if entry.own]
    for kind in KINDS:
        here = [entry for entry in own if entry.kind == kind.plural]
        listed = [entry for entry in here if not _is_library(entry)]
        yield from (f"## {kind.plural.capitalize()}", "")
        libraries = sorted({entry.plugin for entry in here if _is_library(entry)})
        for plugin in libraries:
            yield from (
                f"Those of {_LIBRARIES[plugin]} are not on this page: `zoo list {kind.plural} '{plugin}/*'`.",
                "",
            )
        for entry in sorted(listed, key=lambda entry: entry.full_name):
            yield from _entry(kind, entry)


def _is_library(entry: Entry) -> bool:
    """Whether the entry's name comes from a library, so that another version of it offers others."""
    return entry.plugin in _LIBRARIES and entry.kind in ("models", "optimizers", "criteria")


def _entry(kind: Kind, entry: Entry) -> Iterator[str]:
    yield from (f"### {entry.full_name}", "", entry.summary, "")
    if kind.singular == "recipe":
        yield from ("```toml", entry.read_text().strip(), "```", "")
        return
    if kind.singular == "weights":
        yield from (*_weights(entry), "")
        return
    target, signature = entry.load(), signature_of(entry)
    if paragraph := plain_text(first_paragraph(target)):
        yield from (paragraph, "")
    texts = argument_texts(target)
    rows = [
        (
            f"`{option.name}`",
            f"`{option.type_name}`" if option.type_name else "",
            "required" if option.required else f"`{option.default!r}`",
            plain_text(texts.get(option.name, "")),
        )
        for option in signature.options.values()
    ]
    if rows:
        key = kind.option_key(entry.name, "OPTION")
        yield from (f"`--set {key}=VALUE`:", "", *table(("option", "type", "default", "what"), rows), "")
    else:
        yield from ("No options.", "")


def _weights(entry: Entry) -> Iterator[str]:
    file = file_of(entry)
    yield f"Of `{file.model}`; {len(file.classes)} classes; {file.bytes:,} bytes; licence {file.licence}; SHA-256"
    yield f"`{file.sha256}`. Used as `weights:{entry.name}`."


def loop() -> Iterator[str]:
    """Yield the loop as it stands in the source."""
    yield from ("```py", _source("zoo/training/loop.py", "train_epoch"), "```")


def loop_body() -> Iterator[str]:
    """Yield the ten lines alone, without what only the type checker reads."""
    text = _source("zoo/training/loop.py", "train_epoch")
    function = ast.parse(text).body[0]
    assert isinstance(function, ast.FunctionDef)
    body = "\n".join(text.splitlines()[function.body[1].lineno - 1 :])
    body = body.replace("# type: ignore[no-untyped-call]  ", "")
    yield from ("```py", inspect.cleandoc(body), "```")


def _source(path: str, function: str) -> str:
    text = (ROOT / path).read_text(encoding="utf-8")
    (node,) = [n for n in ast.parse(text).body if isinstance(n, ast.FunctionDef) and n.name == function]
    return "\n".join(text.splitlines()[node.lineno - 1 : node.end_lineno])


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Yield a table's lines."""
    yield f"| {' | '.join(header)} |"
    yield "|---" * len(header) + "|"
    for row in rows:
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |"


def _toml(value: object) -> str:
    return f"`{str(value).lower() if isinstance(value, bool) else repr(value)}`".replace("'", '"')


BLOCKS: dict[str, Callable[[], Iterable[str]]] = {
    "commands": commands,
    "settings": settings,
    "flags": flags,
    "entries": entries,
    "python": api_lines,
    "loop": loop,
    "loop-body": loop_body,
}


def pages() -> list[Path]:
    """Return README.md and every page under docs."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def regenerated(text: str) -> str:
    """Return a page's text with its blocks made anew."""

    def block(found: re.Match[str]) -> str:
        body = re.sub(r"\n{3,}", "\n\n", "\n".join(BLOCKS[found[2]]())).strip()
        return f"{found[1]}\n{body}\n\n{found[3]}"

    return _BLOCK.sub(block, text)


def main(arguments: Sequence[str]) -> int:
    """Rewrite the pages that are old, or with ``--check`` only name them."""
    made = {page: regenerated(page.read_text(encoding="utf-8")) for page in pages()} | {rooms.PICTURE: rooms.drawing()}
    old = [page for page, text in made.items() if not page.exists() or page.read_text(encoding="utf-8") != text]
    if "--check" not in arguments:
        for page in old:
            page.write_text(made[page], encoding="utf-8")
    print("\n".join(str(page.relative_to(ROOT)) for page in old) or "all pages are current")
    return 1 if old and "--check" in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

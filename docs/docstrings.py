"""The public names of zoo, from their docstrings to Markdown, for reference/python.md."""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Iterator
from typing import Any

import zoo

GROUPS = {
    "Train and use": (
        "train",
        "Run",
        "Reporter",
        "evaluate",
        "ensemble",
        "calibrate",
        "predict",
        "explain",
        "evaluation_pictures",
        "explain_mistakes",
        "report",
        "compare",
        "sweep",
        "lr_range",
        "load",
        "Classifier",
        "publish",
        "export",
        "reproduce",
        "check_data",
        "contact_sheet",
        "pack",
    ),
    "What is registered": ("entries", "create"),
    "Errors": ("ZooError", "UsageError", "PluginError", "DamagedError", "DamagedFilesError"),
    "For plugins": (
        "hookimpl",
        "Add",
        "Expects",
        "Ensemble",
        "MemberInputs",
        "read_weights",
        "Draws",
        "decorated_functions",
        "smallest_input_size",
        "sides_from",
    ),
    "For datasets": (
        "Dataset",
        "TensorImages",
        "split_by_name",
        "encoded_dataset",
        "packed_dataset",
        "ImageFiles",
        "EncodedImages",
        "read_image",
        "probe_image",
        "read_idx",
        "download",
        "unpack",
        "data_folder",
        "ProgressBar",
    ),
    "For a plugin's tests": ("testing",),
    "Version": ("__version__",),
}
"""Every public name, in the order of the page; a test holds this to ``zoo.__all__``."""

RETURNED = {
    "EpochResult": "zoo.records.epochs",
    "Prediction": "zoo.reports.predictions",
    "Explanation": "zoo.reports.explanations",
    "Comparison": "zoo.reports.comparison",
    "SweepResult": "zoo.sweeps.result",
    "Outcome": "zoo.sweeps.runs",
    "Entry": "zoo.registry",
}
"""What the public functions return, and where it is."""

_SECTION = re.compile(r"(Args|Attributes|Returns|Raises|Yields):")
_ITEM = re.compile(r" {4}(\**\w+(?: \(\w+\))?): *(.*)")
_WIDTH = 100


def api_lines() -> Iterator[str]:
    """Yield the page's sections."""
    for group, names in GROUPS.items():
        yield from (f"## {group}", "")
        for name in names:
            yield from _named(name, getattr(zoo, name))
    yield from ("## What they return", "")
    for name, module in RETURNED.items():
        value = getattr(importlib.import_module(module), name)
        yield from (f"### {name}", "", *_docstring(inspect.getdoc(value) or ""), *_members(value))


def plain_text(text: str) -> str:
    """Return a docstring's text as Markdown: names become code, and what Markdown would take for markup is escaped."""
    text = re.sub(r"``(.+?)``", r"`\1`", " ".join(text.split()))
    parts = re.split(r"(`[^`]*`)", text)
    for index in range(0, len(parts), 2):
        named = re.sub(r"(?<![\w*])\*(\w+)\*(?![\w*])", r"`\1`", parts[index])
        parts[index] = re.sub(r"([*<])(?![^`]*`)", r"\\\1", named)
    return "".join(parts)


def _named(name: str, value: Any) -> Iterator[str]:
    yield from (f"### zoo.{name}", "")
    if name == "__version__":
        yield from ("The version of torch-zoo, a string such as `0.2.0`.", "")
    elif name == "hookimpl":
        yield from ("Marks a function or method as an implementation of a [hook](hooks.md): `@zoo.hookimpl`.", "")
    else:
        if inspect.isfunction(value) or (inspect.isclass(value) and not issubclass(value, Exception)):
            yield from ("```py", _signature(f"zoo.{name}", value), "```", "")
        yield from _docstring(inspect.getdoc(value) or "")
        if inspect.isclass(value):
            yield from _members(value)
        elif inspect.ismodule(value):
            members = [(each, getattr(value, each)) for each in value.__all__]
            yield from (*(f"- `{each}`: {_summary(member)}" for each, member in members), "")
        if name == "Add":
            yield from (
                "Its methods, with what each kind's builders get and return, are on [the hooks' page](hooks.md).",
                "",
            )


def _summary(value: Any) -> str:
    return plain_text((inspect.getdoc(value) or "").partition("\n\n")[0])


def _members(value: type) -> Iterator[str]:
    """Yield a class's own methods and properties, a line each."""
    lines = []
    for name, member in vars(value).items():
        if name.startswith("_") or not (text := _summary(member)):
            continue
        if isinstance(member, property):
            lines.append(f"- `{name}`: {text}")
        elif inspect.isfunction(member):
            stated = _signature(name, member).replace("(self, ", "(").replace("(self)", "()")
            lines.append(f"- `{stated}`: {text}")
    if lines:
        yield from ("Methods and properties:", "", *lines, "")


def _signature(name: str, value: Any) -> str:
    """Return a call with its arguments, on one line or an argument a line."""
    stated = inspect.signature(value)
    if inspect.isclass(value):
        stated = stated.replace(return_annotation=inspect.Signature.empty)
    text = re.sub(r"((?:: |-> ))'([^']+)'", r"\1\2", str(stated)).replace("'", '"')
    if len(name + text) <= _WIDTH:
        return name + text
    inner, _, result = text.removeprefix("(").rpartition(")")
    return "\n".join([f"{name}(", *(f"    {argument}," for argument in _split(inner)), f"){result}"])


def _split(text: str) -> list[str]:
    """Split at commas that stand outside of brackets."""
    parts, depth, start = [], 0, 0
    for index, letter in enumerate(text):
        depth += (letter in "[(") - (letter in "])")
        if letter == "," and not depth:
            parts.append(text[start:index].strip())
            start = index + 1
    return [*parts, text[start:].strip()]


def _docstring(text: str) -> Iterator[str]:
    """Yield a docstring's paragraphs, its sections as lists, its examples as code."""
    title, block = "", list[str]()
    for line in text.splitlines():
        found = _SECTION.fullmatch(line)
        inside = line.startswith("    ") or not line
        if block and (found or (title and not inside) or (not title and not line)):
            yield from _section(title, block) if title else _paragraph(block)
            title, block = "", []
        if found:
            title = found[1]
        elif line or title:
            block.append(line)
    if block:
        yield from _section(title, block) if title else _paragraph(block)


def _paragraph(lines: list[str]) -> Iterator[str]:
    if all(line.startswith("    ") for line in lines):
        yield from ("```py", inspect.cleandoc("\n".join(lines)), "```", "")
    elif lines != ["::"]:
        yield from (plain_text(re.sub(r"::$", ":", "\n".join(lines))), "")


def _section(title: str, lines: list[str]) -> Iterator[str]:
    yield from (f"{title}:", "")
    if title in ("Returns", "Yields"):
        yield from (plain_text(" ".join(lines)), "")
        return
    items: list[tuple[str, str]] = []
    for line in filter(None, lines):
        if found := _ITEM.fullmatch(line):
            items.append((f"`{found[1]}`: ", found[2]))
        elif items:
            items[-1] = (items[-1][0], f"{items[-1][1]} {line.strip()}")
        else:
            items.append(("", line.strip()))
    yield from (*(f"- {name}{plain_text(text)}" for name, text in items), "")

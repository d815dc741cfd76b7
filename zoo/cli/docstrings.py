"""Reading what a builder says about itself: the first paragraph of its docstring and its ``Args:``."""

from __future__ import annotations

import inspect
import re

_ARGUMENT = re.compile(r"(?P<indent> +)(?P<name>\w+)(?: *\([^)]*\))?: *(?P<text>.*)")


def first_paragraph(target: object) -> str:
    """Return the first paragraph of an object's docstring on one line, or an empty string."""
    return " ".join((inspect.getdoc(target) or "").partition("\n\n")[0].split())


def argument_texts(target: object) -> dict[str, str]:
    """Return what an object's docstring says about each argument in its ``Args:`` section."""
    _, _, section = (inspect.getdoc(target) or "").partition("\nArgs:\n")
    texts: dict[str, str] = {}
    name = indent = ""
    for line in section.splitlines():
        if not line.startswith(" "):
            if line:
                break  # the next section
            continue
        found = _ARGUMENT.fullmatch(line)
        if found and (not indent or found["indent"] == indent):
            name, indent = found["name"], found["indent"]
            texts[name] = found["text"]
        elif name:
            texts[name] = f"{texts[name]} {line.strip()}".strip()
    return texts

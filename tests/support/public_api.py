"""The public interface as lines: ``python tests/support/public_api.py`` writes the listing when a version is made."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import zoo

LISTING = Path(__file__).parents[2] / "docs/reference/public-api.txt"


def lines() -> Iterator[str]:
    """Yield a line for each name, method and argument, such as ``zoo.train(epochs=20)``."""
    yield f"# torch-zoo {zoo.__version__}"
    for name in zoo.__all__:
        value = getattr(zoo, name)
        yield f"zoo.{name}"
        if inspect.ismodule(value):
            for member in value.__all__:
                yield from _told(f"zoo.{name}.{member}", getattr(importlib.import_module(value.__name__), member))
        else:
            yield from _told(f"zoo.{name}", value)


def _told(name: str, value: Any) -> Iterator[str]:
    if inspect.isclass(value):
        if not issubclass(value, Exception):
            yield from _arguments(name, value)
        for member in sorted(set(dir(value))):
            if not member.startswith("_") and not (issubclass(value, Exception) and hasattr(Exception, member)):
                yield f"{name}.{member}"
                if inspect.isfunction(getattr(value, member)):
                    yield from _arguments(f"{name}.{member}", getattr(value, member))
    elif inspect.isfunction(value):
        yield from _arguments(name, value)


def _arguments(name: str, value: Any) -> Iterator[str]:
    """Yield a line an argument: its name, how it is given, and whether it may be left out."""
    places = {
        inspect.Parameter.POSITIONAL_ONLY: "by place",
        inspect.Parameter.POSITIONAL_OR_KEYWORD: "by place or name",
        inspect.Parameter.KEYWORD_ONLY: "by name",
        inspect.Parameter.VAR_POSITIONAL: "any by place",
        inspect.Parameter.VAR_KEYWORD: "any by name",
    }
    for parameter in inspect.signature(value).parameters.values():
        if parameter.name != "self":
            needed = parameter.default is inspect.Parameter.empty and "any" not in places[parameter.kind]
            yield f"{name}({parameter.name}): {places[parameter.kind]}{', required' if needed else ''}"


if __name__ == "__main__":
    LISTING.write_text("\n".join(lines()) + "\n", encoding="utf-8")

"""Code blocks of the documentation, so that tests can run what readers copy."""

from __future__ import annotations

import re
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"
_BLOCK = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(page: str, language: str) -> list[str]:
    """Return the blocks of a page that are marked as *language*; an empty one means plain output.

    Args:
        page: Its path under docs.
        language: As behind the backquotes: ``sh``, ``python``, ``toml``.
    """
    found = _BLOCK.findall((DOCS / page).read_text(encoding="utf-8"))
    return [text for marked, text in found if marked == language]

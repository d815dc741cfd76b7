"""Draw the rooms of zoo and which of them imports which: docs/rooms.svg, from the source alone.

``python docs/generate.py`` writes the picture, and a test sees that it is current.
An arrow that follows from two others is left out: who imports the command line's rooms reaches the lower ones anyway.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from html import escape
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PICTURE = ROOT / "docs" / "rooms.svg"
_WIDTH, _HEIGHT, _GAP_X, _GAP_Y, _MARGIN = 212, 62, 20, 44, 16
_LINE = 29  # letters that fit into a room
_STYLE = """
  svg { font: 12px system-ui, sans-serif; color-scheme: light dark; }
  rect { fill: #f3f6fa; stroke: #5b7aa6; } text { fill: #1c2733; } .name { font-weight: 600; font-size: 14px; }
  path { fill: none; stroke: #8797ab; stroke-width: 1.2; marker-end: url(#tip); }
  #tip path { fill: #8797ab; stroke: none; }
  @media (prefers-color-scheme: dark) {
    rect { fill: #1d2733; stroke: #7f9dc7; } text { fill: #e6edf5; } path { stroke: #6d7f95; }
    #tip path { fill: #6d7f95; }
  }
"""
_HEAD = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {tall:g}" role="img" aria-label="The rooms of zoo">
<style>{style}</style>
<defs>
<marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">
<path d="M0 0 8 4 0 8z"/></marker>
</defs>"""


def rooms() -> dict[str, list[Path]]:
    """Return the files of each room: a folder or a file directly below zoo; templates are no code."""
    found: dict[str, list[Path]] = {}
    for path in sorted((ROOT / "zoo").rglob("*.py")):
        name = path.relative_to(ROOT / "zoo").parts[0].removesuffix(".py")
        if not name.startswith("__") and "templates" not in path.parts:
            found.setdefault(name, []).append(path)
    return found


def imported(path: Path) -> Iterator[str]:
    """Yield the rooms that a file imports, at its top or in a function."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        yield from (name.split(".")[1] for name in names if name.startswith("zoo."))


def arrows(files: Mapping[str, list[Path]]) -> dict[str, set[str]]:
    """Return the rooms that each room imports."""
    return {
        room: {target for path in paths for target in imported(path) if target in files} - {room}
        for room, paths in files.items()
    }


def levels(graph: Mapping[str, set[str]]) -> dict[str, int]:
    """Return each room's height: one above the highest room that it imports."""
    height: dict[str, int] = {}

    def measure(room: str) -> int:
        if room not in height:
            height[room] = 1 + max(map(measure, graph[room]), default=-1)
        return height[room]

    for room in graph:
        measure(room)
    return height


def without_detours(graph: Mapping[str, set[str]]) -> dict[str, set[str]]:
    """Leave out each arrow that longer ways make superfluous."""

    def reached(room: str) -> set[str]:
        return graph[room].union(*(reached(target) for target in graph[room]))

    return {
        room: {target for target in targets if not any(target in reached(other) for other in targets - {target})}
        for room, targets in graph.items()
    }


def drawing() -> str:
    """Return the picture as SVG."""
    files = rooms()
    graph = arrows(files)
    height = levels(graph)
    rows = [sorted(room for room in graph if height[room] == level) for level in range(max(height.values()), -1, -1)]
    widest = max(map(len, rows))
    width = 2 * _MARGIN + widest * (_WIDTH + _GAP_X) - _GAP_X
    places = {}
    for number, row in enumerate(rows):
        left = (width - len(row) * (_WIDTH + _GAP_X) + _GAP_X) / 2
        for column, room in enumerate(row):
            places[room] = (left + column * (_WIDTH + _GAP_X), _MARGIN + number * (_HEIGHT + _GAP_Y))
    tall = 2 * _MARGIN + len(rows) * (_HEIGHT + _GAP_Y) - _GAP_Y
    fewest = without_detours(graph)
    lines = [
        _HEAD.format(width=width, tall=tall, style=_STYLE),
        *(_arrow(places[room], places[target]) for room in sorted(fewest) for target in sorted(fewest[room])),
        *(line for room, place in sorted(places.items()) for line in _box(room, place, files[room])),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _arrow(start: tuple[float, float], end: tuple[float, float]) -> str:
    x1, y1, x2, y2 = start[0] + _WIDTH / 2, start[1] + _HEIGHT, end[0] + _WIDTH / 2, end[1]
    bend = (y2 - y1) / 2
    return f'<path d="M{x1:g} {y1:g}C{x1:g} {y1 + bend:g} {x2:g} {y2 - bend:g} {x2:g} {y2:g}"/>'


def _box(room: str, place: tuple[float, float], paths: list[Path]) -> Iterator[str]:
    x, y = place
    yield f'<rect x="{x:g}" y="{y:g}" width="{_WIDTH}" height="{_HEIGHT}" rx="6"/>'
    name = f"{room}/" if paths[0].parent.name == room else f"{room}.py"
    yield f'<text class="name" x="{x + 12:g}" y="{y + 21:g}">{name}</text>'
    for number, line in enumerate(_wrapped(_purpose(paths[0]))):
        yield f'<text x="{x + 12:g}" y="{y + 38 + 15 * number:g}">{escape(line)}</text>'


def _purpose(path: Path) -> str:
    """Return what a room's docstring says before its first colon, full stop or semicolon."""
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    first = text.split("\n\n")[0].replace("\n", " ")
    return min((first.partition(mark)[0] for mark in (":", ".", ";")), key=len)


def _wrapped(text: str) -> list[str]:
    """Return at most two lines of the text, the second cut short where it must be."""
    first = text[: _LINE + 1].rpartition(" ")[0] if len(text) > _LINE else text
    rest = text[len(first) :].strip()
    return [line for line in (first, rest if len(rest) <= _LINE else f"{rest[: _LINE - 1].rstrip()}…") if line]

"""JSON of very long rows, a stretch at a time: what is digested or written so is never held as one text."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

_STRETCH = 4096


def json_pieces(value: Any, comma: str = ", ", colon: str = ": ") -> Iterator[str]:
    """Yield the text that `json.dumps` gives, in pieces.

    Args:
        value: What JSON holds, ASCII keys in mappings. Any iterable that is neither a mapping nor a text is a row; one
            of numbers or texts is written a stretch at a time, and so may make them as it goes.
        comma: What stands between items.
        colon: What stands between a key and its value.
    """
    if isinstance(value, Mapping):
        for number, (key, inner) in enumerate(value.items()):
            yield f"{comma if number else '{'}{json.dumps(key)}{colon}"
            yield from json_pieces(inner, comma, colon)
        yield "}" if value else "{}"
    elif isinstance(value, Iterable) and not isinstance(value, str):
        yield "["
        yield from _items(iter(value), comma, colon)
        yield "]"
    else:
        yield json.dumps(value)


def json_sha256(value: Any) -> str:
    """Return the SHA-256 of the text that `json.dumps` gives, with items as for `json_pieces`.

    It is ASCII, as JSON writes what is beyond it with escapes: also a name that is no proper text has its bytes.
    """
    digest = hashlib.sha256()
    for piece in json_pieces(value):
        digest.update(piece.encode("ascii"))
    return digest.hexdigest()


def _items(items: Iterator[Any], comma: str, colon: str) -> Iterator[str]:
    before = ""
    while stretch := list(islice(items, _STRETCH)):
        yield before
        if isinstance(stretch[0], str | int | float | None):
            yield json.dumps(stretch, separators=(comma, colon))[1:-1]
        else:
            for number, item in enumerate(stretch):
                yield comma if number else ""
                yield from json_pieces(item, comma, colon)
        before = comma

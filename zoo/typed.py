"""Numbers that remember how they were typed: ``--set data.root=2024`` names a folder, ``--set model.depth=20`` counts.

Only what takes a value knows which is meant, and it is found long after the command line was read.
"""

from __future__ import annotations

from typing import Any


class TypedInt(int):
    """An int and its text.

    Args:
        value: The number.
        text: As it was typed: ``"0x10"``, ``"1_000"``.
    """

    def __new__(cls, value: int, text: str) -> TypedInt:
        """Make the number; ``int`` takes its value here."""
        number = super().__new__(cls, value)
        number.text = text
        return number

    text: str


class TypedFloat(float):
    """A float and its text.

    Args:
        value: The number.
        text: As it was typed: ``"1e3"``, ``"2024.10"``.
    """

    def __new__(cls, value: float, text: str) -> TypedFloat:
        """Make the number; ``float`` takes its value here."""
        number = super().__new__(cls, value)
        number.text = text
        return number

    text: str


def typed(value: Any, text: str) -> Any:
    """Return what was read in *text*, with the text where it is lost otherwise.

    There are no options that take a date or a time, so that what looks like one is text; true and false have one
    spelling each, and need none.
    """
    if type(value) is int:
        return TypedInt(value, text)
    if type(value) is float:
        return TypedFloat(value, text)
    return value if isinstance(value, bool | str | list | dict) else text


def text_of(value: Any) -> str | None:
    """Return what was typed for a number, a truth value or a text, or None where nobody typed it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, TypedInt | TypedFloat):
        return value.text
    return value if isinstance(value, str) else None


def plain(value: Any) -> Any:
    """Return the value alone."""
    if isinstance(value, TypedInt):
        return int(value)
    return float(value) if isinstance(value, TypedFloat) else value

"""What a search may choose from, by key."""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from zoo.errors import UsageError

_DIGITS = 4  # of a number from a range that is not whole: what is drawn is to be read and typed again
_FORMS = "'[0.1,0.25]', '(0,0.5)', 'log(1e-4,1e-1)' or 'int(1,8)'"


@dataclass(frozen=True)
class Choices:
    """One of several values.

    Attributes:
        values: At least one: numbers, texts, truth values.
    """

    values: tuple[Any, ...]

    def at(self, share: float) -> Any:
        """Return the value at a share of the way, in [0, 1)."""
        return self.values[int(share * len(self.values))]

    def nearest(self, value: Any) -> Any:
        """Return the value itself, as a range returns its nearest number."""
        return value

    def points(self, count: int) -> list[Any]:  # noqa: ARG002 - as of a range
        """Return all values, however many are asked for."""
        return list(self.values)

    def __str__(self) -> str:
        import json

        return json.dumps(self.values)


@dataclass(frozen=True)
class Range:
    """A number between two, both included.

    Attributes:
        low: The least.
        high: The greatest, above *low*.
        log: Whether equal factors are equally likely, rather than equal differences; then *low* is above 0.
        whole: Whether the numbers are whole.
    """

    low: float
    high: float
    log: bool = False
    whole: bool = False

    def at(self, share: float) -> Any:
        """Return the number at a share of the way, in [0, 1); of four digits unless whole."""
        if self.whole:
            return int(self.low) + int(share * (int(self.high) - int(self.low) + 1))
        if self.log:
            value = math.exp(math.log(self.low) + share * (math.log(self.high) - math.log(self.low)))
        else:
            value = self.low + share * (self.high - self.low)
        return self.nearest(value)

    def nearest(self, value: float) -> Any:
        """Return the number of this range that is nearest to a value, of four digits unless whole."""
        if self.whole:
            return min(int(self.high), max(int(self.low), round(value)))
        return min(self.high, max(self.low, float(f"{value:.{_DIGITS}g}")))

    def points(self, count: int) -> list[Any]:
        """Return *count* numbers, evenly spaced from *low* to *high*; of whole ones at most all there are."""
        if self.whole:
            count = min(count, int(self.high) - int(self.low) + 1)
            step = (self.high - self.low) / max(1, count - 1)
            return [round(self.low + place * step) for place in range(count)]
        return [self.at(place / max(1, count - 1)) for place in range(count)]

    def __str__(self) -> str:
        kind = "log" if self.log else "int" if self.whole else ""
        return f"{kind}({self.low!r}, {self.high!r})"


Domain = Choices | Range


def parsed(texts: Iterable[str]) -> dict[str, Domain]:
    """Read ``optimizer.lr=log(1e-4,1e-1)`` and the like, in the order of their keys.

    Raises:
        UsageError: If one is of no known form, or two have one key.
    """
    space: dict[str, Domain] = {}
    for text in texts:
        key, equals, domain = (part.strip() for part in text.partition("="))
        if not equals or "." not in key:
            raise UsageError(f"--search {text!r} is not of the form SECTION.OPTION=SPACE, such as model.p={_FORMS}")
        if key in space:
            raise UsageError(f"--search names {key!r} twice; give all its values at once")
        space[key] = _domain(key, domain)
    return dict(sorted(space.items()))


def _domain(key: str, text: str) -> Domain:
    if text.startswith("["):
        return Choices(_values(key, text))
    found = re.fullmatch(r"(log|int|)\(([^,]+),([^,]+)\)", text)
    try:
        low, high = (float(found[place]) for place in (2, 3)) if found else (math.nan, math.nan)
    except ValueError:
        low = high = math.nan
    if not found or not (math.isfinite(low) and math.isfinite(high)):
        raise UsageError(f"--search {key}={text}: no space that zoo knows; give {_FORMS}")
    if not low < high or (found[1] == "log" and low <= 0):
        raise UsageError(f"--search {key}={text}: the first number must be below the second{_above_zero(found[1])}")
    if found[1] == "int" and not (low.is_integer() and high.is_integer()):
        raise UsageError(f"--search {key}={text}: both numbers must be whole")
    return Range(low, high, log=found[1] == "log", whole=found[1] == "int")


def _above_zero(kind: str) -> str:
    return ", and above 0" if kind == "log" else ""


def _values(key: str, text: str) -> tuple[Any, ...]:
    try:
        values: Sequence[Any] = tomllib.loads(f"values = {text}")["values"]
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"--search {key}={text} is no list such as [0.1, 0.25] or ['a', 'b']: {error}") from None
    if not values or not all(isinstance(value, bool | int | float | str) for value in values):
        raise UsageError(f"--search {key}={text}: give at least one value, and numbers, texts, true and false alone")
    if not all(math.isfinite(value) for value in values if isinstance(value, float)):
        raise UsageError(f"--search {key}={text}: give numbers that are finite")
    return tuple(values)

"""Values as they are typed: text to numbers and flags, ``model.p=0.5`` to a table, and TOML files."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from zoo.errors import UsageError
from zoo.typed import text_of, typed


def checked_value(setting: dataclasses.Field[Any], value: Any, source: str) -> Any:
    """Return *value* as the type of *setting*; text is read as a number where one is wanted.

    Raises:
        UsageError: If it is of another type or out of range.
    """
    kinds = {name.strip() for name in str(setting.type).split("|")}
    if value is None and "None" in kinds:
        return None
    try:
        found = converted(value, kinds)
    except (TypeError, ValueError, OverflowError):  # the last of a whole number that no float can hold
        wanted = "a number" if kinds & {"int", "float"} else "true or false" if "bool" in kinds else "text"
        rule = setting.metadata["rule"]
        raise UsageError(f"{source}: train.{setting.name} must be {rule or wanted}, not {value!r}") from None
    check = setting.metadata["check"]
    if check and not check(found):
        raise UsageError(f"{source}: train.{setting.name} must be {setting.metadata['rule']}, not {value!r}")
    return found


def converted(value: Any, kinds: set[str]) -> Any:
    """Return *value* as one of *kinds*, given by their Python names.

    Raises:
        ValueError: If it cannot be read as any.
    """
    if "bool" in kinds:
        return _convert_bool(value)
    if isinstance(value, bool):
        raise ValueError
    if "int" in kinds and (
        hasattr(value, "__index__") or (isinstance(value, str) and re.fullmatch(r"\s*[+-]?\d+\s*", value))
    ):
        return int(value)
    if "float" in kinds and (isinstance(value, str) or hasattr(value, "__float__")):
        return float(value)
    if "str" in kinds and (text := text_of(value)) is not None:
        return text
    raise ValueError


def _convert_bool(value: Any) -> bool:
    words = {
        "1": True,
        "true": True,
        "yes": True,
        "on": True,
        "0": False,
        "false": False,
        "no": False,
        "off": False,
    }
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.strip().lower() in words:
        return words[value.strip().lower()]
    raise ValueError


def read_toml(path: Path) -> dict[str, Any]:
    """Return the tables of a TOML file.

    Raises:
        UsageError: If there is no such file, or it is not TOML.
    """
    import tomllib  # 3 ms that a TAB need not wait for

    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (FileNotFoundError, NotADirectoryError):
        raise UsageError(f"no configuration file {str(path)!r}") from None
    except OSError as error:
        raise UsageError(f"cannot read the configuration file {str(path)!r}: {error.strerror}") from None
    except ValueError as error:  # what is no TOML or no UTF-8, and a number of more digits than Python reads
        raise UsageError(f"{str(path)!r} is not TOML: {error}") from None


def parse_assignment(text: str) -> dict[str, Any]:
    """Read ``model.p=0.5`` into ``{"model": {"p": 0.5}}``. The value is TOML, or else text; a number keeps its text.

    Raises:
        UsageError: If *text* has no key, no section or no ``=``.
    """
    return nested(*assigned(text))


def assigned(text: str) -> tuple[str, Any]:
    """Return the key and the value of ``model.p=0.5``.

    Raises:
        UsageError: If *text* has no ``=``.
    """
    key, equals, value = text.partition("=")
    if not equals:
        raise UsageError(f"--set {text!r} is not of the form SECTION.OPTION=VALUE, such as model.p=0.5")
    return key.strip(), _toml_value(value.strip())


def nested(key: str, value: Any) -> dict[str, Any]:
    """Return ``{"model": {"p": value}}`` for the key ``model.p``.

    Raises:
        UsageError: If the key has no section.
    """
    parts = key.split(".")
    if len(parts) < 2 or not all(parts):
        raise UsageError(f"{key!r} is no key such as 'model.p': a section, a dot and an option")
    for part in reversed(parts):
        value = {part: value}
    return dict(value)


def flattened(table: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return the values of nested tables by their dotted keys: ``{"model.p": 0.5}`` of ``{"model": {"p": 0.5}}``."""
    flat: dict[str, Any] = {}
    for key, value in table.items():
        if isinstance(value, Mapping):
            flat |= flattened(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = list(value) if isinstance(value, tuple) else value
    return flat


def differing(there: Mapping[str, Any], here: Mapping[str, Any], keys: Iterable[str]) -> list[str]:
    """Return where what was recorded and what is asked for differ, a text for each of the flat *keys*."""
    return [
        f"{key} is {there.get(key, 'off')!r} there and {here.get(key, 'off')!r} here"
        for key in sorted(keys)
        if there.get(key) != here.get(key)
    ]


def _toml_value(text: str) -> Any:
    import tomllib

    try:
        return typed(tomllib.loads(f"value = {text}")["value"], text)
    except ValueError:  # also of a number of more digits than Python reads
        return text

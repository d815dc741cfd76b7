"""What a builder takes, read from its signature, and whether the user's options fit it."""

from __future__ import annotations

import contextlib
import inspect
import os
import re
import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Union, get_args, get_origin

from zoo.errors import UnknownNameError, UsageError
from zoo.registry.entry import Entry
from zoo.registry.kinds import kind_named
from zoo.typed import plain, text_of

REQUIRED: Any = inspect.Parameter.empty
_KEYWORDS = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


@dataclass(frozen=True, slots=True)
class Option:
    """One option of a builder.

    Attributes:
        name: As in ``--set model.NAME=VALUE``.
        default: What it is when it is not given, or `REQUIRED`.
        annotation: Its type, as the signature states it, or None.
    """

    name: str
    default: Any
    annotation: Any = None

    @property
    def type_name(self) -> str:
        """The type as one writes it in Python, without the modules' names, or an empty string."""
        stated = "" if self.annotation is None else inspect.formatannotation(self.annotation)
        return re.sub(r"\b(?:[a-z_]\w*\.)+(?=\w)", "", stated)

    @property
    def required(self) -> bool:
        """Whether it must be given."""
        return self.default is REQUIRED


@dataclass(frozen=True, slots=True)
class Signature:
    """What a builder takes.

    Attributes:
        facts: The facts that it asks zoo for.
        options: What its user may set.
        open: Whether it takes any keyword: it gets all facts then, and its options go unchecked.
    """

    facts: Mapping[str, Option]
    options: Mapping[str, Option]
    open: bool


def signature_of(entry: Entry) -> Signature:
    """Read the signature of an entry's builder, which imports it.

    Raises:
        PluginError: If the builder cannot be imported.
    """
    parameters = _parameters(entry.load())
    if parameters is None:
        return Signature({}, {}, open=True)
    known = kind_named(entry.kind).all_facts
    named = {
        name: Option(name, entry.arguments.get(name, parameter.default), _annotation(parameter))
        for name, parameter in parameters.items()
        if parameter.kind in _KEYWORDS
    }
    return Signature(
        facts={name: option for name, option in named.items() if name in known},
        options={name: option for name, option in named.items() if name not in known},
        open=any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()),
    )


def options_of(entry: Entry) -> list[Option]:
    """Return what a user may set on an entry, in the builder's order.

    Raises:
        PluginError: If the builder cannot be imported.
    """
    return list(signature_of(entry).options.values())


def checked_options(entry: Entry, signature: Signature, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the user's options as the builder wants them: a list becomes a tuple where it asks for one.

    What was typed as a number stays text where text is asked for, so that folders may be called 2024 or 1e3.

    Raises:
        UnknownNameError: If the builder does not take an option.
        UsageError: If an option is zoo's to give, or its value has another type than the signature states.
    """
    facts = kind_named(entry.kind).all_facts
    for name in options:
        if name in facts:
            raise UsageError(f"{entry}: {name!r} is no option; zoo gives it from what is trained. Leave it out.")
        if name not in signature.options and not signature.open:
            takes = f"It takes {', '.join(signature.options)}." if signature.options else "It takes none."
            raise UnknownNameError(f"option of {entry}", name, signature.options, takes)
    return {name: _fitted(entry, signature.options.get(name), name, value) for name, value in options.items()}


def fits(value: Any, annotation: Any) -> bool:
    """Return whether a value may be given for an annotation; an annotation that says nothing plain takes all.

    An int does for a float, a list for a tuple; a bool is no number.
    """
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in (Union, types.UnionType):
        return any(fits(value, choice) for choice in arguments)
    if origin is Literal:
        return value in arguments
    if (origin or annotation) in (list, tuple, Sequence):
        return _sequence_fits(value, origin, arguments)
    if annotation in (None, types.NoneType):
        return value is None
    if annotation in (int, float):
        return isinstance(value, int if annotation is int else (int, float)) and not isinstance(value, bool)
    return isinstance(value, annotation) if annotation in (bool, str) else True


def _sequence_fits(value: Any, origin: Any, arguments: tuple[Any, ...]) -> bool:
    if not isinstance(value, Sequence) or isinstance(value, (str, bytes)):
        return False
    if not arguments:
        return True
    if origin is not tuple or arguments[-1] is Ellipsis:
        return all(fits(item, arguments[0]) for item in value)
    return len(value) == len(arguments) and all(map(fits, value, arguments))


def _fitted(entry: Entry, option: Option | None, name: str, value: Any) -> Any:
    if option is None:
        return plain(value)
    annotation = option.annotation
    if annotation is None:  # then its default says what it is, but nothing that a truth value could not stand in for
        return value if isinstance(value, bool) else _text_or_number(value, type(option.default))
    value = _text_or_number(value, annotation)
    if value is None and option.default is None:
        return value
    if not fits(value, annotation):
        choices = ", ".join(map(repr, get_args(annotation)))
        wanted = f"one of {choices}" if get_origin(annotation) is Literal else option.type_name
        raise UsageError(f"{entry} takes {name!r} as {wanted}, not {value!r}")
    wants_tuple = (get_origin(annotation) or annotation) is tuple
    return tuple(value) if wants_tuple and isinstance(value, list) else value


def _text_or_number(value: Any, annotation: Any) -> Any:
    """Return the text that was typed for a value where text or a path is wanted, and no such number."""
    choices = _choices(annotation)
    textual = [choice for choice in choices if isinstance(choice, type) and issubclass(choice, (str, os.PathLike))]
    text = text_of(value)
    if text is None or not textual or any(fits(value, choice) for choice in choices if choice not in textual):
        return plain(value)
    return text


def _choices(annotation: Any) -> tuple[Any, ...]:
    return get_args(annotation) if get_origin(annotation) in (Union, types.UnionType) else (annotation,)


def _parameters(target: Callable[..., Any]) -> Mapping[str, inspect.Parameter] | None:
    """Return the parameters of a callable, or None where they cannot be read, as of some that are written in C."""
    for resolve in (True, False):  # annotations may be strings that name what only a type checker imports
        with contextlib.suppress(Exception):
            return inspect.signature(target, eval_str=resolve).parameters
    return None


def _annotation(parameter: inspect.Parameter) -> Any:
    stated = parameter.annotation
    return None if stated is parameter.empty or stated is Any else stated

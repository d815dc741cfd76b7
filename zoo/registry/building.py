"""Building what an entry names: facts from zoo, arguments from the plugin, options from the user."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pkgutil import resolve_name
from typing import Any

from zoo.errors import PluginError, UsageError, ZooError
from zoo.registry.entry import Entry, in_one_line
from zoo.registry.kinds import kind_named
from zoo.registry.signatures import Signature, checked_options, signature_of


def build(entry: Entry, *, facts: Mapping[str, Any], options: Mapping[str, Any]) -> Any:
    """Build what an entry names.

    Args:
        entry: What to build.
        facts: What zoo knows; the builder gets those that its signature names, or where it takes any keyword all that
            its kind has had from the first.
        options: What the user set; they override the entry's own arguments.

    Returns:
        What the builder returns, of the type that its kind promises.

    Raises:
        UsageError: If the options do not fit, or the builder refuses them with a ValueError or TypeError.
        PluginError: If the builder cannot be imported, fails otherwise, or returns something else.
    """
    target, signature = entry.load(), signature_of(entry)
    chosen = checked_options(entry, signature, options)
    withheld = kind_named(entry.kind).later_facts if signature.open else facts.keys()
    given = {name: fact for name, fact in facts.items() if name in signature.facts or name not in withheld}
    keywords = {**given, **entry.arguments, **chosen}
    _check_complete(entry, signature, keywords)
    result = _call(entry, target, keywords, chosen)
    check_result(entry, result)
    return result


def check_result(entry: Entry, result: Any) -> None:
    """Raise unless *result* is of the type that the entry's kind promises.

    Raises:
        PluginError: If it is not.
    """
    promised = kind_named(entry.kind).result
    if promised and not isinstance(result, resolve_name(promised)):
        raise PluginError(f"{entry} must build a {promised.replace(':', '.')}, and built {_described(result)}")


def _check_complete(entry: Entry, signature: Signature, keywords: Mapping[str, Any]) -> None:
    kind = kind_named(entry.kind)
    for option in (*signature.facts.values(), *signature.options.values()):
        if option.required and option.name not in keywords:
            how = "" if option.name in signature.facts else f": --set {kind.option_key(entry.name, option.name)}=VALUE"
            raise UsageError(f"{entry} needs {option.name!r}{how}")


def _call(entry: Entry, target: Callable[..., Any], keywords: dict[str, Any], chosen: dict[str, Any]) -> Any:
    try:
        return target(**keywords)
    except (KeyboardInterrupt, ZooError):
        raise
    except BaseException as error:
        if chosen and isinstance(error, (TypeError, ValueError)):
            stated = ", ".join(f"{name}={value!r}" for name, value in chosen.items())
            raise UsageError(f"{entry} does not accept {stated}: {' '.join(str(error).split())}") from error
        raise PluginError(f"{entry} cannot be built: {in_one_line(error)}") from error


def _described(result: Any) -> str:
    return "nothing (None)" if result is None else f"a {type(result).__module__}.{type(result).__qualname__}"

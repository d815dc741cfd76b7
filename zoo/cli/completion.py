"""What TAB offers: names of kinds, entries and plugins, found without importing torch."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Iterator

import click
from click.shell_completion import CompletionItem

from zoo.errors import ZooError

Completer = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def complete_kinds(_: click.Context, __: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Offer the kinds of entries, in the plural."""
    from zoo.registry.kinds import KINDS

    return [CompletionItem(kind.plural) for kind in KINDS if kind.plural.startswith(incomplete)]


def complete_plugins(_: click.Context, __: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Offer the installed plugins."""
    with _undisturbed():
        from zoo.registry import registry

        return [CompletionItem(name) for name in registry().names() if name.startswith(incomplete)]
    return []


def complete_names(kind: str | None = None) -> Completer:
    """Return what offers the names of one kind's entries, short where that works, full once a slash is typed.

    Args:
        kind: The kind; by default the one that the command's argument ``kind`` names.
    """

    def complete(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
        with _undisturbed():
            offers = _names(kind or ctx.params["kind"], full="/" in incomplete)
            return [CompletionItem(name, help=help_) for name, help_ in offers if name.startswith(incomplete)]
        return []

    return complete


def _names(kind: str, full: bool) -> Iterator[tuple[str, str]]:
    from zoo.registry import registry

    catalogue = registry()
    for entry in catalogue.entries(kind):
        yield entry.full_name if full else catalogue.short_name(entry) or entry.full_name, entry.summary


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """Offer nothing where names cannot be had: a message would land in the line that is being typed."""
    with contextlib.redirect_stderr(io.StringIO()), contextlib.suppress(ZooError):
        yield

"""Groups whose commands are imported when they run: help, completion and typing errors import none of them."""

from __future__ import annotations

from collections.abc import Iterable

import click


class LazyCommand(click.Command):
    """A command's name and summary, which stand in for it until it runs.

    Args:
        name: What one types.
        target: Where the command is, ``"module:attribute"``.
        summary: The first sentence of its help; a test holds the two together.
    """

    def __init__(self, name: str, target: str, summary: str) -> None:
        super().__init__(name, help=summary)
        self.target = target

    def load(self) -> click.Command:
        """Import the command itself."""
        from pkgutil import resolve_name

        command: click.Command = resolve_name(self.target)
        return command


class LazyGroup(click.Group):
    """A group that lists, suggests and completes its commands in their given order without importing any."""

    def __init__(self, *args: object, lazy: Iterable[LazyCommand] = (), **options: object) -> None:
        super().__init__(*args, **options)  # type: ignore[arg-type] # click's own arguments, passed through
        for command in lazy:
            self.add_command(command)

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the commands' names in the order in which one uses them."""
        return list(self.commands)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that is about to run, imported now."""
        name, command, rest = super().resolve_command(ctx, args)
        return name, command.load() if isinstance(command, LazyCommand) else command, rest

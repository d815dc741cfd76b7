"""The options that every command has: ``--no-plugin``, ``--strict``, ``--quiet`` and ``--json``."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any, TypeVar

import click

from zoo.cli.completion import complete_plugins
from zoo.errors import ZooError

LEFT_OUT = "zoo.left_out"
"""Where a command's context keeps the names that ``--no-plugin`` gave."""

_STRICT = "zoo.strict"

Command = TypeVar("Command", bound=Callable[..., Any])


def checkpoint_option(command: Command) -> Command:
    """Add ``--checkpoint``; the command's function gets ``checkpoint``, ``"best"`` or ``"last"``."""
    return click.option(
        "--checkpoint", type=click.Choice(["best", "last"]), default="best", show_default=True, help="Which weights."
    )(command)


def joined(_: click.Context, __: click.Parameter, names: tuple[str, ...]) -> str | None:
    """Return names as one text with commas, whether one option gave them or several; None where none did."""
    return ",".join(names) if names else None


def seeds_option(command: Command) -> Command:
    """Add ``--seeds``; the command's function gets ``seeds``, a number or None."""
    return click.option(
        "--seeds",
        metavar="N",
        type=click.IntRange(min=2),
        help="Train N times, with seeds from --seed on, and tell the mean with its interval; --out holds the runs.",
    )(command)


def common_options(command: Command) -> Command:
    """Add the common options; the command's function gets ``quiet`` and ``as_json``, the others act by themselves."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def _leave_out(ctx: click.Context, _: click.Parameter, names: tuple[str, ...]) -> None:
    if not names:
        return
    ctx.meta[LEFT_OUT] = names
    from zoo.registry import registry

    # While a line is completed, its faults are not yet to be told.
    with contextlib.suppress(ZooError) if ctx.resilient_parsing else contextlib.nullcontext():
        registry().disable(names, "--no-plugin")


def _be_strict(ctx: click.Context, _: click.Parameter, strict: bool) -> None:
    ctx.meta[_STRICT] = strict
    if strict and not ctx.resilient_parsing:
        from zoo.registry import registry

        registry().check_all()


def is_strict() -> bool:
    """Tell whether the command that runs was given ``--strict``."""
    return bool(click.get_current_context().meta.get(_STRICT))


_OPTIONS = (
    click.option(
        "--no-plugin",
        metavar="NAME",
        multiple=True,
        expose_value=False,
        is_eager=True,  # before --strict looks at the plugins, wherever the two stand
        callback=_leave_out,
        shell_complete=complete_plugins,
        help="Leave a plugin out; may be repeated.",
    ),
    click.option(
        "--strict",
        is_flag=True,
        expose_value=False,
        callback=_be_strict,
        help="Stop with exit code 3 if any installed plugin is broken.",
    ),
    click.option("--quiet", is_flag=True, help="Print nothing but results and errors."),
    click.option("--json", "as_json", is_flag=True, help="Print JSON."),
)

"""The options of ``zoo train``, made from the declarations in `zoo.config`; further commands take them, too."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

import click
from click.core import ParameterSource

from zoo.cli.completion import complete_names
from zoo.cli.options import LEFT_OUT, joined
from zoo.config import KEYS, SINGLE, Layer, TrainSettings, in_order, layer_of, parse_assignment
from zoo.errors import UnknownNameError

Command = TypeVar("Command", bound=Callable[..., Any])

PREFIX = "ZOO_TRAIN_"

_NAMED = {
    "model": ("models", "The model to train; 'zoo list models' shows all."),
    "data": ("datasets", "What to train on."),
    "optimizer": ("optimizers", "What changes the weights."),
    "criterion": ("criteria", "What is minimised."),
    "scheduler": ("schedulers", "How the rate moves."),
}


def variable(name: str) -> str:
    """Return the environment variable that sets an option: ``ZOO_TRAIN_BATCH_SIZE`` for ``batch_size``."""
    return PREFIX + name.upper()


def _train_options() -> list[click.Option]:
    """Return the options, made from the declarations in `zoo.config`. Values are text here; the config checks them."""
    options = [
        click.Option(
            [f"--{section}"],
            metavar="NAME",
            envvar=variable(section),
            shell_complete=complete_names(kind),
            help=f"{text} Default: {SINGLE[section]}." if SINGLE[section] else text,
        )
        for section, (kind, text) in _NAMED.items()
    ]
    options.insert(
        3,
        click.Option(["--lr"], metavar="X", envvar=variable("lr"), help="Learning rate. Default: the optimizer's own."),
    )
    for section, kind in (("augment", "augmentations"), ("observe", "observers")):
        options.append(
            click.Option(
                [f"--{section}"],
                metavar="NAME,...",
                multiple=True,
                callback=joined,
                envvar=variable(section),
                shell_complete=complete_names(kind),
                help={"augment": "Change training images at random.", "observe": "Let observers watch the run."}[
                    section
                ],
            )
        )
    return [*options, *map(_setting_option, dataclasses.fields(TrainSettings))]


def _setting_option(setting: dataclasses.Field[Any]) -> click.Option:
    text = setting.metadata["help"]
    if setting.default is not None and setting.default is not False and "Default" not in text:
        text = f"{text} Default: {setting.default}."
    flag = f"--{setting.name.replace('_', '-')}"
    if setting.default is False:
        return click.Option([flag], is_flag=True, default=None, envvar=variable(setting.name), help=text)
    choices = setting.metadata.get("choices")
    return click.Option(
        [flag],
        metavar="|".join(choices) if choices else setting.metadata["metavar"],
        envvar=variable(setting.name),
        shell_complete=_complete_choices(choices or ()),
        help=text,
    )


def _complete_choices(choices: tuple[str, ...]) -> Callable[[click.Context, click.Parameter, str], list[str]]:
    return lambda _, __, incomplete: [choice for choice in choices if choice.startswith(incomplete)]


class TrainCommand(click.Command):
    """A command whose options come from `zoo.config`."""

    def __init__(self, name: str | None, params: list[click.Parameter] | None = None, **more: Any) -> None:
        super().__init__(name, params=[*_train_options(), *(params or [])], **more)


def asked_options(command: Command) -> Command:
    """Add ``--set``, ``--recipe`` and ``--config``; the function gets ``assignments``, ``recipe`` and ``file``."""
    for option in reversed(_ASKED):
        command = option(command)
    return command


_ASKED = (
    click.option(
        "--set",
        "assignments",
        metavar="KEY=VALUE",
        multiple=True,
        help="Set an option of an entry: model.p=0.5, data.root=DIR, data.limit=256.",
    ),
    click.option(
        "--recipe",
        metavar="NAME",
        envvar=variable("recipe"),
        shell_complete=complete_names("recipes"),
        help="Begin from a registered recipe.",
    ),
    click.option(
        "--config",
        "file",
        metavar="FILE",
        envvar=variable("config"),
        type=click.Path(path_type=Path),
        help="Read settings from a TOML file.",
    ),
)


def layers_of(ctx: click.Context, assignments: Iterable[str], settings: dict[str, Any]) -> list[Layer]:
    """Return the variables, then the flags, then what ``--set`` gave: the strongest last."""
    variables, flags = [], []
    for name, value in in_order(settings):
        if value is None:
            continue
        if ctx.get_parameter_source(name) is ParameterSource.ENVIRONMENT:
            variables.append(layer_of(name, value, variable(name)))
        else:
            flags.append(layer_of(name, value, f"--{name.replace('_', '-')}"))
    return [*variables, *flags, *(Layer(f"--set {text}", parse_assignment(text)) for text in assignments)]


def typed_again(ctx: click.Context, assignments: Iterable[str]) -> list[str]:
    """Return the arguments with which ``zoo train`` is asked for the same in another process.

    Variables are not among them: the process has them, too.
    """
    given = [f"--no-plugin={name}" for name in ctx.meta.get(LEFT_OUT, ())]
    for parameter in ctx.command.params:
        name = parameter.name or ""
        if (
            name in (*KEYS, "recipe", "file", "no_report")
            and ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE
        ):
            flag = parameter.opts[0]
            given.append(flag if getattr(parameter, "is_flag", False) else f"{flag}={ctx.params[name]}")
    return [*given, *(f"--set={text}" for text in assignments)]


def refuse_unknown_variables(ctx: click.Context) -> None:
    """Raise where a variable begins as one of zoo's does, and sets nothing.

    Raises:
        UnknownNameError: Naming it.
    """
    known = {parameter.envvar for parameter in ctx.command.params if isinstance(parameter.envvar, str)}
    for name in os.environ:
        if name.startswith(PREFIX) and name not in known:
            raise UnknownNameError("variable", name, known, "'zoo train --help' lists the options.")

"""``zoo train``: one model, one run."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from zoo.cli.completion import complete_names
from zoo.cli.launch import Command, launch, refuse_within_others, seconds
from zoo.cli.launched import GO_ON, end_with_the_launcher
from zoo.cli.options import common_options
from zoo.cli.output import write_json
from zoo.cli.ranks import is_first
from zoo.config import KEYS, SINGLE, Layer, TrainSettings, assigned, in_order, layer_of, parse_assignment
from zoo.errors import UnknownNameError, UsageError
from zoo.training.place import STORE

if TYPE_CHECKING:
    from zoo.runs.reporting import Reporter
    from zoo.runs.session import Run

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


@click.command("train", cls=TrainCommand)
@click.option(
    "--set",
    "assignments",
    metavar="KEY=VALUE",
    multiple=True,
    help="Set an option of an entry: model.p=0.5, data.root=DIR, data.limit=256.",
)
@click.option(
    "--recipe",
    metavar="NAME",
    envvar=variable("recipe"),
    shell_complete=complete_names("recipes"),
    help="Begin from a registered recipe.",
)
@click.option(
    "--config",
    "file",
    metavar="FILE",
    envvar=variable("config"),
    type=click.Path(path_type=Path),
    help="Read settings from a TOML file.",
)
@click.option(
    "--out",
    metavar="DIR",
    envvar=variable("out"),
    type=click.Path(path_type=Path),
    help="The run's own directory. Default: runs/TIMESTAMP-MODEL-DATA. If it holds this very run, that goes on.",
)
@click.option(
    "--resume",
    metavar="RUN",
    type=click.Path(path_type=Path),
    help="Go on with a run; all settings are the run's, but for --set data.root=DIR where its images have moved.",
)
@click.option("--restart", is_flag=True, help="Remove the run in --out and begin anew.")
@click.option(
    "--processes",
    metavar="N",
    type=click.IntRange(min=1),
    help="Train in N processes on this machine, with the bits of one; on CPUs, --threads in one process is faster.",
)
@click.option(
    "--max-restarts",
    metavar="N",
    type=click.IntRange(min=0),
    help="Start the processes again, at most N times, when one of them was lost. Default: 0.",
)
@click.option(
    "--timeout", metavar="TIME", help="How long a process waits for the others: 30s, 10min or 2h. Default: 10min."
)
@click.option("--no-report", is_flag=True, help="Leave out the page, report.html, that is written at the end.")
@common_options
@click.pass_context
def train(
    ctx: click.Context,
    /,
    assignments: tuple[str, ...],
    recipe: str | None,
    file: Path | None,
    out: Path | None,
    resume: Path | None,
    restart: bool,
    processes: int | None,
    max_restarts: int | None,
    timeout: str | None,
    no_report: bool,
    quiet: bool,
    as_json: bool,
    **settings: Any,
) -> int | None:
    """Train a model and keep the run.

    \b
      zoo train --model cnn_dropout
      zoo train --model timm/resnet18 --epochs 1 --set data.limit=2000

    Every option is also a key of the TOML file and a variable, such as ZOO_TRAIN_EPOCHS; an option overrides the
    variable, the variable the file, the file the recipe.
    """  # noqa: D301 - click wants the control character itself
    _refuse_unknown_variables(ctx)
    layers = _layers(ctx, assignments, settings)
    if resume is not None:
        _refuse_with_resume(ctx)
    elif restart and out is None:
        raise UsageError("--restart needs --out DIR, the run to begin anew")
    if max_restarts and not processes:
        raise UsageError("--max-restarts starts processes again; it needs --processes N")
    wait = seconds(timeout or "10min")
    if processes is not None and STORE not in os.environ:
        refuse_within_others()
        if processes > 1:
            begins = resume is None and (out is None or restart)
            return launch(Command(ctx.obj, begins, resume or out), processes, max_restarts or 0)
    end_with_the_launcher()

    def run(reporter: Reporter) -> Run:
        from zoo.runs.api import configured
        from zoo.runs.training import Request, start
        from zoo.runs.training import resume as resume_run

        if (begun := os.environ.get(GO_ON)) is not None:
            return resume_run(begun, reporter, timeout=wait)
        if resume is not None:
            return resume_run(resume, reporter, dict(map(assigned, assignments)), timeout=wait)
        config = configured(layers, recipe=recipe, file=file)
        return start(Request(config, out=out, restart=restart, timeout=wait), reporter)

    _tell(run, quiet=quiet, as_json=as_json, page=not no_report)
    return None


def _tell(train: Callable[[Reporter], Run], *, quiet: bool, as_json: bool, page: bool) -> None:
    """Train, print what goes on and what came of it, and write the run's page."""
    from zoo.cli.transcript import Silence, Transcript
    from zoo.runs.training import AlreadyFinished

    reporter = Silence() if quiet or as_json else Transcript()
    try:
        run = train(reporter)
        directory, summary, say = run.directory, run.summary, Transcript.finished
    except AlreadyFinished as finished:
        directory, summary, say = finished.directory.path, finished.summary, Transcript.already_finished
    if not is_first():
        return
    if page:
        from zoo.reports.report import report_if_possible

        report_if_possible(directory, reporter.notice)
    if as_json:
        write_json({"directory": str(directory), **summary})
    else:
        say(directory, summary)


def _layers(ctx: click.Context, assignments: tuple[str, ...], settings: dict[str, Any]) -> list[Layer]:
    """Return the variables, then what ``--set`` gave, then the flags: the strongest last."""
    variables, flags = [], []
    for name, value in in_order(settings):
        if value is None:
            continue
        if ctx.get_parameter_source(name) is ParameterSource.ENVIRONMENT:
            variables.append(layer_of(name, value, variable(name)))
        else:
            flags.append(layer_of(name, value, f"--{name.replace('_', '-')}"))
    return [*variables, *flags, *(Layer(f"--set {text}", parse_assignment(text)) for text in assignments)]


def _refuse_with_resume(ctx: click.Context) -> None:
    """All settings of a resumed run are the run's own; where its images are now, --set may tell."""
    for name in (*KEYS, "recipe", "file", "out", "restart"):
        if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            flag = {"file": "config"}.get(name, name).replace("_", "-")
            raise UsageError(f"--resume takes all settings from the run; leave out --{flag}")


def _refuse_unknown_variables(ctx: click.Context) -> None:
    known = {parameter.envvar for parameter in ctx.command.params if isinstance(parameter.envvar, str)}
    for name in os.environ:
        if name.startswith(PREFIX) and name not in known:
            raise UnknownNameError("variable", name, known, "'zoo train --help' lists the options.")

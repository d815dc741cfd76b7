"""``zoo train``: one model, one run."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from zoo.cli.launch import Command, launch, refuse_within_others, seconds
from zoo.cli.launched import GO_ON, end_with_the_launcher
from zoo.cli.options import common_options, seeds_option
from zoo.cli.output import write_json
from zoo.cli.ranks import is_first
from zoo.cli.train_options import (
    TrainCommand,
    asked_options,
    layers_of,
    refuse_unknown_variables,
    typed_again,
    variable,
)
from zoo.config import KEYS, assigned
from zoo.errors import UsageError
from zoo.runs.configuring import configured
from zoo.training.place import STORE

if TYPE_CHECKING:
    from zoo.runs.reporting import Reporter
    from zoo.runs.run import Run


@click.command("train", cls=TrainCommand)
@asked_options
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
    help="Go on with a run; all settings are the run's, but for data.root and data.images where its images have moved.",
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
@seeds_option
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
    seeds: int | None,
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
    refuse_unknown_variables(ctx)
    layers = layers_of(ctx, assignments, settings)
    if seeds is not None:
        from zoo.cli.sweeping import Told, carry_out
        from zoo.sweeps.asking import Asked, over_seeds

        _refuse_with_seeds(ctx)
        asked = Asked(configured(layers, recipe=recipe, file=file), typed_again(ctx, assignments), out)
        return carry_out(over_seeds(asked, seeds), Told(quiet=quiet, as_json=as_json))
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

    if not is_first():
        logging.getLogger("zoo").setLevel(logging.ERROR)  # of the data, which the first process warns of as well
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


def _refuse_with_seeds(ctx: click.Context) -> None:
    """Each of several runs is begun and gone on with by the same command, in one process."""
    for name in ("resume", "restart", "processes", "max_restarts", "timeout"):
        if ctx.params[name]:
            raise UsageError(
                f"--seeds and --{name.replace('_', '-')} exclude each other; the same command goes on with what is in "
                "--out, and each run is one process"
            )


def _refuse_with_resume(ctx: click.Context) -> None:
    """All settings of a resumed run are the run's own; where its images are now, --set may tell."""
    for name in (*KEYS, "recipe", "file", "out", "restart"):
        if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            flag = {"file": "config"}.get(name, name).replace("_", "-")
            raise UsageError(f"--resume takes all settings from the run; leave out --{flag}")

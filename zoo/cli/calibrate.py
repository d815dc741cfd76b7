"""``zoo calibrate``: an honest confidence."""

from __future__ import annotations

from pathlib import Path

import click

from zoo.cli.options import checkpoint_option, common_options
from zoo.cli.output import write_json


@click.command("calibrate")
@click.argument("run", type=click.Path(path_type=Path))
@checkpoint_option
@common_options
def calibrate(run: Path, checkpoint: str, quiet: bool, as_json: bool) -> None:  # noqa: ARG001 - every command takes --quiet
    """Fit the temperature of a run's confidence.

    RUN is a run's directory. The temperature is fitted on its validation images and written beside the run; from then
    on 'zoo predict' divides the logits by it. No prediction changes, only how confident it is.
    """
    from zoo.runs.calibrating import calibrate as fit

    found = fit(run, checkpoint=checkpoint)
    if as_json:
        write_json(found)
        return
    (nll, new_nll), (ece, new_ece) = found["nll"], found["ece"]
    click.echo(
        f"temperature {found['temperature']:.4f} on {found['samples']:,} validation images: log loss {nll:.4f} becomes "
        f"{new_nll:.4f}, calibration error {100 * ece:.2f} % becomes {100 * new_ece:.2f} %"
    )

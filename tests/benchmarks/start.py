"""From the start of the process to the first step, part by part, and the memory of the main job."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

from measuring import Row, moment

PARTS = (
    "interpreter",
    "import zoo's command",
    "import torch",
    "names, options, directory",
    "read the images",
    "split, seed, build the model",
    "build optimizer and schedule",
    "check that it can be resumed",
    "write the run's files",
    "first step",
)
KINDS = {
    "zoo train --model mlp": ("mlp", False),
    "zoo train --model cnn_dropout": ("cnn_dropout", False),
    "the same, torch._dynamo imported": ("cnn_dropout", True),
}


def measure(rounds: int) -> tuple[list[Row], list[str]]:
    """Return a row a part with the median milliseconds of each kind of start, and rows of peak memory."""
    times: dict[str, list[list[float]]] = {kind: [] for kind in KINDS}
    memory: dict[str, list[float]] = {}
    for turn in range(rounds + 1):
        for kind, (model, eager) in KINDS.items():
            marks = _first_step(model, eager)
            if turn:  # the first warms the file cache
                times[kind].append([1e3 * (end - start) for start, end in pairwise(marks)])
    for _ in range(min(rounds, 3)):
        for name, code in _programs().items():
            memory.setdefault(name, []).append(_peak(code))
    rows: list[Row] = [
        {"part, ms": part, **{kind: round(statistics.median(run[i] for run in runs)) for kind, runs in times.items()}}
        for i, part in enumerate(PARTS)
    ]
    totals = {kind: round(statistics.median(sum(run) for run in runs)) for kind, runs in times.items()}
    rows.append({"part, ms": "all", **totals})
    peaks = {name: statistics.median(values) for name, values in memory.items()}
    base = peaks["import torch, torch._dynamo"]
    rows += [
        {"process": name, "peak, MB": round(peak), "above torch and its _dynamo": round(peak - base)}
        for name, peak in peaks.items()
    ]
    return rows, [f"medians of {rounds} processes in turns"]


def _programs() -> dict[str, str]:
    train = "import sys, tempfile; from zoo.cli import main; folder = tempfile.mkdtemp(); "
    train += "main(['train', '--model', {model!r}, '--epochs', '1', '--quiet', '--out', folder + '/run'])"
    return {
        "import torch": "import torch",
        "import torch, torch._dynamo": "import torch, torch._dynamo",
        "zoo train --model cnn_dropout, 1 epoch": train.format(model="cnn_dropout"),
    }


def _peak(code: str) -> float:
    """Return the greatest resident memory of a Python process that runs *code*, in megabytes."""
    here = f"import sys; sys.path.append({str(Path(__file__).parent)!r})"
    told = f"{code}\n{here}; from measuring import peak_megabytes; print(peak_megabytes())"
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    return float(done.stdout.splitlines()[-1])


def _first_step(model: str, eager: bool) -> list[float]:
    """Return when each part began in a new process, and when the first step was done, in seconds."""
    with tempfile.TemporaryDirectory() as folder:
        began = moment(new=True)
        done = subprocess.run(
            [sys.executable, __file__, model, str(Path(folder) / "run"), str(int(eager))],
            capture_output=True,
            text=True,
            check=True,
        )
    marks: list[float] = json.loads(done.stdout.splitlines()[-1])
    return [began, *marks]


def mark_end(owner: Any, name: str, mark: Callable[[], None]) -> None:
    """Let *owner*'s function *name* call *mark* whenever it ends."""
    function = getattr(owner, name)

    def timed(*arguments: Any, **options: Any) -> Any:
        try:
            return function(*arguments, **options)
        finally:
            mark()

    setattr(owner, name, timed)


def _child(model: str, out: str, eager: bool) -> None:
    """Run ``zoo train`` up to its first step, noting the time at each part's end."""
    marks = [moment()]

    def mark() -> None:
        marks.append(moment())

    import zoo.cli.train  # noqa: F401 - the group imports it when it runs
    from zoo.cli import main

    mark()
    import torch  # noqa: F401

    mark()
    from zoo.runs import session, training
    from zoo.training import dynamo

    if eager:
        dynamo.postpone = lambda: None

    prepare = training.Machine.prepare

    def timed_prepare(settings: Any) -> Any:
        mark()
        return prepare(settings)

    training.Machine.prepare = timed_prepare
    for name in ("load_dataset", "build_network", "build_task", "check_packable"):
        mark_end(training, name, mark)
    fit = session.fit

    def timed_fit(*arguments: Any) -> None:
        mark()
        fit(*arguments)

    session.fit = timed_fit

    def stop(_: Any) -> None:
        mark()
        print(json.dumps(marks), flush=True)
        os._exit(0)

    session.Session.step_finished = stop  # type: ignore[method-assign]
    main(["train", "--model", model, "--out", out])


if __name__ == "__main__":
    _child(sys.argv[1], sys.argv[2], sys.argv[3] == "1")

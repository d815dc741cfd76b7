"""Measure what the models reach, and write the page that tells.

    python tests/benchmarks/results.py measure cnn_dropout --seeds 0-4
    python tests/benchmarks/results.py measure cnn_dropout --seeds 0-4 --data fashion_mnist
    python tests/benchmarks/results.py measure --recipe mnist-best --seeds 0-4 --tta warp --runs FOLDER
    python tests/benchmarks/results.py page

Each run is the command ``zoo train`` in a process of its own; what it reached becomes a row of the results.csv of the
model's plugin, with the machine and the versions. With --tta, each run is evaluated over those views as well, which is
a row of its own. With --runs, the runs are kept, and the same command goes on where it was stopped.
The page docs/explanation/results.md is made from those files alone.
Accuracies are of the test set, which a run reads once, at its end; settings were chosen on validation images.
"""

from __future__ import annotations

import argparse
import csv
import json
import platform
import shlex
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from measuring import mean_interval

from zoo.registry.results import Result, grouped

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "explanation" / "results.md"
NOTES = Path(__file__).with_name("results-notes.md")
HEAD = (
    "# Results",
    "",
    "<!-- Made by `python tests/benchmarks/results.py page` from the plugins' results.csv; a test compares them. -->",
    "",
    "Test accuracy after the run that the command names, mean and sample standard deviation over seeds from 0 on, with",
    "Student's interval of the mean.",
    "The test set is read once a run, at its end; settings and the best epoch are chosen on validation images.",
    "Where `evaluate --tta` stands behind settings, those runs were evaluated once more, over an augmentation's views.",
    "`zoo show models NAME` prints the rows of one model. To measure a row again:",
    "`python tests/benchmarks/results.py measure cnn_dropout --seeds 0-4`.",
)
COLUMNS = ("model", "data", "settings", "seed", "epochs", "parameters", "seconds", "accuracy", "source")

PUBLISHED = (
    ("linear classifier", "mnist/mnist", "88.0 %", "LeCun et al. 1998, 12 % error"),
    ("2-layer network, 300 hidden units", "mnist/mnist", "95.3 %", "LeCun et al. 1998, 4.7 % error"),
    ("LeNet-5", "mnist/mnist", "99.05 %", "LeCun et al. 1998, 0.95 % error, no distortions"),
    ("dropout network, 3 x 1024 rectified units", "mnist/mnist", "98.75 %", "Srivastava et al. 2014, 1.25 % error"),
    ("committee of 35 networks", "mnist/mnist", "99.77 %", "Ciresan et al. 2012, 0.23 % error"),
    ("2 convolutions with pooling", "torchvision/fashion_mnist", "91.6 %", "benchmark list of Fashion-MNIST, 2017"),
    ("Wide ResNet 28-10, random erasing", "torchvision/fashion_mnist", "96.35 %", "Zhong et al. 2017, 3.65 % error"),
)
"""What was published for models of these classes, with where."""


def main() -> None:
    """Measure, or write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    measure_parser = commands.add_parser("measure")
    measure_parser.add_argument("model", nargs="?")
    measure_parser.add_argument("--recipe")
    measure_parser.add_argument("--data")
    measure_parser.add_argument("--seeds", default="0", help="such as 0-4")
    measure_parser.add_argument("--threads", type=int, default=2)
    measure_parser.add_argument("--tta", help="such as shift")
    measure_parser.add_argument("--runs", type=Path, help="a folder that keeps the runs")
    measure_parser.add_argument("--more", default="", help="further options of zoo train, as one text")
    measure_parser.set_defaults(act=measure)
    commands.add_parser("page").set_defaults(act=lambda _: PAGE.write_text(page()))
    arguments = parser.parse_args()
    arguments.act(arguments)


def measure(arguments: argparse.Namespace) -> None:
    """Train once for each seed, and keep each row as soon as it is there."""
    first, _, last = arguments.seeds.partition("-")
    options = shlex.split(arguments.more)
    for flag in ("recipe", "data"):
        if getattr(arguments, flag):
            options = [f"--{flag}", getattr(arguments, flag), *options]
    if arguments.model:
        options = ["--model", arguments.model, *options]
    for seed in range(int(first), int(last or first) + 1):
        with tempfile.TemporaryDirectory() as folder:
            for row in rows_of(options, seed, arguments, arguments.runs or Path(folder)):
                keep(row)
                print(*(row[key] for key in ("model", "data", "settings", "seed", "accuracy", "seconds")), flush=True)


def rows_of(options: list[str], seed: int, arguments: argparse.Namespace, folder: Path) -> Iterator[dict[str, str]]:
    """Train one run in *folder*, or go on with it, and yield its row, and that of its views if they are wanted."""
    directory = folder.resolve() / f"seed-{seed}"
    directory.parent.mkdir(parents=True, exist_ok=True)
    train = ["train", *options, "--seed", str(seed), "--threads", str(arguments.threads), "--out", str(directory)]
    summary = told(train, folder)
    environment = json.loads((directory / "environment.json").read_text())
    precision = "bf16" if 'precision = "bf16"' in (directory / "config.toml").read_text() else "fp32"
    settings = " ".join(filter(None, [f"--recipe {arguments.recipe}" if arguments.recipe else "", arguments.more]))
    source = (
        processor(),
        f"{environment['threads']} threads",
        precision,
        f"torch {environment['torch'].partition('+')[0]}",
        f"zoo {environment['zoo']}",
    )
    row = {
        "model": summary["model"],
        "data": summary["data"],
        "settings": settings,
        "seed": str(seed),
        "epochs": str(summary["epochs"]),
        "parameters": str(summary["parameters"]),
        "seconds": f"{summary['seconds']:.1f}",
        "accuracy": f"{summary['test_accuracy']:.4f}",
        "source": ", ".join(source),
    }
    yield row
    if arguments.tta:
        found = told(["evaluate", str(directory), "--tta", arguments.tta], folder)
        views = f"evaluate --tta {arguments.tta}"
        yield {**row, "settings": f"{settings}, {views}" if settings else views, "accuracy": f"{found['accuracy']:.4f}"}


def told(command: list[str], folder: Path) -> dict[str, Any]:
    """Return what a command of zoo's tells as JSON."""
    done = subprocess.run(
        [sys.executable, "-m", "zoo", *command, "--json"], cwd=folder, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"zoo {shlex.join(command)} failed:\n{done.stderr}")
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def processor() -> str:
    """Return the processor's name, as the operating system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def file_for(model: str) -> Path:
    """Return the results.csv of the plugin that has *model*."""
    return ROOT / "plugins" / f"zoo_{model.partition('/')[0]}" / "results.csv"


def keep(row: dict[str, str]) -> None:
    """Add a row to its plugin's file, in place of an earlier run of the same."""
    path = file_for(row["model"])
    same = ("model", "data", "settings", "seed")
    rows = [old for old in read(path) if any(old[key] != row[key] for key in same)]
    rows = sorted([*rows, row], key=lambda each: [each[key] for key in same])
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def read(path: Path) -> list[dict[str, str]]:
    """Return the rows of a file, none where it is missing."""
    return list(csv.DictReader(path.read_text().splitlines())) if path.exists() else []


def page() -> str:
    """Return the page, made from the plugins' files and the notes alone."""
    rows = [row for path in sorted(ROOT.glob("plugins/*/results.csv")) for row in read(path)]
    tables = [line for data in sorted({row["data"] for row in rows}) for line in table(data, rows)]
    sources = [f"- {source}" for source in sorted({row["source"] for row in rows})]
    return "\n".join([*HEAD, *tables, "", "## Where this was measured", "", *sources, "", NOTES.read_text()])


def table(data: str, rows: list[dict[str, str]]) -> Iterator[str]:
    """Yield the lines about one dataset."""
    yield from ("", f"## {data}", "")
    yield "| model | settings | parameters | epochs | seconds a run | test accuracy | 95 % interval of the mean | n |"
    yield "|---|---|---|---|---|---|---|---|"
    chosen = [row for row in rows if row["data"] == data]
    for model in dict.fromkeys(row["model"] for row in chosen):
        for result in grouped(row for row in chosen if row["model"] == model):
            yield line(model, result)
    if published := [entry for entry in PUBLISHED if entry[1] == data]:
        yield from ("", "Published for models of these classes, not measured here:", "")
        yield from ("| model | test accuracy | source |", "|---|---|---|")
        yield from (f"| {name} | {accuracy} | {source} |" for name, _, accuracy, source in published)


def line(model: str, result: Result) -> str:
    """Return one row of a table."""
    spread = "" if result.spread is None else f" ± {100 * result.spread:.2f}"
    cells = (
        model,
        f"`{result.settings}`" if result.settings else "defaults",
        f"{result.parameters:,}",
        str(result.epochs),
        f"{statistics.median(result.seconds):.0f}",
        f"{100 * result.mean:.2f} %{spread}",
        "" if result.seeds < 2 else "{:.2f} to {:.2f}".format(*mean_interval([100 * one for one in result.accuracies])),
        str(result.seeds),
    )
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main()

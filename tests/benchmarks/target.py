"""Seconds to 99 % of MNIST's test images by whole processes, and where those of the recipe ``mnist-fast`` go.

By the wall clock alone, as its two threads share the work: it needs an idle machine.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

from measuring import Row, spread
from peers import mnist_files
from start import mark_end

GOAL = 0.99
MOST = 10  # epochs of the textbook's loop
MOST_BOOKS = 3  # runs of it
IMPORTS = ("import torch", "import torch, gc; gc.freeze()")
RECIPE = "zoo train --recipe mnist-fast"
TEXTBOOK = f"textbook loop, until an epoch ends at {GOAL:.0%}"
PARTS = (
    "interpreter, zoo's command",
    "import torch",
    "up to the first step",
    "the steps",
    "test images",
    "report",
    "end of the process",
)


def measure(rounds: int) -> tuple[list[Row], list[str]]:
    """Return a row for each whole process, one for each part of zoo's, and what was reached."""
    seconds: dict[str, list[float]] = {name: [] for name in (*IMPORTS, RECIPE, TEXTBOOK)}
    parts, accuracies, books = [], [], []
    for seed in range(rounds):
        for code in IMPORTS:
            seconds[code].append(_timed(["-c", code]))
        with tempfile.TemporaryDirectory() as folder:
            given = ["train", "--recipe", "mnist-fast", "--seed", str(seed), "--quiet", "--out"]
            seconds[RECIPE].append(_timed(["-m", "zoo", *given, f"{folder}/run"]))
            accuracies.append(json.loads((Path(folder) / "run" / "summary.json").read_text())["test_accuracy"])
            marks = _marks([*given, f"{folder}/again"])
        parts.append([end - start for start, end in pairwise(marks)])
    with mnist_files() as files:
        for seed in range(min(rounds, MOST_BOOKS)):
            began = time.time()
            books.append(json.loads(_output([__file__, "textbook", str(files), str(seed)])))
            seconds[TEXTBOOK].append(time.time() - began)
    alone = statistics.median(seconds[IMPORTS[0]])
    rows: list[Row] = [
        {
            "process": name,
            **{key: value for key, value in spread(values, digits=1).items() if key != "n"},
            "above import torch": round(statistics.median(values) - alone, 1),
            "n": len(values),
        }
        for name, values in seconds.items()
    ]
    rows += [
        {
            "part of zoo's, another run of it": part,
            "seconds, median": round(statistics.median(run[place] for run in parts), 2),
        }
        for place, part in enumerate(PARTS)
    ]
    return rows, [
        f"zoo: {statistics.fmean(accuracies):.2%} of the test images, mean of the seeds 0 to {rounds - 1}",
        f"textbook loop: {', '.join(f'{reached:.2%} after {epochs} epochs' for epochs, reached in books)}",
        "the textbook loop has the same net, AdamW at 0.001, batches of 64 of torchvision's dataset, in fp32",
        "the textbook loop looks at the test images after each epoch",
        "zoo's precision is what --precision auto chooses; its process and the second skip the last garbage collection",
    ]


def _timed(arguments: list[str]) -> float:
    """Return the seconds of a Python process."""
    began = time.time()
    subprocess.run([sys.executable, *arguments], stdout=subprocess.DEVNULL, check=True)
    return time.time() - began


def _marks(given: list[str]) -> list[float]:
    """Return when each part of a command of zoo's began and the last ended, in seconds."""
    began = time.time()
    printed = _output([__file__, "zoo", *given])
    return [began, *json.loads(printed), time.time()]


def _output(arguments: list[str]) -> str:
    """Return the last line that a Python process prints."""
    done = subprocess.run([sys.executable, *arguments], stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout.splitlines()[-1]


def _run_zoo(*given: str) -> None:
    """Run a command of zoo's that trains, and print when each part ended."""
    marks: list[float] = []

    def mark() -> None:
        marks.append(time.time())

    import zoo.cli.train  # noqa: F401 - the group imports it when it runs
    from zoo.cli import main

    mark()
    import torch  # noqa: F401

    mark()
    from zoo.runs import session

    fit = session.fit

    def timed(*arguments: Any) -> None:
        mark()
        fit(*arguments)
        mark()

    session.fit = timed
    mark_end(session.Session, "_evaluate_all", mark)
    sys.argv = ["zoo", *given]
    main()
    mark()
    print(json.dumps(marks), flush=True)


def _run_textbook(folder: str, seed: str) -> None:
    """Train until an epoch ends with the goal, and print the number of epochs and the test accuracy."""
    import torch
    from torchvision import datasets, transforms

    import zoo

    steps = transforms.Compose([transforms.ToTensor(), transforms.Normalize((0.1307,), (0.3081,))])
    train, test = (
        torch.utils.data.DataLoader(datasets.MNIST(folder, train=part, transform=steps), batch_size=size, shuffle=part)
        for part, size in ((True, 64), (False, 1000))
    )
    torch.manual_seed(int(seed))
    options = {"widths": [8, 32, 64], "padding": "valid"}
    model = zoo.create("models", "cnn_batchnorm", num_classes=10, in_channels=1, image_size=(28, 28), **options)
    criterion, optimizer = torch.nn.CrossEntropyLoss(), torch.optim.AdamW(model.parameters(), lr=0.001)
    accuracy, epochs = 0.0, 0
    while accuracy < GOAL and epochs < MOST:
        model.train()
        for inputs, labels in train:
            optimizer.zero_grad()
            loss = criterion(model(inputs), labels)
            loss.backward()
            optimizer.step()
        model.eval()
        with torch.no_grad():
            right = sum(int((model(inputs).argmax(1) == labels).sum()) for inputs, labels in test)
        epochs, accuracy = epochs + 1, right / len(test.dataset)  # type: ignore[arg-type]
    print(json.dumps([epochs, accuracy]))


if __name__ == "__main__":
    {"zoo": _run_zoo, "textbook": _run_textbook}[sys.argv[1]](*sys.argv[2:])

"""Time and memory against the number of images, the batch size, and the number of classes and of layers."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from itertools import pairwise
from pathlib import Path
from typing import Any

from measuring import Row, clock, peak_megabytes

STEPS = 24
CASES: dict[str, list[dict[str, Any]]] = {
    "images": [{"copies": copies} for copies in (1, 2, 4, 8, 16)],
    "batch": [{"model": "cnn_dropout", "batch_size": size} for size in (16, 64, 256, 1024)],
    "classes": [{"model": "cnn_dropout", "classes": classes} for classes in (10, 100, 1000, 10_000)],
    "layers": [{"widths": [256] * layers} for layers in (1, 4, 16, 64)],
}


def measure(rounds: int) -> tuple[list[Row], list[str]]:
    """Return a row a case; each runs in a process of its own, for its memory."""
    rows = []
    for axis, cases in CASES.items():
        for case in cases:
            runs = [_run(case) for _ in range(max(1, rounds // 5))]
            (value,) = (
                len(value) if isinstance(value, list) else value for key, value in case.items() if key != "model"
            )
            row = {"axis": axis, "value": 60_000 * value if axis == "images" else value}
            row |= {key: statistics.median(run[key] for run in runs) for key in runs[0]}
            rows.append(row)
            print(f"  {row}", file=sys.stderr)
    note = f"mlp or, for batch and classes, cnn_dropout; batch 128 where it is not the axis; medians of {STEPS} steps"
    return rows, [note]


def _run(case: dict[str, Any]) -> dict[str, float]:
    done = subprocess.run([sys.executable, __file__, json.dumps(case)], capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def _child(model: str = "mlp", copies: int = 1, batch_size: int = 128, classes: int = 10, widths: Any = None) -> None:
    """Train a few steps and print what they took."""
    import torch

    import zoo

    mnist = zoo.create("datasets", "mnist")
    labels = mnist.train.labels.repeat(copies)
    if classes > 10:
        labels = torch.arange(len(labels)) % classes
    data = zoo.Dataset(
        train=zoo.TensorImages(mnist.train.images.repeat(copies, 1, 1, 1), labels),
        test=zoo.TensorImages(mnist.test.images[:500], labels[:500].clone()),
        classes=[str(label) for label in range(classes)],
        mean=mnist.mean,
        std=mnist.std,
    )
    del mnist
    times: list[float] = []

    class Timed(zoo.Reporter):
        def step(self, progress: Any) -> None:
            times.append(clock())

    began = clock()
    with tempfile.TemporaryDirectory() as folder:
        run = zoo.train(
            model,
            data=data,
            batch_size=batch_size,
            steps=STEPS,
            validation=500,
            options={"model.widths": widths} if widths else {},
            out=Path(folder) / "run",
            reporter=Timed(),
        )
        ended = clock()
        size = sum(path.stat().st_size for path in next((Path(folder) / "run/checkpoints").iterdir()).iterdir())
    found = {
        "parameters": sum(p.numel() for p in run.model.parameters()),
        "to the first step, ms": round(1e3 * (times[0] - began)),
        "ms a step": round(1e3 * statistics.median(b - a for a, b in pairwise(times[2:])), 2),
        "end of the run, ms": round(1e3 * (ended - times[-1])),
        "checkpoint, MB": round(size / 1e6, 2),
        "peak memory, MB": round(peak_megabytes()),
    }
    print(json.dumps(found))


if __name__ == "__main__":
    _child(**json.loads(sys.argv[1]))

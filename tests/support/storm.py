"""Killing real training runs, again and again, and comparing what comes of them."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import random
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

TIMES = ("seconds", "samples_per_second")
"""What may differ between a run that was interrupted and one that was not."""

COMMAND = shlex.split(
    "train --model cnn_dropout --epochs 3 --batch-size 64 --threads 1 --seed 5 --set data.limit=1500 "
    "--augment shift --ema 0.9 --log-every 7 --memory-format channels_last --checkpoint-every 5steps"
)
"""Batch norm, dropout, channels_last, a fused optimizer, a scheduler, shifts, an average; saved every few steps."""


def zoo(*arguments: str, cwd: Path) -> subprocess.Popen[str]:
    """Start the command in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "zoo", *arguments],
        cwd=cwd,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@dataclass(frozen=True)
class Outcome:
    """What a run left, but for times: equal outcomes come from equal runs."""

    weights: str
    optimizer: str
    metrics: tuple[tuple[tuple[str, str], ...], ...]
    summary: tuple[tuple[str, object], ...]


def outcome(run: Path, status: str = "finished") -> Outcome:
    """Read the outcome of a run that ended so."""
    last = max((run / "checkpoints").iterdir())
    rows = csv.DictReader((run / "metrics.csv").read_text().splitlines())
    summary = json.loads((run / "summary.json").read_text())
    assert summary["status"] == status
    return Outcome(
        weights=_sha256(last / "model.safetensors"),
        optimizer=_sha256(last / "optimizer.safetensors"),
        metrics=tuple(tuple((k, v) for k, v in row.items() if k not in TIMES) for row in rows),
        summary=tuple((k, v) for k, v in summary.items() if k not in TIMES),
    )


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def uninterrupted(cwd: Path, command: Sequence[str] = COMMAND) -> tuple[Outcome, float]:
    """Run the command to its end; return its outcome and its seconds."""
    started = time.monotonic()
    process = zoo(*command, "--out", "whole", cwd=cwd)
    out, err = process.communicate()
    assert process.returncode == 0, out + err
    return outcome(cwd / "whole"), time.monotonic() - started


def storm(cwd: Path, kills: int, seconds: float, seed: int, command: Sequence[str] = COMMAND) -> Outcome:
    """Run the command, kill it at random instants and start it again, *kills* times; then let it end.

    Args:
        cwd: Where the run goes.
        kills: How many times it is killed with SIGKILL.
        seconds: How long a whole run takes; instants are drawn from 0 to this.
        seed: Of the instants.
        command: What is run, without ``--out``.
    """
    draw = random.Random(seed)
    done = 0
    while True:
        process = zoo(*command, "--out", "stormy", cwd=cwd)
        if done < kills:
            try:
                process.wait(draw.uniform(0, seconds))
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                done += 1
                process.communicate()
                continue
        out, err = process.communicate()
        assert process.returncode == 0, out + err
        return outcome(cwd / "stormy")

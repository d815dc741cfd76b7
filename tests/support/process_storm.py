"""Killing one of several processes that train a run, again and again."""

from __future__ import annotations

import json
import os
import random
import shlex
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from worlds import together

COMMAND = shlex.split(
    "train --model cnn_dropout --set model.widths=[4,4] --set data.limit=70 --threads 1 --seed 3 --epochs 12 "
    "--batch-size 16 --slices 4 --ema 0.9 --checkpoint-every 3steps --timeout 20s --out run"
)
"""Batch norm, dropout, an average, uneven last batches; saved every three steps."""

LONGER = [*COMMAND, "--epochs", "60"]
"""The same, long enough for twenty kills, each after a new checkpoint."""

_SECONDS = 3.0
"""An instant is drawn from so many; a run takes some longer."""


def restarted(cwd: Path, restarts: int) -> int:
    """Run a longer command in two processes of torchrun's, and kill one of them whenever the run got further.

    Args:
        cwd: Where the run goes.
        restarts: How many times torchrun starts them again at most, and how many times one is killed.

    Returns:
        How many times one was killed; the run has ended by itself.
    """
    launcher = "-m torch.distributed.run --nnodes 1 --nproc-per-node 2 --rdzv-backend c10d --rdzv-endpoint localhost:0"
    words = [sys.executable, *launcher.split(), "--max-restarts", str(restarts), "-m", "zoo", *LONGER]
    with (cwd / "log").open("w") as log:
        running = subprocess.Popen(words, cwd=cwd, env={**os.environ, "OMP_NUM_THREADS": "1"}, stdout=log, stderr=log)
        killed, reached, seen = 0, "", {0}
        while running.poll() is None:
            newest = max((path.name for path in cwd.glob("run/checkpoints/step-*")), default="")
            with suppress(OSError, ValueError):
                pid = json.loads((cwd / "run" / ".lock").read_text())["pid"]
                if newest > reached and killed < restarts and pid not in seen:
                    os.kill(pid, signal.SIGKILL)
                    killed, reached = killed + 1, newest
                    seen.add(pid)
            time.sleep(0.05)
    assert running.returncode == 0, (cwd / "log").read_text()
    return killed


def go_on(cwd: Path, seed: int, kills: int) -> None:
    """Run the command again and again, each time in another number of processes, until it ends by itself.

    Args:
        cwd: Where the run goes.
        seed: Of the numbers, the victims and the instants.
        kills: How many times a process is killed at most: fewer where the run ends before.
    """
    draw = random.Random(seed)
    for _ in range(kills):
        size = draw.choice((2, 3, 4))
        victim, delay = draw.randrange(size), draw.uniform(0, _SECONDS)

        def kill(pids: list[int], victim: int = victim, delay: float = delay) -> None:
            time.sleep(delay)
            with suppress(ProcessLookupError):
                os.kill(pids[victim], signal.SIGKILL)

        ended = together(size, COMMAND, cwd=cwd, meanwhile=kill)
        others = {each.code for rank, each in enumerate(ended) if rank != victim}
        assert others <= {75, 0}, ended  # 0 where the run was over before
    ended = together(draw.choice((1, 2, 3, 4)), COMMAND, cwd=cwd)
    assert {each.code for each in ended} == {0}, ended

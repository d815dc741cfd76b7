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
from collections import Counter
from contextlib import suppress
from functools import partial
from pathlib import Path

from phases import PHASES, linger
from worlds import together

COMMAND = shlex.split(
    "train --model cnn_dropout --set model.widths=[4,4] --set data.limit=70 --threads 1 --seed 3 --epochs 12 "
    "--batch-size 16 --slices 4 --ema 0.9 --checkpoint-every 3steps --timeout 60s --out run"
)
"""Batch norm, dropout, an average, uneven last batches; saved every three steps."""

LONGER = [*COMMAND, "--epochs", "60"]
"""The same, long enough for twenty kills, each after a new checkpoint."""

SHORT = shlex.split(
    "train --model linear --set data.limit=64 --threads 1 --epochs 2 --batch-size 16 --slices 4 --no-report --out run"
)
"""A run that is soon over."""

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


def go_on(cwd: Path, seed: int, kills: int) -> Counter[str]:
    """Run the command again and again, each time in another number of processes, until it ends by itself.

    Args:
        cwd: Where the run goes.
        seed: Of the numbers, the victims, the phases and the instants.
        kills: How many times a process is killed at most: fewer where the run ends before.

    Returns:
        How many were killed in each phase; ``"any"`` is a random instant.
    """
    draw = random.Random(seed)
    done: Counter[str] = Counter()
    size = draw.choice((1, 2, 3, 4))
    for number in range(kills):
        size = draw.choice([each for each in (2, 3, 4) if each != size])
        phase = draw.choice(("any", *PHASES))
        reached = cwd / f"phases-{number}"
        reached.mkdir()
        hit = _struck(size, draw.randrange(size), draw.uniform(0, _SECONDS), phase, reached, cwd)
        done[phase] += hit
        if not hit:
            break  # the run was over before
    ended = together(draw.choice([each for each in (1, 2, 3, 4) if each != size]), COMMAND, cwd=cwd)
    assert {each.code for each in ended} == {0}, ended
    return done


def _struck(size: int, victim: int, delay: float, phase: str, reached: Path, cwd: Path) -> bool:
    """Run the command, kill one process, and say whether it was still there to be killed.

    Args:
        size: How many processes there are.
        victim: Which one is killed.
        delay: Seconds until then, where the phase is ``"any"``.
        phase: Where it is killed else: the process that is in it lingers there.
        reached: A folder, in which processes tell that they are there.
        cwd: Where the run goes.
    """

    def kill(pids: list[int]) -> None:
        if phase == "any":
            time.sleep(delay)
        else:  # the first process alone saves
            marker = reached / f"reached-{0 if phase == 'save' else victim}"
            while not marker.exists() and is_running(pids[victim]):
                time.sleep(0.01)
        with suppress(ProcessLookupError):
            os.kill(pids[victim], signal.SIGKILL)

    prepare = int if phase == "any" else partial(linger, phase, reached)
    ended = together(size, COMMAND, cwd=cwd, meanwhile=kill, prepare=prepare)
    others = {each.code for rank, each in enumerate(ended) if rank != victim}
    assert others <= {75, 0}, ended  # 0 where the run was over before
    return ended[victim].code == -signal.SIGKILL


def is_running(pid: int) -> bool:
    """Say whether a process is there, and has not ended without being waited for."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False

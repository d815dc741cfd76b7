"""Killing one of several processes that train a run, again and again."""

from __future__ import annotations

import os
import random
import shlex
import signal
import time
from contextlib import suppress
from pathlib import Path

from worlds import together

COMMAND = shlex.split(
    "train --model cnn_dropout --set model.widths=[4,4] --set data.limit=70 --threads 1 --seed 3 --epochs 12 "
    "--batch-size 16 --slices 4 --ema 0.9 --checkpoint-every 3steps --timeout 20s --out run"
)
"""Batch norm, dropout, an average, uneven last batches; saved every three steps."""

_SECONDS = 3.0
"""An instant is drawn from so many; a run takes some longer."""


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

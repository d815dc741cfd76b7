"""Several processes that run one command together, quick to start: a server imports torch once and forks them."""

from __future__ import annotations

import multiprocessing
import os
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from zoo.training.world import World

CONTEXT = multiprocessing.get_context("forkserver")
"""Whose processes find imported what a run needs."""
CONTEXT.set_forkserver_preload(
    ["zoo.runs.training", "zoo.cli.train", "zoo.cli.transcript", "torch.fx.experimental.symbolic_shapes"]
)
SECONDS = 300.0
"""After which processes that hang are killed."""


@dataclass(frozen=True)
class Ended:
    """What became of a process.

    Attributes:
        code: Its exit code; minus the signal that ended it.
        out: What it printed.
        err: What it printed on stderr.
    """

    code: int | None
    out: str
    err: str


class Pair(World):
    """One of two processes, whose other one says something else.

    Args:
        others: What the other process says in place of what this one gathers.
    """

    size = 2

    def __init__(self, others: Mapping[str, Any]) -> None:
        self.others = others

    def gather(self, value: Any) -> list[Any]:
        """Return what this process says, and what the other does."""
        return [value, {**value, **self.others}]


def variables_for(rank: int, size: int, store: Path) -> dict[str, str]:
    """Return what zoo's own launcher tells a process."""
    return {
        "ZOO_STORE": str(store),
        "RANK": str(rank),
        "WORLD_SIZE": str(size),
        "LOCAL_RANK": str(rank),
        "LOCAL_WORLD_SIZE": str(size),
    }


def together(
    size: int,
    *commands: Sequence[str],
    cwd: Path,
    variables: Mapping[str, str] | None = None,
    meanwhile: Callable[[list[int]], None] = lambda _: None,
    prepare: Callable[[int], None] = int,
) -> list[Ended]:
    """Run a command in several processes, or one that is alone, and return what became of each.

    Args:
        size: How many there are.
        commands: What follows ``zoo``: one for all, or one for each.
        cwd: Where they run.
        variables: More of them, the same for all.
        meanwhile: Called with the processes' numbers when all are started.
        prepare: Called in each process first, with its rank; of a module that is found by its name.
    """
    with tempfile.TemporaryDirectory() as folder:
        processes = []
        for rank in range(size):
            told = {} if size == 1 else variables_for(rank, size, Path(folder) / "store")
            command = commands[rank % len(commands)]
            arguments = (list(command), str(cwd), {**told, **(variables or {})}, str(Path(folder) / str(rank)))
            processes.append(CONTEXT.Process(target=_command, args=(*arguments, partial(prepare, rank))))
        return _ended(processes, folder, meanwhile)


def alone(code: str, *arguments: str | Path, cwd: Path) -> Ended:
    """Run a program in a process of its own, which finds torch imported.

    Args:
        code: Its text.
        arguments: What it sees in ``sys.argv`` from 1 on.
        cwd: Where it runs.
    """
    with tempfile.TemporaryDirectory() as folder:
        words = ["-c", *map(str, arguments)]
        process = CONTEXT.Process(target=_program, args=(code, words, str(cwd), str(Path(folder) / "0")))
        (found,) = _ended([process], folder)
        return found


def _ended(
    processes: Sequence[BaseProcess], folder: str, meanwhile: Callable[[list[int]], None] = lambda _: None
) -> list[Ended]:
    files = [[Path(folder) / f"{rank}.{name}" for name in ("out", "err")] for rank in range(len(processes))]
    for file in (file for pair in files for file in pair):
        file.touch()  # a process may be killed before it begins
    for process in processes:
        process.start()
    meanwhile([process.pid for process in processes if process.pid is not None])
    for process in processes:
        process.join(SECONDS)
        process.kill()
        process.join()
    texts = [[file.read_text() for file in pair] for pair in files]
    return [Ended(process.exitcode, *text) for process, text in zip(processes, texts, strict=True)]


def _command(
    arguments: list[str], cwd: str, variables: Mapping[str, str], files: str, prepare: Callable[[], object]
) -> None:
    os.environ.update(variables)
    settle(["zoo", *arguments], cwd, files)
    prepare()

    from zoo.cli import main

    code = main()
    sys.stdout.flush()
    os._exit(code)


def _program(code: str, words: list[str], cwd: str, files: str) -> None:
    settle(words, cwd, files)
    exec(code, {"__name__": "__main__"})


def settle(words: list[str], cwd: str, files: str) -> None:
    """Set what a forked process sees in ``sys.argv``, where it works, and the files of its output, without endings."""
    for descriptor, name in ((1, "out"), (2, "err")):
        os.dup2(os.open(f"{files}.{name}", os.O_WRONLY | os.O_CREAT), descriptor)
    os.chdir(cwd)
    sys.argv = words

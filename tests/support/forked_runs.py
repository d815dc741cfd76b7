"""Runs of a sweep in processes that are forked where torch is imported: real runs in a tenth of the time."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Mapping, Sequence
from multiprocessing.connection import Connection
from pathlib import Path

import pytest
from worlds import CONTEXT, settle


class ForkedRun:
    """Stands in for `zoo.sweeps.processes.RunProcess`, whose arguments, properties and methods it has."""

    def __init__(self, command: Sequence[str], variables: Mapping[str, str]) -> None:
        _, isolated, *module, train = command[:5]
        assert (isolated, module, train) == ("-P", ["-m", "zoo"], "train")
        self._folder = tempfile.TemporaryDirectory()
        self._files = str(Path(self._folder.name) / "told")
        reading, self._writing = CONTEXT.Pipe(duplex=False)
        environment = {**os.environ, **variables}
        arguments = (["zoo", *command[4:]], str(Path.cwd()), environment, reading, self._files)
        self._process = CONTEXT.Process(target=_run, args=arguments)
        self._process.start()
        reading.close()

    @property
    def has_ended(self) -> bool:
        """Whether it ended by itself."""
        return self._process.exitcode is not None

    def tell(self, line: str) -> None:
        """Send it a line through the pipe."""
        with contextlib.suppress(BrokenPipeError):
            os.write(self._writing.fileno(), line.encode())

    def ask_to_end(self) -> None:
        """Let it save its state and end."""
        self._writing.close()

    def end(self) -> tuple[int, str]:
        """Return its exit code and what it told on stderr, once it has ended."""
        self.ask_to_end()
        self._process.join()
        assert self._process.exitcode is not None
        with self._folder:
            return self._process.exitcode, Path(f"{self._files}.err").read_text().strip()


def _run(words: list[str], cwd: str, environment: Mapping[str, str], pipe: Connection, files: str) -> None:
    os.environ.clear()
    os.environ.update(environment)
    os.dup2(pipe.fileno(), 0)
    pipe.close()
    settle(words, cwd, files)

    from zoo.cli import main

    os._exit(main())


@pytest.fixture
def forked_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sweeps in this process start their runs so."""
    monkeypatch.setattr("zoo.sweeps.runs.RunProcess", ForkedRun)

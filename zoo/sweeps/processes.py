"""A run in a process of its own, which ends when the sweep's does."""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
from collections.abc import Mapping, Sequence

_TOLD = 2**16  # bytes of the last messages that are kept


class RunProcess:
    """A process that trains one run.

    It is a session of its own, so that Ctrl-C reaches the sweep alone, and holds one end of a pipe: when the other end
    is closed, by `end` or because the sweep was killed, it saves its state and ends.

    Args:
        command: The program and its arguments. Its standard input is the pipe.
        variables: Further ones of its environment.
    """

    def __init__(self, command: Sequence[str], variables: Mapping[str, str]) -> None:
        self._told = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the process
        self._process = subprocess.Popen(  # noqa: S603 - the command is zoo's own
            command,
            env={**os.environ, **variables},
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=self._told,
            start_new_session=True,
        )

    @property
    def has_ended(self) -> bool:
        """Whether it ended by itself."""
        return self._process.poll() is not None

    def tell(self, line: str) -> None:
        """Send it a line through the pipe; one that ended meanwhile hears nothing."""
        if self._process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.write(line.encode())
                self._process.stdin.flush()

    def ask_to_end(self) -> None:
        """Let it save its state and end."""
        if self._process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):  # of a line that it did not read
                self._process.stdin.close()

    def end(self) -> tuple[int, str]:
        """Return its exit code and the last of what it told on stderr, once it has ended."""
        self.ask_to_end()
        code = self._process.wait()
        with self._told as told:
            size = told.seek(0, 2)
            told.seek(max(0, size - _TOLD))
            return code, told.read().decode(errors="replace").strip()

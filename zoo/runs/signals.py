"""SIGINT and SIGTERM as requests: a run stops between two batches, saved; a second signal ends the process at once."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Any

from zoo.errors import Interrupted

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StopRequests:
    """While it is entered, the first SIGINT or SIGTERM is remembered, and a second one acts as if zoo were not there.

    Outside the main thread, where Python allows no handlers, it does nothing.
    """

    def __init__(self) -> None:
        self.received: int | None = None
        self.may_raise = True
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> StopRequests:
        if threading.current_thread() is threading.main_thread():
            # A handler that other code than Python's installed is None here, and could not be put back.
            ours = [number for number in SIGNALS if signal.getsignal(number) is not None]
            self._previous = {number: signal.signal(number, self._remember) for number in ours}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        if self.received and self.may_raise and isinstance(error, Exception) and not isinstance(error, Interrupted):
            raise _before_training(self.received) from error  # what it broke into gave it another name

    def hold(self) -> None:
        """From here on, only remember a signal: there is something to save first, by whoever asks for `received`."""
        self.may_raise = False

    def _remember(self, number: int, _: FrameType | None) -> None:
        self.received = number
        for each in self._previous:
            signal.signal(each, signal.SIG_DFL)
        if self.may_raise:
            raise _before_training(number)


def _before_training(number: int) -> Interrupted:
    return Interrupted(f"stopped by {signal.Signals(number).name} before training began", number)

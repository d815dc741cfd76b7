"""A process that ``zoo train --processes`` started: what it and the one that started it tell each other."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

from zoo.training.leash import leash
from zoo.training.place import PARENT, STORE

GO_ON = "ZOO_GO_ON"
"""Names the run that a command which was started again goes on with, where the command itself would begin another."""

_GRACE = 600  # seconds in which a process whose launcher is gone may save and end by itself


def end_with_the_launcher() -> None:
    """From here on, stop as at SIGTERM when the launcher is gone: nobody would start the run again, or end it."""
    descriptor = os.environ.get(PARENT)
    if descriptor is not None:
        threading.Thread(target=_outlive, args=(int(descriptor),), daemon=True).start()


def _outlive(descriptor: int) -> None:
    held = leash()
    while told := os.read(descriptor, 2**12):  # until the other end is closed
        if held is not None:
            held.hear(told.decode())
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_GRACE)
    os._exit(75)


def tell_launcher(directory: str) -> None:
    """Tell which run this is, so that it goes on with that one if it has to be started again."""
    if store := os.environ.get(STORE):
        directory_note(Path(store).parent).write_text(directory, encoding="utf-8", errors="surrogateescape")


def directory_note(folder: Path) -> Path:
    """Return the file in the launcher's folder that names the run's directory."""
    return folder / "run"

"""A progress bar on a terminal."""

from __future__ import annotations

import itertools
import os
import shutil
import time
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from click._termui_impl import ProgressBar as ClickBar

_REDRAW_SECONDS = 0.1  # drawing takes a tenth of a millisecond: so often it costs 0.1 %
_WIDTH = 40
_LARGE = 100_000  # of so many, such as bytes, the share is shown
_CLEAR = "\r\033[K\033[?25h"  # the line, and the cursor back


class ProgressBar:
    """One line that tells how far something is, on a terminal, and is taken away at its end.

    Nothing is drawn where nobody would see it: into a pipe or a file, and on terminals that are dumb or too narrow.
    It has no thread of its own, which would take turns with the work for Python's lock.

    Args:
        label: What is done.
        total: Of how many; None where that is not known.
        file: The terminal, such as ``sys.stderr``.
        seconds: What the part of the work that was done before took; the time that is left is estimated from it, too.
    """

    def __init__(self, label: str, total: int | None, file: TextIO, *, seconds: float = 0.0) -> None:
        self._file = file
        self._done, self._drawn, self._visible = 0, 0.0, False
        self._bar: ClickBar[int] | None = None
        width = shutil.get_terminal_size().columns - len(label) - len(f"  {total}/{total}  00:00:00 ") - 1
        if not file.isatty() or os.environ.get("TERM") == "dumb" or width < 4:
            return
        import click

        fill, empty = _characters(file)
        self._bar = click.progressbar(
            itertools.count() if total is None else None,  # of which it does not know the end
            total,
            label=label,
            file=file,
            show_pos=total is not None and total < _LARGE,
            width=min(width, _WIDTH),
            bar_template="%(label)s %(bar)s %(info)s",
            fill_char=fill,
            empty_char=empty,
        )
        self._bar.start = self._bar.last_eta = time.time() - seconds

    def advance(self, count: int) -> None:
        """Be *count* further; drawn a few times a second."""
        self.move(self._done + count)

    def move(self, done: int) -> None:
        """Be at *done*; drawn a few times a second."""
        self._done = done
        now = time.monotonic()
        if self._bar is None or now - self._drawn < _REDRAW_SECONDS:
            return
        self._drawn = now
        self._bar.update(done - self._bar.pos)
        self._visible = True

    def hide(self) -> None:
        """Take the line away, until it is next drawn."""
        if self._visible:
            self._file.write(_CLEAR)
            self._file.flush()
            self._visible = False

    def __enter__(self) -> ProgressBar:
        return self

    def __exit__(self, *_: object) -> None:
        self.hide()


def _characters(file: TextIO) -> tuple[str, str]:
    """Return what the two parts of the bar are made of: lines where the terminal's encoding has them."""
    lines = "\N{BOX DRAWINGS HEAVY HORIZONTAL}", "\N{BOX DRAWINGS LIGHT HORIZONTAL}"
    try:
        "".join(lines).encode(file.encoding or "ascii")
    except UnicodeEncodeError:
        return "#", "-"
    return lines

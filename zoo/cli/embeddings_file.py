"""Embeddings as a file of NumPy's, written a row at a time."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from zoo.errors import UsageError
from zoo.records.disk import named_when_whole

if TYPE_CHECKING:
    from zoo.reports.predictions import Prediction, Unread


@contextlib.contextmanager
def embeddings_file(path: Path, count: int) -> Iterator[Callable[[Prediction | Unread], None]]:
    """Give what takes one outcome after another; the file stands under its name when all are in it, or not at all.

    Args:
        path: The file, which is replaced if it exists.
        count: N, how many outcomes there will be. One of an image that could not be read makes a row of NaN, so that
            rows and outcomes stay side by side.

    Raises:
        UsageError: If its ending is another than ``.npy``, or it cannot be written.
    """
    if path.suffix.lower() != ".npy" or path.is_dir():
        raise UsageError(f"--embeddings must be a file .npy, not {str(path)!r}")
    with named_when_whole(path) as part:
        try:
            file = part.open("wb")
        except OSError as error:
            raise UsageError(f"cannot write {str(path)!r}: {error.strerror}") from error
        with file:
            rows = _Rows(file, count)
            yield rows.add
            rows.finish()


class _Rows:
    """Writes rows of a length that the first of them tells."""

    def __init__(self, file: BinaryIO, count: int) -> None:
        self._file, self._count = file, count
        self._length: int | None = None
        self._waiting = 0  # rows of NaN before the length is known

    def add(self, outcome: Prediction | Unread) -> None:
        import numpy as np

        from zoo.reports.predictions import Prediction

        if isinstance(outcome, Prediction) and outcome.embedding is not None:
            self._begin(len(outcome.embedding))
            self._file.write(outcome.embedding.astype("<f4").tobytes())
        elif self._length is None:
            self._waiting += 1
        else:
            self._file.write(np.full(self._length, np.nan, "<f4").tobytes())

    def finish(self) -> None:
        """Write what waits for a length that no image told."""
        self._begin(0)

    def _begin(self, length: int) -> None:
        if self._length is not None:
            return
        import numpy as np

        self._length = length
        header = {"descr": "<f4", "fortran_order": False, "shape": (self._count, length)}
        np.lib.format.write_array_header_1_0(self._file, header)
        self._file.write(np.full(self._waiting * length, np.nan, "<f4").tobytes())

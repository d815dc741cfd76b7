"""Tracing a model with torch.export: without noise, and with a reason in two lines where it cannot be."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator

import zoo


@contextlib.contextmanager
def quietly() -> Iterator[None]:
    """Keep torch from telling its progress, and from printing what it could not trace; what matters it raises."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with (
            warnings.catch_warnings(),
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def untraceable(error: Exception) -> zoo.ZooError:
    """Return the error that tells why torch could not trace a model."""
    return zoo.ZooError(
        f"the model cannot be exported: torch.export cannot trace it: {first_line(error.__cause__ or error)}\n"
        "What its forward does must not depend on the values in a batch, nor on how many images there are."
    )


def first_line(error: BaseException) -> str:
    """Return what an error says in the first of its lines that says anything."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__

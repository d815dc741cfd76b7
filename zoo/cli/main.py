"""Running the command ``zoo``, and what it says and returns when something goes wrong."""

from __future__ import annotations

import errno
import gc
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

import click

from zoo.cli.group import cli
from zoo.cli.ranks import end_process_if_it_met_others, told
from zoo.errors import ZooError, debugging

INTERRUPTED = 130
_OF_IMPORTS = 400_000
_INTERRUPTED = "zoo: interrupted"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    An expected error costs a line or two on stderr and never a traceback, unless ``ZOO_DEBUG=1`` is set.

    Args:
        arguments: What follows ``zoo`` on the command line. By default it is the process's own, which is taken to be
            about to end: what it made is not looked through for garbage again.

    Returns:
        The exit code: 0 done, 1 failed, 2 wrong usage, 3 a broken plugin, 4 damaged data, 75 a process was lost, 130
        interrupted.
    """
    if arguments is None:
        _collect_first_after(_OF_IMPORTS)
    code = _run(arguments)
    if arguments is None:
        end_process_if_it_met_others(code)
        gc.freeze()  # or Python looks through all that torch's import made once more: 0.4 of a process's 3 seconds
    return code


def _collect_first_after(objects: int) -> None:
    """Let the garbage collector begin when that many objects have been made, and go on as ever from then on.

    What imports make stays; to look through it again and again is a tenth of the time that torch's import takes.
    """
    usual = gc.get_threshold()

    def begin(phase: str, info: dict[str, int]) -> None:  # noqa: ARG001 - gc's signature
        gc.callbacks.remove(begin)
        gc.set_threshold(*usual)

    gc.callbacks.append(begin)
    gc.set_threshold(objects, *usual[1:])


def _run(arguments: Sequence[str] | None) -> int:
    try:
        # click hands back the code of an early exit, as of --help, and else what the command returns.
        with _heeding_interrupts():
            given = list(sys.argv[1:] if arguments is None else arguments)
            result = cli.main(given, prog_name="zoo", standalone_mode=False, obj=given)
        return result if isinstance(result, int) else 0
    except Exception as error:
        if debugging():
            import traceback

            traceback.print_exc()
        message, code = explained(error)
        if text := told(message, error):
            sys.stderr.write(f"{text}\n")
        return code


@contextmanager
def _heeding_interrupts() -> Iterator[None]:
    """Let Ctrl-C end the process also while torch is imported, whose C code would swallow the exception, or abort."""
    own = threading.current_thread() is threading.main_thread() and (
        signal.getsignal(signal.SIGINT) is signal.default_int_handler
    )
    if own:
        signal.signal(signal.SIGINT, _interrupt)
    try:
        yield
    finally:
        if own:
            signal.signal(signal.SIGINT, signal.default_int_handler)


def _interrupt(number: int, frame: FrameType | None) -> None:
    if getattr(getattr(sys.modules.get("torch"), "__spec__", None), "_initializing", False):
        os.write(2, f"{_INTERRUPTED}\n".encode())
        os._exit(INTERRUPTED)  # nothing has been begun that would have to be tidied up
    signal.default_int_handler(number, frame)


def explained(error: Exception) -> tuple[str, int]:
    """Return what to tell about an error, in a line or two, and the exit code."""
    if isinstance(error, click.ClickException):
        return _explained_usage(error), error.exit_code
    if isinstance(error, click.Abort):
        return _INTERRUPTED, INTERRUPTED
    if isinstance(error, ZooError):
        return f"zoo: {error}", error.exit_code
    if isinstance(error, OSError) and error.strerror:
        where = f": {error.filename}" if error.filename else ""
        return f"zoo: {error.strerror}{where}", 2 if error.errno == errno.ENAMETOOLONG else 1
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":  # the latter is torch's
        return "zoo: out of memory; try --accumulate auto, or a smaller --batch-size", 1
    text = " ".join(f"{type(error).__name__}: {error}".split())
    return f"zoo: {text}\nThis is a defect of zoo or of a plugin; ZOO_DEBUG=1 shows where.", 1


def _explained_usage(error: click.ClickException) -> str:
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        return error.format_message()
    command = error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx else "zoo"
    return f"zoo: {error.format_message()}\nTry '{command} --help'."

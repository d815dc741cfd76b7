"""What zoo raises when something expected goes wrong.

Every expected failure is a `ZooError`: it carries the exit code of the command and a message of one or two lines
that says what was given, where, and what to do next. Anything else that escapes is a defect of zoo.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence

_NAMED = 20  # damaged files that a message names beside the first


class ZooError(Exception):
    """The work failed: a non-finite loss, a full disk, a locked run, no network. Base of all of zoo's errors."""

    exit_code = 1
    is_common = False
    """Whether all processes of a run raise it at the same point, so that the first one tells it for all."""


def exit_code_of(error: BaseException) -> int:
    """Return the exit code of a command that ends with *error*: its own, or 1 for a defect."""
    return error.exit_code if isinstance(error, ZooError) else 1


class UsageError(ZooError, ValueError):
    """What was asked for cannot be: an unknown name, a bad option or value, a missing path."""

    exit_code = 2


class PluginError(ZooError):
    """A plugin that is needed is broken, or built something that its kind's contract does not allow."""

    exit_code = 3


class DamagedError(ZooError):
    """Something exists but is damaged: a data file, an image, a checkpoint."""

    exit_code = 4


class DamagedFilesError(DamagedError):
    """Several files are damaged, and all are named at once.

    Args:
        faults: What is wrong with each file, by its path, in the order in which they are to be told; at least one.
        cure: What to do about them, in a sentence.
    """

    def __init__(self, faults: Mapping[str, ZooError], cure: str = "") -> None:
        self.faults, self.cure = dict(faults), cure
        fault, *_ = self.faults.values()
        others = list(self.faults)[1:]
        said = f"{str(fault).rstrip('.')}. {cure}" if cure else str(fault)
        super().__init__(f"{said}{_others(others)}" if others else said)


class Interrupted(ZooError):  # noqa: N818 - it reports a request, not a fault
    """A signal asked the run to stop; its state was saved first.

    Several processes stop together, after the same step.

    Args:
        message: What was saved and how to go on.
        signal_number: The signal that asked, such as ``signal.SIGTERM``; the exit code is 128 more.
    """

    is_common = True

    def __init__(self, message: str, signal_number: int) -> None:
        super().__init__(message)
        self.exit_code = 128 + signal_number


class Pruned(ZooError):  # noqa: N818 - it reports a decision, not a fault
    """The sweep that the run is a trial of ended it after an epoch, as others were better; its state was saved."""

    exit_code = 0
    is_common = True


class LostError(ZooError):
    """Another process of the run ended, or no longer answers; going on from the last checkpoint may help."""

    exit_code = 75  # sysexits.h: a temporary failure, try again


class ToldError(ZooError):
    """The run failed in several processes, and the first of them tells why: this one ends without a word.

    Args:
        exit_code: The first process's.
    """

    is_common = True

    def __init__(self, exit_code: int) -> None:
        super().__init__("the first process tells what failed")
        self.exit_code = exit_code


class UnknownNameError(UsageError):
    """No such name is known.

    Args:
        what: What was looked for, in the singular: ``"model"``, ``"option"``, ``"key"``.
        name: The name that was given.
        known: Every name that would have been right.
        cure: A sentence that says where to see them all, or what else may be the reason.
    """

    def __init__(self, what: str, name: str, known: Iterable[str], cure: str = "") -> None:
        self.what, self.name, self.known, self.cure = what, name, tuple(known), cure
        super().__init__(" ".join(filter(None, [f"no {what} named {name!r}.", self._guess(), cure])))

    def _guess(self) -> str:
        close = suggestions(self.name, self.known)
        return f"Did you mean {' or '.join(map(repr, close))}?" if close else ""


class AmbiguousNameError(UsageError):
    """Several plugins offer one short name.

    Args:
        what: The kind of entry, in the singular.
        name: The short name that was given.
        choices: Each full name with where it comes from, as shown to the user.
    """

    def __init__(self, what: str, name: str, choices: Sequence[str]) -> None:
        self.what, self.name, self.choices = what, name, tuple(choices)
        super().__init__(f"{what} {name!r} is offered by several plugins; give the full name: {', '.join(choices)}")


def _others(paths: Sequence[str]) -> str:
    """Return the rest of a message about damaged files: how many more, and their names, the first of very many."""
    shown = paths if debugging() else paths[:_NAMED]
    end = "" if len(shown) == len(paths) else f"\n  and {len(paths) - len(shown):,} more; ZOO_DEBUG=1 names all"
    files = "file" if len(paths) == 1 else "files"
    return f" ({len(paths):,} more such {files})" + "".join(f"\n  {path!r}" for path in shown) + end


def debugging() -> bool:
    """Return whether ``ZOO_DEBUG=1`` asks for tracebacks beside the messages."""
    return os.environ.get("ZOO_DEBUG", "0") not in ("", "0")


def suggestions(name: str, known: Iterable[str], limit: int = 3) -> list[str]:
    """Return the known names that resemble *name*, the likeliest first, at most *limit*.

    A name resembles a full name, ``plugin/name``, by the part after the slash, too; short names come before those.
    """
    from difflib import get_close_matches

    by_folded: dict[str, list[str]] = {}
    for candidate in sorted(known, key=lambda candidate: ("/" in candidate, candidate)):
        folded = candidate.casefold()
        for key in {folded, folded.rpartition("/")[2]}:
            by_folded.setdefault(key, []).append(candidate)
    close = get_close_matches(name.casefold(), by_folded, n=limit, cutoff=0.6)
    return list(dict.fromkeys(candidate for key in close for candidate in by_folded[key]))[:limit]

"""What a check is, and what comes of it."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field

from zoo.errors import PluginError, ZooError
from zoo.registry.entry import in_one_line


class ContractError(PluginError, AssertionError):
    """A plugin does not keep the contract.

    Args:
        subject: The entry or plugin, as messages name it.
        expected: What the contract asks for.
        seen: What there was instead.
        mend: What its author can do, a sentence.
    """

    def __init__(self, subject: object, *, expected: str, seen: str, mend: str) -> None:
        self.subject, self.expected, self.seen, self.mend = str(subject), expected, seen, mend
        super().__init__(f"{subject}: expected {expected}; saw {seen}.\n{mend}")


class ContractWarning(UserWarning):
    """Something that a plugin's author should know, and that breaks nothing."""


class NotChecked(Exception):  # noqa: N818 - it is no error
    """A check cannot be made; the text says why."""


def warn(text: str) -> None:
    """Tell the plugin's author something that breaks nothing."""
    warnings.warn(text, ContractWarning, stacklevel=3)


@dataclass(frozen=True)
class Outcome:
    """What came of a check.

    Attributes:
        status: ``"ok"``, ``"warning"``, ``"failed"``, or ``"skipped"`` where the check cannot be made.
        detail: Why, or what was found; may be empty, or have several lines.
    """

    status: str
    detail: str = ""


@dataclass(frozen=True)
class Check:
    """One check of one entry, or of a plugin as a whole.

    Attributes:
        subject: What is checked: ``"model penguin_net"``, ``"plugin"``.
        title: What it must do: ``"every parameter gets a finite gradient"``.
        function: Makes the check; returns what it found, in a line, or None, and raises what is wrong.
    """

    subject: str
    title: str
    function: Callable[[], str | None] = field(repr=False)

    @property
    def id(self) -> str:
        """The check as the name of a test."""
        return f"{self.subject}: {self.title}"

    def run(self) -> Outcome:
        """Make the check. Whatever it raises becomes part of the outcome, except an interruption."""
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", ContractWarning)
            try:
                detail = self.function() or ""
            except NotChecked as reason:
                return Outcome("skipped", str(reason))
            except ZooError as error:
                return Outcome("failed", str(error))
            except Exception as error:
                return Outcome("failed", f"{self.subject}: {in_one_line(error)}")
        told = [str(warning.message) for warning in caught if issubclass(warning.category, ContractWarning)]
        return Outcome("warning", " ".join(told)) if told else Outcome("ok", detail)

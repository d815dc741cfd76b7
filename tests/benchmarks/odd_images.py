"""Read every file below a folder as an image, and say what came of it: Pillow's own tests have a thousand odd ones.

    pip download --no-binary :all: --no-deps pillow && tar xf pillow-*.tar.gz
    python tests/benchmarks/odd_images.py pillow-*/Tests [--seconds 1]

Each file is looked at and read in grey, in colour and resized. It must be read or refused with one of zoo's errors, of
one line, each within the time; the header must promise the pixels' size, and grey where they are; and nothing may be
written to stderr or warned of. Exit code 1 if anything was otherwise.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import torch
from PIL import __version__ as pillow_version

import zoo

SIZE = (64, 48)
Result = TypeVar("Result")


@dataclass
class Outcome:
    """What became of one file.

    Attributes:
        path: The file.
        refused: What zoo's errors say, by what was tried.
        faults: What should not be.
        slowest: Seconds of the slowest call, of the processor: other work on the machine does not count.
    """

    path: Path
    refused: dict[str, str] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    slowest: float = 0.0

    @property
    def kind(self) -> str:
        """How it is counted."""
        if not self.refused:
            return "read"
        strange = ("is no image that zoo reads", "which zoo does not read")
        return "no image" if any(words in self.reason for words in strange) else "refused"

    @property
    def reason(self) -> str:
        """What the first error says, with the file's name alone."""
        return next(iter(self.refused.values())).replace(str(self.path), self.path.name)


def look_at(path: Path, seconds: float) -> Outcome:
    """Look at a file, read it in every way, and compare."""
    outcome = Outcome(path)
    with _overheard(outcome):
        header = _timed(outcome, "header", lambda: zoo.probe_image(path))
        grey = _timed(outcome, "grey", lambda: zoo.read_image(path, channels=1))
        colour = _timed(outcome, "colour", lambda: zoo.read_image(path, channels=3))
        resized = _timed(outcome, "resized", lambda: zoo.read_image(path, channels=3, size=SIZE))
    if (grey is None) != (colour is None) or (colour is None) != (resized is None):
        outcome.faults.append("it is read in one way and refused in another")
    if colour is not None:
        _compare(outcome, header, grey, colour)
    if outcome.slowest > seconds:
        outcome.faults.append(f"it takes {outcome.slowest:.2f} s")
    return outcome


def _timed(outcome: Outcome, what: str, call: Callable[[], Result]) -> Result | None:
    began = time.process_time()
    try:
        return call()
    except zoo.ZooError as error:
        outcome.refused[what] = str(error)
        if "\n" in str(error):
            outcome.faults.append(f"its error has several lines: {error}")
    except Exception as error:
        outcome.faults.append(f"{what}: {type(error).__name__}: {error}")
    finally:
        outcome.slowest = max(outcome.slowest, time.process_time() - began)
    return None


def _compare(outcome: Outcome, header: object, grey: object, colour: torch.Tensor) -> None:
    if not isinstance(header, tuple) or not isinstance(grey, torch.Tensor):
        return
    if header[1:] != colour.shape[1:]:
        outcome.faults.append(f"the header promises {header[1:]}, and the pixels are {tuple(colour.shape[1:])}")
    if header[0] == 1 and not torch.equal(colour, grey.expand(3, -1, -1)):
        outcome.faults.append("the header promises grey, and the pixels are in colour")


@contextmanager
def _overheard(outcome: Outcome) -> Iterator[None]:
    """Note whatever is warned of, logged, or written to stderr, also by libraries in C."""
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as file, warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        os.dup2(file.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(kept, 2)
            os.close(kept)
        file.seek(0)
        said = file.read().decode(errors="replace").strip()
    outcome.faults += [f"it warns: {warning.message}" for warning in warned]
    if said:
        outcome.faults.append(f"stderr: {said.splitlines()[0]}")


def main() -> int:
    """Read all and print a line for each that is refused or wrong."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seconds", type=float, default=1.0, help="what a call may take (default: 1)")
    arguments = parser.parse_args()
    paths = sorted(path for path in arguments.folder.rglob("*") if path.is_file())
    logging.getLogger("zoo").addHandler(logging.NullHandler())
    outcomes = [look_at(path, arguments.seconds) for path in paths]
    for outcome in outcomes:
        name = outcome.path.relative_to(arguments.folder)
        if outcome.kind == "refused":
            print(f"refused  {outcome.reason}")
        for fault in outcome.faults:
            print(f"FAULT    {name}: {fault}")
    counts = Counter(outcome.kind for outcome in outcomes)
    slowest = max(outcomes, key=lambda outcome: outcome.slowest)
    print(
        f"{len(outcomes)} files, Pillow {pillow_version}: {', '.join(f'{n} {kind}' for kind, n in counts.items())}; "
        f"the slowest call {slowest.slowest:.2f} s ({slowest.path.name}); "
        f"{sum(bool(outcome.faults) for outcome in outcomes)} with faults"
    )
    return int(any(outcome.faults for outcome in outcomes))


if __name__ == "__main__":
    sys.exit(main())

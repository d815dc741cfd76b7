"""What a library prints while processes meet does not reach what the command prints."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from zoo.training.processes import unprinted


def test_nothing_printed_meanwhile_is_seen(capfd: pytest.CaptureFixture[str]):
    """Neither by Python nor by a library's own writes; what was printed before and after is."""
    print("before")
    with unprinted():
        os.write(1, b"[Gloo] Rank 0 is connected to 1 peer ranks.\n")
        os.write(2, b"a fault\n")
    print("after")
    assert tuple(capfd.readouterr()) == ("before\nafter\n", "a fault\n")


def test_an_error_meanwhile_leaves_the_output_as_it_was(capfd: pytest.CaptureFixture[str]):
    """Processes that do not meet say so."""
    with pytest.raises(RuntimeError, match="nobody came"), unprinted():
        raise RuntimeError("nobody came")
    os.write(1, b"seen\n")
    assert capfd.readouterr().out == "seen\n"


@pytest.mark.slow
def test_an_output_that_is_closed_stays_so():
    """As where a service starts the run with no standard output at all."""
    program = "import os\nfrom zoo.training.processes import unprinted\nos.close(1)\nwith unprinted():\n  pass\n"
    program += "try:\n  os.fstat(1)\nexcept OSError:\n  os.write(2, b'closed')\n"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.stderr == "closed"

"""A reader that goes away, and Ctrl-C at an awkward moment."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ZOO = [sys.executable, "-m", "zoo"]


@pytest.mark.slow
def test_a_run_outlives_the_reader_of_its_transcript(tmp_path: Path):
    """``zoo train | head -1`` trains to the end: hours of work do not hang on a pipe."""
    reading, writing = os.pipe()
    os.close(reading)
    command = [*ZOO, "train", "--model", "linear", "--epochs", "2", "--threads", "1", "--set", "data.limit=64"]
    done = subprocess.run(
        [*command, "--out", "run"], cwd=tmp_path, stdout=writing, stderr=subprocess.PIPE, text=True, check=False
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads((tmp_path / "run" / "summary.json").read_text())["status"] == "finished"


def test_an_interrupt_while_torch_is_imported_ends_the_process(tmp_path: Path):
    """There its C code would swallow the exception, and the run would go on as if nobody had pressed a key."""
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch" / "__init__.py").write_text(
        "import os, signal\n"
        "try:\n    os.kill(os.getpid(), signal.SIGINT)\n    sum(range(1000))\n"
        "except KeyboardInterrupt:\n    pass\n"  # as torch's C code does
    )
    done = subprocess.run(
        [*ZOO, "train", "--model", "linear"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (130, "zoo: interrupted\n")
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler

"""Claims of a sweep's runs: one process has each, and what it says of a failure is heard by the others."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from zoo.errors import UsageError
from zoo.records.claims import CLAIMS, Claims

HOLD = """
import sys
from pathlib import Path
from zoo.records.claims import Claims
claims = Claims(Path(sys.argv[1]))
print(claims.take("seed-0"), flush=True)
sys.stdin.read()
"""


def test_a_run_is_one_process_s_until_that_lets_it_go(tmp_path: Path):
    """Others are told who has it; a run that nobody has claimed is nobody's."""
    mine, other = Claims(tmp_path), Claims(tmp_path)
    assert not mine.is_held("seed-0")
    assert mine.take("seed-0")
    assert mine.take("seed-1")
    assert not other.take("seed-0")
    assert other.is_held("seed-0")
    assert other.holder("seed-0").startswith(f"process {os.getpid()} on ")
    mine.release("seed-0")
    assert other.take("seed-0")
    mine.release_all()
    assert not other.is_held("seed-1")


def test_what_a_killed_process_had_is_free(tmp_path: Path):
    """Without anybody's help."""
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "True\n"
        claims = Claims(tmp_path)
        assert not claims.take("seed-0")
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert claims.take("seed-0")


def test_a_failure_is_heard_until_it_is_forgiven(tmp_path: Path):
    """A second one of the same run is another, even with the same words."""
    claims = Claims(tmp_path)
    claims.take("seed-0")
    assert claims.failure("seed-0") is None
    claims.fail("seed-0", 1, "zoo: the loss became nan\n\N{PENGUIN}")
    first = Claims(tmp_path).failure("seed-0")
    assert first is not None
    assert (first.exit_code, first.messages) == (1, "zoo: the loss became nan\n\N{PENGUIN}")
    claims.fail("seed-0", 1, "zoo: the loss became nan\n\N{PENGUIN}")
    assert Claims(tmp_path).failures().keys() == {"seed-0"}
    assert Claims(tmp_path).failure("seed-0") != first
    claims.forgive("seed-0")
    claims.forgive("seed-0")
    assert claims.failures() == {}


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"exit_code": 1}', "{"])
def test_a_damaged_failure_is_none(tmp_path: Path, text: str):
    """The run is tried again then."""
    claims = Claims(tmp_path)
    claims.take("seed-0")
    (tmp_path / CLAIMS / "seed-0/failed.json").write_text(text)
    assert claims.failures() == {}


def test_a_folder_that_cannot_be_written_to_is_told(tmp_path: Path):
    """Before anything is trained there."""
    (tmp_path / CLAIMS).touch()
    with pytest.raises(UsageError, match=r"cannot write to .*give another --out"):
        Claims(tmp_path).take("seed-0")

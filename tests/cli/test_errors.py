"""What a failing command says and returns."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import click
import pytest
from fake_distributions import FakeSite, offering_models

from zoo.cli.main import explained, main
from zoo.errors import DamagedError, Interrupted, PluginError, UsageError, ZooError


@pytest.mark.parametrize(
    ("error", "text", "code"),
    [
        (ZooError("the disk is full"), "zoo: the disk is full", 1),
        (UsageError("no such thing"), "zoo: no such thing", 2),
        (PluginError("it is broken"), "zoo: it is broken", 3),
        (DamagedError("it is damaged"), "zoo: it is damaged", 4),
        (Interrupted("saved", signal.SIGTERM), "zoo: saved", 143),
        (click.Abort(), "zoo: interrupted", 130),
        (click.ClickException("no"), "zoo: no\nTry 'zoo --help'.", 1),
        (OSError(28, "No space left on device", "runs/a"), "zoo: No space left on device: runs/a", 1),
        (MemoryError(), "zoo: out of memory; try --accumulate auto, or a smaller --batch-size", 1),
        (
            RuntimeError("two\nlines"),
            "zoo: RuntimeError: two lines\nThis is a defect of zoo or of a plugin; ZOO_DEBUG=1 shows where.",
            1,
        ),
    ],
    ids=lambda value: type(value).__name__,
)
def test_every_error_has_its_lines_and_its_exit_code(error: Exception, text: str, code: int):
    """Never a traceback; the code says whose turn it is."""
    assert explained(error) == (text, code)


def test_a_traceback_is_shown_when_it_is_asked_for(
    site: FakeSite, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """``ZOO_DEBUG=1`` shows where an error arose, before the message."""
    monkeypatch.setenv("ZOO_DEBUG", "1")
    assert main(["list", "modles"]) == 2
    err = capsys.readouterr().err
    assert err.startswith("Traceback (most recent call last):")
    assert "\nzoo: no kind named 'modles'." in err
    monkeypatch.setenv("ZOO_DEBUG", "0")
    main(["list", "modles"])
    assert "Traceback" not in capsys.readouterr().err


def _zoo(site: FakeSite, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "zoo", *arguments],
        env={**os.environ, "PYTHONPATH": str(site.path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_reader_that_has_seen_enough_ends_the_listing_quietly(site: FakeSite):
    """``zoo list models | head -1`` prints one line and no complaint."""
    site.install("penguin", offering_models(*(f"net_{number}" for number in range(5000))))
    process = _zoo(site, "list", "models")
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr.read() == ""
    process.stderr.close()
    process.wait(timeout=60)


def test_ctrl_c_ends_a_command_with_130(site: FakeSite, tmp_path: Path):
    """Also while a plugin is being imported, and without a traceback."""
    started = tmp_path / "started"
    site.install("penguin", f"import time; open({str(started)!r}, 'w').close(); time.sleep(60)")
    process = _zoo(site, "list")
    while not started.exists():
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err.strip()) == (130, "", "zoo: interrupted")

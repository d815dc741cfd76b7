"""A process dies, freezes or is asked to stop: the others end in time, the run stays whole and goes on."""

from __future__ import annotations

import os
import shlex
import signal
import time
from functools import partial
from pathlib import Path

import pytest
from early import send_early, send_early_and_break
from phases import linger
from process_storm import COMMAND, go_on, is_running
from storm import outcome
from worlds import together

LONG = shlex.split(
    "train --model linear --set data.limit=200 --threads 1 --epochs 20000 --batch-size 16 --eval-batch-size 20 "
    "--slices 4 --checkpoint-every 7steps --out run"
)


def checkpoints(run: Path) -> set[str]:
    return {path.name for path in run.glob("checkpoints/step-*")}


def wait_for(run: Path, count: int, pids: list[int]) -> None:
    """Wait until the run in *run* has saved *count* checkpoints, or more."""
    deadline = time.monotonic() + 100
    while not any(int(name.removeprefix("step-")[:8]) >= 7 * count for name in checkpoints(run)):
        assert time.monotonic() < deadline, pids
        time.sleep(0.01)


def test_a_run_whose_processes_are_killed_ends_with_the_bits_of_one(tmp_path: Path):
    """Twice, a random one of a random number, at a random instant: before they met, in a step, in a save."""
    (whole,) = together(1, COMMAND, cwd=tmp_path)
    assert whole.code == 0, whole
    expected = outcome(tmp_path / "run")
    other = tmp_path / "other"
    other.mkdir()
    go_on(other, os.getpid(), 2)
    assert outcome(other / "run") == expected


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_a_storm_of_kills_among_processes(tmp_path: Path, seed: int):
    """Five kills a run; ``python tests/benchmarks/kill_processes.py`` does as many as one likes."""
    (whole,) = together(1, COMMAND, cwd=tmp_path)
    assert whole.code == 0, whole
    other = tmp_path / "other"
    other.mkdir()
    go_on(other, seed, 5)
    assert outcome(other / "run") == outcome(tmp_path / "run")


@pytest.mark.parametrize("victim", [pytest.param(0, marks=pytest.mark.slow), 1])
def test_a_frozen_process_is_named_within_the_timeout(tmp_path: Path, victim: int):
    """Also where it is the first: the others end with 75, and the last checkpoint is whole."""
    stopped = []

    def freeze(pids: list[int]) -> None:
        wait_for(tmp_path / "run", 1, pids)
        os.kill(pids[victim], signal.SIGSTOP)
        began = time.monotonic()
        while [pid for rank, pid in enumerate(pids) if rank != victim and is_running(pid)]:
            time.sleep(0.05)
        stopped.append(time.monotonic() - began)
        os.kill(pids[victim], signal.SIGKILL)

    ended = together(3, [*LONG, "--timeout", "2s"], cwd=tmp_path, meanwhile=freeze)
    others = [each for rank, each in enumerate(ended) if rank != victim]
    assert [each.code for each in others] == [75, 75], ended
    assert any(f"process {victim}" in each.err for each in others), others
    assert all("the same command goes on from it" in each.err for each in others)
    assert stopped[0] < 2 + 6


@pytest.mark.parametrize(
    ("victim", "number"),
    [
        (1, signal.SIGTERM),
        *(pytest.param(rank, n, marks=pytest.mark.slow) for rank in (0, 2) for n in (signal.SIGTERM, signal.SIGINT)),
    ],
)
def test_a_signal_to_one_process_stops_all_after_the_same_step(tmp_path: Path, victim: int, number: signal.Signals):
    """With one new checkpoint, one line, and the signal's exit code; the run goes on from there."""
    before: set[str] = set()

    def stop(pids: list[int]) -> None:
        wait_for(tmp_path / "run", 2, pids)
        before.update(checkpoints(tmp_path / "run"))
        os.kill(pids[victim], number)

    ended = together(3, LONG, cwd=tmp_path, meanwhile=stop)
    assert [each.code for each in ended] == [128 + number] * 3, ended
    assert [bool(each.err) for each in ended] == [True, False, False]
    assert "saved; go on with: zoo train --resume run" in ended[0].err
    step = int(ended[0].err.split("stopped at step ")[1].split()[0].replace(",", ""))
    assert max(checkpoints(tmp_path / "run")).startswith(f"step-{step:08d}")


@pytest.mark.slow
@pytest.mark.parametrize(("number", "codes"), [(signal.SIGTERM, [143, 143]), (signal.SIGKILL, [75, -9])])
def test_processes_that_send_gradients_early_end_as_others_do(tmp_path: Path, number: int, codes: list[int]):
    """What is on its way is waited for, or given up with who is lost."""

    def stop(pids: list[int]) -> None:
        wait_for(tmp_path / "run", 2, pids)
        os.kill(pids[1], number)

    ended = together(2, [*LONG, "--sum", "fast"], cwd=tmp_path, meanwhile=stop, prepare=send_early)
    assert [each.code for each in ended] == codes, ended
    assert "saved; go on with" in ended[0].err or "the last checkpoint is whole" in ended[0].err


@pytest.mark.slow
def test_a_backward_pass_that_breaks_with_gradients_on_their_way_ends_all(tmp_path: Path):
    """Nobody waits for the rest of the row: the others lose the process, long before their time is over."""
    command = shlex.split("train --model mlp --set data.limit=200 --threads 1 --batch-size 16 --slices 2 --out run")
    ended = together(2, [*command, "--timeout", "1h"], cwd=tmp_path, prepare=send_early_and_break)
    assert [each.code for each in ended] == [75, 1], ended
    assert "lost process 1" in ended[0].err
    assert "RuntimeError: burst" in ended[1].err


@pytest.mark.slow
@pytest.mark.parametrize(
    ("phase", "number"),
    [
        ("step", signal.SIGTERM),
        *((phase, n) for phase in ("evaluation", "save") for n in (signal.SIGTERM, signal.SIGINT)),
    ],
)
@pytest.mark.parametrize("victim", range(3))
def test_a_signal_in_any_phase_stops_all_within_a_step_and_a_save(
    tmp_path: Path, victim: int, phase: str, number: signal.Signals
):
    """Whichever process gets it: exactly one checkpoint is finished after it."""
    sent: list[int] = []

    def stop(pids: list[int]) -> None:
        reached = tmp_path / f"reached-{0 if phase == 'save' else victim}"
        deadline = time.monotonic() + 100
        while not reached.exists():
            assert time.monotonic() < deadline
            time.sleep(0.01)
        sent.extend([int(reached.read_text()), len((tmp_path / "saves").read_text().splitlines())])
        os.kill(pids[victim], number)

    prepare = partial(linger, phase, tmp_path)
    ended = together(3, LONG, cwd=tmp_path, meanwhile=stop, prepare=prepare)
    assert [each.code for each in ended] == [128 + number] * 3, ended
    step, saves = sent
    saved = (tmp_path / "saves").read_text().splitlines()
    assert len(saved) == saves + 1
    assert step <= int(saved[-1]) <= step + 1
    assert max(checkpoints(tmp_path / "run")).startswith(f"step-{int(saved[-1]):08d}")

"""The processes that ``--processes`` starts: what they are told, how they end, and when they are started again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from zoo.cli import launch as launch_module
from zoo.cli import main
from zoo.cli.launch import Command, launch, seconds
from zoo.errors import UsageError

PLACE = "import os, sys, time, signal; rank = int(os.environ['RANK']); "


def command(code: str, out: Path | None = None, *, begins: bool = False) -> Command:
    """Return a command that runs *code* in place of zoo, which takes longer to start."""
    return Command([], begins, out, program=(sys.executable, "-c", PLACE + code))


def test_each_process_is_told_its_place(tmp_path: Path):
    """By the variables that torchrun sets, and one file by which they find one another.

    Each is a session of its own: else Ctrl-C at a terminal would reach it twice.
    """
    names = ["RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "ZOO_STORE"]
    told_by = f"[*(os.environ[n] for n in {names}), str(os.getsid(0) - os.getpid())]"
    code = f"open(rf'{tmp_path}/{{rank}}', 'w').write(' '.join({told_by}))"
    assert launch(command(code), 3, 0) == 0
    told = [(tmp_path / str(rank)).read_text().split() for rank in range(3)]
    assert [each[:4] for each in told] == [[str(rank), "3", str(rank), "3"] for rank in range(3)]
    assert len({each[4] for each in told}) == 1
    assert [each[5] for each in told] == ["0", "0", "0"]
    assert not Path(told[0][4]).parent.exists()


@pytest.mark.parametrize(
    ("codes", "expected"),
    [([0, 0, 0], 0), ([75, 75, 1], 1), ([75, 2, 75], 2), ([143, 143, 143], 143), ([75, 0, 75], 75)],
)
def test_the_exit_code_is_the_run_s_own(codes: list[int], expected: int, capsys: pytest.CaptureFixture[str]):
    """What one ended with by itself; that others lost it says less."""
    assert launch(command(f"sys.exit({codes}[rank])"), 3, 0) == expected
    assert bool(capsys.readouterr().err) == (expected == 75)


LOST = "os.kill(os.getpid(), signal.SIGKILL) if rank == 1 else sys.exit(75)"


def test_a_process_that_was_killed_is_named(capsys: pytest.CaptureFixture[str]):
    """And what to do next."""
    assert launch(command(LOST), 2, 0) == 75
    assert capsys.readouterr().err == (
        "zoo: process 1 was ended by SIGKILL; the same command goes on from the last checkpoint\n"
    )


def test_it_is_started_again_as_long_as_it_gets_further(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """Two checkpoints are made before each loss but the last one, which comes twice without a new one."""
    steps = tmp_path / "checkpoints"
    steps.mkdir()
    made = f"d = r'{steps}'; n = len(os.listdir(d)); rank == 0 and n < 2 and os.mkdir(f'{{d}}/step-0000000{{n}}'); "
    assert launch(command(made + "time.sleep(0.3); " + LOST, tmp_path), 2, 9) == 75
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3
    assert "starting again, 1 of 9 times" in lines[0]
    assert "starting again, 2 of 9 times" in lines[1]
    assert "the same command goes on" in lines[2]


@pytest.mark.parametrize("code", [1, 2, 3, 4])
def test_what_would_fail_again_is_not_started_again(code: int, tmp_path: Path):
    """Wrong usage, a loss that is not finite, a broken plugin, damaged data."""
    count = f"open(rf'{tmp_path}/{{rank}}', 'a').write('x'); "
    assert launch(command(count + f"sys.exit({code})"), 2, 5) == code
    assert (tmp_path / "0").read_text() == "x"


def test_a_command_that_would_begin_anew_goes_on_with_the_run_that_it_began(tmp_path: Path):
    """Where it names no directory, or says --restart: the first process tells which run it is."""
    told = (
        "again = os.environ.get('ZOO_GO_ON'); "
        "open(os.path.dirname(os.environ['ZOO_STORE']) + '/run', 'w').write('runs/mine'); "
        f"open(rf'{tmp_path}/{{rank}}', 'a').write(f'{{again}} '); time.sleep(0.3); "
    )
    assert launch(command(told + LOST, begins=True), 2, 1) == 75
    assert (tmp_path / "0").read_text() == "None runs/mine "


SLEEPING = (
    "signal.signal(signal.SIGTERM, lambda *_: (open(rf'{folder}/{{rank}}', 'a').write('x'), sys.exit(143))); "
    "open(rf'{folder}/ready{{rank}}', 'w'); time.sleep(30)"
)


def test_a_signal_reaches_each_process_once_and_nothing_is_started_again(tmp_path: Path):
    """The run's own code comes back."""

    def stop():
        while not all((tmp_path / f"ready{rank}").exists() for rank in range(2)):
            time.sleep(0.02)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=stop).start()
    assert launch(command(SLEEPING.format(folder=tmp_path)), 2, 5) == 143
    assert [(tmp_path / str(rank)).read_text() for rank in range(2)] == ["x", "x"]


def test_a_process_that_outlasts_the_others_is_ended(monkeypatch: pytest.MonkeyPatch):
    """One that hangs, or is frozen: the others have told what they miss."""
    monkeypatch.setattr(launch_module, "_TERMINATE", 0.2)
    monkeypatch.setattr(launch_module, "_KILL", 0.4)
    started = time.monotonic()
    code = "sys.exit(75) if rank == 0 else (signal.signal(signal.SIGTERM, signal.SIG_IGN), time.sleep(60))"
    assert launch(command(code), 2, 0) == 75
    assert time.monotonic() - started < 30


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="only there a dead process is told from a living one")
def test_processes_end_with_the_one_that_started_them(tmp_path: Path):
    """However it ends: nobody would start them again."""
    child = (
        "import os, time, signal; from zoo.cli.launched import end_with_the_launcher; end_with_the_launcher(); "
        f"open(rf'{tmp_path}/pid', 'w').write(str(os.getpid())); os.rename(rf'{tmp_path}/pid', rf'{tmp_path}/ready'); "
        "time.sleep(60)"
    )
    parent = (
        f"import sys; from zoo.cli.launch import Command, launch; "
        f"launch(Command([], False, None, program=(sys.executable, '-c', {child!r})), 1, 0)"
    )
    launcher = subprocess.Popen([sys.executable, "-c", parent])
    while not (tmp_path / "ready").exists():
        assert launcher.poll() is None
        time.sleep(0.02)
    pid = int((tmp_path / "ready").read_text())
    launcher.kill()
    launcher.wait()
    deadline = time.monotonic() + 20
    while _lives(pid):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize(("text", "expected"), [("30s", 30), ("10min", 600), ("2 h", 7200)])
def test_a_time_has_a_unit(text: str, expected: float):
    """Seconds, minutes or hours."""
    assert seconds(text) == expected


@pytest.mark.parametrize("text", ["10", "soon", "0s", "1.5h", ""])
def test_another_time_is_refused(text: str):
    """With three that are right."""
    with pytest.raises(UsageError, match="30s, 10min or 2h"):
        seconds(text)


@pytest.mark.parametrize(
    ("launcher", "variables"),
    [
        ("torchrun", {"RANK": "0", "WORLD_SIZE": "2", "MASTER_ADDR": "localhost", "MASTER_PORT": "1"}),
        ("srun", {"SLURM_STEP_NUM_TASKS": "2", "SLURM_PROCID": "0", "SLURM_STEP_NODELIST": "localhost"}),
    ],
)
def test_processes_within_processes_are_refused(monkeypatch, capsys, launcher: str, variables: dict[str, str]):
    """Each of a launcher's would start several again."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert main(["train", "--model", "linear", "--processes", "2"]) == 2
    assert capsys.readouterr().err == (
        f"zoo: --processes starts them itself, but {launcher} has started 2 processes already; leave it out\n"
    )


def test_restarts_need_processes(capsys: pytest.CaptureFixture[str]):
    """One process that is lost has nobody to start it again."""
    assert main(["train", "--model", "linear", "--max-restarts", "2"]) == 2
    assert "it needs --processes N" in capsys.readouterr().err

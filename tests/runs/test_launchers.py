"""Processes that torchrun, srun, a pod or zoo itself starts: real ones, which import torch each."""

from __future__ import annotations

import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path

import pytest
from process_storm import COMMAND as STORMY
from storm import outcome
from worlds import together

ZOO = [sys.executable, "-m", "zoo"]
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--nnodes", "1", "--nproc-per-node", "2"]
COMMAND = shlex.split("train --model linear --set data.limit=64 --threads 1 --epochs 2 --batch-size 16 --slices 2")


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory):
    """What the command leaves when one process runs it."""
    folder = tmp_path_factory.mktemp("one")
    (ended,) = together(1, [*COMMAND, "--out", "run"], cwd=folder)
    assert ended.code == 0, ended
    return outcome(folder / "run")


def free_port() -> str:
    with socket.socket() as listening:
        listening.bind(("localhost", 0))
        return str(listening.getsockname()[1])


def start(cwd: Path, command: list[str], variables: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command,
        cwd=cwd,
        env={**os.environ, "OMP_NUM_THREADS": "1", **(variables or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=200)
    return process.returncode, out, err


def step(rank: int, port: str) -> dict[str, str]:
    """Return what SLURM tells a task of a step."""
    return {
        "SLURM_JOB_ID": "7",
        "SLURM_STEP_ID": "0",
        "SLURM_STEP_NUM_TASKS": "2",
        "SLURM_PROCID": str(rank),
        "SLURM_LOCALID": "0",
        "SLURM_STEP_NODELIST": "localhost",
        "SLURM_STEP_TASKS_PER_NODE": "1(x2)",
        "MASTER_PORT": port,
    }


def pod(rank: int, port: str) -> dict[str, str]:
    """Return what a PyTorchJob tells a pod, which has a few variables more for torchrun."""
    told = {"MASTER_ADDR": "localhost", "MASTER_PORT": port, "NNODES": "2", "NODE_RANK": str(rank)}
    torchrun = {f"PET_{name}": value for name, value in told.items()}
    return {
        **torchrun,
        "PYTHONUNBUFFERED": "1",
        "KUBERNETES_SERVICE_HOST": "10.0.0.1",
        "RANK": str(rank),
        "WORLD_SIZE": "2",
        "MASTER_ADDR": "localhost",
        "MASTER_PORT": port,
    }


@pytest.mark.slow
@pytest.mark.parametrize("told", [step, pod])
def test_tasks_and_pods_find_one_another(tmp_path: Path, expected, told):
    """Each in a folder of its own, as on another machine: the second one sees nothing of the first one's disk."""
    port, processes = free_port(), []
    for rank in range(2):
        (tmp_path / str(rank)).mkdir()
        processes.append(start(tmp_path / str(rank), [*ZOO, *COMMAND, "--out", "run"], told(rank, port)))
    codes = [ended(process) for process in processes]
    assert [code for code, _, _ in codes] == [0, 0], codes
    assert outcome(tmp_path / "0" / "run") == expected
    assert list((tmp_path / "1").iterdir()) == []


BATCH_SCRIPT = {
    "SLURM_JOB_ID": "7",
    "SLURM_JOBID": "7",
    "SLURM_JOB_NODELIST": "localhost",
    "SLURM_JOB_NUM_NODES": "2",
    "SLURM_NNODES": "2",
    "SLURM_NODEID": "0",
    "SLURM_NTASKS": "2",
    "SLURM_NPROCS": "2",
    "SLURM_PROCID": "0",
    "SLURM_LOCALID": "0",
    "SLURM_TASKS_PER_NODE": "1(x2)",
    "SLURM_CPUS_PER_TASK": "1",
}
"""What SLURM tells the script of a job with two tasks; it is no task itself."""

SRUN = """\
#!/bin/bash
# Starts two tasks of a step, as SLURM's own does: with the script's variables and those of the step.
shift
for rank in 0 1; do
  mkdir -p node$rank
  (cd node$rank && SLURM_STEP_ID=0 SLURM_STEPID=0 SLURM_STEP_NUM_TASKS=2 SLURM_STEP_NUM_NODES=2 SLURM_PROCID=$rank \
    SLURM_NODEID=$rank SLURM_LOCALID=0 SLURM_STEP_NODELIST=localhost SLURM_STEP_TASKS_PER_NODE='1(x2)' exec "$@") &
  tasks+=($!)
done
for task in "${tasks[@]}"; do wait "$task" || exit; done
"""


@pytest.mark.slow
def test_a_job_s_script_trains_by_its_steps_alone(tmp_path: Path, expected):
    """A command in the script itself has all of SLURM's variables but a step's, and is one process."""
    srun = tmp_path / "bin" / "srun"
    srun.parent.mkdir()
    srun.write_text(SRUN)
    srun.chmod(0o755)
    command = shlex.join([*ZOO, *COMMAND, "--out", "run"])
    script = tmp_path / "job.sh"
    script.write_text(f"#!/bin/bash\nset -e\n{command}\nsrun --kill-on-bad-exit=1 {command}\n")
    variables = {**BATCH_SCRIPT, "PATH": f"{srun.parent}:{os.environ['PATH']}", "MASTER_PORT": free_port()}
    code, out, err = ended(start(tmp_path, ["bash", str(script)], variables))
    assert (code, err) == (0, ""), out
    assert out.count("Finished training") == 2
    assert outcome(tmp_path / "run") == outcome(tmp_path / "node0" / "run") == expected
    assert list((tmp_path / "node1").iterdir()) == []


@pytest.mark.slow
def test_several_machines_need_a_directory_by_name(tmp_path: Path):
    """A new name each time would never be found again."""
    port = free_port()
    processes = [start(tmp_path, [*ZOO, *COMMAND], pod(rank, port)) for rank in range(2)]
    codes = [ended(process) for process in processes]
    assert [code for code, _, _ in codes] == [2, 2]
    assert [err for _, _, err in codes] == [
        "zoo: processes on several machines need --out DIR, by which the same command finds the run again\n",
        "",
    ]


def kill_twice(run: Path, done: list[int]) -> None:
    """Kill the first process of the run in *run* with SIGKILL, and when it was started again, once more."""
    for minimum in (1, 12):
        while not [p for p in run.glob("checkpoints/step-*") if int(p.name[5:13]) >= minimum]:
            time.sleep(0.05)
        pid = json.loads((run / ".lock").read_text())["pid"]
        if pid not in done:
            os.kill(pid, signal.SIGKILL)
            done.append(pid)
        time.sleep(1)


@pytest.mark.slow
@pytest.mark.parametrize(
    "launcher",
    [
        [*TORCHRUN, "--max-restarts", "3", "--rdzv-backend", "c10d", "--rdzv-endpoint", "localhost:0", "-m", "zoo"],
        [*ZOO],
    ],
    ids=["torchrun", "zoo"],
)
def test_a_launcher_starts_a_run_again_that_lost_a_process(tmp_path: Path, launcher: list[str]):
    """And it ends with the bits of one."""
    (whole,) = together(1, STORMY, cwd=tmp_path)
    assert whole.code == 0
    other = tmp_path / "other"
    other.mkdir()
    own = ["--processes", "2", "--max-restarts", "3"] if launcher == ZOO else []
    process = start(other, [*launcher, *STORMY, *own])
    killed: list[int] = []
    threading.Thread(target=kill_twice, args=(other / "run", killed), daemon=True).start()
    code, _, err = ended(process)
    assert code == 0, err
    assert killed
    assert outcome(other / "run") == outcome(tmp_path / "run")
    if launcher == ZOO:
        assert "process 0 was ended by SIGKILL; starting again, 1 of 3 times" in err


def test_processes_that_zoo_starts_give_the_bits_of_one(tmp_path: Path, expected):
    """One of them prints, and the command's exit code is the run's."""
    code, out, err = ended(start(tmp_path, [*ZOO, *COMMAND, "--out", "run", "--processes", "2"]))
    assert (code, err) == (0, "")
    assert out.count("Finished training") == 1
    assert "1 thread a slice, 2 slices, 2 processes" in out
    assert outcome(tmp_path / "run") == expected


@pytest.mark.slow
def test_no_process_aborts_at_a_clean_end(tmp_path: Path):
    """Gloo's threads do, now and then, where the interpreter takes its time to end."""
    for number in range(25):
        done = together(4, [*COMMAND, "--slices", "4", "--out", f"run{number}"], cwd=tmp_path)
        assert [each.code for each in done] == [0, 0, 0, 0], done

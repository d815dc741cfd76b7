"""A cut link between two machines, which two network namespaces stand for."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from storm import outcome
from worlds import together

pytestmark = pytest.mark.slow

COMMAND = shlex.split(
    "train --model linear --set data.limit=100 --threads 1 --epochs 120 --batch-size 16 --slices 2 "
    "--checkpoint-every 20steps --timeout 5s --out run"
)
NAMES = [f"zoo-{os.getpid()}-{rank}" for rank in range(2)]
LINKS = [f"zoo{os.getpid() % 10**6}v{rank}" for rank in range(2)]


def ip(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["ip", *words], capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def machines() -> Iterator[list[str]]:
    """Two network namespaces with one link between them; skipped where that is not permitted."""
    if shutil.which("ip") is None:
        pytest.skip("there is no `ip` here, of Debian's iproute2")
    try:
        for words in (
            *(f"netns add {name}" for name in NAMES),
            f"link add {LINKS[0]} netns {NAMES[0]} type veth peer name {LINKS[1]} netns {NAMES[1]}",
            *(f"-n {name} addr add 10.213.97.{rank + 1}/24 dev {LINKS[rank]}" for rank, name in enumerate(NAMES)),
            *(f"-n {name} link set {link} up" for name, link in zip(NAMES, LINKS, strict=True)),
            *(f"-n {name} link set lo up" for name in NAMES),
        ):
            done = ip(*words.split())
            if done.returncode:
                pytest.skip(f"no network namespaces are permitted here: ip {words}: {done.stderr.strip()}")
        yield NAMES
    finally:
        for name in NAMES:
            ip("netns", "del", name)


def start(machine: int, cwd: Path, port: int) -> subprocess.Popen[str]:
    """Start one of two processes, each on a machine of its own, with a folder of its own."""
    cwd.mkdir(exist_ok=True)
    told = {
        "RANK": str(machine),
        "WORLD_SIZE": "2",
        "MASTER_ADDR": "10.213.97.1",
        "MASTER_PORT": str(port),
        "GLOO_SOCKET_IFNAME": LINKS[machine],
        "OMP_NUM_THREADS": "1",
    }
    return subprocess.Popen(
        ["ip", "netns", "exec", NAMES[machine], sys.executable, "-m", "zoo", *COMMAND],
        cwd=cwd,
        env={**os.environ, **told},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_cut_link_ends_both_in_time_and_the_run_goes_on_when_it_is_back(tmp_path: Path, machines: list[str]):
    """With 75 within the timeout and six seconds, naming whom they lost; in the end the digest of one machine's run."""
    processes = [start(machine, tmp_path / str(machine), 29511) for machine in range(2)]
    while not list((tmp_path / "0").glob("run/checkpoints/step-*")):
        assert processes[0].poll() is None, processes[0].communicate()
        time.sleep(0.05)
    ip("-n", machines[0], "link", "set", LINKS[0], "down")
    cut = time.monotonic()
    told = [process.communicate(timeout=60)[1] for process in processes]
    assert time.monotonic() - cut < 5 + 6
    assert [process.returncode for process in processes] == [75, 75], told
    assert all("lost process" in text and "the same command goes on from it" in text for text in told), told
    ip("-n", machines[0], "link", "set", LINKS[0], "up")
    processes = [start(machine, tmp_path / str(machine), 29512) for machine in range(2)]
    told = [process.communicate(timeout=300)[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], told
    (alone,) = together(1, COMMAND, cwd=tmp_path)
    assert alone.code == 0, alone
    assert outcome(tmp_path / "0" / "run") == outcome(tmp_path / "run")

"""Which of several processes this one is, as its launcher tells by variables. Nothing here needs torch."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import NamedTuple

from zoo.errors import UsageError

STORE = "ZOO_STORE"
"""Names the file by which the processes that zoo itself started find one another."""

PARENT = "ZOO_PARENT"
"""Names the descriptor of a pipe whose other end closes when what started this process ends, however it ends."""


class Place(NamedTuple):
    """A process's place among those that train together.

    Attributes:
        launcher: Who started them: ``"zoo"``, ``"torchrun"``, which also stands for whoever sets the same variables,
            or ``"srun"``.
        rank: Which process it is, counted from 0.
        size: How many there are, at least 2.
        local_rank: Which it is on its machine.
        local_size: How many are on its machine.
        meeting: Where they find one another: a file's path, or ``"host:port"``.
        attempt: How often they were started before, as far as they are told.
        served: Whether the launcher keeps the store at the meeting place; else the first process does.
    """

    launcher: str
    rank: int
    size: int
    local_rank: int
    local_size: int
    meeting: str
    attempt: str = "0"
    served: bool = False


def place(variables: Mapping[str, str] = os.environ) -> Place | None:
    """Return this process's place, or None where it is alone.

    Raises:
        UsageError: If the launcher's variables do not fit each other.
    """
    if variables.get(STORE):
        return _place("zoo", _Numbers(variables), variables[STORE])
    if "WORLD_SIZE" in variables:
        return _of_torchrun(variables)
    if variables.get("SLURM_STEP_NUM_TASKS", "1") != "1":
        return _of_srun(variables)
    return None


class _Numbers:
    """Whole numbers among variables."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._variables = variables

    def __call__(self, name: str, default: int | None = None) -> int:
        text = self._variables.get(name)
        if text is None and default is not None:
            return default
        if text is None:
            raise UsageError(f"{name} is not set, but WORLD_SIZE is; start the processes with torchrun, or unset both")
        if not re.fullmatch(r"\d{1,9}", text):
            raise UsageError(f"{name} must be a whole number, not {text!r}")
        return int(text)


def _place(launcher: str, number: _Numbers, meeting: str, *, attempt: str = "0", served: bool = False) -> Place | None:
    rank, size = number("RANK"), number("WORLD_SIZE")
    if rank >= size:
        raise UsageError(f"RANK is {rank}, but WORLD_SIZE is {size}: ranks are counted from 0")
    if size == 1:
        return None
    local = number("LOCAL_RANK", 0), number("LOCAL_WORLD_SIZE", 1)
    return Place(launcher, rank, size, *local, meeting, attempt, served)


def _of_torchrun(variables: Mapping[str, str]) -> Place | None:
    number = _Numbers(variables)
    if number("WORLD_SIZE") == 1:
        return None
    number("RANK")
    if "MASTER_ADDR" not in variables:
        raise UsageError("MASTER_ADDR is not set, but WORLD_SIZE is; start the processes with torchrun, or unset both")
    meeting = f"{variables['MASTER_ADDR']}:{number('MASTER_PORT')}"
    attempt = variables.get("TORCHELASTIC_RESTART_COUNT", "0")
    served = variables.get("TORCHELASTIC_USE_AGENT_STORE") == "True"
    return _place("torchrun", number, meeting, attempt=attempt, served=served)


def _of_srun(variables: Mapping[str, str]) -> Place | None:
    """Within a job step each task has its number; the nodes are named in one expression, the first task's first."""
    number = _Numbers(variables)
    address = variables.get("MASTER_ADDR") or _first_host(variables.get("SLURM_STEP_NODELIST", "localhost"))
    # A job's steps may run side by side, and so may jobs on a machine: each gets a port of its own.
    job, step = number("SLURM_JOB_ID", 0), number("SLURM_STEP_ID", 0)
    port = number("MASTER_PORT", 20000 + (job * 7 + step) % 20000)
    told = {
        "RANK": variables.get("SLURM_PROCID", ""),
        "WORLD_SIZE": variables["SLURM_STEP_NUM_TASKS"],
        "LOCAL_RANK": variables.get("SLURM_LOCALID", "0"),
        # Such as "2(x3),1": of the nodes, whose tasks are as many wherever they are evenly placed, the first tells.
        "LOCAL_WORLD_SIZE": re.split(r"[(,]", variables.get("SLURM_STEP_TASKS_PER_NODE", "1"))[0],
    }
    return _place("srun", _Numbers(told), f"{address}:{port}", attempt=variables.get("SLURM_RESTART_COUNT", "0"))


def _first_host(nodes: str) -> str:
    """Return the first host of SLURM's expression, such as ``gpu[03-07,09],login`` or ``rack1-[2,5]``."""
    found = re.match(r"([^,\[]+)(?:\[(\d+)[^\]]*\]([^,\[]*))?", nodes)
    return "".join(part or "" for part in found.groups()) if found else nodes

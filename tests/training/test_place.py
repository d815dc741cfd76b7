"""Which of several processes this one is, by the variables of every launcher."""

from __future__ import annotations

import pytest

from zoo.errors import UsageError
from zoo.training.place import Place, place

TORCHRUN = {
    "RANK": "3",
    "WORLD_SIZE": "4",
    "LOCAL_RANK": "1",
    "LOCAL_WORLD_SIZE": "2",
    "MASTER_ADDR": "node0",
    "MASTER_PORT": "29500",
    "TORCHELASTIC_RESTART_COUNT": "2",
    "TORCHELASTIC_USE_AGENT_STORE": "True",
}
POD = {"RANK": "1", "WORLD_SIZE": "3", "MASTER_ADDR": "run-master-0", "MASTER_PORT": "23456"}
STEP = {
    "SLURM_JOB_ID": "71",
    "SLURM_STEP_ID": "0",
    "SLURM_STEP_NUM_TASKS": "6",
    "SLURM_PROCID": "4",
    "SLURM_LOCALID": "0",
    "SLURM_STEP_NODELIST": "gpu[03-05]",
    "SLURM_STEP_TASKS_PER_NODE": "2(x3)",
    "SLURM_NTASKS": "6",
}
BATCH_SCRIPT = {"SLURM_JOB_ID": "71", "SLURM_NTASKS": "6", "SLURM_PROCID": "0", "SLURM_JOB_NODELIST": "gpu[03-05]"}
PET = {"PET_NNODES": "3", "PET_NODE_RANK": "1", "PET_MASTER_ADDR": "run-master-0", "PET_MASTER_PORT": "23456"}


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, None),
        ({**TORCHRUN, "WORLD_SIZE": "1", "RANK": "0"}, None),
        (TORCHRUN, Place("torchrun", 3, 4, 1, 2, "node0:29500", "2", served=True)),
        (POD, Place("torchrun", 1, 3, 0, 1, "run-master-0:23456")),
        ({**POD, **PET}, Place("torchrun", 1, 3, 0, 1, "run-master-0:23456")),
        (STEP, Place("srun", 4, 6, 0, 2, "gpu03:20497")),
        ({**BATCH_SCRIPT, **STEP}, Place("srun", 4, 6, 0, 2, "gpu03:20497")),
        ({**STEP, "SLURM_RESTART_COUNT": "2"}, Place("srun", 4, 6, 0, 2, "gpu03:20497", "2")),
        ({**STEP, "MASTER_ADDR": "10.0.0.1", "MASTER_PORT": "77"}, Place("srun", 4, 6, 0, 2, "10.0.0.1:77")),
        ({**STEP, "SLURM_STEP_NODELIST": "a-[2,9],b"}, Place("srun", 4, 6, 0, 2, "a-2:20497")),
        ({**STEP, "SLURM_STEP_NODELIST": "login"}, Place("srun", 4, 6, 0, 2, "login:20497")),
        ({**STEP, "SLURM_STEP_NUM_TASKS": "1"}, None),
        (BATCH_SCRIPT, None),
        (
            {"ZOO_STORE": "/tmp/s", "RANK": "0", "WORLD_SIZE": "2", "LOCAL_RANK": "0", "LOCAL_WORLD_SIZE": "2"},
            Place("zoo", 0, 2, 0, 2, "/tmp/s"),
        ),
    ],
    ids=[
        "alone",
        "one",
        "torchrun",
        "pod",
        "pod for torchrun",
        "step",
        "step of a script",
        "requeued",
        "told",
        "names",
        "one node",
        "one task",
        "batch script",
        "zoo",
    ],
)
def test_a_process_finds_its_place(variables: dict[str, str], expected: Place | None):
    """As torchrun, a pod of Kubernetes, a step of SLURM and zoo itself set them; a batch script is alone."""
    assert place(variables) == expected


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"WORLD_SIZE": "4"}, "RANK is not set, but WORLD_SIZE is; start the processes with torchrun, or unset both"),
        ({"WORLD_SIZE": "4", "RANK": "1"}, "MASTER_ADDR is not set, but WORLD_SIZE is"),
        ({**POD, "RANK": "3"}, "RANK is 3, but WORLD_SIZE is 3: ranks are counted from 0"),
        ({**POD, "RANK": "one"}, "RANK must be a whole number, not 'one'"),
    ],
)
def test_variables_that_do_not_fit_are_refused(variables: dict[str, str], message: str):
    """One line, that names the variable."""
    with pytest.raises(UsageError) as caught:
        place(variables)
    assert str(caught.value).startswith(message)

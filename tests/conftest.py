"""What holds for every test."""

import functools
import os
import signal
import sys

import pytest
from finished_runs import both_kinds as both_kinds  # noqa: PLC0414
from finished_runs import finished as finished  # noqa: PLC0414 - a fixture is found by its name here
from finished_runs import run as run  # noqa: PLC0414
from hypothesis import settings

# One thread each: the tensors are tiny, and pools of threads would only be in one another's way. Processes that tests
# start inherit it; who needs several threads says so.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# No example is late: on a busy machine any can be.
settings.register_profile("zoo", deadline=None)
settings.load_profile("zoo")

# Where the suite runs in the background, as under nohup, SIGINT is ignored, and so it would be in every process that a
# test starts and then interrupts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Let a process that has done its half of the tests take some of the other's: ``pytest -n 2`` waits for both."""
    from xdist.scheduler import WorkStealingScheduling

    return WorkStealingScheduling(config, log) if config.getoption("dist") == "load" else None


def pytest_runtest_setup() -> None:
    """Have MNIST's files decoded once for all tests, as that takes a quarter of a second; each gets a copy."""
    dataset = sys.modules.get("zoo_mnist.dataset")  # not imported for this: that would import torch
    if dataset is None or dataset._read.__module__ == __name__:
        return
    decoded = functools.cache(lambda file, _folder, read=dataset._read: read(file))

    def read(file):
        return decoded(file, dataset.FOLDER).clone()

    dataset._read = read

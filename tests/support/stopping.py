"""A reporter that stops a run where a test wants it stopped."""

from __future__ import annotations

import os

from zoo.runs.reporting import Reporter


class Stopping(Reporter):
    """Sends this process a signal when the run is where it was told."""

    def __init__(self, number: int, *, step: int = 0, split: str = "", epoch: int = 0):
        self.number, self.at_step, self.split, self.at_epoch = number, step, split, epoch

    def step(self, progress):
        if progress.step == self.at_step:
            os.kill(os.getpid(), self.number)

    def epoch(self, result, epochs):
        if result.epoch == self.at_epoch:
            os.kill(os.getpid(), self.number)

    def evaluating(self, split):
        if split == self.split:
            os.kill(os.getpid(), self.number)

"""The page about processes: its cost model is what the exchange sends, and its table is that model."""

from __future__ import annotations

import re
from contextlib import nullcontext
from pathlib import Path

import pytest
import torch
from torch import distributed

from zoo.training import sums
from zoo.training.rows import Field, RowLayout
from zoo.training.sums import Peers, row_sum

PAGE = (Path(__file__).parents[2] / "docs" / "explanation" / "processes.md").read_text()


class Counted:
    """Stands in for torch.distributed, and counts what a process sends to others."""

    def __init__(self, size: int) -> None:
        self.size, self.bytes, self.messages = size, 0, 0

    def all_to_all_single(self, incoming, outgoing, received, sent):
        assert (len(incoming), len(outgoing)) == (sum(received), sum(sent))
        incoming.zero_()
        self.bytes += len(outgoing) - sent[0]
        self.messages += self.size - 1

    def gather_into(self, every, mine):
        every.view(self.size, -1).copy_(mine)
        self.bytes += len(mine) * (self.size - 1)
        self.messages += self.size - 1


@pytest.mark.parametrize(("size", "slices"), [(8, 8), (8, 32), (512, 512), (4096, 4096)])
def test_a_process_sends_what_the_page_says(monkeypatch: pytest.MonkeyPatch, size: int, slices: int):
    """P (S/W + 1) bytes, but for the share that stays at home, in two messages to each other process."""
    counted = Counted(size)
    monkeypatch.setattr(distributed, "all_to_all_single", counted.all_to_all_single)
    monkeypatch.setattr(sums, "gather_into", counted.gather_into)
    layout = RowLayout([Field.numbers(2**18, torch.float32)], size)
    peers = Peers(0, size, on_cards=False, meeting=nullcontext)
    row_sum(layout, slices, torch.device("cpu"), peers, fast=False).add(slices)
    assert counted.bytes == layout.length * (slices // size + 1) * (size - 1) // size
    assert counted.messages == 2 * (size - 1)


def test_the_table_of_costs_is_the_model_s():
    """Of its assumptions, which stand above it."""
    rows = re.findall(
        r"^\| ([\d,]+) \| ([\d.]+) s \| ([\d.]+) s \| ([\d.]+) s \| (\d+) % \| ([\d.]+) h \|$", PAGE, re.M
    )
    assert [row[0] for row in rows] == ["8", "64", "512", "4,096"]
    for processes, *told in rows:
        size = int(processes.replace(",", ""))
        computing = 256 / 2500
        sending = 2 * 102e6 * (size - 1) / size / 12.5e9
        waiting = 2 * (size - 1) * 20e-6
        step = computing + sending + waiting
        hours = 1e9 / (256 * size) * step / 3600
        expected = [f"{sending:.3f}", f"{waiting:.4f}", f"{step:.3f}", f"{100 * computing / step:.0f}", f"{hours:.2f}"]
        assert told == expected

"""Whether processes send from card to card; no card is needed to decide it."""

from __future__ import annotations

from contextlib import nullcontext
from datetime import timedelta

import pytest
import torch
from threads import Done
from torch import distributed

from zoo.training import processes
from zoo.training.processes import have_cards
from zoo.training.rows import Field, RowLayout
from zoo.training.sums import Peers, row_sum


@pytest.mark.parametrize(
    ("others", "mine", "expected"), [("b", "a", True), ("a", "a", False), ("", "a", False), ("b", "", False)]
)
def test_rows_go_by_nccl_where_each_process_has_a_card_of_its_own(monkeypatch, others, mine, expected):
    """Not where two share one, which NCCL refuses, nor where one has none: all processes decide the same."""
    store = distributed.HashStore()
    store.set_timeout(timedelta(seconds=5))
    store.set("card/1", others)
    monkeypatch.setattr(processes, "_card", lambda: mine)
    monkeypatch.setattr(distributed, "is_nccl_available", lambda: True)
    assert have_cards(store, 0, 2) is expected


@pytest.mark.parametrize("on_cards", [True, False])
def test_rows_are_added_where_they_are_or_as_copies(monkeypatch, on_cards):
    """On cards nothing is copied to the CPU; the meta device stands for a card."""
    sent = []
    monkeypatch.setattr(distributed, "all_reduce", lambda numbers, **_: sent.append(numbers.device.type) or Done())
    peers = Peers(0, 2, on_cards, nullcontext)
    layout = RowLayout([Field.numbers(3, torch.float32), Field.numbers(2, torch.int64)])
    monkeypatch.setattr(torch.Tensor, "copy_", lambda to, _: to)
    row_sum(layout, 2, torch.device("meta"), peers, fast=True).add(2)
    assert sent == ["meta" if on_cards else "cpu"] * 2

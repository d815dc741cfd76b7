"""The line that says how pretrained weights are tuned."""

from __future__ import annotations

import pytest

from zoo.cli.transcript import _tuning

SETTINGS = {"tune": "full", "refit": "on", "layer_decay": 0.75, "batch_norm": "frozen", "freeze": 0}
TUNED = (
    "everything is tuned, from a fitted head on, which is fitted anew at the end; layer decay 0.75, batch norm frozen"
)


@pytest.mark.parametrize(
    ("changed", "more"),
    [
        ({}, ""),
        ({"freeze": 13}, ", the first 13 layer groups frozen"),
        ({"freeze": 1}, ", the first layer group frozen"),
        ({"freeze": 3, "unfreeze_after": 2}, ", the first 3 layer groups frozen for 2 epochs"),
        ({"freeze": "stem.*", "unfreeze_after": 1}, ", stem.* frozen for 1 epoch"),
    ],
    ids=["nothing", "groups", "one", "for a while", "pattern"],
)
def test_what_stands_still_is_told_with_how_the_rest_is_tuned(changed, more):
    """In the same line; nothing is said where all learn."""
    assert _tuning({**SETTINGS, **changed}) == TUNED + more

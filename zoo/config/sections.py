"""The sections of a configuration file, and what the command line calls their keys."""

from __future__ import annotations

import dataclasses
from typing import Any

from zoo.config.settings import BATCH, TrainSettings

SCHEMA = 4
"""2: pretrained weights are tuned as weights that were learnt, not trained on like random ones, and images are held out
by name. 3: crops are cut from the pictures in their files, and small sets are tuned in small batches and end with a
head that is fitted anew. 4: where those are tuned, layers that would hardly learn stand still."""

_THIRD: dict[str, Any] = {"freeze": 0}
_SECOND: dict[str, Any] = {**_THIRD, "crop_from": "input", "refit": "off", "batch_size": BATCH}
_FIRST: dict[str, Any] = {**_SECOND, "tune": "off", "split_by": "order"}

MEANING: dict[int, dict[str, Any]] = {1: {"train": _FIRST}, 2: {"train": _SECOND}, 3: {"train": _THIRD}}
"""What a file of an older schema left unsaid and meant, by schema; it lies below everything that is said."""

SINGLE = {
    "model": None,
    "data": "mnist/mnist",
    "optimizer": "torch/adamw",
    "criterion": "torch/cross_entropy",
    "scheduler": "torch/one_cycle",
}
"""The sections that name one entry, with the default name; a model has none."""

SEVERAL = ("augment", "observe")
"""The sections that list entries under ``names`` and hold a table of options for each."""

DATA_LIMIT = "limit"
"""The one key of a single section that is zoo's own and not the builder's: it caps every split."""

KEYS: dict[str, str] = {
    **{section: f"{section}.name" for section in SINGLE},
    "lr": "optimizer.lr",
    **{section: f"{section}.names" for section in SEVERAL},
    **{item.name: f"train.{item.name}" for item in dataclasses.fields(TrainSettings)},
}
"""What the command line and `zoo.train` call a setting, and its key in the file."""

"""Sweeps as their files would be, without training anything."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from zoo.config import Config, Layer
from zoo.records.sweeps import SweepRecord, write_sweep

CONFIG = Config.from_layers([Layer("test", {"model": {"name": "mlp/mlp"}})])


def sweep_of(
    path: Path, question: dict[str, Any], settings: Sequence[dict[str, Any]], accuracies: Sequence[Any]
) -> Path:
    """Write a sweep whose runs were these; one without an accuracy never began."""
    path.mkdir()
    names = [f"run-{number}" for number in range(len(settings))]
    write_sweep(path, SweepRecord(question, CONFIG, names, settings))
    for name, accuracy in zip(names, accuracies, strict=True):
        if accuracy is None:
            continue
        (path / name).mkdir()
        (path / name / "config.toml").write_text("")
        summary = {"status": "finished", "select": "accuracy", "val_accuracy": accuracy, "test_accuracy": accuracy / 2}
        (path / name / "summary.json").write_text(json.dumps({**summary, "epochs": 1, "seconds": 61.0}))
        (path / name / "metrics.csv").write_text(f"epoch,val_accuracy\n1,{accuracy}\n")
    return path


def small_search(path: Path, text: str) -> Path:
    """Write a search of ten trials that hang on the rate alone, and of one that failed; *text* is a value in it."""
    rates = [10.0 ** -(1 + number % 5) for number in range(10)]
    settings = [
        {"optimizer.lr": rate, "model.act": text if number < 5 else "relu"} for number, rate in enumerate(rates)
    ]
    accuracies = [0.9 - 0.1 * (number % 5) for number in range(10)]
    question = {
        "kind": "search",
        "searcher": {"name": "search/random"},
        "space": {"model.act": f'["{text}", "relu"]', "optimizer.lr": "log(1e-5, 0.1)"},
    }
    return sweep_of(path, question, [*settings, settings[0]], [*accuracies, None])

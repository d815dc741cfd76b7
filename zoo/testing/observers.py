"""What observers and recipes must do."""

from __future__ import annotations

import inspect
import tempfile
import tomllib
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from zoo.config import Config, Layer
from zoo.registry import Entry, Plugin, hookspec
from zoo.runs.components import find_components
from zoo.runs.observers import HOOKS, read_only, with_what_it_names
from zoo.testing.building import plain
from zoo.testing.outcome import ContractError

_RUN = {
    "model": "cnn/cnn_dropout",
    "data": "mnist/mnist",
    "parameters": 34_826,
    "device": "cpu",
    "precision": "fp32",
    "threads": 2,
    "processes": 1,
    "slices": 1,
    "memory_format": "contiguous",
    "dropout_masks": "numpy",
    "train": 55_000,
    "validation": 5_000,
    "test": 10_000,
    "classes": {"0": 5_430, "1": 6_180},
    "epochs": 2,
    "steps_per_epoch": 430,
    "steps": 860,
    "select": "accuracy",
    "lr": 0.003,
    "fused": True,
    "image_size": (28, 28),
    "input_size": None,
    "entries": {"cnn/cnn_dropout": {"plugin": "cnn", "distribution": "torch-zoo", "version": "0.1.0"}},
    "config": {"schema": 4, "model": {"name": "cnn/cnn_dropout", "p": 0.25}, "train": {"epochs": 2}},
    "settings": {"model.name": "cnn/cnn_dropout", "model.p": 0.25, "train.epochs": 2},
}
_SUMMARY = {
    "schema": 1,
    "status": "finished",
    "model": "cnn/cnn_dropout",
    "data": "mnist/mnist",
    "optimizer": "torch/adamw",
    "criterion": "torch/cross_entropy",
    "scheduler": "torch/one_cycle",
    "parameters": 34_826,
    "train": 55_000,
    "validation": 5_000,
    "test": 10_000,
    "epochs": 2,
    "steps": 860,
    "select": "accuracy",
    "best_epoch": 2,
    "val_loss": 0.06,
    "val_accuracy": 0.98,
    "val_balanced_accuracy": 0.98,
    "test_accuracy": 0.98,
    "test_balanced_accuracy": 0.98,
    "test_loss": 0.06,
    "samples_per_second": 9_000.0,
    "seconds": 14.0,
}

_UNVALIDATED = dict.fromkeys(("val_loss", "val_accuracy", "val_balanced_accuracy"))


def check_hooks(entry: Entry) -> str:
    """Have methods that are named like hooks and take what these are given."""
    observer = plain(entry)
    found = [hook for hook in HOOKS if callable(getattr(observer, hook, None))]
    if not found:
        raise ContractError(
            entry,
            expected=f"an object with one of the methods {', '.join(HOOKS)}",
            seen=f"a {type(observer).__name__} with none",
            mend="Name a method after the hook that it answers.",
        )
    for hook in found:
        given = inspect.signature(getattr(hookspec, hook)).parameters
        wanted = inspect.signature(getattr(observer, hook)).parameters.values()
        needed = [p.name for p in wanted if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
        if unknown := [name for name in needed if name not in given]:
            raise ContractError(
                entry,
                expected=f"{hook} to take some of {', '.join(given)}",
                seen=", ".join(unknown),
                mend="Name the arguments as the hook does; leave out those that you do not want.",
            )
    return ", ".join(found)


def check_run(entry: Entry) -> None:
    """Follow a run to its end, and another that fails, without raising."""
    _follow(entry, lambda: plain(entry))


def _follow(entry: Entry | Plugin, made: Callable[[], Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        run = {**_RUN, "directory": str(Path(folder))}
        observer = made()
        _tell(entry, observer, "run_started", run=run)
        for epoch in (1, 2):
            _tell(entry, observer, "checkpoint_saved", run=run, checkpoint=_checkpoint(folder, epoch))
            _tell(entry, observer, "epoch_finished", run=run, epoch=_epoch(epoch))
        _tell(entry, observer, "run_finished", run=run, summary=_SUMMARY)
    with tempfile.TemporaryDirectory() as folder:
        run = {**_RUN, "directory": str(Path(folder))}
        observer = made()
        _tell(entry, observer, "run_started", run=run)
        _tell(entry, observer, "epoch_finished", run=run, epoch={**_epoch(1), **_UNVALIDATED})
        error = {"type": "NonFiniteLossError", "message": "the loss became nan at step 431", "exit_code": 1}
        _tell(entry, observer, "run_failed", run=run, error=error)


def module_hooks(plugin: Plugin) -> dict[str, Callable[..., Any]]:
    """Return the hooks about runs that the plugin itself has, each as what calls it."""
    callers = {hook: getattr(plugin.hooks, hook) for hook in HOOKS} if plugin.hooks is not None else {}
    return {hook: caller for hook, caller in callers.items() if caller.get_hookimpls()}


def check_module_hooks(plugin: Plugin) -> str:
    """Follow a run with the hooks of the plugin itself, which hear of every run."""
    callers = module_hooks(plugin)
    _follow(plugin, lambda: SimpleNamespace(**callers))
    return ", ".join(callers)


def check_recipe(entry: Entry) -> str:
    """Be a TOML file whose keys, values, names and options are all right."""
    config = Config.from_layers(
        [Layer(str(entry), {"model": {"name": "cnn/cnn_dropout"}}), Layer(str(entry), tomllib.loads(entry.read_text()))]
    )
    find_components(config)
    return config.model.name


def _tell(entry: Entry | Plugin, observer: Any, hook: str, **data: Any) -> None:
    method = getattr(observer, hook, None)
    if not callable(method):
        return
    try:
        with_what_it_names(method)(**{name: read_only(value) for name, value in data.items()})
    except Exception as error:
        raise ContractError(
            entry,
            expected=f"{hook} to return",
            seen=f"{type(error).__name__}: {' '.join(str(error).split())}",
            mend="It gets read-only data: mappings of plain values, in which measures that were not taken are None.",
        ) from error


def _epoch(number: int) -> dict[str, Any]:
    return {
        "epoch": number,
        "step": 430 * number,
        "loss": 0.2 / number,
        "val_loss": 0.1 / number,
        "val_accuracy": 1 - 0.04 / number,
        "val_balanced_accuracy": 1 - 0.05 / number,
        "lr": 0.003 / number,
        "samples_per_second": 9_000.0,
        "seconds": 7.0 * number,
    }


def _checkpoint(folder: str, number: int) -> dict[str, Any]:
    step = 430 * number
    return {"directory": f"{folder}/checkpoints/step-{step:08}", "step": step, "epoch": number, "best": True}


OBSERVER_CHECKS = {
    "has hooks": check_hooks,
    "follows a run to its end, and one that fails": check_run,
}
RECIPE_CHECKS = {"is complete and right": check_recipe}

"""Observers of a run: told everything in order, unable to change anything, left out where they fail."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from fake_distributions import FakeSite
from small_images import small_dataset
from torch import nn

import zoo
from zoo.config import flattened
from zoo.registry import registry
from zoo.runs.reporting import Reporter

HEAD = "import json, random\nfrom pathlib import Path\nimport numpy, torch, zoo\n"


@pytest.fixture
def observed(site: FakeSite, tmp_path: Path) -> Iterator[Callable[..., tuple[zoo.Run, list[str]]]]:
    """Train a small run under a plugin whose hooks are given as Python text; return it and the notices."""

    class Noting(Reporter):
        def __init__(self) -> None:
            self.notices: list[str] = []

        def notice(self, text: str) -> None:
            self.notices.append(text)

    def train(hooks: str = "", name: str = "run", **settings: object) -> tuple[zoo.Run, list[str]]:
        if hooks:
            site.install("watcher", HEAD + hooks)
        registry.cache_clear()
        torch.manual_seed(0)
        model = nn.Sequential(nn.Flatten(), nn.Linear(64, 8), nn.Dropout(0.5), nn.Linear(8, 3))
        reporter = Noting()
        given = {"epochs": 3, "batch_size": 16, "threads": 1, "out": tmp_path / name, "reporter": reporter}
        return zoo.train(model, data=small_dataset(), **{**given, **settings}), reporter.notices

    yield train
    registry.cache_clear()


def hook(name: str, body: str) -> str:
    arguments = {"run_started": "run", "epoch_finished": "run, epoch", "checkpoint_saved": "run, checkpoint"}
    arguments |= {"run_finished": "run, summary", "run_failed": "run, error"}
    return f"@zoo.hookimpl\ndef {name}({arguments[name]}):\n    {body}\n\n"


def test_settings_are_told_by_section_and_by_key(observed, tmp_path):
    """The same values; what is of no section, such as the schema, is no setting."""
    told = tmp_path / "told.json"
    tell = "json.dumps([run['config'], run['settings']], default=dict)"
    observed(hook("run_started", f"Path({str(told)!r}).write_text({tell})"), epochs=1)
    config, settings = json.loads(told.read_text())
    assert {"schema": config["schema"], **settings} == flattened(config)
    assert settings["train.batch_size"] == 16


def test_it_is_told_everything_in_order(observed, tmp_path):
    """Start, each epoch's measures, each checkpoint, the end; failures in place of the end."""
    log = tmp_path / "log"
    hooks = f"def note(line):\n    with open({str(log)!r}, 'a') as file:\n        file.write(line)\n\n"
    hooks += (
        hook("run_started", "note('started\\n')")
        + hook("epoch_finished", "note('epoch %d\\n' % epoch['epoch'])")
        + hook("checkpoint_saved", "note('saved %d\\n' % checkpoint['epoch'])")
        + hook("run_finished", "note('finished %s\\n' % summary['status'])")
        + hook("run_failed", "note('failed %s\\n' % error['type'])")
    )
    observed(hooks, epochs=2)
    expected = ["started", "saved 1", "epoch 1", "saved 2", "epoch 2", "finished finished"]
    assert log.read_text().splitlines() == expected
    log.unlink()
    with pytest.raises(zoo.ZooError):
        observed(name="other", optimizer="sgd", lr=1e30, scheduler="constant")
    assert log.read_text().splitlines()[-1] == "failed NonFiniteLossError"


def test_one_that_raises_is_reported_once_and_left_out(observed):
    """The run ends as it would have."""
    hooks = hook("epoch_finished", "raise OSError('the disk\\nis full')") + hook("run_finished", "1 / 0")
    run, notices = observed(hooks)
    assert run.summary["status"] == "finished"
    told = [notice for notice in notices if "left out" in notice]
    assert len(told) == 1
    assert told[0].startswith("plugin 'watcher' (zoo-watcher 1.0) failed in epoch_finished and is left out")
    assert told[0].endswith("OSError: the disk is full")


def test_it_cannot_change_what_it_is_given(observed):
    """The views are read-only, deep down."""
    _, notices = observed(hook("run_started", "run['config']['train']['epochs'] = 99"))
    assert "'mappingproxy' object does not support item assignment" in notices[-1]


def test_what_it_draws_at_random_is_not_the_runs(observed, tmp_path):
    """One that draws, seeds, evaluates or trains in its hooks changes no bit of the run."""
    alone, _ = observed()
    hooks = (
        hook("run_started", "torch.manual_seed(7)")
        + hook("checkpoint_saved", "torch.rand(1), numpy.random.rand(), random.random()")
        + hook("epoch_finished", "zoo.create('models', 'mlp/linear', num_classes=2, in_channels=1, image_size=(8, 8))")
        + hook("run_finished", f"Path({str(tmp_path / 'done')!r}).write_text('1')")
    )
    watched, notices = observed(hooks, name="watched")
    assert not notices
    assert (tmp_path / "done").exists()
    assert [each.loss for each in watched.metrics] == [each.loss for each in alone.metrics]
    for left, right in zip(alone.model.parameters(), watched.model.parameters(), strict=True):
        assert torch.equal(left, right)

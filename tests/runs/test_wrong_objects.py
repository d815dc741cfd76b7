"""What is no model, no dataset and no option is told in a line, before anything is written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from small_images import small_dataset
from torch import nn

import zoo


def net() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 3))


WRONG: dict[str, tuple[dict[str, Any], type[zoo.ZooError], str]] = {
    "a number for a model": (
        {"model": 3},
        zoo.UsageError,
        r"model must be a name, a torch.nn.Module or what builds one",
    ),
    "a list of images": ({"data": [1, 2]}, zoo.UsageError, r"data must be a name, a zoo.Dataset or what builds one"),
    "an object that is no scheduler": ({"scheduler": object()}, zoo.UsageError, r"scheduler must be a name, a torch"),
    "a scheduler that waits for a measure": (
        {"scheduler": torch.optim.lr_scheduler.ReduceLROnPlateau},
        zoo.PluginError,
        r"ReduceLROnPlateau.* waits for a measure",
    ),
    "a lazy layer": (
        {"model": nn.Sequential(nn.Flatten(), nn.LazyLinear(3))},
        zoo.PluginError,
        r"leaves the size of '1.weight' open",
    ),
    "options as a list": ({"options": [1]}, zoo.UsageError, r"options must be a mapping such as \{'model.p': 0.5\}"),
    "an option's key that is no text": ({"options": {3: 1}}, zoo.UsageError, r"options must be a mapping"),
    "augmentations that are no names": ({"augment": 3}, zoo.UsageError, r"augment must be names, not 3"),
    "a recipe that is no name": ({"recipe": 3}, zoo.UsageError, r"recipe must be a registered name, not 3"),
    "a file that is no path": ({"config": 3}, zoo.UsageError, r"config must be a path, not 3"),
    "a number that is not whole": (
        {"epochs": 1.5},
        zoo.UsageError,
        r"train.epochs must be a whole number of at least 1",
    ),
    "a number that no machine counts to": (
        {"steps": 10**400},
        zoo.UsageError,
        r"train.steps must be a whole number of at least 1",
    ),
    "a rate that no float holds": ({"lr": 10**400}, zoo.UsageError, r"optimizer.lr must be a number above 0"),
    "settings beside a run to go on with": (
        {"resume": "run"},
        zoo.UsageError,
        r"resume takes all settings from the run; leave the others out",
    ),
    "a run to begin anew that has no name": ({"restart": True, "out": None}, zoo.UsageError, r"restart needs out"),
    "a model in which nothing learns": (
        {"model": net().requires_grad_(False)},
        zoo.PluginError,
        r"has no trainable parameter",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_object_is_one_line(case: str, tmp_path: Path):
    """Never an AttributeError from deep within."""
    changes, kind, message = WRONG[case]
    settings = {"model": net(), "data": small_dataset(), "epochs": 1, "threads": 1, "out": tmp_path / "run"}
    with pytest.raises(kind, match=message) as caught:
        zoo.train(**{**settings, **changes})
    assert len(str(caught.value).splitlines()) == 1
    assert not (tmp_path / "run").exists()


def test_whole_numbers_of_numpy_and_ranges_are_taken(tmp_path: Path):
    """They come out of sweeps."""
    import numpy as np

    run = zoo.train(
        "mlp",
        data=small_dataset(),
        epochs=np.int64(1),
        batch_size=np.int64(16),
        lr=np.float32(0.01),
        threads=1,
        options={"model.widths": range(3, 5)},
        out=tmp_path / "run",
    )
    assert run.config.model.options["widths"] == [3, 4]
    assert type(run.config.train.batch_size) is int


def test_a_run_that_is_read_again_has_all_its_epochs(tmp_path: Path):
    """Also those after the best one, whose weights it has."""
    settings = {"data": small_dataset(), "epochs": 3, "batch_size": 8, "threads": 1, "lr": 2.0, "out": tmp_path / "run"}
    for seed in range(5):
        run = zoo.train("linear", seed=seed, restart=True, scheduler="constant", **settings)
        if run.summary["best_epoch"] < 3:
            break
    assert run.summary["best_epoch"] < 3
    again = zoo.train("linear", seed=seed, scheduler="constant", **settings)
    assert again.metrics == run.metrics


@pytest.mark.parametrize("top_k", [2.0, True])
def test_top_k_is_a_whole_number(tmp_path: Path, top_k: Any):
    """And images are a list, since a text is one of letters."""
    with pytest.raises(zoo.UsageError, match="top_k must be a whole number"):
        zoo.predict(tmp_path, ["a.png"], top_k=top_k)
    with pytest.raises(zoo.UsageError, match=r"images must be a list of images, such as \['a.png'\]"):
        zoo.predict(tmp_path, "a.png")


def test_a_recipe_is_nothing_that_is_built():
    """It says what to do with it."""
    with pytest.raises(zoo.UsageError, match=r"zoo.train\(recipe='mnist-best'\) takes it"):
        zoo.create("recipes", "mnist-best")

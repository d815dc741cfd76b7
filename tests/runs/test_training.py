"""Training through `zoo.train`: names and objects, the run's files, what is best, what is read when."""

from __future__ import annotations

import csv
import json
import math
import shutil
import tomllib
from pathlib import Path

import pytest
import torch
from small_images import small_dataset, small_split
from torch import nn

import zoo
from zoo.data import Dataset
from zoo.runs.reporting import Reporter

SMALL = {"epochs": 2, "batch_size": 16, "threads": 1}


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def small_net(num_classes: int, in_channels: int, image_size: tuple[int, int], p: float = 0.25) -> nn.Module:
    features = in_channels * image_size[0] * image_size[1]
    return nn.Sequential(nn.Flatten(), nn.Linear(features, 16), nn.ReLU(), nn.Dropout(p), nn.Linear(16, num_classes))


def train(**settings) -> zoo.Run:
    return zoo.train(**{"model": small_net, "data": small_dataset(), **SMALL, **settings})


class Recorder(Reporter):
    """Remembers what it was told."""

    def __init__(self):
        self.notices, self.windows, self.results, self.splits = [], [], [], []

    def notice(self, text):
        self.notices.append(text)

    def window(self, epoch, batch, loss):
        self.windows.append((epoch, batch, loss))

    def epoch(self, result, epochs):
        self.results.append(result)

    def evaluating(self, split):
        self.splits.append(split)


def test_a_run_s_directory_holds_all_that_is_promised():
    """Configuration, environment, metrics, summary and checkpoints, none of them a pickle."""
    run = zoo.train("mlp", data="mnist", options={"data.limit": 64}, **SMALL)
    assert sorted(path.name for path in run.directory.iterdir()) == [
        "checkpoints",
        "config.toml",
        "data.json",
        "environment.json",
        "evaluations",
        "metrics.csv",
        "report.html",
        "report.json",
        "summary.json",
    ]
    config = tomllib.loads((run.directory / "config.toml").read_text())
    assert (config["schema"], config["model"]["name"], config["data"]["name"]) == (4, "mlp/mlp", "mnist/mnist")
    assert config["model"]["widths"] == [512, 512]
    assert config["train"]["precision"] in ("fp32", "bf16")
    rows = list(csv.DictReader((run.directory / "metrics.csv").read_text().splitlines()))
    assert [row["epoch"] for row in rows] == ["1", "2"]
    summary = json.loads((run.directory / "summary.json").read_text())
    assert summary == run.summary
    assert (summary["status"], summary["train"], summary["validation"], summary["test"]) == ("finished", 64, 64, 64)
    assert summary["test_accuracy"] == run.test_accuracy
    environment = json.loads((run.directory / "environment.json").read_text())
    assert environment["entries"]["mlp/mlp"]["distribution"] == "torch-zoo"
    assert environment["threads"] == 1
    names = {path.name for path in (run.directory / "checkpoints").rglob("*") if path.is_file()}
    assert names == {"MANIFEST.json", "model.safetensors", "optimizer.safetensors", "state.json"}


def test_the_written_configuration_repeats_the_run_to_the_bit():
    """A run from another's config.toml has the same weights and metrics."""
    first = zoo.train("mlp", options={"data.limit": 64, "model.p": 0.4}, **SMALL)
    second = zoo.train(config=first.directory / "config.toml")
    assert equal_states(first.model, second.model)
    assert first.config == second.config


def test_one_seed_gives_equal_bits_and_another_does_not():
    """The weights are a function of the seed."""
    first, again, other = train(seed=3), train(seed=3), train(seed=4)
    assert equal_states(first.model, again.model)
    assert not equal_states(first.model, other.model)


def test_evaluate_repeats_the_logged_numbers_to_the_bit():
    """The best checkpoint gives the summary's test numbers and the best epoch's validation numbers again."""
    run = zoo.train("cnn_batchnorm", options={"data.limit": 96}, **SMALL)
    test = zoo.evaluate(run)
    assert (test["accuracy"], test["loss"]) == (run.summary["test_accuracy"], run.summary["test_loss"])
    held_out = zoo.evaluate(run.directory, split="validation")
    best = run.metrics[run.summary["best_epoch"] - 1]
    assert (held_out["accuracy"], held_out["loss"]) == (best.val_accuracy, best.val_loss)
    assert held_out["epoch"] == best.epoch
    last = zoo.evaluate(run, split="validation", checkpoint="last")
    assert last["loss"] == run.metrics[-1].val_loss


def equal_states(left: nn.Module, right: nn.Module) -> bool:
    ours, theirs = left.state_dict(), right.state_dict()
    return ours.keys() == theirs.keys() and all(torch.equal(value, theirs[name]) for name, value in ours.items())


class Watched:
    """A split that remembers when it was read."""

    def __init__(self, split, log: list[str], name: str):
        self._split, self._log, self._name = split, log, name
        self.labels = split.labels

    def __len__(self):
        return len(self._split)

    def batch(self, indices):
        self._log.append(self._name)
        return self._split.batch(indices)


def test_the_test_set_is_read_at_the_end():
    """No epoch reads the test images; the validation images come out of the training set."""
    log: list[str] = []

    class Listening(Reporter):
        def started(self, run, progress):
            log.clear()  # a split that is not in memory was looked at, to know it again

        def epoch(self, result, epochs):
            log.append("epoch")

    dataset = small_dataset()
    watched = Dataset(
        Watched(dataset.train, log, "train"),
        Watched(dataset.test, log, "test"),
        dataset.classes,
        dataset.mean,
        dataset.std,
    )
    run = train(data=watched, reporter=Listening())
    at_the_end = len(log) - log[::-1].index("epoch")
    assert "train" in log[:at_the_end]
    assert "test" not in log[:at_the_end]
    assert "test" in log[at_the_end:]
    assert (run.summary["train"], run.summary["validation"], run.summary["test"]) == (54, 6, 20)


def test_the_best_epoch_by_validation_accuracy_is_kept_and_tested():
    """The returned model is the best epoch's, not the last one's."""
    run = train(epochs=12, lr=0.3, optimizer="sgd", scheduler="constant", options={"optimizer.momentum": 0.0})
    accuracies = [result.val_accuracy for result in run.metrics]
    assert run.summary["best_epoch"] == accuracies.index(max(accuracies)) + 1
    kept = sorted(path.name for path in (run.directory / "checkpoints").iterdir())
    assert f"step-{run.metrics[run.summary['best_epoch'] - 1].step:08d}" in kept
    assert len(kept) <= 3


@pytest.mark.parametrize(
    ("select", "measure", "best"),
    [("balanced", "val_balanced_accuracy", max), ("loss", "val_loss", min), ("accuracy", "val_accuracy", max)],
)
def test_what_is_selected_is_kept_and_named(select, measure, best):
    """The summary's best epoch is the one that the chosen measure says, and its name stands beside it."""
    run = train(epochs=8, lr=0.3, optimizer="sgd", scheduler="constant", select=select, validation=0.3)
    measures = [getattr(result, measure) for result in run.metrics]
    assert (run.summary["select"], run.summary["best_epoch"]) == (select, measures.index(best(measures)) + 1)
    assert run.summary[measure] == best(measures)


def test_patience_waits_for_what_is_selected():
    """A run whose loss falls on while its accuracy stands still goes on with --select loss alone."""
    settings = {"epochs": 12, "patience": 2, "lr": 1e-5, "optimizer": "sgd", "scheduler": "constant"}
    assert train(**settings, select="loss").summary["epochs"] == 12
    assert train(**settings).summary["epochs"] == 3


def test_without_validation_the_last_epoch_is_the_best():
    """Nothing is held out, and the metrics say so."""
    run = train(validation=0)
    assert (run.summary["validation"], run.summary["best_epoch"]) == (0, 2)
    assert run.metrics[0].val_accuracy is None
    with pytest.raises(zoo.UsageError, match="no validation images"):
        zoo.evaluate(zoo.train("linear", validation=0, options={"data.limit": 32}, **SMALL), split="validation")


def test_patience_stops_a_run_that_no_longer_improves():
    """After N epochs without a better validation accuracy the run ends early, and says how many it trained."""
    run = train(epochs=50, patience=2, lr=1e-9)
    assert run.summary["epochs"] == run.summary["best_epoch"] + 2 < 50


def test_log_every_prints_the_mean_of_exactly_the_last_batches():
    """Each line is the mean over its own batches; the shorter last one is divided by its own count."""
    recorder = Recorder()
    run = train(log_every=3, epochs=1, batch_size=7, reporter=recorder)
    assert [(epoch, batch) for epoch, batch, _ in recorder.windows] == [(1, 3), (1, 6), (1, 8)]
    sizes = [21, 21, 12]
    weighted = math.fsum(loss * size for (_, _, loss), size in zip(recorder.windows, sizes, strict=True)) / 54
    assert run.metrics[0].loss == pytest.approx(weighted, rel=1e-9)


def test_a_fixed_number_of_steps_ends_within_an_epoch():
    """With steps in place of epochs, exactly so many are taken, and the rate's schedule spans them."""
    run = train(steps=6)
    assert [result.step for result in run.metrics] == [4, 6]
    assert run.summary["steps"] == 6
    assert run.metrics[-1].lr < run.metrics[0].lr


def test_a_non_finite_loss_stops_the_run_and_keeps_the_last_good_checkpoint():
    """The error names the step and the rate, and every checkpoint's weights are finite."""
    with pytest.raises(
        zoo.ZooError, match=r"the loss became (inf|nan) at step \d+ \(epoch \d+, batch \d+\), where lr"
    ) as caught:
        train(out="run", optimizer="sgd", lr=1e18, scheduler="constant", epochs=5)
    assert caught.value.exit_code == 1
    assert json.loads(Path("run/summary.json").read_text())["status"] == "failed"


@pytest.mark.parametrize("validation", [0, 0.25])
def test_weights_that_the_last_step_ruined_are_no_result(validation):
    """Each loss was finite where it was taken, and then a step went too far; the evaluation tells."""
    split = "validation" if validation else "test"
    with pytest.raises(
        zoo.ZooError, match=rf"the {split} loss became nan after step 1 \(epoch 1\), where lr was 1e\+38"
    ):
        train(out="run", optimizer="sgd", lr=1e38, scheduler="constant", epochs=None, steps=1, validation=validation)
    assert json.loads(Path("run/summary.json").read_text())["status"] == "failed"


@pytest.mark.parametrize("optimizer", [torch.optim.SGD, lambda params: torch.optim.Adam(params, lr=0.01)])
def test_objects_stand_in_for_names(optimizer):
    """A module, a criterion, an optimizer's builder and a dataset do as well as registered names."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 3))
    run = train(model=model, criterion=nn.CrossEntropyLoss(label_smoothing=0.1), optimizer=optimizer)
    assert run.model is model
    with pytest.raises(zoo.UsageError, match="Python object"):
        zoo.evaluate(run)


def test_every_trainable_parameter_is_in_exactly_one_group():
    """Biases and norms do not decay; no parameter is left out or doubled."""
    seen = {}

    def optimizer(params, weight_decay: float = 0.1):
        seen["groups"] = params
        return torch.optim.AdamW(params, weight_decay=weight_decay)

    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 8), nn.BatchNorm1d(8), nn.Linear(8, 3))
    model[3].bias.requires_grad_(False)
    train(model=model, optimizer=optimizer)
    decayed, spared = ([id(p) for p in group["params"]] for group in seen["groups"])
    assert sorted(decayed + spared) == sorted(id(p) for p in model.parameters() if p.requires_grad)
    assert all(p.ndim > 1 for p in seen["groups"][0]["params"])
    assert seen["groups"][1]["weight_decay"] == 0.0


def test_a_model_of_the_wrong_shape_is_refused_before_anything_is_written():
    """The message says what was expected; no half-made run is left."""
    wrong = nn.Sequential(nn.Flatten(), nn.Linear(64, 4))
    with pytest.raises(zoo.PluginError, match=r"to \(2, 4\); it must give logits \(2, 3\)") as caught:
        train(model=wrong, out="run")
    assert caught.value.exit_code == 3
    assert not Path("run").exists()


def test_a_model_that_needs_another_size_gets_resized_images():
    """`input_size` is honoured in training, evaluation and prediction."""
    shapes = set()

    class Picky(nn.Module):
        input_size = (12, 16)

        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(12 * 16, 3)

        def forward(self, inputs):
            shapes.add(tuple(inputs.shape[-2:]))
            return self.linear(inputs.flatten(1))

    train(model=Picky())
    assert shapes == {(12, 16)}


def test_a_run_that_fails_on_its_settings_leaves_no_directory():
    """Names and options are looked at before anything is made."""
    for settings in ({"model": "cnn_dropuot"}, {"optimizer": "adamv"}, {"options": {"model.q": 1}}):
        with pytest.raises(zoo.UsageError):
            train(out="run", **settings)
    assert not Path("run").exists()


def test_an_average_is_what_is_evaluated_and_kept():
    """With a moving average the model that comes out is the average, with the keys of the model."""
    run = train(ema=0.5, epochs=3)
    plain = train(epochs=3)
    assert run.model.state_dict().keys() == plain.model.state_dict().keys()
    assert not equal_states(run.model, plain.model)
    assert [a.loss for a in run.metrics] == [b.loss for b in plain.metrics]


def test_decay_zero_is_no_average():
    """Averaging with decay 0 gives the model itself, to the bit."""
    assert equal_states(train(ema=0.0).model, train().model)


def test_mixed_classes_need_a_criterion_that_takes_them():
    """An augmentation that mixes classes is refused beside a criterion for labels alone, before training."""
    assert train(augment=["mixup"]).summary["status"] == "finished"
    with pytest.raises(zoo.UsageError, match="soft targets"):
        train(augment=["mixup"], criterion="multi_margin", out="run")
    assert not Path("run").exists()


def test_tiny_sets_train():
    """Three images, one of them held out, are enough for a run."""
    data = Dataset(small_split(3, classes=2), small_split(3, classes=2), ["a", "b"], [0.5], [0.25])
    assert train(data=data).summary["train"] == 2


def test_too_little_room_is_told_before_the_run(monkeypatch):
    """A disk that may not hold the checkpoints costs a line at the start, not the run hours later."""
    monkeypatch.setattr("zoo.runs.training.shutil.disk_usage", lambda _: shutil._ntuple_diskusage(10, 9, 1))
    recorder = Recorder()
    train(reporter=recorder)
    (notice,) = recorder.notices
    assert "is on a disk with 0 MB left" in notice


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"patience": 2, "validation": 0}, "--patience waits for a better validation"),
        ({"restart": True}, "restart needs out"),
        ({"model": "mlp", "data": "mnist", "batch_size": 1, "options": {"data.limit": 4}}, "--batch-size 2"),
    ],
)
def test_settings_that_cannot_go_together_are_refused(settings, message):
    """What would have no effect, or fail deep in torch, costs a line."""
    with pytest.raises(zoo.UsageError, match=message):
        train(**settings)

"""``--accumulate auto``: a batch that does not fit into memory is cut, and the run goes on as if it always had been."""

from __future__ import annotations

import json
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from fake_distributions import FakeSite
from small_images import small_dataset
from stopping import Stopping
from storm import outcome
from torch import nn

import zoo
from zoo.config import Config, Layer, TrainSettings
from zoo.errors import Interrupted, UsageError, ZooError
from zoo.records.directory import RunDirectory
from zoo.registry import registry
from zoo.runs.reporting import Reporter

BATCH = 32


class Memory:
    """A device's memory, in images, in training and in evaluation, from one forward pass in training on."""

    def __init__(self) -> None:
        self.training, self.evaluation = 10**9, 10**9
        self.short_after, self.passes, self.seen = 0, 0, [0]

    def take(self, images: int, *, training: bool) -> None:
        self.passes += training
        most = self.training if training else self.evaluation
        if images > most and self.passes > self.short_after:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate more than there is.")
        if training:
            self.seen.append(images)


MEMORY = Memory()


class Hungry(nn.Module):
    """Batch norm, dropout, and the memory that it takes."""

    def __init__(self, num_classes: int, in_channels: int, image_size: tuple[int, int]) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Flatten(),
            nn.Linear(in_channels * image_size[0] * image_size[1], 8),
            nn.BatchNorm1d(8),
            nn.Dropout(0.5),
            nn.Linear(8, num_classes),
        )

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        MEMORY.take(len(inputs), training=self.training)
        return self.layers(inputs)


class Listening(Reporter):
    """Keeps what is told."""

    def __init__(self) -> None:
        self.notices: list[str] = []
        self.started_at: list[int] = []

    def notice(self, text: str) -> None:
        self.notices.append(text)

    def started(self, run, progress) -> None:
        self.started_at.append(progress.step)


@pytest.fixture(autouse=True)
def memory() -> Iterator[Memory]:
    """As much as one could want, unless a test says otherwise."""
    MEMORY.__init__()
    yield MEMORY
    MEMORY.__init__()


def train(out: Path, **settings) -> zoo.Run:
    settings = {"accumulate": "auto", "batch_size": BATCH, "epochs": 2, "eval_batch_size": 20, **settings}
    return zoo.train(settings.pop("model", Hungry), data=small_dataset(), validation=20, threads=1, out=out, **settings)


@pytest.fixture(scope="module")
def sliced(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose batches are cut into four from the start, which nothing stopped."""
    MEMORY.__init__()
    return train(tmp_path_factory.mktemp("sliced") / "run", slices=4, accumulate=1).directory


def environs(directory: Path) -> dict:
    return json.loads((directory / "environment.json").read_text())


@pytest.mark.parametrize("as_module", [False, True], ids=["builder", "module"])
def test_a_batch_that_does_not_fit_is_cut_as_if_it_had_been_from_the_start(tmp_path, memory, sliced, as_module):
    """The bits are those of a run with as many slices, also where the module was half changed when memory ended."""
    memory.training = 9
    reporter = Listening()
    torch.manual_seed(0)
    model = Hungry(3, 1, (8, 8)) if as_module else Hungry
    run = train(tmp_path / "run", reporter=reporter, model=model)
    assert reporter.notices == ["out of memory; each batch is computed in 4 slices from here on"]
    assert reporter.started_at == [0, 0]
    assert run.config.train.slices == 4
    assert run.config.train.accumulate == "auto"
    assert max(memory.seen) <= 9
    assert environs(run.directory)["cuts"] == [{"from_step": 0, "slices": 4}]
    if not as_module:  # a module has weights of its own
        assert outcome(run.directory) == outcome(sliced)


def test_where_a_batch_fits_nothing_is_cut(tmp_path):
    """The bits are those of a run that was never asked."""
    run, plain = train(tmp_path / "run"), train(tmp_path / "plain", accumulate=1)
    assert outcome(run.directory) == outcome(plain.directory)
    assert run.config.train.slices == 1
    assert "cuts" not in environs(run.directory)


def test_a_damaged_record_does_not_stop_what_is_cut(tmp_path, memory, sliced):
    """It is made again, as it is here and now, and told; the bits are those of a run whose record was whole."""

    class Damaging(Listening):
        def started(self, run, progress) -> None:
            super().started(run, progress)
            if len(self.started_at) == 1:
                (Path(run["directory"]) / "environment.json").write_text('{"schema": ')

    memory.training = 9
    reporter = Damaging()
    run = train(tmp_path / "run", reporter=reporter)
    assert ["going on without it" in notice for notice in reporter.notices] == [True, False]
    assert environs(run.directory)["cuts"] == [{"from_step": 0, "slices": 4}]
    assert environs(run.directory)["torch"] == torch.__version__
    assert outcome(run.directory) == outcome(sliced)


def test_a_step_takes_the_images_that_it_took(tmp_path, memory, sliced):
    """Steps and rates are those of whole batches: the batch keeps its meaning."""
    memory.training = 5
    run, plain = train(tmp_path / "run"), train(tmp_path / "plain", accumulate=8, batch_size=4)
    assert [(one.step, one.lr) for one in run.metrics] == [(one.step, one.lr) for one in plain.metrics]
    assert run.config.train.slices == 8
    assert run.config.train.batch_size == BATCH


@pytest.mark.parametrize("step", [1, 2, 4])
def test_a_run_that_was_cut_and_stopped_ends_with_the_same_bits(tmp_path, memory, sliced, step):
    """It goes on with the slices that it recorded, by the same command or by its directory, in memory that suffices."""
    memory.training = 9
    with pytest.raises(Interrupted):
        train(tmp_path / "run", reporter=Stopping(signal.SIGTERM, step=step))
    memory.training = 10**9
    assert outcome(train(tmp_path / "run").directory) == outcome(sliced)


def test_memory_that_is_short_later_costs_the_steps_since_the_last_checkpoint(tmp_path, memory):
    """The record says from which step on; the bits are those of the first epoch's run that went on with slices."""
    steps = train(tmp_path / "one", epochs=1).metrics[-1].step
    memory.__init__()
    with pytest.raises(Interrupted):
        train(tmp_path / "stopped", reporter=Stopping(signal.SIGTERM, step=steps))
    memory.__init__()
    memory.training, memory.short_after = 17, steps
    reporter = Listening()
    run = train(tmp_path / "run", reporter=reporter)
    assert reporter.started_at == [0, steps]
    assert environs(run.directory)["cuts"] == [{"from_step": steps, "slices": 2}]

    memory.__init__()
    other = RunDirectory(tmp_path / "stopped")
    text = (other.path / "config.toml").read_text()
    (other.path / "config.toml").write_text(text.replace("slices = 1", "slices = 2"))
    assert outcome(train(other.path).directory) == outcome(run.directory)


def test_what_was_cut_is_cut_again_where_that_does_not_suffice(tmp_path, memory):
    """A blank batch may need less than a real one: then slices are halved until they fit."""
    memory.training = 9
    train(tmp_path / "run")
    shutil.rmtree(tmp_path / "run")
    memory.__init__()
    memory.training = 3
    run = train(tmp_path / "run", slices=2)
    assert run.config.train.slices == 16
    assert max(memory.seen) <= 3


def test_the_same_command_goes_on_with_a_run_that_was_cut(tmp_path, memory):
    """Also where it names the slices that the run began with; others are another run's."""
    memory.training = 5
    run = train(tmp_path / "run", slices=2)
    assert run.config.train.slices == 8
    assert train(tmp_path / "run", slices=2).test_accuracy == run.test_accuracy
    with pytest.raises(UsageError, match=r"train\.slices"):
        train(tmp_path / "run", slices=16)
    with pytest.raises(UsageError, match=r"train\.accumulate"):
        train(tmp_path / "run", slices=8, accumulate=2)


@pytest.mark.parametrize(
    ("training", "evaluation", "message"),
    [
        (0, 100, "out of memory, with two images"),
        (1, 100, "out of memory, with two images"),
        (100, 3, "out of memory with --eval-batch-size 20; 2 fits: --eval-batch-size 2$"),
    ],
    ids=["nothing", "pairs", "evaluation"],
)
def test_what_cutting_cannot_help_is_told(tmp_path, memory, training, evaluation, message):
    """A slice has two images at least, and evaluations have a batch of their own; nothing is tried without end."""
    memory.training, memory.evaluation = training, evaluation
    with pytest.raises(ZooError, match=message):
        train(tmp_path / "run")
    assert RunDirectory(tmp_path / "run").read_config().train.slices == 1


def test_without_being_asked_nothing_is_cut(tmp_path, memory):
    """A number of batches is what somebody chose: the run ends, and tells one that fits."""
    memory.training = 9
    with pytest.raises(ZooError, match="--batch-size 8 --accumulate 8, which"):
        train(tmp_path / "run", accumulate=2)


def test_observers_see_an_attempt_that_failed_and_one_that_goes_on(tmp_path, memory, site: FakeSite):
    """So that what they hold open is closed."""
    log = tmp_path / "log"
    told = {"run_started(run)": "run['slices']", "run_failed(run, error)": "error['type']"}
    told |= {"run_finished(run, summary)": "summary['status']"}
    hooks = [
        f"@zoo.hookimpl\ndef {name}:\n    with open({str(log)!r}, 'a') as file:\n        print({what}, file=file)\n"
        for name, what in told.items()
    ]
    site.install("watcher", "import zoo\n" + "\n".join(hooks))
    registry.cache_clear()
    memory.training = 17
    try:
        train(tmp_path / "run")
    finally:
        registry.cache_clear()
    assert log.read_text().split() == ["1", "BatchesCutError", "2", "finished"]


@pytest.mark.parametrize(("given", "kept", "batches"), [("auto", "auto", 1), ("3", 3, 3), (1, 1, 1)])
def test_a_number_or_auto_is_taken(given, kept, batches):
    """From every source, and written as it was."""
    settings = Config.from_layers([Layer("test", {"model": {"name": "m"}, "train": {"accumulate": given}})]).train
    assert settings.accumulate == kept
    assert settings.batches_in_step == batches


@pytest.mark.parametrize("given", ["often", "0", 0, -1, "1.5", True])
def test_other_words_are_refused(given):
    """In one line, which says what is right."""
    with pytest.raises(UsageError, match="accumulate must be a whole number of at least 1, or auto"):
        Config.from_layers([Layer("test", {"model": {"name": "m"}, "train": {"accumulate": given}})])


def test_one_batch_a_step_is_still_the_default():
    """Who asks for nothing gets the bits of before."""
    assert TrainSettings().accumulate == 1

"""A run that was stopped goes on, by the same command or by --resume, and ends with the same bits."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import time
from pathlib import Path

import pytest
from small_images import small_dataset
from stopping import Stopping
from storm import COMMAND, outcome, storm, uninterrupted, zoo
from torch import nn

import zoo as zoo_api
from zoo.errors import Interrupted
from zoo.runs.reporting import Reporter


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    """The uninterrupted run that all others are compared with, and how long it took."""
    return uninterrupted(tmp_path_factory.mktemp("reference"))


def test_a_killed_run_ends_with_the_bits_of_an_uninterrupted_one(tmp_path, reference):
    """SIGKILL at two random instants; the same command each time; weights, optimizer and metrics are equal."""
    whole, seconds = reference
    assert storm(tmp_path, kills=2, seconds=seconds, seed=os.getpid()) == whole


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_a_storm_of_kills(tmp_path, reference, seed):
    """Five kills a run, at instants drawn anew for each seed; documented in explanation/reliability."""
    whole, seconds = reference
    assert storm(tmp_path, kills=5, seconds=seconds, seed=seed) == whole


class StopsWhileEvaluating(nn.Sequential):
    """A model that is interrupted in its first evaluation after training began."""

    armed = True

    def forward(self, inputs):
        if self.armed and not self.training and StopsWhileEvaluating.trained:
            StopsWhileEvaluating.armed = False
            os.kill(os.getpid(), signal.SIGTERM)
        StopsWhileEvaluating.trained |= self.training
        return super().forward(inputs)


def model(num_classes, in_channels, image_size):
    features = in_channels * image_size[0] * image_size[1]
    return nn.Sequential(
        nn.Flatten(), nn.Linear(features, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, num_classes)
    )


def train(reporter=None, **settings):
    settings = {"model": model, "data": small_dataset(), "epochs": 3, "batch_size": 8, "threads": 1, **settings}
    return zoo_api.train(reporter=reporter, **settings)


STOPS = {
    "in a step": {"step": 9},
    "at the end of an epoch": {"epoch": 2},
    "at the last step of an epoch": {"step": 7},
    "before the test set": {"split": "test"},
}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
@pytest.mark.parametrize("where", STOPS)
def test_a_signal_saves_and_says_how_to_go_on(tmp_path, where, number):
    """Wherever it comes, the exit code is 128 more than the signal, and the run ends with the same bits."""
    whole = train(out=tmp_path / "whole")
    handler = signal.getsignal(number)
    with pytest.raises(Interrupted, match=r"stopped at step \d+ and saved; go on with: zoo train --resume") as caught:
        train(out=tmp_path / "run", reporter=Stopping(number, **STOPS[where]))
    assert caught.value.exit_code == 128 + number
    assert signal.getsignal(number) == handler
    assert json.loads((tmp_path / "run" / "summary.json").read_text())["status"] == "interrupted"
    train(out=tmp_path / "run")
    assert outcome(tmp_path / "run") == outcome(whole.directory)


def test_a_signal_in_an_evaluation_is_honoured_within_a_batch(tmp_path):
    """The step's state is saved before its epoch is evaluated, and the evaluation is done again."""
    StopsWhileEvaluating.trained = False
    layers = (nn.Flatten(), nn.Linear(64, 3))

    def interrupted(num_classes):
        return StopsWhileEvaluating(*(nn.Flatten(), nn.Linear(64, num_classes)))

    with pytest.raises(Interrupted):
        train(model=interrupted, out=tmp_path / "run", options={}, eval_batch_size=2)
    whole = train(model=interrupted, out=tmp_path / "whole", eval_batch_size=2)
    train(model=interrupted, out=tmp_path / "run", eval_batch_size=2)
    assert layers
    assert outcome(tmp_path / "run") == outcome(whole.directory)


def test_a_second_writer_is_refused(tmp_path, monkeypatch, capsys):
    """While one process trains in a directory, another gets one line and exit code 1."""
    command = [*COMMAND[:3], "--epochs", "200", *COMMAND[5:], "--out", "run"]
    first = zoo(*command, cwd=tmp_path)
    try:
        while not list(tmp_path.glob("run/checkpoints/step-*")):
            assert first.poll() is None, first.communicate()
            time.sleep(0.05)
        monkeypatch.chdir(tmp_path)
        assert main(*command) == 1
        err = capsys.readouterr().err
        assert f"is being written by process {first.pid}" in err
        assert len(err.splitlines()) == 1
    finally:
        first.send_signal(signal.SIGTERM)
        out, err = first.communicate()
    assert first.returncode == 143, out + err
    assert "go on with: zoo train --resume run" in err


@pytest.fixture
def interrupted(tmp_path):
    """A run that was stopped in its second epoch, with two checkpoints at least."""
    with pytest.raises(Interrupted, match="and saved"):
        zoo_api.train(
            "linear",
            epochs=3,
            batch_size=16,
            threads=1,
            out=tmp_path / "run",
            options={"data.limit": 64},
            reporter=Stopping(signal.SIGTERM, step=6),
        )
    return tmp_path / "run"


def checkpoints(run: Path) -> list[Path]:
    return sorted((run / "checkpoints").iterdir())


@pytest.mark.parametrize("file", ["model.safetensors", "optimizer.safetensors", "state.json", "MANIFEST.json"])
@pytest.mark.parametrize("damage", ["flipped", "truncated", "missing"])
def test_a_damaged_newest_checkpoint_is_passed_over(interrupted, file, damage, capsys):
    """The damage is named, the checkpoint before is used, and the run ends as if nothing had been."""
    whole = zoo_api.train(
        "linear", epochs=3, batch_size=16, threads=1, out=interrupted.parent / "w", options={"data.limit": 64}
    )
    victim = checkpoints(interrupted)[-1] / file
    data = bytearray(victim.read_bytes())
    data[len(data) // 2] ^= 1
    {
        "flipped": lambda: victim.write_bytes(data),
        "truncated": lambda: victim.write_bytes(data[:-1]),
        "missing": victim.unlink,
    }[damage]()
    (told,) = [run for run in _runs(interrupted.parent) if run["directory"].endswith("run")]
    if damage != "flipped":  # a list of runs looks at sizes; whoever loads a file reads every byte of it
        assert any(file in text for text in told["damages"])
    assert main("train", "--resume", str(interrupted)) == 0
    assert file in capsys.readouterr().err
    assert outcome(interrupted) == outcome(whole.directory)


def main(*arguments: str) -> int:
    from zoo.cli import main as command

    return command(arguments)


def _runs(folder: Path):
    from dataclasses import asdict

    from zoo.records.history import list_runs

    return [{**asdict(run), "directory": str(run.directory)} for run in list_runs(folder)]


def test_a_run_whose_every_checkpoint_is_damaged_is_exit_4(interrupted, capsys):
    """Nothing is guessed at: the message names the newest damage."""
    for checkpoint in checkpoints(interrupted):
        (checkpoint / "model.safetensors").write_bytes(b"gone")
    assert main("train", "--resume", str(interrupted)) == 4
    assert "every checkpoint" in capsys.readouterr().err


def test_a_run_killed_before_its_first_checkpoint_begins_again(interrupted):
    """Without a checkpoint the same command starts over, with the same bits."""
    shutil.rmtree(interrupted / "checkpoints")
    whole = zoo_api.train(
        "linear", epochs=3, batch_size=16, threads=1, out=interrupted.parent / "w", options={"data.limit": 64}
    )
    assert main("train", "--resume", str(interrupted)) == 0
    assert outcome(interrupted) == outcome(whole.directory)


def test_the_run_directory_removed_while_running_is_one_line(tmp_path):
    """A run whose directory is gone ends with exit code 1 and says why."""

    class Removing(Reporter):
        def epoch(self, result, epochs):
            shutil.rmtree(tmp_path / "run")

    with pytest.raises(zoo_api.ZooError, match="was removed while the run wrote to it") as caught:
        train(out=tmp_path / "run", reporter=Removing())
    assert caught.value.exit_code == 1


def test_restart_begins_anew(interrupted):
    """What the run held is removed, and it trains from the first step."""
    run = zoo_api.train(
        "linear", epochs=1, batch_size=16, threads=1, out=interrupted, restart=True, options={"data.limit": 64}
    )
    assert run.summary["steps"] == 4
    assert [path.name for path in checkpoints(interrupted)] == ["step-00000004"]


def test_resuming_elsewhere_says_what_that_means(interrupted, capsys):
    """Another torch than the run began with is worth a line: the bits may differ."""
    path = interrupted / "environment.json"
    environment = json.loads(path.read_text())
    path.write_text(json.dumps({**environment, "torch": "2.9.0"}))
    assert main("train", "--resume", str(interrupted)) == 0
    assert "torch 2.9.0 then" in capsys.readouterr().err


def test_a_run_whose_gpu_is_gone_goes_on_without_it(interrupted, capsys, monkeypatch):
    """By --resume, which takes no device; where the command asks for the GPU by name, that is an error."""
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    for name in ("config.toml", "environment.json"):
        path = interrupted / name
        text = path.read_text()
        assert re.search(r"(device\W+)cpu", text)
        path.write_text(re.sub(r"(device\W+)cpu", r"\1cuda", text))
    same = ["--model", "linear", "--epochs", "3", "--batch-size", "16", "--threads", "1", "--set", "data.limit=64"]
    assert main("train", *same, "--device", "cuda", "--out", str(interrupted)) == 2
    assert "--device cuda is not available" in capsys.readouterr().err
    assert main("train", "--resume", str(interrupted)) == 0
    assert "device cuda then, cpu now" in capsys.readouterr().err


def test_the_process_gets_its_own_arithmetic_back(tmp_path):
    """Its number of threads, and cuDNN's choices, are as they were before the run."""
    import torch

    before = torch.get_num_threads(), torch.backends.cudnn.deterministic
    seen = []

    class Watching(Reporter):
        def step(self, progress):
            seen.append((torch.get_num_threads(), torch.backends.cudnn.deterministic))

    torch.set_num_threads(2)
    try:
        train(out=tmp_path / "run", reporter=Watching())
        assert set(seen) == {(1, True)}
        assert (torch.get_num_threads(), torch.backends.cudnn.deterministic) == (2, before[1])
    finally:
        torch.set_num_threads(before[0])


@pytest.mark.parametrize("flushed", [True, False])
def test_small_numbers_are_as_before(flushed):
    """Also after a context within a context, such as an evaluation within a run's hook."""
    import torch

    from zoo.training.arithmetic import own_arithmetic

    def seen() -> bool:
        return not torch.tensor(1e-39).mul(0.5).item()

    torch.set_flush_denormal(flushed)
    try:
        with own_arithmetic():
            with own_arithmetic():
                assert seen()
            assert seen()
        assert seen() == flushed
    finally:
        torch.set_flush_denormal(False)


def test_a_handler_that_python_does_not_know_is_left_alone(monkeypatch):
    """Such as one that a C library installed: it could not be put back."""
    from zoo.runs.signals import StopRequests

    installed = []
    monkeypatch.setattr(signal, "getsignal", lambda number: None if number == signal.SIGTERM else signal.SIG_DFL)
    monkeypatch.setattr(signal, "signal", lambda number, handler: installed.append(number))
    with StopRequests():
        pass
    assert installed == [signal.SIGINT, signal.SIGINT]

"""Weights that are shared out over processes: the results of one process, in files and models as of always."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import time
from functools import partial
from pathlib import Path

import pytest
import torch
from kept_models import keep_model
from safetensors.torch import load_file
from torch import nn
from worlds import Pair, together

from zoo.config import Config, Layer, TrainSettings
from zoo.errors import UsageError
from zoo.runs.environment import environment_changes
from zoo.runs.found import differences
from zoo.runs.sharding import Sent, parts_of, refuse_clashes, tensors_of
from zoo.runs.together import counted
from zoo.training.world import ALONE

BASE = (
    "train --threads 1 --seed 3 --precision fp32 --batch-size 16 --eval-batch-size 24 --validation 8 --slices 4 "
    "--epochs 2"
)
PERCEPTRON = f"{BASE} --model mlp --set model.widths=[32,16] --set data.limit=72 --clip-norm 1"
RUNS = {
    "dropout, an average, adamw": f"{PERCEPTRON} --set model.batch_norm=false --ema 0.9",
    "batch norm": f"{PERCEPTRON} --optimizer sgd",
    "blocks of convolutions": f"{BASE} --model cnn_dropout --set model.widths=[4,4] --set data.limit=72 "
    "--accumulate 2 --optimizer sgd",
}
"""Adaptive steps through batch norms of four images blow rounding up, whoever adds: docs/explanation/processes.md."""


def trained(size: int, command: str, cwd: Path, out: str, **more) -> Path:
    """Train in *size* processes, and return the run."""
    ended = together(size, [*shlex.split(command), "--out", out], cwd=cwd, **more)
    assert [(each.code, each.err) for each in ended] == [(0, "")] * size, ended
    return cwd / out


def furthest(one: Path, other: Path) -> float:
    """Return the largest difference between the weights of two runs, or their averages; all else is alike in form."""
    newest = [max((run / "checkpoints").iterdir()) for run in (one, other)]
    names = [sorted(path.name for path in place.glob("*.safetensors")) for place in newest]
    assert names[0] == names[1]
    found = 0.0
    for name in names[0]:
        expected, tensors = (load_file(place / name) for place in newest)
        assert {key: (t.shape, t.dtype) for key, t in tensors.items()} == {
            key: (t.shape, t.dtype) for key, t in expected.items()
        }
        if name != "optimizer.safetensors":
            found = max([found, *(float((tensors[key].double() - t).abs().max()) for key, t in expected.items())])
    return found


@pytest.mark.slow
@pytest.mark.parametrize("name", RUNS)
def test_shared_weights_become_those_of_one_process(tmp_path: Path, name: str):
    """Within 1e-5, as does the average; each process gets the model whole in the end."""
    one = trained(1, RUNS[name], tmp_path, "one")
    shared = trained(2, f"{RUNS[name]} --shard-weights", tmp_path, "two", prepare=partial(keep_model, tmp_path))
    assert furthest(one, shared) <= 1e-5
    told = [load_file(tmp_path / f"model-{rank}.safetensors") for rank in range(2)]
    assert told[0].keys() == told[1].keys()
    assert all(torch.equal(tensor, told[1][key]) for key, tensor in told[0].items())


@pytest.mark.slow
def test_shared_weights_go_on_whole_and_whole_ones_shared(tmp_path: Path):
    """From two processes to one, from one to two, from two to four: the checkpoints are those of always."""
    command = RUNS["dropout, an average, adamw"]
    whole = trained(1, command, tmp_path, "whole")
    for before, then in ((2, 1), (1, 2), (2, 4)):
        run = trained(before, f"{command} --shard-weights", tmp_path, f"{before}-{then}")
        shutil.rmtree(max((run / "checkpoints").iterdir()))
        (run / "summary.json").unlink()
        ended = together(then, ["train", "--resume", run.name], cwd=tmp_path)
        assert [each.code for each in ended] == [0] * then, ended
        was, now = (size if size > 1 else "any number of" for size in (before, then))
        assert f"{was} processes then, {now} now" in ended[0].err
        assert furthest(whole, run) <= 1e-5


@pytest.mark.slow
def test_a_process_that_is_killed_among_shared_weights_is_told(tmp_path: Path):
    """Also where the others wait for it in a layer: they end with 75, and the last checkpoint is whole."""
    command = f"{PERCEPTRON} --epochs 5000 --checkpoint-every 3steps --timeout 30s --shard-weights --out run"

    def kill(pids: list[int]) -> None:
        while not list((tmp_path / "run").glob("checkpoints/step-*")):
            time.sleep(0.05)
        os.kill(pids[1], signal.SIGKILL)

    ended = together(2, shlex.split(command), cwd=tmp_path, meanwhile=kill)
    assert [each.code for each in ended] == [75, -signal.SIGKILL], ended
    assert "zoo: process 0 of 2 lost" in ended[0].err
    assert "the same command goes on from it" in ended[0].err


@pytest.mark.slow
@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("--optimizer muon", "--shard-weights needs an optimizer that treats each number by itself"),
        ("--slices 3", "--shard-weights needs as many slices in each process, and a step has 3 for 2"),
        ("--sum fast", "--shard-weights does not go with --sum fast"),
    ],
)
def test_what_cannot_be_shared_is_told_once(tmp_path: Path, more: str, message: str):
    """Before anything is written."""
    command = f"{PERCEPTRON} --shard-weights {more} --out run"
    ended = together(2, shlex.split(command), cwd=tmp_path)
    assert [each.code for each in ended] == [2, 2]
    assert message in ended[0].err
    assert ended[1].err == ""
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("settings", "option"),
    [
        ({"freeze": 1}, "--freeze"),
        ({"sum": "fast"}, "--sum fast"),
        ({"sync_batch_norm": True}, "--sync-batch-norm"),
        ({"compile": True}, "--compile"),
        ({"checkpoint_activations": True}, "--checkpoint-activations"),
    ],
)
def test_what_needs_whole_weights_is_refused_by_name(settings: dict, option: str):
    """One line; the rest is fine."""
    with pytest.raises(UsageError, match=f"--shard-weights does not go with {option}; leave one of them out"):
        refuse_clashes(TrainSettings(**{"tune": "off", "freeze": 0, **settings}), "fp32")
    refuse_clashes(TrainSettings(tune="off", freeze=0), "bf16")


@pytest.mark.parametrize("tune", ["full", "head", "probe"])
def test_tuning_is_refused_with_what_to_do(tune: str):
    """It begins with a head that is fitted by each process alone; nobody may have typed it."""
    with pytest.raises(UsageError, match=f"--shard-weights does not go with --tune {tune}; give --tune off"):
        refuse_clashes(TrainSettings(tune=tune), "fp32")


def test_a_scaled_loss_is_refused_whatever_asked_for_it():
    """The precision is the one that was chosen, by auto too."""
    with pytest.raises(UsageError, match="does not go with --precision fp16"):
        refuse_clashes(TrainSettings(tune="off", freeze=0), "fp16")


def test_shared_weights_are_no_other_run():
    """The same command with and without the option goes on with what is there."""
    layers = [Layer("", {"model": {"name": "linear"}, "train": {"shard_weights": value}}) for value in (True, False)]
    assert differences(*(Config.from_layers([layer]) for layer in layers)) == []


def test_the_number_of_processes_is_recorded_where_weights_are_shared():
    """Their sum's rounding hangs on it; a process alone has all of them, whatever was asked for."""
    assert counted(TrainSettings(shard_weights=True), Pair({})) == {"processes": 2}
    assert counted(TrainSettings(shard_weights=True), ALONE) == {}


@pytest.mark.parametrize(
    ("then", "now", "told"),
    [
        ({"processes": 2}, {}, ["2 processes then, any number of now"]),
        ({}, {"processes": 3}, ["any number of processes then, 3 now"]),
        ({"processes": 2}, {"processes": 2}, []),
        ({}, {}, []),
    ],
)
def test_another_number_of_processes_is_told_where_bits_hang_on_it(then: dict, now: dict, told: list[str]):
    """Also where a run goes on that had its weights shared out before, or has not any more."""
    known = {"torch": "2", "python": "3", "threads": 1, "cpu_capability": "AVX2", "device": "cpu", "entries": {}}
    assert environment_changes({**known, **then}, {**known, **now}) == told
    assert environment_changes({}, {**known, **now}) == []  # of a run that kept no environment, nothing is known


def test_tensors_are_sent_one_at_a_time_and_read_once():
    """So that no process but the first one has more than one of a checkpoint's."""
    read = []

    def tensors() -> dict[str, torch.Tensor]:
        read.append("read")
        return {"b": torch.ones(2), "a": torch.zeros(3)}

    sent = Sent(ALONE, tensors)
    assert list(sent) == ["b", "a"]
    assert len(sent) == 2
    assert torch.equal(sent["b"], torch.ones(2))
    assert read == ["read"]


@pytest.mark.parametrize("sharded", [True, False])
def test_a_checkpoint_s_files_come_by_name(sharded: bool):
    """Whole or one by one, they hold the same."""
    files = {"model": {"w": torch.ones(1)}, "optimizer": {"state/w/m": torch.zeros(1)}}
    found = tensors_of(ALONE, ["model", "optimizer"], files.__getitem__, sharded=sharded)
    assert {name: dict(tensors) for name, tensors in found.items()} == files


def test_where_nothing_is_shared_out_tensors_stay_the_same_objects():
    """Of a model and of its optimizer, and those that belong to no parameter."""
    model = nn.Linear(2, 2)
    tensors = {"weight": torch.ones(2, 2), "state/weight/exp_avg": torch.ones(2, 2), "state/odd/step": torch.ones(1)}
    found = parts_of(model, tensors)
    assert all(found[key] is tensor for key, tensor in tensors.items())

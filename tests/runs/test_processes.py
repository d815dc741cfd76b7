"""Several processes train one run: the same bits at any number of them, and one of them speaks for all."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
import torch
from early import send_early
from safetensors.torch import load_file
from small_images import small_dataset
from small_photos import photographs
from storm import Outcome, outcome
from torch import nn
from worlds import Pair, together, variables_for

import zoo
from zoo.config import Config, Layer
from zoo.data.identity import SPLITS, Identification
from zoo.runs.together import among, refuse_differences, refuse_nameless, refuse_odd_weights
from zoo.training.world import World

BASE = "train --threads 1 --seed 3 --epochs 2 --batch-size 16 --eval-batch-size 24"
NORM = f"{BASE} --model cnn_dropout --set model.widths=[4,4] --set data.limit=70"
PLAIN = f"{BASE} --model linear"

FEATURES = {
    "four slices, batch norm, dropout": f"{NORM} --slices 4",
    "twelve slices": f"{NORM} --slices 12",
    "mixed images, averaged weights": f"{NORM} --slices 4 --augment shift,mixup,cutmix --ema 0.9",
    "accumulation": f"{NORM} --slices 2 --accumulate 3 --clip-norm 1",
    "a weighted criterion": f"{PLAIN} --slices 4 --set data.limit=70 --accumulate 2 --set criterion.weight=balanced",
    "a criterion of its own": f"{PLAIN} --slices 4 --set data.limit=70 --criterion focal --set criterion.gamma=1.5",
    "a streamed folder": f"{BASE} --model linear --slices 4 --data folder --set data.root=photos "
    "--set data.stream=true --readers 2 --augment mixup --epochs 1",
    "no table of the order": f"{NORM} --slices 4 --order keyed",
    "half precision with a scaled loss": f"{NORM} --slices 4 --precision fp16",
    "checkpoints in an epoch": f"{NORM} --slices 4 --checkpoint-every 2steps --log-every 2",
}

SIZES = {3: 16, 10: 16, 17: 16, 33: 16, 34: 16, 35: 16, 129: 128, 2037: 128}
"""Training images and batches: fewer than four processes or than a batch, and 1 to 3 more than whole batches."""
FEATURES |= {
    f"{count} images": f"{PLAIN} --slices {12 if count > 1000 else 4} --epochs {1 if batch > 16 else 2} "
    f"--validation 0 --set data.limit={count} --batch-size {batch}"
    for count, batch in SIZES.items()
}


def trained(size: int, command: str, cwd: Path, **more) -> Outcome:
    """Train in *size* processes, and return what the run left."""
    ended = together(size, [*shlex.split(command), "--out", f"of{size}"], cwd=cwd, **more)
    assert [each.code for each in ended] == [0] * size, ended
    assert [each.err for each in ended] == [""] * size
    assert [bool(each.out) for each in ended] == [True] + [False] * (size - 1)
    return outcome(cwd / f"of{size}")


@pytest.mark.parametrize(
    "name", ["mixed images, averaged weights", pytest.param("accumulation", marks=pytest.mark.slow)]
)
def test_three_processes_give_the_bits_of_one(tmp_path: Path, name: str):
    """Weights, optimizer, metrics and summary, with checkpoints, evaluations and uneven last batches."""
    assert trained(3, FEATURES[name], tmp_path) == trained(1, FEATURES[name], tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", FEATURES)
def test_any_number_of_processes_gives_the_bits_of_one(tmp_path: Path, name: str):
    """The whole table, with a process that has no slice among them."""
    photographs(tmp_path / "photos", train=70, test=9)
    alone = trained(1, FEATURES[name], tmp_path)
    if name.endswith(" images"):
        assert dict(alone.summary)["train"] == int(name.split(maxsplit=1)[0])
    for size in (2, 3, 4):
        assert trained(size, FEATURES[name], tmp_path) == alone, f"{size} processes"


@pytest.mark.slow
def test_rows_too_long_for_one_exchange_are_added_in_parts_with_the_same_bits(tmp_path: Path):
    """A model of 1.4 million weights: each process adds a part of all rows, as it does for every large model."""
    command = f"{BASE} --model mlp --set model.widths=[1024,512] --set data.limit=40 --slices 3 --epochs 1"
    assert trained(2, command, tmp_path) == trained(1, command, tmp_path)


def weights(run: Path) -> dict[str, torch.Tensor]:
    return load_file(max((run / "checkpoints").iterdir()) / "model.safetensors")


@pytest.mark.slow
def test_a_fast_sum_is_the_ordered_one_but_for_rounding(tmp_path: Path):
    """With accumulation, buffers and a process that has more slices than the other; its number is recorded."""
    command = f"{NORM} --slices 3 --accumulate 2 --epochs 1"
    ordered = trained(1, command, tmp_path).metrics
    fast = trained(2, f"{command} --sum fast", tmp_path).metrics
    assert dict(fast[0])["step"] == dict(ordered[0])["step"]
    for name, value in weights(tmp_path / "of1").items():
        torch.testing.assert_close(weights(tmp_path / "of2")[name], value, rtol=0, atol=1e-5)
    environments = [json.loads((tmp_path / f"of{size}" / "environment.json").read_text()) for size in (1, 2)]
    assert [environment.get("processes") for environment in environments] == [None, 2]


@pytest.mark.slow
def test_gradients_that_are_sent_early_leave_the_bits_of_those_that_are_not(tmp_path: Path):
    """By gloo, in stretches, in slices of several batches; the last step is one slice for three processes."""
    command = f"{NORM} --slices 3 --accumulate 2 --sum fast --ema 0.9 --clip-norm 1 --checkpoint-every 1steps"
    command += " --validation 0 --set data.limit=35 --epochs 1"
    found = []
    for number, early in enumerate((True, False, True)):
        found.append(trained(3, command, tmp_path, prepare=partial(send_early, early=early)))
        (tmp_path / "of3").rename(tmp_path / str(number))
    assert found[0] == found[1] == found[2]


@pytest.mark.slow
@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="torch sees fewer than two CUDA devices on this machine")
@pytest.mark.parametrize("more", ["", "--sum fast", "--sync-batch-norm", "--precision fp16"])
def test_two_cards_repeat_their_bits_and_an_ordered_sum_those_of_one(tmp_path: Path, more: str):
    """The rows go from card to card, those of a fast sum early."""
    command = f"{NORM} --slices 4 --device cuda --set data.limit=64 {more}"
    prepare = send_early if "fast" in more else int
    first = trained(2, command, tmp_path, prepare=prepare)
    if more in ("", "--precision fp16"):
        assert trained(1, command, tmp_path) == first
    else:
        (tmp_path / "of2").rename(tmp_path / "before")
        assert trained(2, command, tmp_path, prepare=prepare) == first


@pytest.mark.slow
def test_a_fast_sum_repeats_at_one_number_of_processes_and_another_is_told(tmp_path: Path):
    """Its bits hang on how many there are, so a run that goes on with others says so."""
    command = f"{NORM} --slices 4 --sum fast"
    first = trained(3, command, tmp_path)
    (tmp_path / "of3").rename(tmp_path / "before")
    assert trained(3, command, tmp_path) == first
    (tmp_path / "of3" / "summary.json").unlink()
    ended = together(2, ["train", "--resume", "of3"], cwd=tmp_path)
    assert [each.code for each in ended] == [0, 0], ended
    assert "its bits may differ from an uninterrupted one's: 3 processes then, 2 now" in ended[0].err


def test_a_run_goes_on_with_another_number_of_processes(tmp_path: Path):
    """Its newest checkpoint gone, as after a kill: three go on where one was, with what the first of them reads."""
    command = f"{NORM} --slices 4 --ema 0.9"
    whole = trained(1, command, tmp_path)
    run = tmp_path / "of1"
    shutil.rmtree(max((run / "checkpoints").iterdir()))
    (run / "summary.json").unlink()
    ended = together(3, ["train", "--resume", "of1"], cwd=tmp_path)
    assert [each.code for each in ended] == [0, 0, 0], ended
    assert "going on from step 5, in epoch 2" in ended[0].out
    assert outcome(run) == whole


@pytest.mark.slow
def test_an_evaluation_counts_every_image_once(tmp_path: Path):
    """Of ten images in batches of four, whichever process has which: tests/training has the same without processes."""
    command = f"{PLAIN} --slices 4 --set data.limit=10 --eval-batch-size 4 --epochs 1"
    alone = trained(1, command, tmp_path)
    for size in (2, 3, 4):
        assert trained(size, command, tmp_path) == alone
        summary = json.loads((tmp_path / f"of{size}" / "summary.json").read_text())
        assert summary["test"] == 10
        assert summary["test_loss"] == dict(alone.summary)["test_loss"]


REFUSED = {
    "more processes than slices": (
        f"{PLAIN} --slices 2 --set data.limit=40",
        "zoo: a step of this run has 2 slices, for 3 processes; start 2 or fewer, or a new run with --slices 3\n",
    ),
    "a batch that is not cut": (
        f"{PLAIN} --slices 1 --accumulate 4 --set data.limit=40",
        "zoo: a step of this run has 1 slice, for 3 processes; start one, or a new run with --slices 3\n",
    ),
    "an unknown name": (f"{BASE} --model lineer", "zoo: no model named 'lineer'. Did you mean 'linear'?"),
    "an option that is not there": (f"{PLAIN} --set data.limit=0", "zoo: --set data.limit=0: data.limit must be"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_is_told_once_with_exit_2(tmp_path: Path, name: str):
    """Before anything is written, and by the first process alone."""
    command, message = REFUSED[name]
    ended = together(3, [*shlex.split(command), "--out", "run"], cwd=tmp_path)
    assert [each.code for each in ended] == [2, 2, 2]
    assert ended[0].err.startswith(message)
    assert [each.err for each in ended[1:]] == ["", ""]
    assert not (tmp_path / "run").exists()


def test_processes_with_other_settings_are_refused(tmp_path: Path):
    """The first difference is named, and the process that has it."""
    commands = [[*shlex.split(PLAIN), "--set", "data.limit=40", "--clip-norm", norm] for norm in ("1", "2")]
    ended = together(2, *commands, cwd=tmp_path)
    assert [each.code for each in ended] == [2, 2]
    assert ended[0].err == (
        "zoo: the processes do not agree: train.clip_norm is 1.0 in process 0 and 2.0 in process 1\n"
    )
    assert ended[1].err == ""


def test_what_one_process_alone_lacks_the_first_one_tells(tmp_path: Path):
    """With that process's exit code; the others end with it, too."""
    commands = [[*shlex.split(PLAIN), "--set", "data.limit=40"], [*shlex.split(PLAIN), "--set", "data.nothing=1"]]
    ended = together(2, *commands, cwd=tmp_path)
    assert [each.code for each in ended] == [2, 2]
    assert ended[0].err.startswith("zoo: process 1 of 2: no option of dataset 'mnist/mnist'")
    assert ended[1].err == ""


def test_a_loss_that_is_not_finite_is_told_once(tmp_path: Path):
    """Every process hears of it with the step's gradients, and ends as a run of one does."""
    command = f"{PLAIN} --optimizer sgd --lr 1e38 --scheduler constant --set data.limit=64 --slices 4"
    (alone,) = together(1, [*shlex.split(command), "--out", "of1"], cwd=tmp_path)
    ended = together(3, [*shlex.split(command), "--out", "of3"], cwd=tmp_path)
    assert [each.code for each in ended] == [alone.code] * 3 == [1, 1, 1]
    assert [each.err for each in ended] == [alone.err, "", ""]
    assert "the loss became" in alone.err


def test_the_slices_of_a_new_run_are_its_processes(tmp_path: Path):
    """And are recorded: it goes on with one process, and ends with the same bits."""
    command = f"{PLAIN} --set data.limit=40"
    first = trained(2, command, tmp_path)
    assert "slices = 2\n" in (tmp_path / "of2" / "config.toml").read_text()
    assert trained(1, f"{command} --slices 2", tmp_path) == first


def test_a_finished_run_is_told_once(tmp_path: Path):
    """By the first of the processes that would go on with it; all end with 0."""
    command = f"{PLAIN} --set data.limit=40 --epochs 1"
    trained(2, command, tmp_path)
    ended = together(2, [*shlex.split(command), "--out", "of2"], cwd=tmp_path)
    assert [each.code for each in ended] == [0, 0]
    assert ended[0].out.startswith("This run is finished.")
    assert ended[1].out == ""


def test_processes_on_several_machines_need_a_directory_by_name():
    """A new name each time would never be found again; on one machine zoo's launcher remembers it."""
    with pytest.raises(zoo.UsageError, match="processes on several machines need --out DIR, by which the same command"):
        refuse_nameless(Pair({}))
    refuse_nameless(World())


@pytest.mark.parametrize(
    ("set_threads", "variable", "expected"), [(None, None, 3), (None, "6", 6), (5, None, 5), (5, "6", 5)]
)
def test_a_machine_s_cores_are_divided_among_its_processes_once(monkeypatch, set_threads, variable, expected):
    """A slice's threads are the run's, as its bits hang on them: what goes on keeps those that were recorded."""
    monkeypatch.setattr(torch, "get_num_threads", lambda: 6)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if variable is not None:
        monkeypatch.setenv("OMP_NUM_THREADS", variable)
    world = World()
    world.size = world.local_size = 2
    train = {"threads": set_threads} if set_threads else {}
    begun = among(Config.from_layers([Layer("", {"model": {"name": "linear"}, "train": train})]), world)
    assert (begun.train.threads, begun.train.slices) == (expected, 2)
    world.local_size = 1
    assert among(begun, world) == begun


@pytest.mark.parametrize("what", ["zoo", "torch"])
def test_processes_with_other_software_are_refused(what: str):
    """Another version of either may compute another step."""
    config = Config.from_layers([Layer("", {"model": {"name": "linear"}})])
    with pytest.raises(zoo.UsageError, match=rf"do not agree: {what} is .* in process 0 and 0\.0 in process 1"):
        refuse_differences(config, {}, Identification(small_dataset()).of(*SPLITS), Pair({what: "0.0"}))


@pytest.mark.parametrize("what", ["labels", "images"])
def test_processes_with_other_images_are_refused(what: str):
    """As many of each, under one path, on another machine: every process would learn something else."""
    config = Config.from_layers([Layer("", {"model": {"name": "linear"}})])
    known = Identification(small_dataset()).of(*SPLITS)
    refuse_differences(config, {"train": 60}, known, Pair({}))
    key = f"the SHA-256 of the train split's {what}"
    with pytest.raises(zoo.UsageError, match=rf"do not agree: {key} is [0-9a-f]{{64}} in process 0 and 0 in process 1"):
        refuse_differences(config, {"train": 60}, known, Pair({key: "0"}))


def test_a_process_whose_weights_differ_is_named():
    """One whose memory is at fault, before anything of it is saved."""

    class Three(World):
        size = 3

        def gather(self, value):
            return [value, "another", value]

    with pytest.raises(zoo.ZooError, match="the weights of process 1 of 3 are not those of the others at step 7"):
        refuse_odd_weights(nn.Linear(2, 2), Three(), 7)


WATCHED = """
import os, sys

seen = []
from zoo.cli import main
import zoo.runs.training, torch.fx.experimental.symbolic_shapes  # while torch is imported, it may unpickle its own
sys.addaudithook(lambda event, _: seen.append(event) if event.startswith("pickle") else None)
code = main(sys.argv[1:])
print("unpickled" if seen else "clean")
sys.stdout.flush()
os._exit(code)
"""


@pytest.mark.slow
def test_nothing_between_processes_is_unpickled(tmp_path: Path):
    """What they tell one another is JSON and numbers: also a checkpoint that the first one reads."""
    for more in ([], ["--resume", "run"]):
        arguments = more or [*shlex.split(f"{NORM} --slices 4 --out run --epochs 1")]
        processes = [
            subprocess.Popen(
                [sys.executable, "-c", WATCHED, *(["train", *more] if more else arguments)],
                cwd=tmp_path,
                env={**os.environ, **variables_for(rank, 2, tmp_path / f"store{len(more)}")},
                stdout=subprocess.PIPE,
                text=True,
            )
            for rank in range(2)
        ]
        told = [process.communicate()[0].splitlines()[-1] for process in processes]
        assert told == ["clean", "clean"]
        (tmp_path / "run" / "summary.json").unlink()

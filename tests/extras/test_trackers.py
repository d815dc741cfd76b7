"""Experiment trackers: a run that is killed and resumed is one of theirs, without a step twice, and with its bits."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import zoo
import zoo.testing
from zoo.runs.reporting import Reporter

pytestmark = [
    pytest.mark.extras,
    pytest.mark.filterwarnings("ignore"),  # the trackers' own
]

SETTINGS: dict[str, Any] = {"epochs": 6, "batch_size": 16, "threads": 1, "checkpoint_every": "12steps"}
OPTIONS = {"data.limit": 80}
STEPS = [5, 10, 15, 20, 25, 30]
NAMES = ["mlflow", "trackio", "wandb"]

_KILLED = """
import os, signal, sys
import zoo
from zoo.runs.reporting import Reporter

class Killed(Reporter):
    def notice(self, text):
        print(text, file=sys.stderr)

    def step(self, progress):
        if progress.step == 22:
            os.kill(os.getpid(), signal.SIGKILL)

zoo.train("linear", observe=[sys.argv[1]], options={options!r}, out="run", reporter=Killed(), **{settings!r})
"""


class TestTrackers(zoo.testing.PluginContract):
    """The first-party observers that send to trackers."""

    plugin = "trackers"


@pytest.fixture(autouse=True)
def _offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Everything stays in the test's folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path / "trackio"))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.delenv("WANDB_DIR", raising=False)
    monkeypatch.delenv("WANDB_SERVICE", raising=False)  # of a test that used it in this process


_MLFLOW = """
from mlflow.tracking import MlflowClient

client = MlflowClient("sqlite:///mlflow.db")
(experiment,) = [each for each in client.search_experiments() if each.name == "zoo"]
runs = client.search_runs([experiment.experiment_id])
assert all(run.info.status == "FINISHED" for run in runs)
found = [client.get_metric_history(run.info.run_id, "val_loss") for run in runs]
found = [[(each.step, each.value) for each in run] for run in found]
"""
_TRACKIO = """
from trackio.sqlite_storage import SQLiteStorage

found = [SQLiteStorage.get_logs("zoo", run) for run in SQLiteStorage.get_runs("zoo")]
found = [[(each["step"], each["val_loss"]) for each in run if "val_loss" in each] for run in found]
"""
_WANDB = """
import struct
from pathlib import Path

from wandb.proto.wandb_internal_pb2 import Record

def records(data, place=7, whole=b""):  # LevelDB's log: pieces of records in blocks of 32 KB
    while place + 7 < len(data):
        if place % 32768 > 32768 - 7:
            place += -place % 32768
            continue
        length, kind = struct.unpack_from("<HB", data, place + 4)
        whole, place = whole + data[place + 7 : place + 7 + length], place + 7 + length
        if kind in (1, 4):  # full, or the last piece
            yield Record.FromString(whole)
            whole = b""

found = []
for path in Path("run/wandb").glob("offline-run-*/*.wandb"):
    told = list(records(path.read_bytes()))
    assert told[-1].HasField("exit") and told[-1].exit.exit_code == 0
    rows = [{item.key or item.nested_key[0]: json.loads(item.value_json) for item in each.history.item}
            for each in told if each.HasField("history")]
    found.append([(row["_step"], row["val_loss"]) for row in rows])
"""
_TENSORBOARD = """
from pathlib import Path

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

events = EventAccumulator("run/tensorboard")
events.Reload()
found = [[(each.step, each.value) for each in events.Scalars("loss/validation")]]
tags = [value.tag for file in Path("run/tensorboard").iterdir() for event in EventFileLoader(str(file)).Load()
        for value in event.summary.value]
once = ["_hparams_/session_start_info", "_hparams_/session_end_info", "confusion", "mistakes"]
assert [tags.count(tag) for tag in once] == [1, 1, 1, 1], tags
"""
READ = {"mlflow": _MLFLOW, "trackio": _TRACKIO, "wandb": _WANDB, "tensorboard": _TENSORBOARD}
"""By tracker, what finds each of its runs' steps and losses."""


def kept(name: str) -> list[list[tuple[int, float]]]:
    """Return what a tracker has, asked in a process of its own: in this one it remembers the stores of other tests."""
    program = f"import json\n{READ[name]}\nprint(json.dumps(found))"
    done = subprocess.run(
        check=False, args=[sys.executable, "-c", program], capture_output=True, text=True, timeout=200
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("name", [*NAMES, "tensorboard"])
def test_a_killed_run_that_goes_on_is_one_run_without_a_step_twice(name: str, tmp_path: Path):
    """Epochs 3 and 4 are trained again after the kill; what each tracker has is what metrics.csv has."""
    program = _KILLED.format(options=OPTIONS, settings=SETTINGS)
    killed = subprocess.run(
        check=False, args=[sys.executable, "-c", program, name], capture_output=True, text=True, timeout=200
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    resumed = [sys.executable, "-m", "zoo", "train", "--resume", "run", "--quiet"]
    done = subprocess.run(check=False, args=resumed, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    assert "left out" not in killed.stderr + done.stderr
    with Path("run/metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    (run,) = kept(name)
    assert [step for step, _ in run] == STEPS
    assert [value for _, value in run] == pytest.approx([float(row["val_loss"]) for row in rows])
    plain = zoo.train("linear", options=OPTIONS, out="plain", **SETTINGS)
    summary = json.loads(Path("run/summary.json").read_text())
    same = ("val_loss", "test_loss", "test_accuracy")
    assert [summary[key] for key in same] == [plain.summary[key] for key in same]


class Notices(Reporter):
    def __init__(self) -> None:
        self.told: list[str] = []

    def notice(self, text: str) -> None:
        self.told.append(text)


def test_a_dead_server_costs_a_line_and_no_bit(monkeypatch: pytest.MonkeyPatch):
    """The run goes on without the tracker."""
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    notices = Notices()
    options = {**OPTIONS, "observe.mlflow.uri": "http://127.0.0.1:9"}
    run = zoo.train("linear", observe=["mlflow"], options=options, out="run", reporter=notices, **SETTINGS)
    plain = zoo.train("linear", options=OPTIONS, out="plain", **SETTINGS)
    assert run.summary["test_loss"] == plain.summary["test_loss"]
    (line,) = [text for text in notices.told if "left out from here on" in text]
    assert "mlflow" in line
    assert len(line) < 500


def test_a_dead_server_of_wandb_costs_a_line_and_no_bit(monkeypatch: pytest.MonkeyPatch):
    """In a process of its own: W&B reads its variables once."""
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    monkeypatch.setenv("WANDB_INIT_TIMEOUT", "1")
    told = ["--epochs", "2", "--set", "data.limit=80", "--threads", "1", "--quiet"]
    command = [sys.executable, "-m", "zoo", "train", "--model", "linear", "--out", "run", *told]
    watched = [*command, "--observe", "wandb", "--set", "observe.wandb.mode=online"]
    done = subprocess.run(check=False, args=watched, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    (line,) = [text for text in done.stderr.splitlines() if "left out from here on" in text]
    assert "wandb" in line
    assert len(line) < 500
    plain = zoo.train("linear", options=OPTIONS, out="plain", epochs=2, threads=1)
    assert json.loads(Path("run/summary.json").read_text())["test_loss"] == plain.summary["test_loss"]


@pytest.mark.parametrize("name", NAMES)
def test_without_the_package_it_says_what_to_install(name: str, monkeypatch: pytest.MonkeyPatch):
    """In a line, before anything is trained."""
    for module in [module for module in sys.modules if module.partition(".")[0] == name]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(zoo.UsageError, match=rf"pip install 'torch-zoo\[{name}\]'"):
        zoo.train("linear", observe=[name], options=OPTIONS, out="run", **SETTINGS)
    assert not os.path.exists("run")  # noqa: PTH110

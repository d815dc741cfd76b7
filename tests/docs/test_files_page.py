"""docs/reference/files.md: a checkpoint is read by the page's own code, and the page names every key there is."""

from __future__ import annotations

import csv
import gzip
import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from small_checkpoints import checked, save
from small_images import named_dataset
from torch import nn

import zoo
from zoo.records.checkpoints import CheckpointStore
from zoo.records.manifest import FORMAT
from zoo.records.tree import _DECODERS
from zoo.reports.evaluations import read_evaluation

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "files.md").read_text(encoding="utf-8")

RARE = {"precision": "fp16", "sum": "fast", "accumulate": "auto"}
"""What adds keys of its own to a run's files."""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real run, with everything that a run can keep."""

    class Large(nn.Flatten):
        """There is memory for half a batch."""

        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            if self.training and len(inputs) > 8:
                raise torch.OutOfMemoryError
            return super().forward(inputs)

    def net(num_classes: int, in_channels: int, image_size: tuple[int, int]) -> nn.Module:
        return nn.Sequential(Large(), nn.Linear(in_channels * image_size[0] * image_size[1], num_classes))

    path = tmp_path_factory.mktemp("page") / "run"
    zoo.train(model=net, data=named_dataset(), epochs=1, batch_size=16, threads=1, ema=0.5, **RARE, out=path)
    zoo.calibrate(path)
    return path


@pytest.fixture(scope="module")
def code() -> dict[str, Any]:
    """What the page's program defines."""
    found: dict[str, Any] = {}
    (program,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert "zoo" not in program
    exec(program, found)
    return found


_IN_OTHER_RUNS = ("whole.safetensors",)  # where a probe was the best


def section(title: str) -> str:
    """Return the part of the page under a heading."""
    return (
        re.split(rf"^##+ {re.escape(title)}$", PAGE, flags=re.MULTILINE)[1].partition("\n## ")[0].partition("\n### ")[0]
    )


def keys_of(title: str) -> list[str]:
    """Return what the first column of a section's table names."""
    rows = re.findall(r"^\| (`.*?) \|", section(title), re.MULTILINE)
    return [key for row in rows for key in re.findall(r"`([A-Za-z0-9_.]+)`", row)]


def test_the_page_s_program_reads_the_newest_checkpoint(run: Path, code: dict[str, Any]) -> None:
    """The weights to the bit, and the state."""
    expected = CheckpointStore(run / "checkpoints").newest()
    assert expected is not None
    tensors, state = code["read_checkpoint"](run)
    assert state == expected.state
    weights = expected.tensors("model")
    assert tensors.keys() == weights.keys()
    for name, weight in weights.items():
        assert torch.equal(torch.from_numpy(tensors[name].copy()), weight)


def test_the_page_s_program_passes_over_what_is_damaged(tmp_path: Path, code: dict[str, Any]) -> None:
    """It agrees with zoo on which checkpoint is the newest: by number, later saves first, whole ones alone."""
    store = CheckpointStore(tmp_path / "checkpoints")
    for step, label in ((9, ""), (10, ""), (10, "again"), (100_000_000, "")):
        save(tmp_path, step, label)
    for damaged in ("step-100000000/state.json", "step-00000010.2/model.safetensors", "step-00000010/MANIFEST.json"):
        assert code["newest"](tmp_path) == checked(store.newest()).path
        path = tmp_path / "checkpoints" / damaged
        path.write_bytes(path.read_bytes()[:-1] + b" ")
    assert code["newest"](tmp_path) == checked(store.newest()).path == tmp_path / "checkpoints" / "step-00000009"


@pytest.mark.parametrize(
    "title",
    [
        "environment.json",
        "summary.json",
        "metrics.csv",
        "calibration.json",
        "MANIFEST.json",
        "state.json",
        "A checkpoint",
    ],
)
def test_every_key_of_a_file_stands_on_the_page_and_no_other(run: Path, title: str) -> None:
    """Compared with a real run's files."""
    newest = CheckpointStore(run / "checkpoints").newest()
    assert newest is not None
    if title == "metrics.csv":
        with (run / title).open(newline="") as file:
            keys = next(csv.reader(file))
    elif title == "A checkpoint":
        keys = [*_IN_OTHER_RUNS, *(path.name for path in newest.path.iterdir())]
    else:
        (path,) = [path for path in (run / title, newest.path / title) if path.exists()]
        keys = list(json.loads(path.read_bytes()))
    assert sorted(keys_of(title)) == sorted(keys)


def test_every_key_of_what_the_images_are_known_by_stands_on_the_page(run: Path) -> None:
    """Those of the whole, of a split, and of the files' listing."""
    data = json.loads((run / "data.json").read_bytes())
    assert sorted(keys_of("data.json")) == sorted([*data, *data["splits"]["train"]])
    assert set(data["splits"]) == {"train", "test"}
    listed = json.loads(gzip.decompress((run / "files.json.gz").read_bytes()))
    assert all(f"`{key}`" in section("files.json.gz") for key in listed["train"])


def test_every_key_and_tensor_of_an_evaluation_stands_on_the_page(run: Path) -> None:
    """Those of other data, and what stands in place of too many logits, are told beside."""
    document, _, tensors = section("An evaluation").partition("Its tensors")
    kept = read_evaluation(run, "test-best")
    keys, names = (set(re.findall(r"`([a-z0-9_]+)`", part)) for part in (document, tensors))
    assert kept.document.keys() | kept.document["metrics"].keys() <= keys
    assert kept.arrays.keys() <= names


def test_every_key_of_report_json_stands_on_the_page(run: Path) -> None:
    """And no other."""
    assert sorted(
        re.findall(r"`([a-z_]+)`", "".join(re.findall(r"^\| (`.*?) \|", section("report.html and report.json"), re.M)))
    ) == sorted(json.loads((run / "report.json").read_bytes()))


def test_every_tag_and_every_top_level_file_stands_on_the_page(run: Path) -> None:
    """And the number of the format."""
    assert set(re.findall(r"\| `\{\"(\$\w+)\"", section("state.json"))) == set(_DECODERS)
    assert {path.name for path in run.iterdir()} == set(re.findall(r"^  ([a-z]+[a-z.]*)", PAGE, re.MULTILINE))
    assert f"| `format` | {FORMAT}. " in section("MANIFEST.json")

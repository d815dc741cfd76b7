"""Beginning with weights from a file or from a run: what is read, what fits, what is recorded."""

from __future__ import annotations

import hashlib
import json
import tomllib
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from small_images import small_dataset
from small_photos import photographs
from torch import Tensor, nn

import zoo
from zoo.data import Dataset

SMALL = {"epochs": 1, "batch_size": 16, "threads": 1, "precision": "fp32", "lr": 1e-9}


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def net(num_classes: int, in_channels: int, image_size: tuple[int, int], width: int = 4) -> nn.Module:
    """Build a model that depends on the size and the channels of its inputs."""
    hidden = nn.Sequential(nn.Flatten(), nn.Linear(in_channels * image_size[0] * image_size[1], width), nn.ReLU())
    return nn.Sequential(hidden, nn.Linear(width, num_classes))


def data() -> Dataset:
    return small_dataset(48)


def renamed(*classes: str) -> Dataset:
    """Return images with other statistics and classes called so."""
    images = small_dataset(48, classes=len(classes), size=12)
    return Dataset(images.train, images.test, classes, [0.25], [0.125])


def train(out: str, *, of: Dataset | None = None, **options: object) -> zoo.Run:
    """Train, hardly moving, from what the options say."""
    told = {f"model.{name}": value for name, value in options.items()}
    return zoo.train(net, data=of or data(), options=told, out=out, **SMALL)


def state_of(run: zoo.Run) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in run.model.state_dict().items()}


def saved(run: zoo.Run, name: str) -> tuple[Path, str]:
    """Write a run's weights to a file, and return it with its SHA-256."""
    path = Path(name)
    if path.suffix == ".safetensors":
        save_file(state_of(run), path)
    else:
        torch.save(state_of(run), path)
    return path, hashlib.sha256(path.read_bytes()).hexdigest()


def expected_by(run: zoo.Run) -> dict[str, object]:
    state = json.loads(next(run.directory.glob("checkpoints/*/state.json")).read_text())
    expects: dict[str, object] = state["expects"]
    return expects


def test_a_run_is_tuned_further():
    """Its weights, head included, its statistics and its size count, and the record names it."""
    first = train("first")
    second = train("second", of=renamed("class 2", "class 0"), pretrained="first")
    before, after = state_of(first), state_of(second)
    assert torch.allclose(after["0.1.weight"], before["0.1.weight"], atol=1e-5)
    assert torch.allclose(after["1.weight"], before["1.weight"][[2, 0]], atol=1e-5)
    expects = expected_by(second)
    assert (expects["size"], expects["mean"], expects["head"]) == ([8, 8], [0.5], "kept")
    checkpoint = next(Path("first").glob("checkpoints/*/model.safetensors"))
    assert expects["source"] == str(Path("first").absolute())
    assert expects["sha256"] == hashlib.sha256(checkpoint.read_bytes()).hexdigest()
    config = tomllib.loads(Path("second/config.toml").read_text())
    assert config["model"]["pretrained"] == str(Path("first").absolute())


def test_classes_that_the_run_does_not_know_begin_a_new_head():
    """The rest is taken."""
    first = train("first")
    second = train("second", of=renamed("class 2", "a cat"), pretrained="first")
    assert torch.allclose(state_of(second)["0.1.weight"], state_of(first)["0.1.weight"], atol=1e-5)
    assert state_of(second)["1.weight"].shape == (2, 4)
    assert expected_by(second)["head"] == "new"


def test_a_tuned_run_is_used_where_the_first_one_is_gone():
    """It has all that is needed: it is evaluated, and found finished."""
    import shutil

    train("first")
    second = train("second", pretrained="first")
    shutil.rmtree("first")
    assert train("second", pretrained="first").test_accuracy == second.test_accuracy
    with pytest.raises(zoo.UsageError, match=r"names no file and no run: '.*first' does not exist"):
        train("third", pretrained="first")


def test_a_safetensors_file_is_read_and_its_hash_recorded(caplog: pytest.LogCaptureFixture):
    """Nobody knows what it expects, so the data's own statistics are used, and a line says so."""
    first = train("first")
    path, digest = saved(first, "weights.safetensors")
    second = train("second", pretrained=str(path))
    assert torch.allclose(state_of(second)["0.1.weight"], state_of(first)["0.1.weight"], atol=1e-5)
    assert "nobody states what the weights in" in caplog.text
    assert (expected_by(second)["sha256"], expected_by(second)["mean"]) == (digest, [0.5])


@pytest.mark.parametrize("expects", [{}, {"interpolation": "bicubic"}])
def test_statistics_that_nobody_states_are_measured_of_a_folder(expects: dict[str, object]):
    """They are not known before the model's size is; those of the images as they are decoded are used and recorded."""
    root = photographs(Path("photos"))
    settings = {"data": "folder", **SMALL}
    plain = zoo.train(net, options={"data.root": str(root), "data.size": 8}, out="plain", **settings)
    path, _ = saved(plain, "weights.safetensors")
    options = {"data.root": str(root), "data.size": 8, "model.pretrained": str(path), "model.expects": expects}
    run = zoo.train(net, options=options, out="run", **settings)
    images = json.loads(next(Path("run").glob("checkpoints/*/state.json")).read_text())["images"]
    assert (expected_by(run)["mean"], expected_by(run)["std"]) == (images["mean"], images["std"])
    assert images["mean"] != [0.0, 0.0, 0.0]


def test_what_a_files_weights_expect_can_be_stated(caplog: pytest.LogCaptureFixture):
    """Statistics, size, filter and the classes of its head; more channels of grey images, too."""
    path, _ = saved(train("first", of=small_dataset(48, channels=3)), "weights.safetensors")
    names = [f"class {k}" for k in range(3)]
    stated = {"mean": [0.1, 0.2, 0.3], "std": [0.4] * 3, "size": 8, "interpolation": "bicubic", "classes": names}
    run = train("second", of=renamed("class 1", "class 0"), pretrained=str(path), expects=stated)
    expects = expected_by(run)
    assert (expects["mean"], expects["size"], expects["head"]) == ([0.1, 0.2, 0.3], [8, 8], "kept")
    assert "nobody states" not in caplog.text
    assert tomllib.loads(Path("second/config.toml").read_text())["model"]["expects"]["mean"] == [0.1, 0.2, 0.3]


def test_normalisation_can_be_stated_for_any_model():
    """Without pretrained weights as well."""
    expects = expected_by(train("first", expects={"mean": [0.1], "std": [0.9]}))
    assert (expects["mean"], expects["std"], expects["source"]) == ([0.1], [0.9], "model.expects")


@pytest.mark.parametrize("wrapper", [None, "state_dict", "model"])
def test_a_pickle_is_read_by_its_hash(wrapper: str | None):
    """Its tensors stand alone, or where trainers put them, under the names that torch's wrappers give them."""
    first = train("first")
    tensors = {f"module.{name}": tensor for name, tensor in state_of(first).items()}
    torch.save(tensors if wrapper is None else {wrapper: tensors, "epoch": 3}, "weights.pth")
    digest = hashlib.sha256(Path("weights.pth").read_bytes()).hexdigest()
    second = train("second", pretrained="weights.pth", sha256=digest)
    assert torch.allclose(state_of(second)["0.1.weight"], state_of(first)["0.1.weight"], atol=1e-5)
    assert expected_by(second)["sha256"] == digest


def test_a_pickle_without_its_hash_is_not_opened():
    """The line says what to give; nothing of it was unpickled, and nobody is told the hash that it happens to have."""
    path, digest = saved(train("first"), "weights.pth")
    with pytest.raises(zoo.UsageError, match=r"is a pickle.*--set model.sha256=") as caught:
        train("second", pretrained=str(path))
    assert digest not in str(caught.value)
    assert not Path("second").exists()


@pytest.mark.parametrize("name", ["weights.pth", "weights.safetensors"])
def test_another_hash_is_another_file(name: str):
    """It is compared before a tensor is made."""
    path, _ = saved(train("first"), name)
    with pytest.raises(zoo.DamagedError, match=r"has the SHA-256 .*, not 0000"):
        train("second", pretrained=str(path), sha256="0" * 64)


def test_a_pickle_that_would_run_code_is_not_read():
    """Not even with its hash."""
    torch.save({"a": Path("x")}, "weights.pth")
    digest = hashlib.sha256(Path("weights.pth").read_bytes()).hexdigest()
    with pytest.raises(zoo.DamagedError, match="holds something else than tensors"):
        train("second", pretrained="weights.pth", sha256=digest)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pretrained": "absent"}, "names no file and no run: '.*absent' does not exist"),
        ({"pretrained": "empty"}, "'.*empty' is no run"),
        ({"pretrained": "notes.txt"}, "is no file with weights: its name must end in .safetensors or .pth"),
        ({"pretrained": "w.safetensors", "sha256": "12"}, "a SHA-256 has 64 hexadecimal digits, and '12' has not"),
        ({"pretrained": "w.safetensors", "width": 5}, r"'0.1.weight' is \(4, 64\) there and \(5, 64\) in the model"),
        ({"pretrained": "strange.safetensors"}, "the model's '0.1.weight' is not there; 2 more such differences"),
        ({"sha256": "0" * 64}, "model.sha256 was given, and the model begins with no file that has one"),
        ({"expects": {"mean": [0.5, 0.5], "std": [0.5]}}, "model.expects: mean .* must have a number for each channel"),
        ({"expects": {"mean": [0.5]}}, "model.expects takes mean and std together"),
        ({"expects": {"man": [0.5]}}, "model.expects has no 'man'; it takes mean, std, size"),
        ({"expects": 3}, "model.expects is a table with mean"),
    ],
)
def test_what_cannot_be_begun_with_is_one_line(options: dict[str, object], message: str):
    """Nothing is written."""
    saved(train("first"), "w.safetensors")
    Path("empty").mkdir()
    Path("notes.txt").write_text("no weights")
    save_file({"other": torch.ones(2)}, "strange.safetensors")
    with pytest.raises(zoo.UsageError, match=message) as caught:
        train("second", **options)
    assert "\n" not in str(caught.value)
    assert not Path("second").exists()


def test_a_builders_own_option_is_left_to_it():
    """A plain truth value, and a name that is no path; a path comes before a name."""
    seen = []

    def own(
        num_classes: int, in_channels: int, image_size: tuple[int, int], pretrained: bool | str = False
    ) -> nn.Module:
        seen.append(pretrained)
        return net(num_classes, in_channels, image_size)

    zoo.train(own, data=data(), options={"model.pretrained": True}, out="first", **SMALL)
    zoo.train(own, data=data(), options={"model.pretrained": "best"}, out="second", **SMALL)
    Path("first").rename("best")
    zoo.train(own, data=data(), options={"model.pretrained": "best"}, out="third", **SMALL)
    assert seen == [True, "best", False]


class Pools(nn.Module):
    """A model of any size that remembers which it was given in training and in evaluation."""

    def __init__(self, num_classes: int, in_channels: int) -> None:
        super().__init__()
        self.head = nn.Linear(in_channels, num_classes)
        self.seen: dict[bool, set[int]] = {True: set(), False: set()}

    def forward(self, inputs: Tensor) -> Tensor:
        self.seen[self.training].add(inputs.shape[-1])
        logits: Tensor = self.head(inputs.mean(dim=(2, 3)))
        return logits


def test_evaluations_may_be_of_another_size():
    """Validation, test and prediction are; training is not, and the record says so."""
    run = zoo.train(Pools, data=data(), out="run", eval_size=12, **SMALL)
    assert run.model.seen[True] == {8}
    run.model.seen[False].discard(8)  # as it was looked at before it began
    assert run.model.seen[False] == {12}
    assert tomllib.loads(Path("run/config.toml").read_text())["train"]["eval_size"] == 12


def test_a_size_of_evaluations_that_the_model_does_not_take_is_one_line():
    """Before anything is written."""
    with pytest.raises(zoo.UsageError, match=r"--eval-size: .* fails on inputs \(2, 1, 12, 12\)"):
        zoo.train(net, data=data(), out="run", eval_size=12, **SMALL)
    assert not Path("run").exists()

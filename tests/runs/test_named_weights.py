"""`weights:NAME`: what plugins register is used wherever a trained model may be, and verified before it is parsed."""

from __future__ import annotations

import hashlib
import json
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from fake_distributions import FakeSite
from fake_distributions import site as site  # noqa: PLC0414 - a fixture is found by its name here
from loopback import content, serving
from safetensors.torch import save_file
from small_images import named_dataset

import zoo
import zoo.testing
from zoo.cli import main
from zoo.registry import registry

PLUGIN = """
import zoo

@zoo.hookimpl
def register(add):
    add.model("net", "zoo_tern.nets:net", summary="One layer.")
    add.weights("small", {target!r}, summary="Its weights.", facts={facts!r})
"""
NETS = """
from torch import nn

def net(num_classes, in_channels, image_size):
    return nn.Sequential(nn.Flatten(), nn.Linear(in_channels * image_size[0] * image_size[1], num_classes))
"""
SMALL: dict[str, Any] = {"epochs": 1, "batch_size": 16, "threads": 1, "precision": "fp32", "lr": 1e-9}
Install = Callable[..., Path]


def facts_of(path: Path) -> dict[str, Any]:
    """Return what a plugin states of a file, rightly."""
    data = path.read_bytes()
    return {
        "bytes": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
        "licence": "MIT",
        "model": "tern/net",
        "classes": ("ant", "bee", "cow"),
        "mean": [0.25],
        "std": [0.5],
        "size": [8, 8],
    }


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty working folder, and one for downloads."""
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setenv("ZOO_DATA", str(tmp_path / "downloads"))


@pytest.fixture
def install(site: FakeSite) -> Iterator[Install]:
    """Install a plugin whose package holds a file of weights, with what it states of it."""

    def made(name: str, target: str = "", **change: Any) -> Path:
        package = site.path / "zoo_tern"
        package.mkdir(exist_ok=True)
        tensors = {"1.weight": torch.arange(192.0).reshape(3, 64) / 64, "1.bias": torch.zeros(3)}
        torch.save(tensors, package / name) if name.endswith(".pth") else save_file(tensors, package / name)
        facts = {**facts_of(package / name), **change}
        source = PLUGIN.format(target=target or f"zoo_tern:{name}", facts=facts)
        (package / "__init__.py").write_text(source)
        (package / "nets.py").write_text(NETS)
        if not list(site.path.glob("*.dist-info")):
            site.describe("zoo-tern", "1.0", ["torch-zoo>=0.1"], {"tern": "zoo_tern"})
        for module in ("zoo_tern", "zoo_tern.nets"):
            sys.modules.pop(module, None)
        registry.cache_clear()
        return package / name

    yield made
    registry.cache_clear()


def begun(out: str, name: str = "weights:small") -> dict[str, Any]:
    """Train, hardly moving, from registered weights, and return what the run says that they expect."""
    options = {"model.pretrained": name}
    zoo.train("tern/net", data=named_dataset(), options=options, out=out, **SMALL)
    (state, *_) = Path(out).glob("checkpoints/*/state.json")
    expects: dict[str, Any] = json.loads(state.read_text())["expects"]
    return expects


@pytest.mark.parametrize("file", ["small.safetensors", "small.pth"])
def test_a_training_begins_with_registered_weights(install: Install, file: str):
    """Whichever file they are in; the full name is recorded, and what they expect is as it was stated."""
    digest = hashlib.sha256(install(file).read_bytes()).hexdigest()
    expects = begun("run")
    assert (expects["mean"], expects["std"], expects["sha256"], expects["license"]) == ([0.25], [0.5], digest, "MIT")
    assert expects["source"] == "weights:tern/small"
    assert tomllib.loads(Path("run/config.toml").read_text())["model"]["pretrained"] == "weights:tern/small"


def test_a_run_needs_its_weights_no_more(install: Install):
    """It is evaluated, and goes on, when they are gone."""
    path = install("small.safetensors")
    begun("run")
    path.unlink()
    assert zoo.predict("run", [torch.zeros(8, 8, dtype=torch.uint8).numpy()])


def test_an_address_is_downloaded_once_and_compared(install: Install):
    """The file is then on this machine; another content is not kept."""
    data = install("small.safetensors").read_bytes()
    with serving(content(data)) as (address, asked):
        install("small.safetensors", f"{address}/small.safetensors")
        assert begun("first")["source"] == "weights:tern/small"
        begun("second")
    assert asked == ["/small.safetensors"]
    begun("third")
    with serving(content(data[:-1] + b"x")) as (address, _):
        install("small.safetensors", f"{address}/small.safetensors", sha256="0" * 64)
        with pytest.raises(zoo.DamagedError, match="has another content than expected"):
            begun("fourth")
    assert not Path("fourth").exists()


@pytest.mark.parametrize("place", [0, 3, 40, 200, -1])
def test_a_changed_byte_is_refused_before_it_is_parsed(install: Install, place: int, monkeypatch: pytest.MonkeyPatch):
    """Nothing that reads tensors is called."""
    path = install("small.safetensors")
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)
    monkeypatch.setattr("zoo.runs.pretrained.read_weights", None)
    monkeypatch.setattr("zoo.runs.pretrained.is_weight_file", None)
    with pytest.raises(zoo.DamagedError, match=r"is not what weights 'tern/small' .* states: its SHA-256 is"):
        begun("run")


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"bytes": 7}, zoo.DamagedError, "its SHA-256 is that of [0-9]+ bytes, not 7"),
        ({"target": "zoo_tern:gone.safetensors"}, zoo.PluginError, r"its file 'zoo_tern:gone.safetensors' is missing"),
        ({"target": "zoo_gone:it.safetensors"}, zoo.PluginError, "its package 'zoo_gone' cannot be imported"),
        ({"std": [0.0]}, zoo.PluginError, "misstates what its weights expect: .* every std must be above 0"),
    ],
)
def test_what_a_plugin_gets_wrong_is_its_own_fault(
    install: Install, change: dict[str, Any], error: type[Exception], message: str
):
    """One line, and no run is made."""
    install("small.safetensors", **change)
    with pytest.raises(error, match=message) as caught:
        begun("run")
    assert "\n" not in str(caught.value)
    assert not Path("run").exists()


def test_an_unknown_name_is_told_with_the_nearest(install: Install, capsys: pytest.CaptureFixture[str]):
    """By predict before anything heavy is imported, and by train before anything is made."""
    install("small.safetensors")
    assert main(["predict", "weights:smal", "x.png"]) == 2
    assert "no weights named 'smal'. Did you mean 'small'?" in capsys.readouterr().err
    with pytest.raises(zoo.UsageError, match="no weights named 'smal'"):
        begun("run", "weights:smal")


def test_weights_that_zoo_did_not_train_are_asked_as_their_plugin_states_them(
    install: Install, capsys: pytest.CaptureFixture[str]
):
    """Without a training; they can be measured on a dataset, and not reproduced."""
    install("small.safetensors")
    white = torch.full((8, 8), 255, dtype=torch.uint8).numpy()
    weight = torch.arange(192.0).reshape(3, 64) / 64
    expected = (weight @ torch.full((64,), (1 - 0.25) / 0.5)).softmax(0)
    found = zoo.load("weights:small")(white, top_k=3)
    assert dict(zip(found.labels, found.probabilities, strict=True)) == pytest.approx(
        dict(zip(("ant", "bee", "cow"), expected.tolist(), strict=True)), abs=1e-6
    )
    for command, told in (
        (["evaluate", "weights:small"], "nobody tells what weights:tern/small were trained on; --data NAME"),
        (["reproduce", "weights:small"], "or not trained by zoo"),
    ):
        assert main(command) == 2
        assert told in capsys.readouterr().err


def test_weights_whose_size_nobody_states_only_begin_a_training(install: Install):
    """Nobody knows how large their pictures are."""
    install("small.safetensors", size=None)
    with pytest.raises(zoo.UsageError, match="weights:tern/small only begin a training, as nobody states their size"):
        zoo.load("weights:small")
    assert begun("run")["size"] is None


def test_weights_of_which_nothing_is_stated_are_their_plugins_fault(install: Install):
    """Their file tells nothing of its own."""
    path = install("small.safetensors")
    facts = {name: value for name, value in facts_of(path).items() if name not in ("mean", "std", "size")}
    (path.parent / "__init__.py").write_text(PLUGIN.format(target="zoo_tern:small.safetensors", facts=facts))
    sys.modules.pop("zoo_tern", None)
    registry.cache_clear()
    with pytest.raises(zoo.PluginError, match="weights:tern/small state no mean and std"):
        begun("run")


def test_the_contract_looks_at_every_byte_and_at_the_model(install: Install):
    """Weights that fit, others that do not, and a file that was changed."""
    install("small.safetensors")

    def outcomes() -> dict[str, str]:
        checks = zoo.testing.checks_of("tern", only="small")
        return {each.title: each.run().status for each in checks if each.subject == "weights small"}

    assert set(outcomes().values()) == {"ok"}
    install("small.safetensors", classes=("ant", "bee"))
    assert outcomes()["fits its model"] == "failed"
    path = install("small.safetensors")
    path.write_bytes(path.read_bytes()[:-1])
    assert outcomes()["is the file that is stated"] == "failed"


def test_zoos_own_weights_know_digits_and_tell_their_recipe(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """They are listed, shown and loaded; of 200 test images at most three are taken for another digit."""
    images, labels = zoo.create("datasets", "mnist").test.batch(torch.arange(200))
    model = zoo.load("weights:cnn_dropout-mnist")
    found = model(images.permute(0, 2, 3, 1).numpy())
    assert sum(each.label == str(int(label)) for each, label in zip(found, labels, strict=True)) >= 197
    assert "from 'weights:cnn/cnn_dropout-mnist', step 2150" in repr(model)
    assert main(["list", "weights", "--json"]) == 0
    assert "cnn/cnn_dropout-mnist" in [each["full_name"] for each in json.loads(capsys.readouterr().out)["entries"]]
    assert main(["show", "weights", "cnn_dropout-mnist"]) == 0
    assert "zoo predict weights:cnn_dropout-mnist IMAGE" in capsys.readouterr().out
    assert main(["show", "weights", "cnn_dropout-mnist", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["entry"]["file"]["licence"] == "Apache-2.0"


def test_nothing_is_built_from_weights():
    """As from recipes."""
    with pytest.raises(zoo.UsageError, match=r"is a file, and nothing is built from it; zoo\.load\('weights:x'\)"):
        zoo.create("weights", "x")


@pytest.mark.slow
def test_zoos_own_weights_come_out_again(tmp_path: Path):
    """On the machine and with the torch that they were trained with to the bit; elsewhere as good as that."""
    found = zoo.reproduce("weights:cnn_dropout-mnist", threads=1, out=tmp_path / "again")
    assert found["equal"] or found["reasons"]
    assert found["accuracy"] > 0.994
    assert abs(found["new_accuracy"] - found["accuracy"]) < 0.002

"""ONNX files: they say what the run says, tell no place, and need no torch."""

from __future__ import annotations

import getpass
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fake_distributions import FakeSite
from fake_distributions import site as site  # noqa: PLC0414 - a fixture is found by its name here
from PIL import Image
from safetensors.torch import save_file

import zoo
import zoo.testing
from zoo.cli import main
from zoo.registry import registry
from zoo.runs.loading import load_run
from zoo.sharing.export_check import agreement_of
from zoo.sharing.export_evaluating import evaluate_file
from zoo.sharing.export_module import ModelInFp32

pytestmark = pytest.mark.extras

PAGE = Path(__file__).parents[2] / "docs/how-to/export.md"
SETTINGS: dict[str, Any] = {"steps": 20, "batch_size": 64, "threads": 1, "precision": "fp32"}


class TestExport(zoo.testing.PluginContract):
    """The first-party exporters."""

    plugin = "export"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> zoo.Run:
    """A convolutional network of digits, calibrated and exported."""
    path = tmp_path_factory.mktemp("onnx") / "run"
    trained = zoo.train("cnn/cnn_dropout", out=path, options={"data.limit": 1200}, **SETTINGS)
    zoo.calibrate(trained)
    assert zoo.export(trained)["checked"] == 1_000
    return trained


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of 100 PNGs of digits, two of them in another size and colour."""
    folder = tmp_path_factory.mktemp("digits")
    images = zoo.create("datasets", "mnist").test.batch(torch.arange(98))[0]
    for place, image in enumerate(images):
        Image.fromarray(image[0].numpy()).save(folder / f"{place:03}.png")
    Image.open(folder / "000.png").resize((56, 40)).save(folder / "098.png")
    Image.open(folder / "001.png").convert("RGBA").save(folder / "099.png")
    return folder


def test_evaluating_the_file_gives_the_runs_accuracy_and_every_other_metric(run: zoo.Run):
    """To the last bit of the accuracy; the others to rounding."""
    import onnx

    own = zoo.evaluate(run)
    found = evaluate_file(run.directory / "model.onnx")
    assert found["accuracy"] == own["accuracy"]
    assert found["samples"] == own["samples"] == 1_200
    assert found["images"] == own["images"]
    assert found["loss"] == pytest.approx(own["loss"], abs=1e-6)
    assert found["classes"] == own["classes"]
    onnx.checker.check_model(str(run.directory / "model.onnx"), full_check=True)


def test_the_file_tells_its_classes_sizes_and_configuration_and_no_place(run: zoo.Run):
    """All that one needs to use it, and nothing of the machine that made it."""
    import onnx

    path = run.directory / "model.onnx"
    model = onnx.load(path)
    told = json.loads({prop.key: prop.value for prop in model.metadata_props}["zoo"])
    assert told["classes"] == [str(digit) for digit in range(10)]
    assert (told["channels"], told["image_size"], told["fit"], told["interpolation"]) == (
        1,
        [28, 28],
        "stretch",
        "bilinear",
    )
    assert told["config"]["model"]["name"] == "cnn/cnn_dropout"
    assert told["temperature"] == json.loads((run.directory / "calibration.json").read_text())["temperature"]
    shape = model.graph.input[0].type.tensor_type.shape.dim
    assert (model.graph.input[0].name, shape[0].dim_param) == ("images", "batch")
    assert [dim.dim_value for dim in shape[1:]] == [1, 28, 28]
    assert [output.name for output in model.graph.output] == ["logits", "probabilities"]
    data = path.read_bytes()
    for place in (sys.prefix, str(Path(zoo.__file__).parent), str(Path.home()), str(run.directory), ".py"):
        assert place.encode() not in data, place
    assert len(getpass.getuser()) < 5 or getpass.getuser().encode() not in data


def test_predicting_with_the_file_needs_no_torch_and_says_what_the_run_says(
    run: zoo.Run, digits: Path, capsys: pytest.CaptureFixture[str]
):
    """Labels are equal, and probabilities to a millionth where nothing is resized."""
    own = zoo.predict(run, [digits], top_k=3)
    code = (
        "import sys; from zoo.cli import main; "
        f"done = main(['predict', {str(run.directory / 'model.onnx')!r}, {str(digits)!r}, '--top-k', '3', '--json']); "
        "assert done == 0; "
        "assert 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)["predictions"]
    assert [each["label"] for each in found] == [each.label for each in own]
    for each, other in zip(found, own, strict=True):
        resized = each["image"].endswith("098.png")
        assert each["probabilities"] == pytest.approx(other.probabilities, abs=1e-2 if resized else 1e-6)


def test_the_pages_script_says_what_zoo_predict_says(run: zoo.Run, digits: Path, tmp_path: Path):
    """Fifteen lines with onnxruntime, Pillow and json."""
    script = next(
        code for code in re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL) if "onnxruntime" in code
    )
    assert len([line for line in script.splitlines() if line]) <= 15
    (tmp_path / "classify.py").write_text(script)
    shutil.copy(run.directory / "model.onnx", tmp_path)
    files = sorted(digits.iterdir())
    done = subprocess.run(
        [sys.executable, "-I", "classify.py", *map(str, files)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    said = [line.split("\t")[:2] for line in done.stdout.splitlines()]
    assert said == [[each.image, each.label] for each in zoo.predict(run, files)]
    assert len(said) == 100


@pytest.mark.parametrize("model", ["mlp/mlp", "timm/vit_tiny_patch16_224", "torchvision/resnet18"])
def test_other_families_are_exported_and_agree(tmp_path: Path, model: str):
    """One of ours, a transformer whose images are enlarged to 224, and a residual network."""
    trained = zoo.train(model, out=tmp_path / "run", options={"data.limit": 24}, steps=1, batch_size=8, threads=1)
    found = zoo.export(trained)
    assert found["checked"] == 24
    assert evaluate_file(Path(found["file"]))["accuracy"] == zoo.evaluate(trained)["accuracy"]


def test_a_graph_that_is_changed_after_the_export_is_found_out(run: zoo.Run, tmp_path: Path):
    """One bias, off by a thousandth."""
    import onnx
    import onnxruntime

    model = onnx.load(run.directory / "model.onnx")
    bias = next(each for each in model.graph.initializer if list(each.dims) == [10])
    bias.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(bias) + np.float32(1e-3), bias.name))
    onnx.save(model, tmp_path / "changed.onnx")
    images = zoo.create("datasets", "mnist").test.batch(torch.arange(20))[0]
    network = ModelInFp32(load_run(run.directory).network)
    for path, agrees in ((run.directory / "model.onnx", True), (tmp_path / "changed.onnx", False)):
        session = onnxruntime.InferenceSession(path)
        temperature = json.loads(session.get_modelmeta().custom_metadata_map["zoo"])["temperature"]
        classify = lambda batch, s=session: s.run(["logits", "probabilities"], {"images": batch})  # noqa: E731
        if agrees:
            assert agreement_of(network, classify, images, temperature).images == 20
        else:
            with pytest.raises(zoo.ZooError, match="the exported file is not kept: its logits differ"):
                agreement_of(network, classify, images, temperature)


def test_a_file_in_8_bits_is_small_and_tells_its_accuracy(
    run: zoo.Run, digits: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    """Fitted to validation images; measured on the test images, and told; zoo uses it like any other."""
    import onnx

    path = tmp_path / "small.onnx"
    assert main(["export", str(run.directory), "--quantize", "int8", "--out", str(path), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["quantize"], told["checked"], told["largest_difference"]) == ("int8", 1_200, None)
    assert told["model_accuracy"] == zoo.evaluate(run)["accuracy"]
    assert told["accuracy"] == evaluate_file(path)["accuracy"] > told["model_accuracy"] - 0.01
    assert told["bytes"] <= 0.45 * (run.directory / "model.onnx").stat().st_size
    model = onnx.load(path)
    assert {"QuantizeLinear", "DequantizeLinear"} <= {node.op_type for node in model.graph.node}
    assert json.loads({prop.key: prop.value for prop in model.metadata_props}["zoo"])["quantize"] == "int8"
    assert ".py" not in str(model.graph.node)
    assert main(["predict", str(path), str(digits / "000.png")]) == 0
    capsys.readouterr()
    assert main(["export", str(run.directory), "--quantize", "int9", "--out", str(path)]) == 2
    assert "quantize must be 'int8', not 'int9'" in capsys.readouterr().err


def test_an_ensemble_is_exported_as_one_model(tmp_path: Path):
    """Members of other sizes and normalisations are resized within; both formats say what it says."""
    settings: dict[str, Any] = {"steps": 2, "threads": 1, "precision": "fp32", "options": {"data.limit": 64}}
    runs = [zoo.train(name, out=tmp_path / name, **settings) for name in ("linear", "cnn")]
    weights = {"1.weight": torch.randn(10, 3 * 20 * 20) / 30, "1.bias": torch.zeros(10)}
    save_file(weights, tmp_path / "colour.safetensors")
    stated = {"mean": [0.2, 0.3, 0.4], "std": [0.5, 0.4, 0.3], "size": [20, 20], "interpolation": "bicubic"}
    settings["options"] |= {f"model.expects.{key}": value for key, value in stated.items()}
    settings["options"]["model.pretrained"] = str(tmp_path / "colour.safetensors")
    runs.append(zoo.train("linear", out=tmp_path / "colour", tune="off", **settings))
    made = zoo.ensemble(runs, out=tmp_path / "three")
    found = zoo.export(made, out=tmp_path / "three.onnx")
    assert found["checked"] == 64
    assert found["largest_difference"] < 1e-3
    assert evaluate_file(tmp_path / "three.onnx")["accuracy"] == made.test_accuracy
    zoo.export(made, format="torch_export", out=tmp_path / "three.pt2")
    program = torch.export.load(tmp_path / "three.pt2").module()
    images = zoo.create("datasets", "mnist").test.batch(torch.arange(5))[0]
    expected = ModelInFp32(load_run(made.directory).network)(images)
    torch.testing.assert_close(program(images)[0], expected, rtol=1e-4, atol=1e-4)


def test_a_program_of_torch_says_what_the_model_says(run: zoo.Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """It is written and not read: torch's own function loads it here."""
    path = tmp_path / "model.pt2"
    assert main(["export", str(run.directory), "--format", "torch_export", "--out", str(path)]) == 0
    assert "not checked: export/torch_export files are not read again" in capsys.readouterr().out
    extra = {"zoo.json": ""}
    program = torch.export.load(path, extra_files=extra)
    assert json.loads(extra["zoo.json"])["classes"] == [str(digit) for digit in range(10)]
    images = zoo.create("datasets", "mnist").test.batch(torch.arange(5))[0]
    logits, probabilities = program.module()(images)
    torch.testing.assert_close(logits, ModelInFp32(load_run(run.directory).network)(images))
    assert probabilities.shape == (5, 10)
    for place in (sys.prefix, str(Path(zoo.__file__).parent), str(run.directory), "zoo_cnn/"):
        assert place.encode() not in path.read_bytes(), place


_FICKLE = """
import torch, zoo

@zoo.hookimpl
def register(add):
    add.model("fickle", "zoo_tern:Fickle", summary="Looks at the values of a batch.")

class Fickle(torch.nn.Module):
    def __init__(self, num_classes):
        super().__init__()
        self.linear = torch.nn.Linear(784, num_classes)

    def forward(self, inputs):
        logits = self.linear(inputs.flatten(1))
        return logits if logits.sum() > 0 else 2 * logits
"""


def test_a_model_that_cannot_be_traced_costs_two_lines_and_leaves_no_file(
    site: FakeSite, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    """Its forward looks at the values of a batch."""
    site.install("tern", _FICKLE)
    registry.cache_clear()
    trained = zoo.train("tern/fickle", out=tmp_path / "run", options={"data.limit": 24}, steps=1, batch_size=8)
    capsys.readouterr()
    assert main(["export", str(trained.directory)]) == 1
    registry.cache_clear()
    told = capsys.readouterr()
    assert told.err.startswith("zoo: the model cannot be exported: torch.export cannot trace it: ")
    assert told.err.count("\n") == 2
    assert told.out == ""
    assert not [item for item in trained.directory.iterdir() if "onnx" in item.name or "export" in item.name]


@pytest.mark.parametrize("data", [b"", b"nothing", b"\x08\x0a" * 40])
def test_a_damaged_file_is_told(tmp_path: Path, data: bytes, capsys: pytest.CaptureFixture[str]):
    """In a line, with exit code 4."""
    (tmp_path / "model.onnx").write_bytes(data)
    Image.new("L", (28, 28)).save(tmp_path / "a.png")
    assert main(["predict", str(tmp_path / "model.onnx"), str(tmp_path / "a.png")]) == 4
    assert "cannot be run" in capsys.readouterr().err

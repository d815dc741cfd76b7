"""``zoo export``: a file gets its name when it says what the model says, whatever exporter wrote it."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fake_distributions import FakeSite
from fake_distributions import site as site  # noqa: PLC0414 - a fixture is found by its name here

import zoo
from zoo.cli import main
from zoo.registry import registry

_EXPORTERS = """
import torch, zoo

@zoo.hookimpl
def register(add):
    for name in ("faithful", "perturbed", "swapped", "misshapen", "raising", "mute", "wrong", "idle", "coarse"):
        add.exporter(name, f"zoo_tern:{name}", summary="Runs the module itself.")

def _exporter(change):
    def export(module, example, facts, path, offset: float = 0.0):
        path.write_bytes(b"a model")
        def classify(images):
            sizes.append(len(images))
            with torch.no_grad():
                return change(*module(torch.from_numpy(images)), offset)
        return classify
    return export

sizes = []
faithful = _exporter(lambda logits, probabilities, offset: (logits + offset, probabilities))
perturbed = _exporter(lambda logits, probabilities, offset: (logits, probabilities + 0.01))
swapped = _exporter(lambda logits, probabilities, offset: (logits.flip(1), probabilities))
misshapen = _exporter(lambda logits, probabilities, offset: (logits[:1], probabilities))
raising = _exporter(lambda logits, probabilities, offset: 1 / 0)

def mute(module, example, facts, path):
    path.write_bytes(b"a model")

def wrong(module, example, facts, path):
    path.write_bytes(b"a model")
    return 3

def coarse(module, example, facts, path, calibration, quantize: str = ""):
    path.write_bytes(f"{len(calibration)} {calibration.dtype} images".replace("torch.", "").encode())
    return lambda images: [part.detach().numpy()[:, ::-1] for part in module(torch.from_numpy(images))]

def idle(module, example, facts, path):
    pass
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> zoo.Run:
    """A linear model of some digits."""
    path = tmp_path_factory.mktemp("export") / "run"
    return zoo.train("mlp/linear", out=path, epochs=1, batch_size=32, options={"data.limit": 64}, threads=1)


@pytest.fixture(autouse=True)
def exporters(site: FakeSite) -> Iterator[None]:
    """Exporters that run the module itself, and change what it says."""
    site.install("tern", _EXPORTERS)
    registry.cache_clear()
    yield
    registry.cache_clear()


def folder(path: Path) -> Path:
    """Return an empty folder; beside it is the one of the plugins."""
    made = path / "out"
    made.mkdir()
    return made


def test_a_file_that_agrees_gets_its_name_and_the_result_says_so(run: zoo.Run, tmp_path: Path):
    """In batches of 1, 2, 7 and 500, fewer test images being taken several times."""
    import zoo_tern  # type: ignore[import-not-found]

    zoo_tern.sizes.clear()
    found = zoo.export(run, format="faithful", out=folder(tmp_path) / "model.bin")
    assert (tmp_path / "out/model.bin").read_bytes() == b"a model"
    assert zoo_tern.sizes == [1, 2, 7, 500]
    assert (found["format"], found["bytes"], found["checked"]) == ("tern/faithful", 7, 64)
    assert found["largest_difference"] < 1e-5
    assert [item.name for item in (tmp_path / "out").iterdir()] == ["model.bin"]


@pytest.mark.parametrize(
    ("exporter", "message", "code"),
    [
        ("perturbed", "its probabilities differ from the model's by up to 0.01", 1),
        ("swapped", "its logits differ from the model's by up to", 1),
        ("misshapen", "the exported file maps 2 images to logits (1, 10) and probabilities (2, 10)", 3),
        ("raising", "the exported file fails on 1 images: ZeroDivisionError", 3),
        ("wrong", "must return what runs its file, or None, and returned 3", 3),
        ("idle", "wrote no file at the path that it was given", 3),
    ],
)
def test_a_file_that_says_something_else_leaves_nothing(
    run: zoo.Run, tmp_path: Path, exporter: str, message: str, code: int, capsys: pytest.CaptureFixture[str]
):
    """Two lines at most, an exit code, and what stood there before still stands."""
    out = folder(tmp_path) / "model.bin"
    out.write_bytes(b"the last one")
    assert main(["export", str(run.directory), "--format", exporter, "--out", str(out)]) == code
    told = capsys.readouterr()
    assert message in told.err
    assert (told.out, told.err.count("\n") <= 2) == ("", True)
    assert out.read_bytes() == b"the last one"
    assert [item.name for item in (tmp_path / "out").iterdir()] == ["model.bin"]


def test_a_small_difference_is_allowed_and_a_larger_one_is_not(run: zoo.Run, tmp_path: Path):
    """The bound grows with the greatest logit, which is of the order of 1 here."""
    write: Callable[..., Any] = lambda offset: zoo.export(  # noqa: E731
        run, format="faithful", out=tmp_path / "m", options={"export.offset": offset}
    )
    assert 1e-6 < write(2e-6)["largest_difference"] < 3e-6
    with pytest.raises(zoo.ZooError, match=r"differ from the model's by up to 0\.00"):
        write(1e-3)


def test_a_quantised_file_may_differ_and_its_accuracy_is_told(
    run: zoo.Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    """It is kept however far it is off; an exporter says by its options that it can, and gets images to fit to."""
    assert (
        main(["export", str(run.directory), "--format", "coarse", "--quantize", "int8", "--out", str(tmp_path / "m")])
        == 0
    )
    told = capsys.readouterr().out
    assert re.search(
        r"m: 0.00 MB, int8: accuracy \d+\.\d\d % where the model has \d+\.\d\d %, of 64 test images\n$", told
    )
    assert re.fullmatch(rb"[1-9]\d* uint8 images", (tmp_path / "m").read_bytes())


def test_a_format_that_is_not_read_again_is_told_to_be_unchecked(
    run: zoo.Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    """Nobody should take it for checked."""
    assert main(["export", str(run.directory), "--format", "mute", "--out", str(tmp_path / "m")]) == 0
    assert capsys.readouterr().out == f"{tmp_path / 'm'}: 0.00 MB, not checked: tern/mute files are not read again\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--format", "faithfull"], "no exporter named 'faithfull'. Did you mean 'faithful'?"),
        (["--format", "faithful", "--out", "no/such/file"], "cannot write 'no/such/file': No such file or directory"),
        (["--format", "faithful", "--out", "."], "cannot write '.': it is a folder"),
        (["--format", "faithful", "--set", "export.shape=3"], "no option of exporter 'tern/faithful'"),
        (["--format", "faithful", "--quantize", "int8"], "no option of exporter 'tern/faithful'"),
        (["--format", "faithful", "--set", "model.p=3"], "of its options data.root alone may be given, not 'model.p'"),
    ],
)
def test_what_cannot_be_is_refused(
    run: zoo.Run, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
):
    """With exit code 2, and no traceback."""
    assert main(["export", str(run.directory), *arguments]) == 2
    assert message in capsys.readouterr().err


def test_without_the_extra_one_is_told_what_to_install(
    run: zoo.Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """To write a file, and to use one."""
    monkeypatch.setitem(sys.modules, "onnx", None)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    file = tmp_path / "model.onnx"
    assert main(["export", str(run.directory), "--out", str(file)]) == 2
    assert "the exporter 'onnx' needs more packages: pip install 'torch-zoo[onnx]'" in capsys.readouterr().err
    assert not file.exists()
    file.write_bytes(b"a model")
    for command in (["predict", str(file), "a.png"], ["evaluate", str(file)]):
        assert main(command) == 2
        assert "is run by onnxruntime: pip install 'torch-zoo[onnx]'" in capsys.readouterr().err


def test_predicting_and_measuring_take_a_file_for_a_run_only_without_a_runs_options(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    """A file has one set of weights, and one set of images that it was checked on."""
    file, missing = tmp_path / "model.onnx", tmp_path / "none.onnx"
    file.write_bytes(b"nothing")
    for arguments, message in (
        (["predict", str(file), "x.png", "--checkpoint", "last"], "--checkpoint is for a run"),
        (["evaluate", str(file), "--data", "mnist"], "--data is for a run"),
        (["predict", str(missing), "x.png"], "there is no file"),
        (["evaluate", str(missing)], "there is no file"),
    ):
        assert main(arguments) == 2
        assert message in capsys.readouterr().err

"""Test-time augmentation: the answer is the mean over views, and whoever reads the number is told so."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import nn
from torch.nn import functional

import zoo
from zoo.cli import main
from zoo.errors import PluginError, UsageError
from zoo.registry import registry
from zoo.reports.evaluations import read_document, read_evaluation
from zoo.runs import views as module
from zoo.runs.evaluating import own_split
from zoo.runs.loading import load_run
from zoo.training.evaluation import evaluating
from zoo.training.views import Viewed


def mirrored(inputs: torch.Tensor) -> list[torch.Tensor]:
    return [inputs, inputs.flip(3)]


def turned(inputs: torch.Tensor) -> list[torch.Tensor]:
    return [inputs, inputs.flip(2), inputs.flip(2, 3)]


def test_the_answer_is_the_mean_of_the_probabilities_of_all_views():
    """Each view of the second kind of each view of the first; written out by hand."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(12, 5))
    inputs = torch.randn(4, 1, 3, 4)
    answer = Viewed(model, [mirrored, turned])(inputs).softmax(1)
    shown = [view for first in mirrored(inputs) for view in turned(first)]
    assert len(shown) == 6
    torch.testing.assert_close(answer, torch.stack([model(view).softmax(1) for view in shown]).mean(0))


def test_the_answer_is_one_of_probabilities_however_sure_the_model_is():
    """Logits of a thousand: their logarithms' mean is finite, and sums to one."""
    answer = Viewed(nn.Flatten(), [lambda inputs: [inputs, -inputs]])(torch.tensor([[[[1000.0, -1000.0]]]]))
    torch.testing.assert_close(answer.exp(), torch.tensor([[0.5, 0.5]]))


def test_one_view_is_the_model():
    """But for the logits' common offset."""
    logits = torch.randn(3, 7)
    found = Viewed(nn.Identity(), [lambda inputs: [inputs]])(logits)
    torch.testing.assert_close(found, logits.log_softmax(1))


@pytest.mark.parametrize(("name", "count"), [("flip", 2), ("shift", 5)])
def test_views_of_first_party_augmentations(name: str, count: int):
    """The image itself, then others of it that keep every pixel that stays inside."""
    options = {"image_size": (4, 6)} if name == "shift" else {}
    image = torch.arange(24.0).view(1, 1, 4, 6)
    shown = registry().find("augmentations", name).load()(**options).views(image)
    assert len(shown) == count
    assert torch.equal(shown[0], image)
    if name == "flip":
        assert torch.equal(shown[1], image.flip(3))
        return
    up, down, left, right = shown[1:]
    assert torch.equal(up[..., :-1, :], image[..., 1:, :])
    assert torch.equal(down[..., 1:, :], image[..., :-1, :])
    assert torch.equal(left[..., :-1], image[..., 1:])
    assert torch.equal(right[..., 1:], image[..., :-1])


@pytest.mark.parametrize("name", ["warp", "rotation", "scale", "elastic"])
def test_views_of_what_resamples_are_resampled(name: str):
    """The image itself, then its means over four neighbours, which lie half a pixel away at each corner."""
    options = {"image_size": (4, 6)} if name == "warp" else {}
    image = torch.arange(24.0).view(1, 1, 4, 6).square()
    shown = registry().find("augmentations", name).load()(**options).views(image)
    means = functional.avg_pool2d(image, 2, 1)  # (1, 1, 3, 5): each between four pixels
    assert len(shown) == 5
    assert torch.equal(shown[0], image)
    for view, rows, columns in zip(shown[1:], (0, 0, 1, 1), (0, 1, 0, 1), strict=True):
        torch.testing.assert_close(view[..., rows : rows + 3, columns : columns + 5], means)


def test_an_evaluation_over_views_is_told_and_kept_apart(run: Path, capsys: pytest.CaptureFixture[str]):
    """In the line, in JSON, in the file's name and on the page; the plain evaluation stays as it was."""
    plain = (run / "evaluations" / "test-best.json").read_bytes()
    assert main(["evaluate", str(run), "--tta", "shift, flip", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["tta"] == ["augment/shift", "augment/flip"]
    assert found["kept"] == str(run / "evaluations" / "test-tta-shift+flip-best.json")
    assert (run / "evaluations" / "test-best.json").read_bytes() == plain
    kept = read_evaluation(run, "test-tta-shift+flip-best")
    assert kept.document["tta"] == found["tta"]
    assert kept.outcomes.right.mean() == found["accuracy"]
    assert main(["evaluate", str(run), "--tta", "flip", "--quiet"]) == 0
    assert ", averaged over the views of augment/flip)" in capsys.readouterr().out
    assert zoo.evaluate(run)["tta"] == []
    page = zoo.report(run)
    others = json.loads(page.with_suffix(".json").read_text())["other_evaluations"]
    assert [(each["name"], each["tta"]) for each in others] == [
        ("test-tta-flip-best", ["augment/flip"]),
        ("test-tta-shift+flip-best", ["augment/shift", "augment/flip"]),
    ]
    assert "the mean over the views of augment/shift and augment/flip" in page.read_text()


def test_the_logits_that_are_kept_are_those_of_the_views(run: Path):
    """Their softmax is the mean of two plain ones: of the test images, and of the mirrored test images."""
    found = zoo.evaluate(run, tta=["flip"])
    kept = read_evaluation(run, "test-tta-flip-best")
    assert kept.logits is not None
    loaded = load_run(run)
    test = own_split(loaded, "test")
    with evaluating(loaded.network.model):
        inputs = loaded.network.prepare_evaluation(test.batch(torch.arange(len(test)))[0])
        plain, other = (loaded.network.forward(each).float().softmax(1) for each in (inputs, inputs.flip(3)))
    torch.testing.assert_close(torch.from_numpy(kept.logits).softmax(1), (plain + other) / 2, atol=1e-5, rtol=1e-3)
    assert found["samples"] == len(test)
    assert not torch.equal(plain, other)


def test_what_is_missing_is_made_by_the_same_option(run: Path):
    """A damaged evaluation over views says how it was made."""
    with pytest.raises(
        UsageError, match=r"zoo evaluate .* --split validation --tta shift --tta flip --checkpoint last"
    ):
        read_document(run, "validation-tta-shift+flip-last")


@pytest.mark.parametrize(
    ("names", "text"),
    [
        (["filp"], "no augmentation named 'filp'. Did you mean 'flip'"),
        (["mixup"], "shows no views of an image; --tta takes augmentations that do"),
        (["flip", "augment/flip"], "names an augmentation twice"),
        ("flip, mixup,", "shows no views of an image"),
    ],
)
def test_what_has_no_views_is_refused(run: Path, names: str | list[str], text: str):
    """Before anything is measured."""
    with pytest.raises(UsageError, match=text):
        zoo.evaluate(run, tta=names)


def fails(inputs: torch.Tensor) -> list[torch.Tensor]:
    raise RuntimeError("no such view")


@pytest.mark.parametrize(
    ("views", "text"),
    [
        (fails, "fail: RuntimeError: no such view"),
        (lambda inputs: [], "must have the inputs' shape and type"),
        (lambda inputs: [inputs, inputs[..., 1:]], "must have the inputs' shape and type"),
        (lambda inputs: [inputs.double()], "must have the inputs' shape and type"),
    ],
)
def test_views_that_are_none_are_the_plugin_s_fault(run: Path, views, text: str, monkeypatch: pytest.MonkeyPatch):
    """Told in a line that names the entry."""
    part = SimpleNamespace(
        choice=SimpleNamespace(name="tern/odd"), label="augmentation 'tern/odd'", build=lambda **_: views_of(views)
    )
    monkeypatch.setattr(module, "find_component", lambda section, choice: part)
    with pytest.raises(PluginError, match="augmentation 'tern/odd'.*" + text):
        zoo.evaluate(run, tta=["odd"])


def views_of(views):
    return SimpleNamespace(views=views)

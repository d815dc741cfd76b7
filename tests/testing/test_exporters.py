"""The contract of exporters, and which faults it finds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from entry_of import entry_of
from torch import Tensor, nn

from zoo.errors import UsageError
from zoo.testing import ContractError
from zoo.testing import exporters as contract
from zoo.testing.outcome import Check

Classify = Callable[[np.ndarray], Any]


def exporting(classify: Callable[[nn.Module, Tensor], Any]) -> Callable[..., Classify]:
    """Return an exporter whose file says *classify* of the module and images."""

    def it(module: nn.Module, example: Tensor, facts: dict[str, Any], path: Path) -> Classify:
        path.write_bytes(b"weights")

        @torch.no_grad()
        def said(images: np.ndarray) -> Any:
            return classify(module, torch.from_numpy(images))

        return said

    return it


def writing(*names: str) -> Callable[..., None]:
    """Return an exporter that writes files of these names in place of the one that it is given."""

    def it(module: nn.Module, example: Tensor, facts: dict[str, Any], path: Path) -> None:
        for name in names:
            path.with_name(name).write_bytes(b"weights")

    return it


def given(module: nn.Module, example: Tensor, facts: dict[str, Any], path: Path) -> None:
    """Writes a file only if all that an export is told is there."""
    assert example.dtype == torch.uint8
    assert example.shape == (2, facts["channels"], *facts["image_size"])
    assert not module.training
    assert not torch.is_grad_enabled()
    logits, probabilities = module(example)
    assert logits.shape == (2, len(facts["classes"]))
    assert torch.allclose(probabilities.sum(1), torch.ones(2))
    path.write_bytes(b"weights")


def entry(exporter: Callable[..., Any]) -> Any:
    return entry_of("exporters", exporter)


@pytest.mark.parametrize(
    ("exporter", "told"),
    [
        (exporting(lambda module, images: module(images)), "says what the module says"),
        (exporting(lambda module, images: [part.tolist() for part in module(images)]), "says what the module says"),
        (given, "not read again"),
    ],
    ids=["tensors", "lists", "a file that is not read again"],
)
def test_a_sound_exporter_passes(exporter: Callable[..., Any], told: str) -> None:
    """And it is told whether its file was read again."""
    assert contract.check_file(entry(exporter)) == told


FAULTY = {
    "nothing written": (writing(), "one file, 'model.it'; saw none"),
    "another name": (writing("weights"), "one file, 'model.it'; saw weights"),
    "a second file": (writing("model.it", "model.it.data"), "saw model.it, model.it.data"),
    "logits alone": (
        exporting(lambda module, x: module(x)[0].numpy()),
        "the logits and the probabilities; saw a ndarr",
    ),
    "one of two": (exporting(lambda module, x: module(x)[:1]), "the logits and the probabilities; saw 1 results"),
    "the other order": (exporting(lambda module, x: module(x)[::-1]), "logits of 1 images, (1, 3); saw others"),
    "logits twice": (exporting(lambda module, x: module(x)[:1] * 2), "probabilities of 1 images, (1, 3); saw others"),
    "the first image alone": (
        exporting(lambda module, x: tuple(part[:1] for part in module(x))),
        "logits of 2 images, (2, 3); saw (1, 3)",
    ),
    "logits that are not finite": (
        exporting(lambda module, x: (module(x)[0] * float("nan"), module(x)[1])),
        "logits of 1 images, (1, 3); saw others, by up to nan",
    ),
    "the batch's own statistics": (
        exporting(lambda module, x: module.train()(x) if len(x) > 2 else module.eval()(x)),
        "logits of 7 images, (7, 3); saw others",
    ),
}


@pytest.mark.parametrize("case", FAULTY)
def test_a_faulty_exporter_is_found(case: str) -> None:
    """Each fault has its own words, and two lines."""
    exporter, seen = FAULTY[case]
    with pytest.raises(ContractError) as caught:
        contract.check_file(entry(exporter))
    assert seen in str(caught.value)
    assert len(str(caught.value).splitlines()) == 2


def test_one_that_lacks_its_library_is_not_checked() -> None:
    """It says what to install, and breaks no contract."""

    def it(module: nn.Module, example: Tensor, facts: dict[str, Any], path: Path) -> None:
        raise UsageError("pip install 'torch-zoo[onnx]'")

    outcome = Check("exporter it", "writes", lambda: contract.check_file(entry(it))).run()
    assert (outcome.status, outcome.detail) == ("skipped", "pip install 'torch-zoo[onnx]'")


def test_one_that_fails_has_failed() -> None:
    """With its own exception in the line."""

    def it(module: nn.Module, example: Tensor, facts: dict[str, Any], path: Path) -> None:
        raise RuntimeError("no such operator")

    outcome = Check("exporter it", "writes", lambda: contract.check_file(entry(it))).run()
    assert outcome.status == "failed"
    assert "RuntimeError: no such operator" in outcome.detail

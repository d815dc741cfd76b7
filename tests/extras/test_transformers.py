"""transformers loads what zoo published: the same bits, and in its pipeline the same labels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from published_models import KINDS, logits_of, pictures, published

import zoo

pytestmark = pytest.mark.extras


@pytest.fixture(scope="module")
def transformers() -> Any:
    """The library, imported when a test runs."""
    import transformers

    return transformers


@pytest.mark.parametrize("kind", KINDS)
def test_the_logits_are_equal_to_the_bit(kind: str, transformers: Any, tmp_path: Path):
    """Of grey and coloured images, a ViT at a size that is not its own, and a model that was laid out otherwise."""
    folder = published(kind, tmp_path)
    model = transformers.AutoModelForImageClassification.from_pretrained(folder).eval()
    inputs, expected = logits_of(folder)
    with torch.no_grad():
        assert torch.equal(model(inputs).logits, expected)
    classes = zoo.load(folder).classes
    assert [model.config.id2label[k] for k in range(len(classes))] == list(classes)


def answers(transformers: Any, folder: Path, images: list[Path]) -> list[dict[str, float]]:
    """Return what the pipeline says of images: each class with its probability."""
    pipeline = transformers.pipeline("image-classification", model=str(folder), device="cpu")
    found = [pipeline(str(image), top_k=100, function_to_apply="softmax") for image in images]
    return [{each["label"]: each["score"] for each in one} for one in found]


@pytest.mark.parametrize(
    ("kind", "wishes", "tolerance"), [("colour", {}, 1e-5), ("grey", {"as_rgb": True}, 1e-3)], ids=["colour", "as_rgb"]
)
def test_the_pipeline_says_what_zoo_says(
    kind: str, wishes: dict[str, Any], tolerance: float, transformers: Any, tmp_path: Path
):
    """Of pictures of colour, given as files, by its own image processor; a grey model is asked by its run."""
    folder = published(kind, tmp_path, **wishes)
    images = pictures(tmp_path / "pictures")
    own = zoo.predict(tmp_path / "run", images, top_k=len(zoo.load(folder).classes))
    for expected, found in zip(own, answers(transformers, folder, images), strict=True):
        assert max(found, key=found.__getitem__) == expected.label
        for label, probability in zip(expected.labels, expected.probabilities, strict=True):
            assert found[label] == pytest.approx(probability, abs=tolerance)

"""What a run says of images, from Python."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import zoo
from zoo.runs import predicting


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run, which tests only read."""
    path = tmp_path_factory.mktemp("runs") / "run"
    zoo.train("linear", epochs=1, threads=1, options={"data.limit": 64}, out=path)
    return path


def digits(folder: Path, count: int) -> list[Path]:
    """Write images of noise, no two alike."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{index:03}.png" for index in range(count)]
    for index, path in enumerate(paths):
        noise = np.random.default_rng(index).integers(0, 256, (28, 28), dtype=np.uint8)
        Image.fromarray(noise).save(path)
    return paths


def test_every_kind_of_image_is_classified_alike(run: Path, tmp_path: Path):
    """Paths, bytes, Pillow's images and arrays, mixed, each under a name that tells it apart."""
    (path,) = digits(tmp_path, 1)
    with Image.open(path) as image:
        array = np.array(image)
        found = zoo.predict(run, [path, str(path), path.read_bytes(), image, array, Image.fromarray(array)], top_k=3)
    assert [each.image for each in found] == [str(path)] * 2 + ["images[2]", str(path), "images[4]", "images[5]"]
    assert len({(each.labels, each.probabilities) for each in found}) == 1


def test_a_folder_is_its_images_in_order(run: Path, tmp_path: Path):
    """And its place in the list is kept."""
    paths, (other,) = digits(tmp_path / "set", 3), digits(tmp_path / "other", 1)
    found = zoo.predict(run, [other, tmp_path / "set", other])
    assert [each.image for each in found] == [*map(str, [other, *paths, other])]


def test_batches_change_no_answer(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """More images than a batch has, in any number of batches, come out in order."""
    paths = digits(tmp_path, 23)
    expected = zoo.predict(run, paths, top_k=2)
    assert len({each.probabilities for each in expected}) == 23
    for size in (1, 5, 23):
        monkeypatch.setattr(predicting, "_BATCH", size)
        found = zoo.predict(run, paths, top_k=2)
        assert [(each.image, each.labels) for each in found] == [(each.image, each.labels) for each in expected]
        for one, other in zip(found, expected, strict=True):
            assert one.probabilities == pytest.approx(other.probabilities, abs=1e-6)


def test_images_are_asked_for_as_they_are_needed(run: Path, monkeypatch: pytest.MonkeyPatch):
    """A generator of any length is taken: a few batches at most are ahead of what was answered."""
    monkeypatch.setattr(predicting, "_BATCH", 4)
    asked = 0

    def endless() -> Iterator[np.ndarray]:
        nonlocal asked
        while True:
            asked += 1
            yield np.full((28, 28), asked % 256, dtype=np.uint8)

    answers = predicting.outcomes(run, endless())
    for index in range(21):
        assert next(answers).image == f"images[{index}]"
        assert asked <= index + 4 * (predicting._AHEAD + 2)
    answers.close()


def test_damaged_images_are_passed_over_when_asked_to(run: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture):
    """The others are predicted, also where a batch has none but damaged ones, and a warning names what was not."""
    first, second, third = digits(tmp_path, 3)
    second.write_bytes(first.read_bytes()[:60])
    with caplog.at_level(logging.WARNING, "zoo"):
        found = zoo.predict(run, [first, second, b"no image", third], skip_damaged=True)
        assert zoo.predict(run, [b"no image"], skip_damaged=True) == []
    assert [each.image for each in found] == [str(first), str(third)]
    assert found[1].probabilities == pytest.approx(zoo.predict(run, [third])[0].probabilities, abs=1e-6)
    assert f"{str(second)!r} is a damaged image" in caplog.text
    assert "'images[2]'" in caplog.text


def test_a_damaged_image_is_an_error_otherwise(run: Path, tmp_path: Path):
    """As is one that is missing."""
    (path,) = digits(tmp_path, 1)
    with pytest.raises(zoo.DamagedError, match=r"'images\[1\]' is no image"):
        zoo.predict(run, [path, b"no image"])
    with pytest.raises(zoo.UsageError, match="No such file"):
        zoo.predict(run, [path, tmp_path / "none.png"])


def test_whoever_asks_keeps_their_own_arithmetic(run: Path, tmp_path: Path):
    """Between two images, where they stop early, and after an error: small numbers are not zero for them."""

    def keeps_small_numbers() -> bool:
        return bool(torch.tensor(1e-39).mul(0.5).item())

    torch.set_flush_denormal(False)
    paths = digits(tmp_path, 2)
    for images in ([*paths], [*paths, b"no image"]):
        found = predicting.outcomes(run, images)
        next(found)
        assert keeps_small_numbers()
    with pytest.raises(zoo.DamagedError) as caught:
        zoo.predict(run, [*paths, b"no image"])
    assert caught.value.exit_code == 4
    assert keeps_small_numbers()


def test_an_array_of_another_type_is_the_programs_error(run: Path):
    """It is not damaged, so that nothing passes over it."""
    with pytest.raises(zoo.UsageError, match=r"images\[0\] must be an array uint8"):
        zoo.predict(run, [np.zeros((28, 28))], skip_damaged=True)


@pytest.mark.parametrize("threshold", [-0.1, 1.1, float("nan")])
def test_a_threshold_is_a_probability(run: Path, threshold: float):
    """No other number would mean anything."""
    with pytest.raises(zoo.UsageError, match="threshold must be from 0 to 1"):
        zoo.predict(run, [np.zeros((28, 28), dtype=np.uint8)], threshold=threshold)


@pytest.mark.parametrize(
    "images", ["a.png", Path("a.png"), b"png", Image.new("L", (2, 2)), 7], ids=lambda value: type(value).__name__
)
def test_one_image_alone_is_told_to_be_a_list(run: Path, images: object):
    """A text is a list of letters, and bytes one of numbers."""
    with pytest.raises(zoo.UsageError, match=r"images must be a list of images, such as \["):
        zoo.predict(run, images)  # type: ignore[arg-type]


def test_embeddings_are_given_where_they_are_asked_for(run: Path, tmp_path: Path):
    """They change nothing that is said, nor whether two predictions are equal."""
    paths = digits(tmp_path, 3)
    plain, found = zoo.predict(run, paths), zoo.predict(run, paths, embeddings=True)
    assert plain == found
    assert [each.embedding for each in plain] == [None] * 3
    assert [each.embedding.shape for each in found if each.embedding is not None] == [(784,)] * 3

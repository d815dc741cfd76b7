"""Images in arrays."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file
from zoo_arrays.dataset import arrays

import zoo
from zoo.data import held, is_streamed

GENERATOR = np.random.default_rng(0)
GREY = {
    "train_images": GENERATOR.integers(0, 256, (12, 5, 4), dtype=np.uint8),
    "train_labels": np.arange(12) % 3,
    "test_images": GENERATOR.integers(0, 256, (6, 5, 4), dtype=np.uint8),
    "test_labels": np.arange(6) % 3,
}


def written(root: Path, form: str, found: dict) -> str:
    if form == "npy":
        root.mkdir(exist_ok=True)
        for name, array in found.items():
            np.save(root / f"{name}.npy", array)
        return str(root)
    path = root.with_suffix(f".{form}")
    if form == "npz":
        np.savez_compressed(path, **found)
    else:
        save_file({name: np.ascontiguousarray(array) for name, array in found.items()}, path)
    return str(path)


def pixels(split) -> np.ndarray:
    return split.batch(torch.arange(len(split)))[0].numpy()


@pytest.mark.parametrize("form", ["npy", "npz", "safetensors"])
@pytest.mark.parametrize("stream", [True, False])
def test_every_format_gives_the_arrays_images(tmp_path, form, stream):
    """Mapped or copied, streamed or held in memory."""
    data = held(arrays(root=written(tmp_path / "set", form, GREY), stream=stream), None, "cpu")
    assert is_streamed(data.train) is stream
    assert np.array_equal(pixels(data.train)[:, 0], GREY["train_images"])
    assert np.array_equal(pixels(data.test)[:, 0], GREY["test_images"])
    assert data.train.labels.tolist() == GREY["train_labels"].tolist()
    assert data.mean == pytest.approx([GREY["train_images"].mean() / 255])
    assert list(data.classes) == ["0", "1", "2"]


@pytest.mark.parametrize("last", [True, False])
@pytest.mark.parametrize("channels", [1, 3])
def test_channels_may_come_first_or_last(tmp_path, last, channels):
    """As Keras and as torch keep them; labels may have a dimension of one."""
    images = GENERATOR.integers(0, 256, (9, channels, 6, 5), dtype=np.uint8)
    stored = images.transpose(0, 2, 3, 1) if last else images
    found = {"x_train": stored, "y_train": np.arange(9).reshape(9, 1) % 3, "x_val": stored, "y_val": np.arange(9) % 3}
    data = arrays(root=written(tmp_path / "set", "npz", found))
    assert np.array_equal(pixels(data.train), images)
    assert np.array_equal(pixels(data.test), images)
    assert data.validation is None


def test_one_array_is_divided_and_classes_may_have_names(tmp_path):
    """By each image's place and the seed."""
    found = {
        "images": GENERATOR.integers(0, 256, (40, 5, 4), dtype=np.uint8),
        "labels": np.arange(40) % 2,
        "classes": np.array(["auk", "gull"]),
    }
    data = arrays(root=written(tmp_path / "set", "npy", found))
    assert data.classes == ["auk", "gull"]
    assert len(data.train) + len(data.test) == 40
    both = {image.tobytes() for split in (data.train, data.test) for image in pixels(split)}
    assert both == {image.tobytes() for image in found["images"]}


def test_it_trains_with_equal_bits_streamed_and_in_memory(tmp_path):
    """By its name, with mixing."""
    root = written(tmp_path / "set", "npy", GREY)
    runs = [
        zoo.train(
            "mlp",
            data="arrays",
            options={"data.root": root, "data.stream": stream},
            augment=["mixup"],
            epochs=2,
            batch_size=4,
            device="cpu",
            out=tmp_path / str(stream),
        )
        for stream in (True, False)
    ]
    for one, other in zip(*(run.model.state_dict().values() for run in runs), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"train_images": np.zeros((12, 5, 4))}, "train_images must be uint8 (N, H, W), (N, H, W, C)"),
        ({"train_images": np.zeros((12, 5, 4, 2), np.uint8)}, "not uint8 (12, 5, 4, 2)"),
        ({"train_labels": np.arange(11)}, "train_labels must be 12 whole numbers"),
        ({"train_labels": np.zeros(12)}, "train_labels must be 12 whole numbers"),
        ({"train_labels": np.eye(12, dtype=int)}, "train_labels gives several numbers an image"),
        ({"test_labels": np.array([0, 1, -1, 0, 0, 0])}, "test_labels[2] is -1; classes count from 0"),
        ({"train_labels": 10**10 * np.arange(12)}, "has a label 110,000,000,000, and 18 images; labels number the"),
        ({"test_images": np.zeros((6, 5, 5), np.uint8)}, "images of several shapes: (1, 5, 4) and (1, 5, 5)"),
    ],
)
def test_an_array_that_cannot_be_is_named(tmp_path, change, message):
    """In one line."""
    with pytest.raises(zoo.UsageError, match=re.escape(message)) as caught:
        arrays(root=written(tmp_path / "set", "npz", GREY | change))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("form", ["npy", "npz", "safetensors"])
def test_floats_are_refused_in_every_format_by_what_they_are(tmp_path, form):
    """An array that is there is not told to be missing."""
    floats = {"train_images": np.zeros((12, 5, 4), np.float32)}
    with pytest.raises(zoo.UsageError, match=r"train_images must be uint8 .*, not float32 \(12, 5, 4\)$"):
        arrays(root=written(tmp_path / "set", form, GREY | floats))


def test_objects_are_not_unpickled(tmp_path):
    """An array of objects is refused, in a file of its own and in an archive."""
    odd = np.array([{"a": 1}], dtype=object)
    np.savez(tmp_path / "set.npz", train_images=odd)
    (tmp_path / "folder").mkdir()
    np.save(tmp_path / "folder" / "train_images.npy", odd)
    for root in ("set.npz", "folder"):
        with pytest.raises(zoo.DamagedError, match=r"allow_pickle|Python objects"):
            arrays(root=str(tmp_path / root))


@pytest.mark.parametrize("content", [b"", b"\xff" * 64, b"\x05\0\0\0\0\0\0\0[1,2]"])
def test_a_damaged_file_is_one_line(tmp_path, content):
    """Exit code 4."""
    for name in ("set.npz", "set.safetensors"):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(zoo.DamagedError, match=re.escape(name)) as caught:
            arrays(root=str(tmp_path / name))
        assert "\n" not in str(caught.value)


def test_what_is_missing_is_told(tmp_path):
    """The option, the file, and the names that arrays should have."""
    with pytest.raises(zoo.UsageError, match=r"--set data\.root=PATH"):
        arrays()
    with pytest.raises(zoo.UsageError, match="there is no file or folder"):
        arrays(root=str(tmp_path / "none"))
    with pytest.raises(zoo.UsageError, match=r"no \.npy files"):
        arrays(root=str(tmp_path))
    np.savez(tmp_path / "set.npz", pictures=np.zeros(3))
    with pytest.raises(zoo.UsageError, match="has the arrays 'pictures'; wanted are train_images and train_labels"):
        arrays(root=str(tmp_path / "set.npz"))


def test_no_message_tells_how_to_unpickle(tmp_path: Path) -> None:
    """NumPy takes what is no archive for a pickle, and says how it could be loaded in spite of that."""
    (tmp_path / "set.npz").write_bytes(b"junk")
    with pytest.raises(
        zoo.DamagedError, match=r"set.npz' is no .npz that zoo reads: it is no zip archive, or damaged$"
    ):
        arrays(root=str(tmp_path / "set.npz"))

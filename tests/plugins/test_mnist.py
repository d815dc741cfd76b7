"""The embedded MNIST."""

from __future__ import annotations

import hashlib
import re
import shutil
from pathlib import Path

import pytest
import torch
import zoo_mnist
from zoo_mnist import dataset

import zoo


@pytest.fixture(scope="module")
def mnist() -> zoo.Dataset:
    return dataset.mnist()


def test_mnist_is_complete(mnist):
    """It has the sizes, types and class counts of the original."""
    assert mnist.train.images.shape == (60_000, 1, 28, 28)
    assert mnist.test.images.shape == (10_000, 1, 28, 28)
    assert mnist.classes == [str(digit) for digit in range(10)]
    assert mnist.train.labels[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert mnist.test.labels[:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]
    counts = torch.bincount(mnist.train.labels).tolist()
    assert counts == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]


def test_mean_and_deviation_are_those_of_the_training_images(mnist):
    """The stated statistics are the data's, to the four digits that are stated."""
    pixels = mnist.train.images.float() / 255
    assert mnist.mean == pytest.approx([pixels.mean().item()], abs=5e-5)
    assert mnist.std == pytest.approx([pixels.std().item()], abs=5e-5)


def test_the_content_is_the_authors_byte_for_byte(mnist):
    """The decoded pixels and labels have the published MD5 of the uncompressed files, header left out."""
    header = bytes.fromhex("00000803 0000ea60 0000001c 0000001c")
    found = hashlib.md5(header + mnist.train.images.numpy().tobytes()).hexdigest()
    assert found == "6bbc9ace898e44ae57da46a324031adb"


def test_the_licence_lists_the_files_as_they_are():
    """Every hash of a stored file in the licence text is that file's, and all four stand there."""
    text = (Path(zoo_mnist.__file__).parent / "LICENSE-MNIST.txt").read_text()
    for file in dataset.FILES:
        digest = hashlib.sha256((dataset.FOLDER / file.name).read_bytes()).hexdigest()
        assert digest == file.sha256
        assert re.search(rf"^ +{digest}  {re.escape(file.name)}$", text, re.MULTILINE)
    assert "CC BY-SA 3.0" in text


@pytest.mark.parametrize("fault", ["flipped", "truncated", "missing"])
def test_a_damaged_file_is_named_with_its_cure(tmp_path, monkeypatch, fault):
    """One flipped byte, a truncation or a missing file ends with exit code 4, the file's name and how to mend it."""
    for file in dataset.FILES:
        shutil.copy(dataset.FOLDER / file.name, tmp_path)
    victim = tmp_path / "t10k-labels-idx1-ubyte.gz"
    content = bytearray(victim.read_bytes())
    if fault == "flipped":
        content[2000] ^= 1
        victim.write_bytes(content)
    elif fault == "truncated":
        victim.write_bytes(content[:-1])
    else:
        victim.unlink()
    monkeypatch.setattr(dataset, "FOLDER", tmp_path)

    with pytest.raises(zoo.DamagedError, match="Reinstall torch-zoo") as caught:
        dataset.mnist()

    assert str(victim) in str(caught.value)
    assert caught.value.exit_code == 4


def test_it_is_built_by_name():
    """The core finds it through its entry point, by short and by full name."""
    assert len(zoo.create("datasets", "mnist").train) == 60_000
    assert len(zoo.create("datasets", "mnist/mnist").test) == 10_000

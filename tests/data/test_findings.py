"""What is told of a dataset before anything is learnt from it."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import torch
from PIL import Image
from small_images import small_dataset, small_split
from small_photos import CLASSES, photograph, photographs

import zoo
from zoo.data.findings import class_findings, findings
from zoo.data.identity import Identification
from zoo.data.quick_look import quick_findings


@pytest.fixture
def root(tmp_path):
    return photographs(tmp_path / "photos", train=33, test=9)


def folder(root) -> zoo.Dataset:
    return zoo.create("datasets", "folder", root=str(root), size=16, color=True)


def kinds(dataset) -> dict[str, list]:
    return {finding.kind: [list(item) for item in finding.items] for finding in findings(dataset)}


def test_nothing_is_found_in_a_sound_set(root):
    """Photographs that differ, in splits that share none, enough of each class."""
    assert findings(folder(root)) == []


def test_images_that_cannot_be_read_come_first_each_with_its_fault(root):
    """And the others are looked at all the same."""
    path = root / "train" / CLASSES[0] / "000.jpg"
    path.write_bytes(path.read_bytes()[:200])
    shutil.copy(root / "train" / CLASSES[1] / "001.jpg", root / "test" / CLASSES[1] / "copy.jpg")
    found = findings(folder(root))
    assert [(finding.kind, finding.severity) for finding in found] == [
        ("unreadable", "damaged"),
        ("leakage", "falsifies"),
    ]
    ((place, fault),) = found[0].items
    assert place == str(path)
    assert "is a damaged image" in fault


def test_equal_bytes_are_told_by_where_they_are(root):
    """In two splits, in two classes, or twice in one place: under whatever names."""
    train = root / "train"
    shutil.copy(train / CLASSES[0] / "000.jpg", root / "test" / CLASSES[0] / "other.jpg")
    shutil.copy(train / CLASSES[0] / "003.jpg", train / CLASSES[1] / "torn.jpg")
    shutil.copy(train / CLASSES[2] / "002.png", train / CLASSES[2] / "twice.png")
    found = kinds(folder(root))
    assert found["leakage"] == [[str(train / CLASSES[0] / "000.jpg"), str(root / "test" / CLASSES[0] / "other.jpg")]]
    assert [sorted(item) for item in found["two classes"]] == [
        sorted(f"{train / name / file} ({name})" for name, file in ((CLASSES[0], "003.jpg"), (CLASSES[1], "torn.jpg")))
    ]
    assert [sorted(item) for item in found["copies"]] == [
        [str(train / CLASSES[2] / "002.png"), str(train / CLASSES[2] / "twice.png")]
    ]
    assert "look-alikes" not in found


def test_a_copy_of_another_size_and_quality_looks_the_same(root):
    """Its bytes differ, what it shows does not; another photograph is another."""
    path = root / "train" / CLASSES[0] / "006.jpg"
    coarse = np.random.default_rng(5).integers(0, 255, (12, 16, 3), dtype=np.uint8)
    whole = Image.fromarray(coarse).resize((160, 120), Image.Resampling.BICUBIC)
    whole.save(path)
    whole.resize((80, 60)).save(root / "test" / CLASSES[0] / "small.jpg", quality=60)
    found = kinds(folder(root))
    assert found["look-alike leakage"] == [[str(path), str(root / "test" / CLASSES[0] / "small.jpg")]]


def test_pictures_of_nothing_are_not_said_to_look_the_same(root):
    """All black ones are alike whatever they are of."""
    for name, level in (("a.png", 0), ("b.png", 3)):
        Image.new("RGB", (20, 20), (level, level, level)).save(root / "train" / CLASSES[0] / name)
    assert "look-alikes" not in kinds(folder(root))


def test_counts_of_classes_are_looked_at():
    """Too few to learn from, none to test with, and one that is nearly all."""
    labels = torch.tensor([0] * 98 + [1, 1])
    one_sided = zoo.Dataset(
        zoo.TensorImages(small_split(100).images, labels),
        zoo.TensorImages(small_split(20, seed=1).images, torch.zeros(20, dtype=torch.int64)),
        ["auk", "gull"],
    )
    found = kinds(one_sided)
    assert found["few images"] == [["gull", "2"]]
    assert found["untested"] == [["gull"]]
    assert found["one class"] in ([["train", "auk"]], [["test", "auk"]])


def test_names_of_classes_that_differ_in_case_alone_are_told():
    """One of the two is a misspelling, and the model would be asked to tell them apart."""
    counts = {"train": [20] * 5, "test": [5] * 5}
    (found,) = class_findings(counts, ["Red kite", "auk", "gull", "red_kite", "red  kite"])
    assert (found.kind, found.severity) == ("names alike", "doubtful")
    assert found.notice == (
        "3 classes have names that differ in case, spaces or underscores alone: "
        "'Red kite' and 'red_kite' and 'red  kite'"
    )


def test_a_class_of_few_images_is_told_with_their_number():
    """Not as if the number were another class."""
    (found,) = class_findings({"train": [20, 9], "test": [5, 5]}, ["auk", "gull"])
    assert found.notice == "1 class has fewer than 10 training images: gull: 9"


def test_odd_sizes_are_named_with_them(root):
    """Far smaller than the others, or far longer than wide."""
    photograph(root / "train" / CLASSES[0] / "tiny.png", 0, 1, (5, 5))
    photograph(root / "train" / CLASSES[0] / "strip.png", 0, 2, (20, 120))
    places = {place.rpartition("/")[2]: size for place, size in kinds(folder(root))["odd sizes"]}
    assert places == {"tiny.png": "5 x 5", "strip.png": "20 x 120"}


def test_images_in_memory_are_named_by_their_places():
    """There are no files, and equal pixels are equal bytes."""
    data = small_dataset()
    test = data.test.images.clone()
    test[3] = data.train.images[7]
    mixed = zoo.Dataset(data.train, zoo.TensorImages(test, data.test.labels), data.classes)
    assert kinds(mixed)["leakage"] == [["train[7]", "test[3]"]]


def quick(root, seconds=1.0):
    data = folder(root)
    return {
        finding.kind: [list(item) for item in finding.items]
        for finding in quick_findings(data, Identification(data), seconds)
    }


def test_the_quick_look_finds_equal_files_in_two_splits(root):
    """By size first, and then by their bytes: equally large is not yet equal."""
    train, test = root / "train" / CLASSES[0], root / "test" / CLASSES[0]
    shutil.copy(train / "000.jpg", test / "other.jpg")
    content = (train / "003.jpg").read_bytes()
    (test / "as_large.jpg").write_bytes(content[:-1] + b"\0")
    assert quick(root)["leakage"] == [[str(train / "000.jpg"), str(test / "other.jpg")]]
    assert "leakage" not in quick(root, seconds=-1), "no time is no hashing"


def test_the_quick_look_is_for_files_alone():
    """What lies in memory is nobody's folder."""
    data = small_dataset()
    assert quick_findings(data, Identification(data)) == []


def test_a_file_that_cannot_be_read_does_not_stop_the_quick_look(root):
    """Whoever trains on it will tell."""
    train, test = root / "train" / CLASSES[0], root / "test" / CLASSES[0]
    shutil.copy(train / "000.jpg", test / "other.jpg")
    data = folder(root)
    identity = Identification(data)
    (test / "other.jpg").unlink()
    assert quick_findings(data, identity) == [], "none is there twice any more"

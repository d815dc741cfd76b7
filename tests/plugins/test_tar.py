"""Images in tar archives."""

from __future__ import annotations

import io
import json
import os
import re
import tarfile
from pathlib import Path

import pytest
import torch
from PIL import Image
from zoo_tar import index
from zoo_tar.dataset import _split_of, tar

import zoo
from zoo.data import held


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch) -> Path:
    """A cache of the test's own."""
    monkeypatch.setenv("ZOO_DATA", str(tmp_path / "cache"))
    return tmp_path / "cache" / "tar"


def png(level: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("L", (6, 5), level).save(buffer, "PNG")
    return buffer.getvalue()


def shard(path: Path, members: dict[str, bytes]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def samples(levels: range, json_labels: bool = False) -> dict[str, bytes]:
    """Return members of which each image has a level of its own, with labels before or behind the images."""
    members: dict[str, bytes] = {}
    for level in levels:
        label = level % 3
        told = {f"deep/{level:03}.json": json.dumps({"label": label}).encode()} if json_labels else {}
        told = told or {f"deep/{level:03}.cls": str(label).encode()}
        image = {f"deep/{level:03}.png": png(level)}
        members |= told | image if level % 2 else image | told
    return members


@pytest.fixture
def root(tmp_path) -> Path:
    folder = tmp_path / "shards"
    shard(folder / "train-000.tar", samples(range(10)))
    shard(folder / "train-001.tar", samples(range(10, 20), json_labels=True))
    shard(folder / "test-000.tar", samples(range(20, 26)))
    return folder


def levels(split) -> list[int]:
    return split.batch(torch.arange(len(split)))[0][:, 0, 0, 0].tolist()


def test_every_image_of_every_shard_is_read_by_its_place(root):
    """Labels before or behind their images, as text or in JSON; no order is better than another."""
    data = tar(root=str(root))
    assert levels(data.train) == list(range(20))
    assert data.train.labels.tolist() == [level % 3 for level in range(20)]
    assert levels(data.test) == list(range(20, 26))
    assert data.classes == ["0", "1", "2"]
    assert data.train.names[13] == "train-001.tar/deep/013.png"
    assert data.train.sizes[13] == len(png(13))
    order = torch.tensor([19, 0, 10, 0])
    assert data.train.batch(order)[0][:, 0, 0, 0].tolist() == order.tolist()


def test_shards_without_splits_are_divided_by_name(root):
    """Each image is in one of them, the same for the same seed."""
    (root / "test-000.tar").unlink()
    data, again = tar(root=str(root)), tar(root=str(root))
    assert sorted(levels(data.train) + levels(data.test)) == list(range(20))
    assert data.test.names == again.test.names
    assert data.test.labels.tolist() == [level % 3 for level in levels(data.test)]


def test_a_validation_shard_is_the_validation_set(root):
    """Beside a test shard, and else the test set."""
    shard(root / "val-000.tar", samples(range(30, 33)))
    assert levels(tar(root=str(root)).validation) == [30, 31, 32]
    (root / "test-000.tar").unlink()
    data = tar(root=str(root))
    assert (levels(data.test), data.validation) == ([30, 31, 32], None)


def test_an_evaluation_shard_is_what_is_missing(root):
    """For validation beside a test shard, and else for testing, as a folder of that name; never both in one."""
    (root / "test-000.tar").rename(root / "eval-000.tar")
    shard(root / "val-000.tar", samples(range(30, 33)))
    tested = levels(tar(root=str(root)).test)
    assert levels(tar(root=str(root)).validation) == [30, 31, 32]
    shard(root / "test-000.tar", samples(range(33, 36)))
    (root / "val-000.tar").unlink()
    data = tar(root=str(root))
    assert (levels(data.test), levels(data.validation)) == ([33, 34, 35], tested)


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("imagenet-val-000", "validation"),
        ("imagenet1k_Train_0017", "train"),
        ("validation_3", "validation"),
        ("000-testing", "test"),
        ("trainval-000", "train"),
        ("testset", "test"),
        ("valset-0", "validation"),
        ("TestImages_000", "test"),
        ("pets-eval-3", "evaluation"),
        ("traindata_val_0", "validation"),
        ("testset-trainset", None),
        ("contest-000", "train"),
        ("valley-000", "train"),
        ("0001", "train"),
        ("train-test-0", None),
    ],
)
def test_a_word_of_a_shard_s_name_tells_its_split(tmp_path, name, part):
    """As webdataset's own examples are called; wherever the word stands, and not within another one."""
    if part is None:
        with pytest.raises(zoo.UsageError, match="may be of test or of train by its name; give it one of these words"):
            _split_of(tmp_path / f"{name}.tar")
    else:
        assert _split_of(tmp_path / f"{name}.tar") == part


def test_images_behind_a_second_dot_are_told_and_not_used(root, caplog):
    """Webdataset's keys end at the first one: a mask is not its image, nor photo.1.jpg an image of its own."""
    odd = {"x.png": png(30), "x.cls": b"0", "x.mask.png": png(31), "photo.1.JPG": png(32), "photo.1.cls": b"0"}
    shard(root / "train-002.tar", odd)
    for _ in range(2):  # made, and kept
        caplog.clear()
        assert levels(tar(root=str(root)).train) == [*range(20), 30]
        (line,) = caplog.messages
        assert line.startswith("tar: 2 images behind a second dot, as 'x.mask.png' in ")


def test_the_index_is_kept_in_the_cache_until_the_shard_changes(root, cache, monkeypatch):
    """Nothing is written beside the shards; another time or size makes a new index, and so does a damaged one."""
    before = sorted(root.iterdir())
    tar(root=str(root))
    assert sorted(root.iterdir()) == before
    assert len(list(cache.iterdir())) == 3
    read = []
    monkeypatch.setattr(
        index, "_read", lambda path, stamp, real=index._read: read.append(path.name) or real(path, stamp)
    )
    assert levels(tar(root=str(root)).train) == list(range(20))
    assert read == []
    os.utime(root / "train-000.tar", ns=(1, 1))
    tar(root=str(root))
    assert read == ["train-000.tar"]
    for kept in cache.iterdir():
        kept.write_bytes(b"{")
    assert levels(tar(root=str(root)).train) == list(range(20))
    assert len(read) == 4


def test_a_cache_that_cannot_be_written_costs_time_alone(root, tmp_path, monkeypatch):
    """The shards are read each time."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("ZOO_DATA", str(tmp_path / "file"))
    assert levels(tar(root=str(root)).train) == list(range(20))


def test_a_shard_that_changes_or_vanishes_is_named(root):
    """Also where the member would still be there."""
    split = tar(root=str(root)).train
    os.utime(root / "train-001.tar", ns=(1, 1))
    with pytest.raises(zoo.DamagedError, match=r"train-001\.tar' was changed"):
        split.batch(torch.tensor([15]))
    (root / "train-000.tar").unlink()
    with pytest.raises(zoo.DamagedError, match=r"train-000\.tar.*No such file"):
        split.batch(torch.tensor([5]))


def test_a_damaged_image_is_named_with_its_shard(root):
    """The member behind the archive's path."""
    shard(root / "train-002.tar", {"a.cls": b"0", "a.png": png(1)[:40]})
    with pytest.raises(zoo.DamagedFilesError, match=re.escape(f"{root / 'train-002.tar'}/a.png")):
        held(tar(root=str(root)), None, "cpu")


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"a.png": png(0)}, "'a.png' has no label, a member a.cls or .json"),
        ({"a.png": png(0), "a.jpg": png(0), "a.cls": b"0"}, "'a.jpg' is the second image of its sample"),
        ({"a.png": png(0), "a.json": b'{"label": [1, 2]}'}, "'a.json' names several classes"),
        ({"a.png": png(0), "a.cls": b" "}, "'a.cls' must hold the name of a class"),
        ({"a.png": png(0), "a.json": b'{"label": 0.5}'}, "'a.json' must hold the name of a class, not 0.5"),
    ],
)
def test_a_label_that_cannot_be_is_told_by_archive_and_member(root, members, message):
    """In one line."""
    shard(root / "train-002.tar", members)
    with pytest.raises(zoo.UsageError, match=re.escape(f"{str(root / 'train-002.tar')!r}: {message}")) as caught:
        tar(root=str(root))
    assert "\n" not in str(caught.value)


def test_what_is_no_archive_is_told(root, tmp_path):
    """The option, a missing folder, one without archives, a damaged and a compressed archive, an unknown class."""
    with pytest.raises(zoo.UsageError, match=r"--set data\.root=DIR"):
        tar()
    with pytest.raises(zoo.UsageError, match=r"there is no \.tar file"):
        tar(root=str(tmp_path))
    with pytest.raises(zoo.UsageError, match=r"there is no '.*none'"):
        tar(root=str(tmp_path / "none"))
    (tmp_path / "bad.tar").write_bytes(b"no archive" * 100)
    with pytest.raises(zoo.DamagedError, match="is no tar archive"):
        tar(root=str(tmp_path / "bad.tar"))
    shard(root / "test-001.tar", {"a.png": png(0), "a.cls": b"penguin"})
    with pytest.raises(zoo.UsageError, match="no training image has: penguin"):
        tar(root=str(root))

"""Packs: a set in one file, with the bits that it had, and every damage told."""

from __future__ import annotations

import shutil

import pytest
import torch
from PIL import Image
from small_images import small_dataset
from small_photos import CLASSES, photographs

import zoo
from zoo.data import held, sized
from zoo.data.folds import folds_of
from zoo.files.pack_file import PackFile, PackWriter


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return photographs(tmp_path_factory.mktemp("photos") / "photos", train=20, test=6)


@pytest.fixture(scope="module")
def raw(root):
    path = root.parent / "raw.pack"
    zoo.pack(str(root), path, size=12, raw=True)
    return path


def everything(split):
    return split.batch(torch.arange(len(split)))


def files(root, **options):
    return zoo.create("datasets", "folder", root=str(root), **options)


def packed(path, **options):
    return zoo.create("datasets", "packed", root=str(path), **options)


@pytest.mark.parametrize("color", [True, False])
def test_raw_packs_have_the_bits_of_the_files(root, tmp_path, color):
    """Pixels, labels, names and classes of each split, in memory and streamed, grey and in colour."""
    found = zoo.pack(str(root), tmp_path / "set", options={"data.color": color}, size=12, raw=True)
    assert found["splits"] == {"train": 20, "test": 6}
    assert found["shape"] == [3 if color else 1, 12, 12]
    one, other = files(root, size=12, color=color), packed(tmp_path / "set")
    assert one.classes == other.classes
    for mine, others in ((one.train, other.train), (one.test, other.test)):
        assert list(mine.names) == list(others.names)
        assert all(map(torch.equal, everything(mine), everything(others)))
    kept = held(other, None, "cpu")
    assert torch.equal(everything(kept.train)[0], everything(one.train)[0])


def test_pictures_that_are_small_already_stay_byte_for_byte(root, tmp_path):
    """So that what is trained on them is the same, whatever the model's size."""
    found = zoo.pack(str(root), tmp_path / "set", size=64)
    assert found["kept"] == 26
    one, other = files(root), packed(tmp_path / "set")
    for index in (0, 7, 19):
        with one.train.source.open(index) as mine, other.train.source.open(index) as others:
            assert mine.read() == others.read()
    assert list(one.train.sizes) == list(other.train.sizes)
    assert other.facts.image_size == (64, 64)
    assert packed(tmp_path / "set", size=[9, 7]).facts.image_size == (9, 7)


def test_large_pictures_are_shrunk_in_their_own_aspect(tmp_path):
    """To 1.15 times what is wanted of the side that is shorter for it, upright, and in as many channels."""
    photos = tmp_path / "photos"
    for split in ("train", "test"):
        for name in "ab":
            (photos / split / name).mkdir(parents=True)
            turned = Image.Exif()
            turned[0x0112] = 6
            Image.linear_gradient("L").resize((200, 100)).save(photos / split / name / "x.jpg", exif=turned)
    zoo.pack(str(photos), tmp_path / "set", size=20)
    with packed(tmp_path / "set").train.source.open(0) as file:
        assert (Image.open(file).size, Image.open(file).mode) == ((23, 46), "L")


def test_sets_in_memory_keep_their_pixels(tmp_path, monkeypatch):
    """They have no files to shrink, which is said."""
    data = small_dataset()
    monkeypatch.setattr("zoo.runs.components.Component.build", lambda *_, **__: data)
    with pytest.raises(zoo.UsageError, match="--raw keeps its pixels"):
        zoo.pack("mnist", tmp_path / "set")
    zoo.pack("mnist", tmp_path / "set", raw=True)
    monkeypatch.undo()
    assert torch.equal(everything(packed(tmp_path / "set").train)[0], data.train.images)


def test_weights_and_validation_images_are_kept(root, tmp_path):
    """As is what a run may not divide: a fold of the pack is the fold of the table."""
    photos = tmp_path / "photos"
    shutil.copytree(root, photos)
    shutil.copytree(photos / "test", photos / "val")
    (photos / "val" / CLASSES[0] / "000.jpg").unlink()
    zoo.pack(str(photos), tmp_path / "set", size=8)
    assert len(packed(tmp_path / "set").validation) == 5
    table = tmp_path / "t.csv"
    lines = [f"{name},{label},{index // 2},{index % 3}" for index, (name, label) in enumerate(names(root))]
    table.write_text("\n".join(["file,label,group,weight", *lines]))
    given = {"root": str(table), "images": str(root), "test_fraction": 0.1, "validation_fraction": 0.0}
    options = {f"data.{name}": value for name, value in given.items()}
    zoo.pack("table", tmp_path / "weighted", options=options, size=8, raw=True)
    again, before = packed(tmp_path / "weighted"), zoo.create("datasets", "table", **given)
    assert not again.divisible
    assert again.groups == before.groups
    folds = [folds_of(data.train, 2, 0, data.groups).tolist() for data in (again, before)]
    assert folds[0] == folds[1]
    assert set(folds[0]) == {0, 1}
    assert len(set(zip(again.groups, folds[0], strict=True))) == len(set(again.groups)) < len(again.groups)
    assert torch.equal(again.train.weights, before.train.weights)


def names(root):
    return [(path.relative_to(root).as_posix(), path.parent.name) for path in sorted((root / "train").rglob("*.*"))]


def test_images_that_cannot_be_read_are_all_named_and_nothing_is_written(root, tmp_path):
    """Neither the file nor a part of it stays."""
    photos = tmp_path / "photos"
    shutil.copytree(root, photos)
    for name in ("000.jpg", "003.jpg"):
        path = photos / "train" / CLASSES[0] / name
        path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(zoo.DamagedFilesError) as caught:
        zoo.pack(str(photos), tmp_path / "set", options={"data.size": 8, "data.color": True})
    assert len(caught.value.faults) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["photos"]


def test_a_file_that_is_there_is_not_replaced(root, raw):
    """Somebody may train on it."""
    before = raw.read_bytes()
    with pytest.raises(zoo.UsageError, match="give another name"):
        zoo.pack(str(root), raw)
    assert raw.read_bytes() == before


def test_every_damage_is_told(raw, tmp_path):
    """One byte that flips, wherever it is, or an end that is missing: never other pixels."""
    whole = raw.read_bytes()
    path = tmp_path / "damaged"

    def read() -> None:
        data = packed(path)
        everything(data.train)
        everything(data.test)

    path.write_bytes(whole)
    read()
    with PackFile(path) as file:
        arrays = [entry for split in file.header["splits"].values() for entry in split.values()]
    checked = [*range(20, len(whole), len(whole) // 37), *(entry["begin"] for entry in arrays), len(whole) - 1, 0]
    for place in checked:
        broken = bytearray(whole)
        broken[place] ^= 0x10
        path.write_bytes(broken)
        if not between(place, arrays):
            with pytest.raises(zoo.DamagedError):
                read()
    for length in (0, 5, 60, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(zoo.DamagedError):
            read()
    with pytest.raises(zoo.UsageError, match="cannot read"):
        packed(tmp_path / "nowhere")


def between(place, arrays) -> bool:
    """Whether a byte lies before an array that begins at a multiple of 64, where none is read."""
    ends = {entry["begin"] + entry["bytes"] for entry in arrays}
    begins = [entry["begin"] for entry in arrays]
    return any(begin - 64 < place < begin and not ends & set(range(place + 1, begin)) for begin in begins)


def test_pixels_have_their_size(raw):
    """Another is refused, and told how it could be."""
    with pytest.raises(zoo.UsageError, match="pack without --raw"):
        packed(raw, size=9)


def test_a_writer_that_fails_leaves_nothing(tmp_path):
    """Whatever interrupts it."""
    with pytest.raises(KeyboardInterrupt), PackWriter(tmp_path / "set") as writer:  # noqa: PT012
        writer.add("train", "a", 0, b"x")
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("side", "line"), [(12, ""), (13, ""), (14, "enlarged to 14 x 14"), (64, "enlarged to 64 x 64")]
)
def test_a_pack_that_is_read_larger_than_it_was_packed_says_so(root, tmp_path, caplog, side, line):
    """Whether somebody wishes that size or the model; pictures are kept a little larger than they are wanted."""
    zoo.pack(str(root), tmp_path / "set", size=12)
    sized(packed(tmp_path / "set"), (side, side))
    sized(packed(tmp_path / "set", size=side), (500, 500))
    said = f"{str(tmp_path / 'set')!r} was packed for 12 x 12 pixels: pictures that were shrunk are {line}"
    assert caplog.messages == ([said] * 2 if line else [])


def test_raw_pixels_and_files_are_told_of_by_the_transcript_alone(root, raw, caplog):
    """Of pixels the device makes larger inputs; a folder's pictures are as large as they are."""
    sized(packed(raw), (64, 64))
    sized(files(root), (640, 640))
    assert caplog.messages == []

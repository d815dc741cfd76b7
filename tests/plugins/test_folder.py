"""One's own images as a dataset."""

from __future__ import annotations

import io
import os
import sys
import unicodedata
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from zoo_folder import dataset

import zoo
from zoo.data import encoded, held, memory


def picture(path: Path, level: int = 0, size: tuple[int, int] = (6, 8), mode: str = "L") -> Path:
    """Write an image of (H, W) pixels, all of one level."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (size[1], size[0]), level).convert(mode).save(path)
    return path


def pictures(root: Path, layout: dict[str, int], **options) -> Path:
    """Write as many images as *layout* says into each folder; each has a level of its own."""
    level = 0
    for name, count in layout.items():
        for index in range(count):
            picture(root / name / f"{index:03}.png", level % 256, **options)
            level += 1
    return root


def folder(**options) -> zoo.Dataset:
    """Return the dataset as a run without a wish for a size holds it: decoded into memory, its pixels measured."""
    return held(dataset.folder(**options), None, "cpu")


def levels(split: zoo.TensorImages) -> list[int]:
    return split.images[:, 0, 0, 0].tolist()


@pytest.fixture
def root(tmp_path) -> Path:
    """Two classes, with 5 and 3 training and 2 and 1 test images, levels 0 to 10 in that order."""
    return pictures(tmp_path / "set", {"train/cat": 5, "train/dog": 3, "test/cat": 2, "test/dog": 1})


def test_train_and_test_folders_are_the_splits(root):
    """Every image is in its split with its class, in the order of the names."""
    data = folder(root=str(root))
    assert data.classes == ["cat", "dog"]
    assert levels(data.train) == [0, 1, 2, 3, 4, 5, 6, 7]
    assert data.train.labels.tolist() == [0] * 5 + [1] * 3
    assert levels(data.test) == [8, 9, 10]
    assert data.test.labels.tolist() == [0, 0, 1]
    assert data.train.images.shape == (8, 1, 6, 8)


def test_every_image_has_its_path_for_a_name(root):
    """It is relative to the root and composed, with its file's bytes beside it, whatever the system spells."""
    picture(root / "test" / "dog" / unicodedata.normalize("NFD", "\u00e9.png"), 9)
    test = folder(root=str(root)).test
    assert test.names == ["test/cat/000.png", "test/cat/001.png", "test/dog/000.png", "test/dog/\u00e9.png"]
    assert test.sizes[0] == (root / "test/cat/000.png").stat().st_size


def test_it_is_built_by_name(root):
    """The core finds it through its entry point and gives it its options."""
    data = zoo.create("datasets", "folder", root=str(root), size=[4, 5], color=True)
    assert data.train.batch(torch.arange(8))[0].shape == (8, 3, 4, 5)


@pytest.mark.parametrize(("train", "test"), [("Train", "TEST"), ("training", "testing"), ("train", "val")])
def test_other_usual_names_of_the_splits_are_known(tmp_path, train, test):
    """Upper case, and a validation folder where there is no test folder."""
    pictures(tmp_path, {f"{train}/a": 2, f"{train}/b": 2, f"{test}/a": 1, f"{test}/b": 1})
    data = folder(root=str(tmp_path))
    assert (len(data.train), len(data.test)) == (4, 2)


def test_a_validation_folder_beside_a_test_folder_is_the_validation_set(tmp_path):
    """Its images are in no other split; runs from before, whose rule is the order, keep training on them."""
    pictures(tmp_path, {"train/a": 2, "train/b": 2, "val/a": 1, "val/b": 1, "test/a": 3, "test/b": 1})
    data = folder(root=str(tmp_path))
    assert data.validation is not None
    parts = [sorted(levels(split)) for split in (data.train, data.validation, data.test)]
    assert parts == [[0, 1, 2, 3], [4, 5], [6, 7, 8, 9]]
    before = folder(root=str(tmp_path), split_by="order")
    assert before.validation is None
    assert sorted(levels(before.train)) == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("prefix", ["", "train/"])
def test_classes_alone_are_split_by_each_image_s_name(tmp_path, prefix):
    """Every image is in one split; each class has at least one on both sides; what is removed moves no other."""
    pictures(tmp_path, {f"{prefix}a": 20, f"{prefix}b": 10, f"{prefix}c": 2})
    data = folder(root=str(tmp_path))
    assert sorted(levels(data.train) + levels(data.test)) == list(range(32))
    assert set(data.train.labels.tolist()) == set(data.test.labels.tolist()) == {0, 1, 2}
    gone = next(name for name in data.train.names if name.startswith(f"{prefix}a"))
    (tmp_path / gone).unlink()
    again = folder(root=str(tmp_path))
    assert again.test.names == data.test.names
    assert again.train.names == [name for name in data.train.names if name != gone]


def test_the_split_is_a_function_of_the_seed(tmp_path):
    """The same seed gives the same images, another seed others; the fraction is obeyed."""
    pictures(tmp_path, {"a": 100, "b": 100})
    first, again, other = (levels(folder(root=str(tmp_path), seed=seed).test) for seed in (1, 1, 2))
    assert first == again != other
    assert 20 <= len(first) <= 60
    assert 70 <= len(folder(root=str(tmp_path), test_fraction=0.5).test) <= 130


def test_the_split_of_the_first_runs_is_what_it_was(tmp_path):
    """A run that recorded no rule is split by the order of its files, each class in proportion."""
    pictures(tmp_path, {"a": 20, "b": 10, "c": 2})
    assert folder(root=str(tmp_path), split_by="order").test.names == [
        "a/004.png",
        "a/005.png",
        "a/013.png",
        "a/019.png",
        "b/003.png",
        "b/009.png",
        "c/001.png",
    ]


def test_hidden_files_and_litter_are_ignored(root):
    """What operating systems leave lying about is neither a class nor an image."""
    for name in (
        ".DS_Store",
        "train/.DS_Store",
        "train/cat/.hidden.png",
        "train/cat/Thumbs.db",
        "train/dog/desktop.ini",
    ):
        (root / name).write_bytes(b"litter")
    for name in ("__MACOSX", "train/__MACOSX", "train/.git", "train/cat/.thumbnails"):
        (root / name).mkdir()
        (root / name / "a.png").write_bytes(b"litter")
    data = folder(root=str(root))
    assert (data.classes, len(data.train), len(data.test)) == (["cat", "dog"], 8, 3)


def test_folders_within_a_class_belong_to_it_and_loops_end(root):
    """Images may lie deeper; a link that leads back up is followed once."""
    picture(root / "train" / "cat" / "siamese" / "a.png", 99)
    (root / "train" / "cat" / "siamese" / "loop").symlink_to(root / "train" / "cat")
    data = folder(root=str(root))
    assert levels(data.train).count(99) == 1
    assert len(data.train) == 9


def test_the_files_content_decides_and_not_its_name(root):
    """An image without an ending is read like any other."""
    (root / "train" / "cat" / "000.png").rename(root / "train" / "cat" / "zero")
    assert len(folder(root=str(root)).train) == 8


def refused(error: type[zoo.ZooError], root: Path, why: str, **options) -> str:
    with pytest.raises(error, match=why) as caught:
        folder(root=str(root), **options)
    assert type(caught.value) is error
    return str(caught.value)


def test_without_a_folder_the_option_is_told():
    """The line says what to add to the command."""
    with pytest.raises(zoo.UsageError, match=r"--set data\.root=DIR"):
        folder()


def test_a_missing_folder_and_a_file_are_wrong_usage(tmp_path):
    """Both name the path."""
    (tmp_path / "set.zip").touch()
    assert repr(str(tmp_path / "none")) in refused(zoo.UsageError, tmp_path / "none", "No such file")
    refused(zoo.UsageError, tmp_path / "set.zip", "Not a directory")


def test_a_relative_folder_that_is_missing_is_told_with_where_it_was_sought(tmp_path, monkeypatch):
    """A run that recorded a relative path may be evaluated from elsewhere."""
    monkeypatch.chdir(tmp_path)
    refused(zoo.UsageError, Path("photos"), f"'photos' in {str(tmp_path)!r}: No such file")


def test_a_folder_without_classes_shows_what_is_expected(tmp_path):
    """Images that lie in the root itself, and one class alone, are told the layout."""
    picture(tmp_path / "a.png")
    refused(zoo.UsageError, tmp_path, "no class folders.*ROOT/train/CLASS")
    picture(tmp_path / "cat" / "a.png")
    refused(zoo.UsageError, tmp_path, "only the class 'cat'.*two classes")


def test_a_folder_within_the_folder_is_guessed(tmp_path):
    """An archive that unpacked one level deeper is met with the right path."""
    pictures(tmp_path, {"set/a": 2, "set/b": 2})
    assert repr(str(tmp_path / "set")) in refused(zoo.UsageError, tmp_path, "Did you mean")


def test_test_images_without_training_images_are_wrong_usage(tmp_path):
    """A test folder is not taken for a class."""
    pictures(tmp_path, {"test/a": 2, "test/b": 2, "other/a": 1})
    refused(zoo.UsageError, tmp_path, "has 'test' but no 'train'")


def test_an_empty_class_is_named(root):
    """A class without an image, or with hidden ones alone, cannot be learnt."""
    (root / "train" / "emu").mkdir()
    (root / "train" / "emu" / ".hidden").touch()
    message = refused(zoo.UsageError, root, "the class 'emu' is empty")
    assert repr(str(root / "train" / "emu")) in message


def test_a_class_that_the_test_set_alone_has_is_named(root):
    """Nothing could learn it."""
    pictures(root, {"test/emu": 1, "test/fox": 1})
    refused(zoo.UsageError, root, "classes that no training image has: 'emu', 'fox'")


def test_a_class_that_the_test_set_lacks_is_fine(root):
    """It is learnt, and not tested."""
    pictures(root, {"train/emu": 2})
    data = folder(root=str(root))
    assert data.classes == ["cat", "dog", "emu"]
    assert data.test.labels.tolist() == [0, 0, 1]


def test_a_class_of_one_image_is_trained_on_and_told(tmp_path, caplog):
    """It cannot be in both splits; where that is so of all classes, there is nothing to test with."""
    pictures(tmp_path, {"a": 2, "b": 1})
    data = folder(root=str(tmp_path))
    assert (data.train.labels.tolist(), data.test.labels.tolist()) == ([0, 1], [0])
    assert "one image alone of 'b'" in caplog.text
    (tmp_path / "a" / "000.png").unlink()
    refused(zoo.UsageError, tmp_path, "the class 'a' has one image")


@pytest.mark.parametrize("options", [{}, {"size": 8, "color": True}])
def test_every_damaged_file_is_named_at_once_whichever_stage_finds_it(root, options):
    """Headers alone, the pixels of either split: one error tells all, so that they are mended in one go."""
    buffer = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8)
    Image.fromarray(noise).save(buffer, "PNG")
    damaged = {"train/cat/notes.dat": b"no image", "train/cat/001.png": b"", "test/dog/none.png": b"no image"}
    damaged |= {f"{split}/dog/cut.png": buffer.getvalue()[:2000] for split in ("train", "test")}
    for name, content in damaged.items():
        (root / name).write_bytes(content)
    message = refused(zoo.DamagedFilesError, root, "no image that zoo reads", **options)
    assert message.startswith(repr(str(root / "train" / "cat" / "001.png")))
    assert "begin its name with a dot. (4 more such files)" in message
    for name in damaged:
        assert repr(str(root / name)) in message


def test_a_truncated_image_of_the_test_set_is_named(root):
    """Headers may be whole where pixels are not, and one file is one line."""
    (root / "test" / "dog" / "cut.png").write_bytes((root / "test" / "dog" / "000.png").read_bytes()[:-30])
    message = refused(zoo.DamagedFilesError, root, "damaged image")
    assert "cut.png" in message
    assert "\n" not in message


def test_a_pipe_or_a_dead_link_among_the_images_is_one_line(root):
    """Neither waits for ever nor ends in a traceback."""
    os.mkfifo(root / "train" / "cat" / "pipe.png")
    refused(zoo.DamagedFilesError, root, "no regular file")
    (root / "train" / "cat" / "pipe.png").unlink()
    (root / "train" / "cat" / "dead.png").symlink_to(root / "none")
    refused(zoo.DamagedFilesError, root, "No such file")


def test_too_little_memory_is_no_damage_of_a_file(root, monkeypatch):
    """No image is to be removed for it."""

    def starved(*_, **__):
        raise zoo.ZooError("not enough memory to decode 'a.png'")

    monkeypatch.setattr(encoded, "read_opened", starved)
    refused(zoo.ZooError, root, "^not enough memory to decode 'a.png'$")


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ([(6, 8)] * 4, (6, 8)),
        ([(512, 20)] * 4, (512, 20)),
        ([(600, 20)] * 4, (20, 20)),
        ([(30, 40), (50, 30), (80, 90), (60, 300)], (45, 45)),
        ([(300, 400), (500, 600)] * 2, (224, 224)),
    ],
)
def test_the_size_is_the_common_one_or_a_square(tmp_path, sizes, expected):
    """The documented rule, where the model asks for no size of its own."""
    for index, size in enumerate(sizes):
        picture(tmp_path / "train" / "ab"[index % 2] / f"{index}.png", size=size)
    pictures(tmp_path, {"test/a": 1, "test/b": 1})
    assert folder(root=str(tmp_path)).train.images.shape[2:] == expected


@pytest.mark.parametrize(("size", "expected"), [(5, (5, 5)), ([4, 7], (4, 7)), ((1, 1), (1, 1))])
def test_a_size_that_is_asked_for_is_had(root, size, expected):
    """One number is a square, two are height and width; test images are resized alike."""
    data = folder(root=str(root), size=size)
    assert data.train.images.shape[2:] == data.test.images.shape[2:] == expected


@pytest.mark.parametrize("size", [0, -3, [4], [4, 5, 6], [4, 0], [4, 2.5], 100_000])
def test_an_impossible_size_is_wrong_usage(root, size):
    """It is named before anything is decoded."""
    refused(zoo.UsageError, root, r"size must be one side or \[height, width\]", size=size)


@pytest.mark.parametrize("fraction", [0.0, 1.0, -0.1, 2.0])
def test_an_impossible_fraction_is_wrong_usage(root, fraction):
    """A split without images on one side is none."""
    refused(zoo.UsageError, root, "test_fraction must be above 0", test_fraction=fraction)


def test_one_colour_image_makes_the_set_colour_and_the_option_wins(root):
    """Grey images alone make a grey set; both can be overruled."""
    assert folder(root=str(root)).in_channels == 1
    assert folder(root=str(root), color=True).in_channels == 3
    picture(root / "train" / "dog" / "red.png", mode="RGB")
    assert folder(root=str(root)).in_channels == 3
    assert folder(root=str(root), color=False).in_channels == 1


def test_mean_and_deviation_are_exact_over_the_training_pixels(tmp_path):
    """They equal NumPy's over the training images alone, channel by channel."""
    generator = np.random.default_rng(0)
    for index in range(8):
        path = tmp_path / ("test" if index > 5 else "train") / "ab"[index % 2] / f"{index}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(generator.integers(0, 40 * (index + 1) % 256, (5, 7, 3), dtype=np.uint8)).save(path)
    data = folder(root=str(tmp_path))
    pixels = data.train.images.numpy() / 255
    assert data.mean == pytest.approx(pixels.mean(axis=(0, 2, 3)), abs=1e-12)
    assert data.std == pytest.approx(pixels.std(axis=(0, 2, 3)), abs=1e-12)


def test_images_of_one_level_have_deviation_one(tmp_path):
    """Black images are odd, not an error: nothing is divided by zero."""
    for name in ("a/1", "a/2", "b/1", "b/2"):
        picture(tmp_path / f"{name}.png")
    assert folder(root=str(tmp_path)).std == (1.0,)


def test_more_images_than_threads_take_at_once_keep_their_places(tmp_path):
    """Threads finish in any order; every image stays at its own index."""
    pictures(tmp_path, {"train/a": 100, "train/b": 50, "test/a": 1, "test/b": 1})
    assert levels(folder(root=str(tmp_path)).train) == list(range(150))


def test_a_set_that_does_not_fit_into_memory_is_refused_before_it_is_decoded(root, monkeypatch):
    """The line says how much is needed, how much there is, and which option helps."""
    monkeypatch.setattr(memory, "free_memory", lambda: 500)
    message = refused(zoo.ZooError, root, r"--set data\.size=3")
    assert "11 images of 1 x 6 x 8" in message


def test_the_memory_that_is_free_is_known_here():
    """It is more than this test and less than a petabyte."""
    available = memory.free_memory()
    assert available is None or 1 << 20 < available < 1 << 50


@pytest.mark.parametrize("terminal", [True, False])
def test_progress_is_shown_on_a_terminal_alone(root, monkeypatch, capsys, terminal):
    """A person sees how far decoding is; a pipe sees nothing."""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    folder(root=str(root))
    captured = capsys.readouterr()
    assert ("decoding images" in captured.err) == terminal
    assert captured.out == ""

"""What counts of a folder's contents: no litter, no runs of zoo's, nothing twice, and all else whatever its name."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import random
import sys
import tempfile
import unicodedata
from collections import Counter
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from planted_folders import counted, outcome, planted
from zoo_folder.layout import Samples, Splits, find_images
from zoo_folder.names import Names
from zoo_folder.scanning import scan

import zoo
from zoo.data.holding_out import hold_out
from zoo.data.identity import Identification

LITTER = ["@eaDir", "#recycle", "@Recycle", "$RECYCLE.BIN", ".AppleDouble", ".ipynb_checkpoints", "__MACOSX", ".git"]
LITTER += ["Thumbs.db", "THUMBS.DB", "desktop.ini", "a.png~", "~$a.png", "._a.png", "Icon\r", "lost+found", ".DS_Store"]


@pytest.mark.parametrize("name", LITTER)
@pytest.mark.parametrize("where", ["", "train", "train/a", "test/b"])
def test_litter_is_neither_an_image_nor_a_class_nor_told(tmp_path, caplog, name, where):
    """What storage boxes, systems and editors leave lying about is left out everywhere, as a file and as a folder."""
    planted(tmp_path, {"train/a": 2, "train/b": 2, "test/a": 1, "test/b": 1})
    if name.endswith(("db", "ini", "png", "~", "_Store", "\r")):
        (tmp_path / where / name).touch()
    else:
        planted(tmp_path / where / name, {".": 3, "a": 2, "deeper/still": 2})
    assert counted(find_images(tmp_path, 0.2, 0)) == ({"a": 2, "b": 2}, {"a": 1, "b": 1})
    assert not caplog.records


def test_files_that_are_no_images_are_counted_in_a_line(tmp_path, caplog):
    """They lie beside images for good reasons; what no ending tells is taken for an image, and told when it is read."""
    planted(tmp_path, {"train/a": 2, "train/b": 2, "test/a": 1, "train/notes": 0, "maps": 0})
    for name in ("train/a/0.json", "train/a/1.json", "train/notes/about.TXT", "train/readme.png", "maps/map.pdf"):
        (tmp_path / name).touch()
    (tmp_path / "train/b/unknown.dat").touch()
    layout = find_images(tmp_path, 0.2, 0)
    assert counted(layout) == ({"a": 2, "b": 3}, {"a": 1})
    assert [record.getMessage() for record in caplog.records] == [
        "folder: no test images of 'b': what is learnt of them is not tested",
        "folder: 1 file beside the class folders, in none of them: not used",
        "folder: files that are no images, by their endings: 2 .json, 1 .txt: not used",
    ]


def test_a_folder_of_other_files_alone_says_what_they_are(tmp_path):
    """Arrays and films are no images, and the line says that they were seen."""
    planted(tmp_path, {"a": 0, "b": 0})
    for name in ("a/0.npy", "b/0.npy", "b/1.mp4"):
        (tmp_path / name).touch()
    with pytest.raises(zoo.UsageError, match=r"no class folders\. The files there are no images: 1 \.mp4, 2 \.npy"):
        find_images(tmp_path, 0.2, 0)


def test_what_lies_beside_the_splits_is_told(tmp_path, caplog):
    """Images that nobody trains on are seen at a glance."""
    planted(tmp_path, {"train/a": 2, "train/b": 2, "test/a": 1, "test/b": 1, "unlabelled": 9, "sub/mission": 1})
    find_images(tmp_path, 0.2, 0)
    assert [record.getMessage() for record in caplog.records] == [
        "folder: 'sub', 'unlabelled' beside the splits: not used"
    ]


@pytest.mark.parametrize("where", ["runs/one", "one", "a/one", "deep/er/one"])
def test_zoo_s_own_runs_are_no_class(tmp_path, where):
    """They lie where one trains, and hold images at times; a folder of the same name without a run is a class."""
    planted(tmp_path, {"a": 5, "b": 5, f"{where}/checkpoints": 1})
    (tmp_path / where / "config.toml").touch()
    assert find_images(tmp_path, 0.2, 0).classes == ["a", "b"]
    (tmp_path / where / "config.toml").unlink()
    assert len(scan(tmp_path).holding) == (2 if where == "a/one" else 3)


@pytest.mark.parametrize("target", [".", "..", "../..", "../../..", "../../../.."])
def test_a_link_to_a_folder_above_leads_nowhere(tmp_path, target):
    """Neither the class itself, nor its split, nor the root, nor what is above that is a part of the class."""
    planted(tmp_path / "set", {"train/cat": 3, "train/dog": 3, "test/cat": 1, "test/dog": 1})
    planted(tmp_path, {"other": 7})
    (tmp_path / "set/train/cat/up").symlink_to(target)
    assert counted(find_images(tmp_path / "set", 0.2, 0))[0] == {"cat": 3, "dog": 3}


def test_links_to_elsewhere_are_followed_and_two_to_one_folder_count_once(tmp_path):
    """Sets are put together from links; links that lead round in a ring end."""
    planted(tmp_path / "set", {"a": 2, "b": 2})
    planted(tmp_path / "store", {"more": 3, "more/yet": 1})
    for name in ("set/a/first", "set/a/second"):
        (tmp_path / name).symlink_to(tmp_path / "store/more")
    (tmp_path / "store/more/yet/round").symlink_to(tmp_path / "store")
    layout = find_images(tmp_path / "set", 0.2, 0)
    train, test = counted(layout)
    assert Counter(train) + Counter(test) == {"a": 6, "b": 2}


@pytest.mark.parametrize(
    ("link", "target", "why"),
    [
        ("train/cat/see", "../dog", "part of the class 'dog'|part of the class 'cat'"),
        ("train/kitty", "cat", "part of the class 'cat'"),
        ("test", "train", "part of the split 'train'"),
    ],
)
def test_one_folder_in_two_classes_or_splits_is_refused(tmp_path, link, target, why):
    """Its images would have two labels, or be tested with after they were trained on."""
    planted(tmp_path, {"train/cat": 3, "train/dog": 3})
    (tmp_path / link).symlink_to(target)
    with pytest.raises(zoo.UsageError, match=why):
        find_images(tmp_path, 0.2, 0)


def test_a_validation_folder_that_links_to_the_test_folder_is_not_trained_on(tmp_path):
    """Some tools want both."""
    planted(tmp_path, {"train/a": 2, "train/b": 2, "test/a": 1, "test/b": 1})
    (tmp_path / "val").symlink_to("test")
    assert counted(find_images(tmp_path, 0.2, 0)) == ({"a": 2, "b": 2}, {"a": 1, "b": 1})


def test_a_name_in_two_unicode_forms_is_one_class(tmp_path):
    """A set that was zipped on one system and unpacked on another has both."""
    composed, decomposed = (unicodedata.normalize(form, "caf\u00e9") for form in ("NFC", "NFD"))
    planted(tmp_path, {f"train/{composed}": 2, "train/tea": 2, f"test/{decomposed}": 1, "test/tea": 1})
    layout = find_images(tmp_path, 0.2, 0)
    assert counted(layout) == ({composed: 2, "tea": 2}, {composed: 1, "tea": 1})
    assert [sample.name for sample in layout.test] == [f"test/{composed}/0.png", "test/tea/0.png"]
    assert find_images(tmp_path, 0.2, 0, splits=Splits("train", "test")) == layout


@pytest.mark.parametrize("where", ["", "a/"])
def test_two_names_that_look_the_same_are_refused(tmp_path, where):
    """Folders or files: which is which, nobody could see, so the line spells both."""
    for form in ("NFC", "NFD"):
        planted(tmp_path, {"a": 2, f"{where}{unicodedata.normalize(form, 'caf' + chr(233))}": 2})
    if len([*(tmp_path / where).iterdir()]) < 2 + (where == "a/"):
        pytest.skip("this file system knows one form alone")
    with pytest.raises(zoo.UsageError, match=r"look the same, 'cafe.u0301' and 'caf.xe9'"):
        find_images(tmp_path, 0.2, 0)


def test_names_that_are_no_text_or_break_lines_are_classes(tmp_path):
    """Bytes of another encoding are spelled out, so that they can be written; tabs and line ends stay what they are."""
    planted(tmp_path, {"a\tb": 2, "c\nd": 2, os.fsdecode(b"caf\xe9"): 2})
    layout = find_images(tmp_path, 0.2, 0)
    assert layout.classes == ["a\tb", "c\nd", "caf\\xe9"]
    assert all(
        (tmp_path / sample.spelled).exists() and sample.name.encode() for sample in (*layout.train, *layout.test)
    )


def test_a_folder_that_cannot_be_read_is_told(tmp_path):
    """Its images would be missing without a word."""
    planted(tmp_path, {"a": 2, "b/locked": 2})
    (tmp_path / "b/locked").chmod(0)
    try:
        if os.access(tmp_path / "b/locked", os.R_OK):
            pytest.skip("whoever runs this may read everything")
        with pytest.raises(zoo.UsageError, match=r"cannot read the folder .*locked"):
            find_images(tmp_path, 0.2, 0)
    finally:
        (tmp_path / "b/locked").chmod(0o755)


class Listing(list[os.DirEntry[str]]):
    """What `os.scandir` returns, in an order of our own."""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


@pytest.mark.parametrize("tree", [{"a": 9, "b": 4, "c/d": 3}, {"train/a": 3, "train/b": 2, "val/a": 2, "test/b": 1}])
def test_the_order_of_the_file_system_plays_no_part(tmp_path, monkeypatch, tree):
    """One lists by name, another by age or by hash; classes, images and their order are the same."""
    planted(tmp_path, tree)
    first = find_images(tmp_path, 0.3, 1)
    real = os.scandir
    for seed in range(5):
        shuffled = random.Random(seed)

        def scandir(path, shuffled=shuffled):
            with real(path) as listing:
                entries = list(listing)
            return Listing(shuffled.sample(entries, len(entries)))

        monkeypatch.setattr(os, "scandir", scandir)
        assert find_images(tmp_path, 0.3, 1) == first
        monkeypatch.undo()


@given(
    names=st.lists(
        st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=12),
        min_size=2,
        max_size=6,
        unique=True,
    )
)
def test_any_names_are_classes_or_refused_in_a_line(names):
    """Whatever people call their folders, images are found with their labels, or one line says why not."""
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        for name in names:
            with contextlib.suppress(OSError):  # "." and "..", or one that is too long
                planted(root, {name: 2})
        found = outcome(root, Splits(any=False))
        if isinstance(found, str):
            assert found.splitlines() == [found]
        else:
            composed = {unicodedata.normalize("NFC", name) for name in names}
            assert set(found[0]) == set(scan(root).holding) <= composed


def test_names_cost_their_letters():
    """However many there are; both ways of spelling come back, and one text serves for both where they are the same."""
    pairs = [(f"class/{index:06}.png", f"class/{index:06}.png") for index in range(10_000)]
    names = Names(pairs)
    assert (len(names), list(names)) == (10_000, pairs)
    assert names._names is names._spelled
    assert sys.getsizeof(names._names) < 18 * 10_000 + 100
    odd = [("e\u0301.png", "\u00e9.png"), ("\udcff", "\\xff")]
    assert list(Names(odd)) == odd
    assert Names(odd) != Names(odd[:1])
    assert Names(odd) != odd
    assert list(Names()) == []
    assert list(Names([("", "")])) == [("", "")]


def test_chosen_samples_keep_their_labels():
    """What is set aside for testing and what stays are the whole, image by image."""
    whole = Samples(
        {0: Names([("a/1", "a/1"), ("a/2", "a/2")]), 1: Names([("b/1", "b/1")]), 4: Names([("c/1", "c/1")])}
    )
    assert whole.labels.tolist() == [0, 0, 1, 4]
    part, rest = whole.chosen(torch.tensor([0, 3])), whole.chosen(torch.tensor([1, 2]))
    assert [sample.name for sample in part] == ["a/1", "c/1"]
    assert part.labels.tolist() == [0, 4]
    assert sorted([*part, *rest]) == sorted(whole)
    assert len(Samples()) == len(Samples().labels) == 0


TREE = {
    "train/cat": 7,
    "train/cat dog": 5,
    "train/cat-a": 4,
    "train/cat-a/b": 3,
    "train/many": 40,
    "train/\u00fcber": 6,
    "test/cat": 2,
    "test/cat dog": 3,
    "test/many": 2,
}
"""Classes whose order is not that of their paths, and folders within."""

KNOWN = {
    None: "58e52705cc7bfc6f7b40bcfd63f2744d60443ef012fddc6d08fdfe589828b73c",
    "train": "73466b7f2444ad3c5b51614d659651c1993548185f98b3b282bb44cb88bb72ed",
}
"""Digests, orders, labels and hold-outs of that tree, by the training set that is named, on 29 November 2026."""


@pytest.mark.parametrize("train", KNOWN)
def test_a_folder_is_known_by_what_it_was_known_by(tmp_path, monkeypatch, train):
    """Else no run could go on with its images: the very digests, orders and held-out images of the first versions."""
    for module, name in (
        ("zoo.data.lazy", "_STRETCH"),
        ("zoo.files.byte_strings", "_STRETCH"),
        ("zoo.data.ranking", "_STRETCH"),
    ):
        monkeypatch.setattr(f"{module}.{name}", 8)
    names = ["{}.png", "E\u0301{}.JPG", "b {}.jpeg", "z.{}", "_{}"]
    for number, (folder, count) in enumerate(TREE.items()):
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        for index in range(count):
            (tmp_path / folder / names[index % 5].format(index)).write_bytes(bytes((number + index) % 7))
    data = zoo.create("datasets", "folder", root=str(tmp_path), size=8, color=True, train=train)
    known = Identification(data).of().splits.values()
    told = [
        [[split.labels_sha256, split.images_sha256, split.counts] for split in known],
        [[list(split.names), split.labels.tolist()] for split in data.splits],
        hold_out(data.train, 0.1, 3, "name")[1].tolist(),
    ]
    assert hashlib.sha256(json.dumps(told).encode()).hexdigest() == KNOWN[train]

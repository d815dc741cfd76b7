"""Hugging Face datasets, from small local ones."""

from __future__ import annotations

import io
import json
import re

import numpy as np
import pytest
import torch
from PIL import Image
from small_photos import CLASSES, photograph, photographs

import zoo
from zoo.cli import main

datasets = pytest.importorskip("datasets")
pytestmark = [pytest.mark.extras, pytest.mark.filterwarnings("ignore")]


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Bytes of encoded pictures, which differ."""
    folder = tmp_path_factory.mktemp("pictures")
    return [photograph(folder / f"{i}.png", i % 3, i, (9, 7)).read_bytes() for i in range(24)]


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """Nothing is kept outside the test's own folder."""
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))


def rows(pictures, labels, features=None):
    images = [{"bytes": data, "path": None} for data in pictures]
    kind = {"image": datasets.Image(), "label": features or datasets.ClassLabel(names=list(CLASSES))}
    return datasets.Dataset.from_dict({"image": images, "label": labels}, datasets.Features(kind))


def hf(**options):
    return zoo.create("datasets", "hf", **options)


def decoded(data):
    return torch.from_numpy(np.array(Image.open(io.BytesIO(data)).convert("RGB"))).permute(2, 0, 1)


def test_saved_splits_are_read_with_zoos_own_decoder(tmp_path, pictures):
    """Train, test and validation, their classes and their very pixels, whichever thread asks."""
    labels = [i % 3 for i in range(24)]
    parts = {"train": slice(0, 12), "test": slice(12, 18), "validation": slice(18, 24)}
    saved = datasets.DatasetDict({name: rows(pictures[part], labels[part]) for name, part in parts.items()})
    saved.save_to_disk(str(tmp_path / "saved"))
    data = hf(root=str(tmp_path / "saved"))
    assert data.classes == list(CLASSES)
    assert [len(split) for split in data.splits] == [12, 6, 6]
    images, found = data.validation.batch(torch.arange(6))
    assert found.tolist() == labels[18:]
    assert all(torch.equal(image, decoded(one)) for image, one in zip(images, pictures[18:], strict=True))
    assert list(data.train.names)[:2] == ["train/0", "train/1"]


def test_one_split_is_divided_and_shuffled_rows_stay_themselves(tmp_path, pictures):
    """Texts and numbers are classes, too; an image and its label stay together."""
    labels = [f"{(i * 5) % 12}" for i in range(24)]
    shuffled = rows(pictures, labels, datasets.Value("string")).shuffle(seed=3)
    shuffled.save_to_disk(str(tmp_path / "saved"))
    data = hf(root=str(tmp_path / "saved"), test_fraction=0.3)
    assert data.classes == sorted({str(i) for i in range(12)}, key=int)
    assert len(data.train) + len(data.test) == 24
    where = {decoded(one).numpy().tobytes(): label for one, label in zip(pictures, labels, strict=True)}
    for split in (data.train, data.test):
        for image, label in zip(*split.batch(torch.arange(len(split))), strict=True):
            assert where[image.numpy().tobytes()] == data.classes[label]


@pytest.mark.parametrize("form", ["parquet", "images"])
def test_folders_of_other_forms_are_read(tmp_path, pictures, form):
    """Parquet files, and folders of images, whose files are opened by their paths."""
    root = tmp_path / "set"
    if form == "parquet":
        root.mkdir()
        for name in ("train", "test"):
            rows(pictures, [i % 3 for i in range(24)]).to_parquet(str(root / f"{name}.parquet"))
    else:
        photographs(root, train=24, test=24)
    data = hf(root=str(root))
    assert sorted(data.classes) == sorted(CLASSES)
    assert [len(split) for split in data.splits] == [24, 24]
    assert data.train.batch(torch.arange(3))[0].shape[:2] == (3, 3)


def test_the_command_trains_on_it_and_the_contract_holds(tmp_path, pictures, capsys):
    """Streamed as well as in memory; a picture that is damaged is named by its row."""
    saved = datasets.DatasetDict({name: rows(pictures, [i % 3 for i in range(24)]) for name in ("train",)})
    saved.save_to_disk(str(tmp_path / "saved"))
    root = ["--set", f"data.root={tmp_path / 'saved'}"]
    command = ["train", "--model", "mlp", "--data", "hf", *root, "--set", "data.stream=true", "--steps", "2"]
    assert main([*command, "--no-report", "--out", str(tmp_path / "run")]) == 0
    capsys.readouterr()
    assert main(["plugins", "check", "hf", "--set", f"hf.root={tmp_path / 'saved'}", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["passed"]
    broken = rows([*pictures[:5], b"nothing"], [0, 1, 2, 0, 1, 2])
    broken.save_to_disk(str(tmp_path / "broken"))
    with pytest.raises(zoo.DamagedError, match=r"train\[5\]"):
        hf(root=str(tmp_path / "broken"))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "which dataset"),
        ({"root": "nowhere"}, "there is no folder 'nowhere'"),
        ({"root": "SAVED", "label": "colour"}, "no column 'colour' of labels"),
        ({"root": "SAVED", "image": "label"}, "no column 'label' of images"),
        ({"root": "SAVED", "test_fraction": 1.0}, "test_fraction must be"),
    ],
)
def test_what_cannot_be_is_wrong_usage(tmp_path, pictures, options, said):
    """In a line that says what to do."""
    rows(pictures, [i % 3 for i in range(24)]).save_to_disk(str(tmp_path / "saved"))
    with pytest.raises(zoo.UsageError, match=said):
        hf(**{key: str(tmp_path / "saved") if value == "SAVED" else value for key, value in options.items()})


@pytest.mark.parametrize(
    ("labels", "kind", "place"),
    [([0, -1, 2], None, 1), (["a", "b", " "], datasets.Value("string"), 2), ([True, False], datasets.Value("bool"), 0)],
)
def test_a_row_without_a_class_is_named(tmp_path, pictures, labels, kind, place):
    """Test sets of competitions have -1 for it, and tables an empty text."""
    rows(pictures[: len(labels)], labels, kind).save_to_disk(str(tmp_path / "saved"))
    said = re.escape(f"train[{place}]: 'label' must be one class, not {labels[place]!r}")
    with pytest.raises(zoo.UsageError, match=said):
        hf(root=str(tmp_path / "saved"))

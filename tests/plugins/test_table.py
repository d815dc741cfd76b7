"""Images that a table lists."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pyarrow as pa
import pytest
import torch
from pyarrow import parquet
from small_photos import photograph
from zoo_table.dataset import table

import zoo
from zoo.config import Choice
from zoo.runs.components import find_component

ROWS = [{"file": f"{label}/{i}.png", "label": label} for label in ("auk", "gull") for i in range(10)]


@pytest.fixture(scope="module")
def images(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("images")
    for number, row in enumerate(ROWS):
        photograph(folder / row["file"], 0, number, (6, 8))
    return folder


def written(path: Path, rows: list[dict], delimiter: str = ",") -> str:
    """Write a table in the format that its name tells."""
    if path.suffix == ".parquet":
        parquet.write_table(pa.Table.from_pylist(rows), path)
    elif path.suffix == ".jsonl":
        path.write_text("\n".join(map(json.dumps, rows)))
    else:
        delimiter = "\t" if path.suffix == ".tsv" else ","
        lines = [delimiter.join(rows[0]), *(delimiter.join(map(str, row.values())) for row in rows)]
        path.write_text("\ufeff" + "\n".join(lines) + "\n")
    return str(path)


@pytest.mark.parametrize("ending", ["csv", "tsv", "jsonl", "parquet"])
def test_every_format_lists_the_same_images(tmp_path, images, ending):
    """Each in its split, with its class and its name."""
    rows = [row | {"split": ("Train", "test", "val")[i % 3]} for i, row in enumerate(ROWS)]
    data = table(root=written(tmp_path / f"t.{ending}", rows), images=str(images))
    assert data.classes == ["auk", "gull"]
    for name, split in (("Train", data.train), ("test", data.test), ("val", data.validation)):
        mine = [row for row in rows if row["split"] == name]
        assert split.names == [row["file"] for row in mine]
        assert split.labels.tolist() == [int(row["label"] == "gull") for row in mine]
        assert split.batch(torch.arange(2))[0].shape == (2, 3, 6, 8)


def test_files_lie_beside_the_table_and_a_share_is_set_aside(images):
    """Without a column of splits the test images are told by their names, and the seed."""
    path = written(images / "labels.csv", ROWS)
    first, again, other = (table(root=path, seed=seed) for seed in (1, 1, 2))
    assert sorted([*first.train.names, *first.test.names]) == sorted(row["file"] for row in ROWS)
    assert first.test.names == again.test.names
    assert first.test.names != other.test.names
    assert (first.validation, first.divisible) == (None, True)


@pytest.mark.parametrize("seed", range(4))
def test_a_group_is_never_divided(tmp_path, images, seed):
    """Neither between training and test, nor between training and validation, nor by the run."""
    rows = [row | {"group": f"video {i // 2}"} for i, row in enumerate(ROWS)]
    group_of = {row["file"]: row["group"] for row in rows}
    data = table(root=written(tmp_path / "t.csv", rows), images=str(images), seed=seed, validation_fraction=0.2)
    assert data.groups == [group_of[name] for name in data.train.names]
    parts = [{group_of[name] for name in split.names} for split in (data.train, data.test, data.validation)]
    assert sum(map(len, parts)) == len(set.union(*parts)) == 10
    assert data.divisible is False
    options = {"data.root": str(tmp_path / "t.csv"), "data.images": str(images)}
    with pytest.raises(zoo.UsageError, match="would divide groups"):
        zoo.train("mlp", data="table", options=options, validation=2, out=tmp_path / "run", device="cpu")


def test_numbers_are_classes_in_their_order(tmp_path, images):
    """Ten comes after nine."""
    rows = [row | {"label": i % 11} for i, row in enumerate(ROWS)]
    data = table(root=written(tmp_path / "t.jsonl", rows), images=str(images))
    assert data.classes == [str(number) for number in range(11)]


def test_a_name_with_a_comma_is_one_class(tmp_path, images):
    """As those of ImageNet."""
    rows = [row | {"label": f"{row['label']}, a bird"} for row in ROWS]
    assert len(table(root=written(tmp_path / "t.jsonl", rows), images=str(images)).classes) == 2


FAULTS = [
    ({"label": "auk|gull"}, "line 3: the label 'auk|gull' names several classes"),
    ({"label": ["auk", "gull"]}, "line 3: the label ['auk', 'gull'] names several classes"),
    ({"label": "auk,gull"}, "line 3: the label ['auk', 'gull'] names several classes"),
    ({"label": ""}, "line 3: label must be the name of a class, not ''"),
    ({"label": 0.5}, "line 3: label must be the name of a class, not 0.5"),
    ({"file": " "}, "line 3: file must be a path"),
    ({"file": ROWS[0]["file"]}, "line 3: 'auk/0.png' is in line 1, too"),
    ({"file": f"./{ROWS[0]['file']}"}, "line 3: './auk/0.png' is in line 1, too"),
    ({"split": ""}, "line 3: split must be one of train, training"),
    ({"split": "holdout"}, "line 3: split must be one of train, training"),
    ({"split": "test", "label": "tern"}, "line 3: no training image has the class 'tern'"),
    ({"split": "test", "group": "a"}, "line 3: the group 'a' is in test here and in train in line 1"),
]


@pytest.mark.parametrize(("change", "message"), FAULTS, ids=[message[:45] for _, message in FAULTS])
def test_a_row_that_cannot_be_is_told_by_its_line(tmp_path, images, change, message):
    """In one line, before any image is opened."""
    rows = [row | {"split": "train", "group": "a"} for row in ROWS[:2]]
    rows += [ROWS[2] | {"split": "train", "group": "b"} | change]
    rows += [row | {"split": "train", "group": "c"} for row in ROWS[10:]]
    with pytest.raises(zoo.UsageError, match=re.escape(message)) as caught:
        table(root=written(tmp_path / "t.jsonl", rows), images=str(images))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t.csv", b"file,label\na.png,auk,more\n", "line 2: 3 values for 2 columns"),
        ("t.csv", b"file,label\n\xff.png,auk\n", "is not UTF-8"),
        ("t.csv", b'file,label\n"a.png,auk\n', "line 2"),
        ("t.jsonl", b'{"file": "a.png"', "line 1: it is no JSON"),
        ("t.jsonl", b"\n[1]", "line 2: it is no JSON object"),
        ("t.parquet", b"PAR1 not really", "is no Parquet, or damaged"),
    ],
)
def test_a_damaged_table_is_told_by_its_line(tmp_path, name, content, message):
    """Exit code 4."""
    (tmp_path / name).write_bytes(content)
    with pytest.raises(zoo.DamagedError, match=message) as caught:
        table(root=str(tmp_path / name))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t.csv", "", "has no rows"),
        ("t.csv", "file,label,label\na,b,c\n", "line 1: there are several columns 'label'; name each once"),
        (
            "t.jsonl",
            '{"file": "a", "label": "b", "split": "train"}\n{"file": "c", "label": "b"}',
            "line 2: there is no split, and other rows have one; give one to each",
        ),
        ("t.csv", "path,label\na,b\n", "line 2: there is no column 'file'; it has 'path', 'label'"),
        ("t.xlsx", "", "must end in .csv, .tsv, .jsonl, .parquet"),
    ],
)
def test_what_is_no_table_of_images_is_wrong_usage(tmp_path, name, content, message):
    """And says what would be one."""
    (tmp_path / name).write_text(content)
    with pytest.raises(zoo.UsageError, match=re.escape(message)):
        table(root=str(tmp_path / name))
    with pytest.raises(zoo.UsageError, match="there is no table"):
        table(root=str(tmp_path / "none.csv"))
    with pytest.raises(zoo.UsageError, match=r"--set data\.root=FILE"):
        table()


def test_a_record_means_the_same_table_and_folder_from_everywhere(tmp_path, monkeypatch):
    """A run is evaluated from another folder than it was trained in; one that is not there stays as it was typed."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    for images, recorded in (("photos", str(tmp_path / "photos")), ("none", "none")):
        options = find_component("data", Choice("table", {"root": "t.csv", "images": images})).choice.options
        assert (options["root"], options["images"]) == (str(tmp_path / "t.csv"), recorded)


def test_without_pyarrow_parquet_says_what_to_install(tmp_path, monkeypatch):
    """Everything else is read without it."""
    (tmp_path / "t.parquet").touch()
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(zoo.UsageError, match=r"torch-zoo\[table\]"):
        table(root=str(tmp_path / "t.parquet"))

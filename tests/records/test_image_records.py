"""What a run's images are known by, and one file with weights: round trips, and every refusal."""

from __future__ import annotations

import gzip
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from zoo.errors import DamagedError, UsageError
from zoo.records import images
from zoo.records.images import DATA, FILES, read_data, read_files, write_images
from zoo.records.weight_file import is_weight_file, read_weight_file, write_weight_file

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)
DOCUMENTS = st.dictionaries(st.text(max_size=6), PLAIN, max_size=4)


@settings(max_examples=15)
@given(data=DOCUMENTS, files=DOCUMENTS)
def test_images_are_read_as_they_were_written(
    tmp_path_factory: pytest.TempPathFactory, data: dict[str, Any], files: dict[str, Any]
):
    """Any names, also those that are no UTF-8, which JSON keeps with escapes."""
    path = tmp_path_factory.mktemp("run")
    files = {**files, "caf\udce9.png": [1]}
    write_images(path, data, files)
    assert (read_data(path), read_files(path)) == (data, files)


def test_equal_names_give_equal_bytes(tmp_path: Path):
    """No time of writing is in the compressed file: runs are compared by their bytes."""
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    for name in ("one", "two"):
        write_images(tmp_path / name, {"a": 1}, {"train": [["x.png", 0, 3]]})
    header = (tmp_path / "one" / FILES).read_bytes()[4:8]
    assert header == bytes(4)
    assert (tmp_path / "one" / FILES).read_bytes() == (tmp_path / "two" / FILES).read_bytes()


def test_what_was_not_kept_is_empty(tmp_path: Path):
    """Runs of an older zoo, and images that are in no files."""
    assert read_data(tmp_path) == read_files(tmp_path) == {}
    write_images(tmp_path, {"a": 1}, {})
    assert not (tmp_path / FILES).exists()


def test_names_of_other_files_do_not_stay(tmp_path: Path):
    """A run that begins anew in the folder, on images without files, is not said to have some."""
    write_images(tmp_path, {}, {"train": ["a"]})
    write_images(tmp_path, {}, {})
    assert read_files(tmp_path) == {}


@pytest.mark.parametrize(("more", "kept"), [(0, True), (-1, False)])
def test_too_many_names_are_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, more: int, kept: bool):
    """Exactly as many as may be read again are written."""
    listed = {"train": ["x.png"] * 5}
    monkeypatch.setattr(images, "_MAX_FILES", len(json.dumps(listed, separators=(",", ":"))) + more)
    write_images(tmp_path, {"a": 1}, listed)
    assert read_files(tmp_path) == (listed if kept else {})
    assert read_data(tmp_path) == {"a": 1}


def test_a_small_file_that_unpacks_to_a_huge_one_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """It is unpacked no further than what zoo itself writes."""
    (tmp_path / FILES).write_bytes(gzip.compress(b'{"a":"' + b"x" * 5000 + b'"}'))
    monkeypatch.setattr(images, "_MAX_FILES", 1000)
    with pytest.raises(DamagedError, match="ends early, or holds more than 1000 bytes"):
        read_files(tmp_path)


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "ends early"),
        (b"no gzip at all", "is damaged: Error"),
        (gzip.compress(b'{"a":1}', mtime=0)[:-3], "ends early"),
        (gzip.compress(b"[1]", mtime=0), "it holds no JSON object"),
        (gzip.compress(b"{", mtime=0), "not valid JSON"),
    ],
)
def test_damaged_names_are_told_with_their_file(tmp_path: Path, data: bytes, told: str):
    """Cut, changed, or of another form."""
    (tmp_path / FILES).write_bytes(data)
    with pytest.raises(DamagedError) as caught:
        read_files(tmp_path)
    assert str(tmp_path / FILES) in str(caught.value)
    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("text", "told"), [("7", "no JSON object"), ("", "not valid JSON"), ('{"a":NaN}', "not valid")]
)
def test_a_damaged_record_of_images_is_told_with_its_file(tmp_path: Path, text: str, told: str):
    """In the same words."""
    (tmp_path / DATA).write_text(text)
    with pytest.raises(DamagedError, match=told) as caught:
        read_data(tmp_path)
    assert str(tmp_path / DATA) in str(caught.value)


TENSORS = {"head.weight": torch.arange(6.0).reshape(2, 3), "steps": torch.tensor(7), "none": torch.empty(0, 4)}
RECORD = {"model": "linear", "classes": ["Grünfink", "b"], "deep": {"lr": 0.1}}


@pytest.fixture
def written(tmp_path: Path) -> Path:
    """A small file with weights."""
    write_weight_file(tmp_path / "model.safetensors", TENSORS, RECORD)
    return tmp_path / "model.safetensors"


def test_weights_and_their_record_come_back(written: Path):
    """With the digest of the very bytes; other libraries read the file, too."""
    found = read_weight_file(written)
    assert found.record == RECORD
    assert found.tensors.keys() == TENSORS.keys()
    assert all(torch.equal(found.tensors[name], tensor) for name, tensor in TENSORS.items())
    assert found.sha256 == hashlib.sha256(written.read_bytes()).hexdigest()
    assert load_file(written).keys() == TENSORS.keys()


def test_what_was_written_is_told_and_equal_for_equal_content(written: Path, tmp_path: Path):
    """In whatever order tensors and record were given."""
    again = tmp_path / "again.safetensors"
    told = write_weight_file(again, dict(reversed(TENSORS.items())), dict(reversed(RECORD.items())))
    assert again.read_bytes() == written.read_bytes()
    assert (told.size, told.sha256) == (len(again.read_bytes()), hashlib.sha256(again.read_bytes()).hexdigest())


def test_every_changed_byte_is_found(written: Path):
    """In the length, before the digest, in it, in the record, in the padding and in the tensors."""
    data = written.read_bytes()
    for place in range(0, len(data), 7):
        changed = bytearray(data)
        changed[place] ^= 1
        written.write_bytes(changed)
        with pytest.raises((DamagedError, UsageError)):
            read_weight_file(written)


@pytest.mark.parametrize("cut", [1, 8])
def test_a_file_that_lacks_its_end_or_has_more_is_damaged(written: Path, cut: int):
    """Its digest is of the whole."""
    data = written.read_bytes()
    for changed in (data[:-cut], data + bytes(cut)):
        written.write_bytes(changed)
        with pytest.raises(DamagedError, match="its bytes are not those that were published"):
            read_weight_file(written)


@pytest.mark.parametrize("length", [0, 7, 8, 20, 50, 93])
def test_a_file_that_ends_before_its_digest_is_not_zoos(written: Path, length: int):
    """It says how such a file may still be used."""
    written.write_bytes(written.read_bytes()[:length])
    with pytest.raises(UsageError, match=r"was not published by zoo, or is damaged.*--set model.pretrained=FILE"):
        read_weight_file(written)


def test_another_librarys_file_is_told_from_zoos(written: Path, tmp_path: Path):
    """By how it begins, without reading its tensors."""
    other = tmp_path / "other.safetensors"
    save_file({"w": torch.ones(2)}, other, metadata={"format": "pt"})
    assert is_weight_file(written)
    assert not is_weight_file(other)
    with pytest.raises(UsageError, match="nothing in it tells which model its weights are of"):
        read_weight_file(other)
    with pytest.raises(DamagedError, match="is missing"):
        is_weight_file(tmp_path / "none.safetensors")


def test_a_record_s_text_may_hold_what_looks_like_a_digest(tmp_path: Path):
    """The digest has one place, whatever the record says."""
    record = {"digest": "0" * 64, "__metadata__": {"digest": "1" * 64}}
    write_weight_file(tmp_path / "w.safetensors", TENSORS, record)
    assert read_weight_file(tmp_path / "w.safetensors").record == record

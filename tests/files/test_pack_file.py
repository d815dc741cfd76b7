"""The format of packs: what is written is read, and whatever is damaged is told."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.errors import DamagedError, UsageError
from zoo.files import pack_file
from zoo.files.pack_file import MAGIC, PackedSplit, PackFile, PackWriter, text_of

Image = tuple[str, int, bytes, float | None, str | None]
images = st.tuples(
    st.text(max_size=5),
    st.integers(-1, 2**40),
    st.binary(max_size=20),
    st.none() | st.floats(0, 9),
    st.none() | st.text(max_size=3),
)
contents = st.dictionaries(st.sampled_from(["train", "test", "validation"]), st.lists(images, min_size=1, max_size=4))


def write(path: Path, splits: dict[str, list[Image]], about: dict[str, Any] | None = None) -> bytes:
    with PackWriter(path) as writer:
        for split, held in splits.items():
            for image in held:
                writer.add(split, *image)
        writer.finish(about or {})
    return path.read_bytes()


def read(path: Path) -> dict[str, list[tuple[str, int, bytes]]]:
    """Return all that a pack holds but its weights and groups."""
    with PackFile(path) as file:
        return {
            name: [(text_of(split.names[i]), int(split.labels[i]), split.read(i)) for i in range(len(split))]
            for name, split in file.splits.items()
        }


SMALL: dict[str, list[Image]] = {
    "train": [("a.png", 0, b"first", 0.5, "film"), ("b/é.png", 1, b"", 2.0, "")],
    "test": [("c", 1, b"third image", None, None)],
}


@settings(max_examples=12)
@given(contents)
def test_what_was_written_is_read(tmp_path_factory: pytest.TempPathFactory, splits: dict[str, list[Image]]) -> None:
    """Any names, labels and bytes, none among them; weights and groups where each image of a split has one."""
    path = tmp_path_factory.mktemp("pack") / "set"
    content = write(path, splits, {"classes": ["a"]})
    assert read(path) == {split: [image[:3] for image in held] for split, held in splits.items()}
    with PackFile(path) as file:
        assert file.header["classes"] == ["a"]
        for split, held in splits.items():
            weights = [image[3] for image in held]
            found = file.splits[split].weights
            assert (found is None) is (None in weights)
            assert found is None or found.tolist() == weights
            groups, kept = [image[4] for image in held], file.splits[split].groups
            assert (kept is None) is (None in groups)
            assert kept is None or [text_of(each) for each in kept] == groups
            assert file.splits[split].sizes.tolist() == [len(image[2]) for image in held]
        file.verify()
    path.unlink()
    assert write(path, splits, {"classes": ["a"]}) == content


def test_a_pack_has_the_layout_that_is_stated(tmp_path: Path) -> None:
    """Magic, images, arrays at multiples of 64, header, and a trailer of 56 bytes that says where it is."""
    content = write(tmp_path / "set", SMALL)
    assert content.startswith(MAGIC + b"first" + b"third image")
    begin, length = np.frombuffer(content[-56:-40], "<u8").tolist()
    text, digest = content[begin : begin + length], content[-40:-8]
    assert content.endswith(MAGIC)
    assert begin + length + 56 == len(content)
    assert hashlib.sha256(text).digest() == digest
    header = json.loads(text)
    assert header["schema"] == 1
    always = {"digests", "ends", "labels", "name_ends", "names"}
    assert set(header["splits"]["train"]) == always | {"weights", "groups", "group_ends"}
    assert set(header["splits"]["test"]) == always
    for split in header["splits"].values():
        for array in split.values():
            assert array["begin"] % 64 == 0
            data = content[array["begin"] : array["begin"] + array["bytes"]]
            assert hashlib.sha256(data).hexdigest() == array["sha256"]
    ends = header["splits"]["train"]["ends"]
    assert np.frombuffer(content[ends["begin"] :][: ends["bytes"]], "<u8").tolist() == [13, 13]


def test_a_bit_that_flips_anywhere_is_told_or_means_nothing(tmp_path: Path) -> None:
    """Never another image, label or name, and never anything but zoo's own error."""
    path = tmp_path / "set"
    whole = write(path, SMALL)
    expected = read(path)
    silent = 0
    for place in range(0, len(whole), 11):
        broken = bytearray(whole)
        broken[place] ^= 1 << place % 8
        path.write_bytes(broken)
        try:
            assert read(path) == expected
        except DamagedError as error:
            assert str(path) in str(error)  # noqa: PT017 - which of the two it is, hangs on the byte
        else:
            silent += 1
            assert whole[place] == 0  # between two arrays
    assert silent < 64


@pytest.mark.parametrize("number", [0, 1], ids=["begin", "length"])
def test_a_trailer_that_leads_anywhere_is_told(tmp_path: Path, number: int) -> None:
    """However large its two numbers are: beyond the file, beyond any file, and beyond what the system counts."""
    path = tmp_path / "set"
    whole = write(path, SMALL)
    for bit in range(64):
        broken = bytearray(whole)
        broken[-56 + 8 * number + bit // 8] ^= 1 << bit % 8
        path.write_bytes(broken)
        with pytest.raises(DamagedError) as caught:
            PackFile(path)
        assert str(caught.value).startswith(f"{str(path)!r} is no pack of zoo's, or damaged: ")


def test_every_truncation_is_told(tmp_path: Path) -> None:
    """Whatever is missing at the end, the trailer is another."""
    path = tmp_path / "set"
    whole = write(path, SMALL)
    for length in range(0, len(whole), 31):
        path.write_bytes(whole[:length])
        with pytest.raises(DamagedError, match="is no pack of zoo's, or damaged: "):
            PackFile(path)
    path.write_bytes(whole + b"\0")
    with pytest.raises(DamagedError, match="it does not begin and end as one"):
        PackFile(path)


def repacked(path: Path, change: dict[str, Any]) -> None:
    """Write a pack whose header says something else, and is as whole as any."""
    whole = write(path, SMALL)
    begin = int.from_bytes(whole[-56:-48], "little")
    header = {**json.loads(whole[begin:-56]), **change}
    text = json.dumps(header).encode()
    trailer = pack_file._TRAILER.pack(begin, len(text), hashlib.sha256(text).digest(), MAGIC)
    path.write_bytes(whole[:begin] + text + trailer)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"schema": 2}, "it has schema 2, and this torch-zoo reads 1; update it"),
        ({"schema": "1"}, "it has schema '1', and this torch-zoo reads 1; update it"),
        ({"splits": []}, "'list' object has no attribute 'items'"),
        ({"splits": {"train": {}}}, "'labels'"),
        ({"splits": {"train": {"ends": {"begin": 64}}}}, "'bytes'"),
        (
            {"splits": {"train": {"ends": {"begin": 0, "bytes": 8, "sha256": "0"}}}},
            "its ends are not as they were written",
        ),
    ],
)
def test_a_header_that_says_something_else_is_told(tmp_path: Path, change: dict[str, Any], why: str) -> None:
    """A newer zoo's among them; the file is let go of."""
    path = tmp_path / "set"
    repacked(path, change)
    with pytest.raises(DamagedError) as caught:
        PackFile(path)
    assert str(caught.value) == f"{str(path)!r} is no pack of zoo's, or damaged: {why}"


def test_arrays_of_different_lengths_are_no_split(tmp_path: Path) -> None:
    """An image without a label would be given another's."""
    path = tmp_path / "set"
    write(path, SMALL)
    with PackFile(path) as file:
        arrays = {
            "ends": np.array([13, 13], "<u8"),
            "labels": np.array([0, 1], "<i8"),
            "digests": np.zeros(64, np.uint8),
            "names": np.zeros(3, np.uint8),
            "name_ends": np.array([1, 3], "<u8"),
        }
        assert len(PackedSplit(file, arrays, 8)) == 2
        for key, shorter in {"labels": 1, "digests": 32, "name_ends": 1, "ends": 1}.items():
            with pytest.raises(ValueError, match="its arrays have different lengths"):
                PackedSplit(file, {**arrays, key: arrays[key][:shorter]}, 8)


def test_an_image_that_changed_is_named(tmp_path: Path) -> None:
    """By reading it, and by reading all; the others are still read."""
    path = tmp_path / "set"
    whole = write(path, SMALL)
    path.write_bytes(whole.replace(b"third image", b"third imagE"))
    with PackFile(path) as file:
        assert file.splits["train"].read(0) == b"first"
        for reading in (lambda: file.splits["test"].read(0), file.verify):
            with pytest.raises(DamagedError) as caught:
                reading()
            assert str(caught.value) == f"{str(path)!r} is damaged: the image 'c' is not as it was packed"


def test_a_pack_appears_whole(tmp_path: Path) -> None:
    """Until it is finished, nothing has its name; whatever was not finished is taken away."""
    path = tmp_path / "set"
    with PackWriter(path) as writer:
        writer.add("train", "a", 0, b"x")
        assert not path.exists()
        assert writer.part.name.startswith(".set.")
        assert writer.part.parent == tmp_path
    assert not list(tmp_path.iterdir())
    write(path, SMALL)
    assert list(tmp_path.iterdir()) == [path]


def test_what_cannot_be_written_is_told_before_anything_is(tmp_path: Path) -> None:
    """A file that is there, and a folder that is not."""
    (tmp_path / "set").write_bytes(b"mine")
    with pytest.raises(UsageError) as caught:
        PackWriter(tmp_path / "set")
    assert str(caught.value) == f"there is a file {str(tmp_path / 'set')!r}; give another name, or remove it"
    assert (tmp_path / "set").read_bytes() == b"mine"
    with pytest.raises(UsageError) as caught:
        PackWriter(tmp_path / "no" / "set")
    assert str(caught.value) == f"cannot write {str(tmp_path / 'no' / 'set')!r}: No such file or directory"
    with pytest.raises(UsageError, match=r"cannot read .*: No such file or directory"):
        PackFile(tmp_path / "none")


def test_what_was_written_wrongly_gets_no_name(tmp_path: Path) -> None:
    """A disk that gives back something else than it took is found by reading everything back."""
    path = tmp_path / "set"
    with PackWriter(path) as writer:
        writer.add("train", "a", 0, b"xyz")
        writer._splits["train"]["digests"][0] = bytes(32)
        with pytest.raises(DamagedError, match="the image 'a' is not as it was packed"):
            writer.finish({})
    assert not list(tmp_path.iterdir())


def test_a_pack_is_let_go_of_once(tmp_path: Path) -> None:
    """Closing it again closes no other file that has its number by now."""
    path = tmp_path / "set"
    write(path, SMALL)
    file = PackFile(path)
    number = file._descriptor
    file.close()
    other = path.open("rb")
    assert other.fileno() == number
    file.close()
    del file
    assert other.read(8) == MAGIC
    other.close()


def test_an_end_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    """Fewer bytes, and no error: whoever asked compares their hash."""
    path = tmp_path / "set"
    whole = write(path, SMALL)
    with PackFile(path) as file:
        assert file.at(0, 8) == MAGIC
        assert file.at(len(whole) - 3, 10) == MAGIC[-3:]
        assert file.at(len(whole) + 5, 10) == b""


def test_a_folder_is_no_pack(tmp_path: Path) -> None:
    """Its owner meant another dataset, or has not packed it yet."""
    with pytest.raises(UsageError, match="is a folder and no pack; 'zoo pack' makes one of it, or give --data folder"):
        PackFile(tmp_path)

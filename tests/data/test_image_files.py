"""Paths of very many files."""

from __future__ import annotations

import os
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

import zoo


def test_a_path_costs_its_letters_and_little_more(tmp_path):
    """A hundred thousand names of thirty letters take under five megabytes."""
    files = zoo.ImageFiles(tmp_path, (f"class_{i % 9:03}/some_picture_{i:06}.jpg" for i in range(100_000)))
    held = sum(map(sys.getsizeof, (files._paths._buffer, files._paths._ends))) + files._stamps.nbytes
    assert held < 5_000_000
    assert files.names[99_999] == "class_000/some_picture_099999.jpg"


def test_names_are_alike_on_every_system_and_paths_as_this_one_spells_them(tmp_path):
    """Composed text; bytes that are no text are escaped in the name and kept in the path."""
    odd = os.fsdecode(b"b\xff.png")
    files = zoo.ImageFiles(tmp_path, ["e\u0301.png", odd])
    assert list(files.names) == ["\u00e9.png", "b\\xff.png"]
    assert files.place(1) == str(tmp_path / odd)


def test_names_and_sizes_are_the_same_one_by_one_and_all_in_a_row(tmp_path):
    """Plain names beside others, below the root or elsewhere."""
    elsewhere = tmp_path / "elsewhere.png"
    spelled = ["a.png", "e\u0301.png", "inner/b.png", os.fsdecode(b"c\xff.png"), str(elsewhere), "d.png"]
    (tmp_path / "root" / "inner").mkdir(parents=True)
    for number, name in enumerate(spelled):
        (tmp_path / "root" / name).write_bytes(bytes(number))
    files = zoo.ImageFiles(tmp_path / "root", spelled)
    names = ["a.png", "\u00e9.png", "inner/b.png", "c\\xff.png", elsewhere.as_posix(), "d.png"]
    for wanted, found in ((names, files.names), ([0, 1, 2, 3, 4, 5], files.sizes)):
        assert list(found) == wanted
        assert [found[index] for index in range(6)] == wanted
        assert found[1:4] == wanted[1:4]
        assert found[::-2] == wanted[::-2]
        assert found[4:2] == []


def test_a_file_may_not_change_between_two_readings(tmp_path):
    """Neither its size nor its time, from when it is first opened on."""
    path = tmp_path / "a.png"
    path.write_bytes(b"one")
    files = zoo.ImageFiles(tmp_path, ["a.png"])
    path.write_bytes(b"two")
    for _ in range(2):
        with files.open(0) as file:
            assert file.read() == b"two"
    os.utime(path, ns=(1, 1))
    with pytest.raises(zoo.DamagedError, match="was changed while it was in use"):
        files.open(0)
    assert files.sizes[0] == 3


def test_a_file_that_is_not_there_has_no_size(tmp_path):
    """It is named with the cure, as where it is opened."""
    (tmp_path / "a.png").write_bytes(b"one")
    files = zoo.ImageFiles(tmp_path, ["a.png", "gone.png", "lost.png"], cure="Mend it.")
    gone, lost = (repr(str(tmp_path / name)) for name in ("gone.png", "lost.png"))
    more = f" (1 more such file)\n  {lost}"
    for looked_up, others in ((lambda: files.sizes[1], ""), (lambda: list(files.sizes), more)):
        with pytest.raises(zoo.DamagedFilesError) as caught:
            looked_up()
        assert str(caught.value) == f"cannot read {gone}: No such file or directory. Mend it.{others}"


def test_a_name_with_a_zero_byte_is_refused(tmp_path):
    """A table may list one; it would be taken for two names."""
    with pytest.raises(zoo.UsageError, match=r"^there can be no file 'b/zero\\x00byte', with a zero byte in its name$"):
        zoo.ImageFiles(tmp_path, ["a", "", "b/zero\0byte", "c\0"])


@given(st.lists(st.binary(max_size=6).map(lambda name: name.replace(b"\0", b"")), min_size=1, max_size=8))
def test_many_names_are_what_each_is_by_itself(spelled):
    """Bytes that begin a letter at the end of one name do not end in the next."""
    files = zoo.ImageFiles("", map(os.fsdecode, spelled))
    alone = [unicodedata.normalize("NFC", name.decode("utf-8", "backslashreplace")) for name in spelled]
    assert list(files.names) == alone
    assert [files.names[index] for index in range(len(spelled))] == alone

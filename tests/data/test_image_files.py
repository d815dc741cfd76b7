"""Paths of very many files."""

from __future__ import annotations

import os
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

import zoo
from zoo.data.image_files import ByteStrings


@given(st.lists(st.binary(max_size=9), max_size=40))
def test_byte_strings_come_back_as_they_were_given(items):
    """Each at its place, from either end, empty ones among them."""
    strings = ByteStrings(items)
    assert list(strings) == items
    assert strings[:] == items
    assert strings == items
    assert strings != [*items, b""]
    if items:
        assert strings[-1] == items[-1]
    with pytest.raises(IndexError):
        strings[len(items)]


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

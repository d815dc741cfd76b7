"""Small parts that the rooms of data share: sequences made on demand, memory, and what makes pictures look alike."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import zoo
from zoo.data import likeness, memory
from zoo.data.lazy import Lazy, taken
from zoo.data.likeness import SEEN, Likenesses


@settings(max_examples=60)
@given(st.lists(st.integers(), max_size=8), st.slices(8), st.integers(-9, 8), st.booleans(), st.integers(1, 5))
def test_a_lazy_sequence_is_the_list_of_its_items(
    items: list[int], part: slice, index: int, at_once: bool, longest: int
) -> None:
    """From either end, in slices of any step, and beyond its ends as a list; made one by one, or several at once."""
    lazy = Lazy(len(items), items.__getitem__, (lambda start, stop: items[start:stop]) if at_once else None)
    assert len(lazy) == len(items)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("zoo.data.lazy._STRETCH", longest)
        assert list(lazy) == items
    assert list(lazy[part]) == items[part]
    assert lazy == items
    assert (lazy == [*items, 0]) is False
    assert list(reversed(lazy)) == items[::-1]
    if -len(items) <= index < len(items):
        assert lazy[index] == items[index]
    else:
        with pytest.raises(IndexError):
            lazy[index]


@given(st.lists(st.integers(0, 8), max_size=12), st.slices(12))
def test_what_is_taken_is_what_lies_at_those_places(places: list[int], part: slice) -> None:
    """In any order, side by side or not, the same place several times."""
    values = [f"name {index}" for index in range(9)]
    chosen = taken(values, np.array(places, dtype=np.int64))
    expected = [values[place] for place in places]
    assert list(chosen) == expected
    assert chosen[part] == expected[part]
    assert [chosen[index] for index in range(len(places))] == expected


def test_what_lies_side_by_side_is_taken_in_one_go() -> None:
    """A name of a million costs no slice of its own."""
    asked: list[tuple[int, int]] = []

    def stretch(start: int, stop: int) -> list[int]:
        asked.append((start, stop))
        return list(range(start, stop))

    lazy = Lazy(100, int, stretch)
    assert list(taken(lazy, np.array([*range(40, 90), 3, 4, 1]))) == [*range(40, 90), 3, 4, 1]
    assert asked == [(40, 90), (3, 5), (1, 2)]


class Indexed(Sequence[str]):
    """What a plugin may give as its names: there are no slices of it."""

    def __len__(self) -> int:
        return 9

    def __getitem__(self, index: int) -> str:  # type: ignore[override]
        assert isinstance(index, int)
        return f"name {range(9)[index]}"


def test_what_can_only_be_indexed_is_taken_one_by_one() -> None:
    """A plugin need not know slices."""
    chosen = taken(Indexed(), np.array([3, 4, 5, 1]))
    assert list(chosen) == chosen[:] == ["name 3", "name 4", "name 5", "name 1"]


def test_a_lazy_sequence_makes_only_what_is_asked_for() -> None:
    """A hundred million names need not be there at once."""
    asked: list[int] = []

    def item(index: int) -> int:
        asked.append(index)
        return index

    lazy = Lazy(10**8, item)
    assert len(lazy) == 10**8
    assert lazy[-1] == 10**8 - 1
    assert list(lazy[5:9:2]) == [5, 7]
    assert asked == [10**8 - 1, 5, 7]
    assert (lazy == 3) is False
    with pytest.raises(TypeError):
        hash(lazy)


def test_a_file_that_is_changed_while_it_is_used_is_named(tmp_path: Path) -> None:
    """By its size alone, by its time alone; files that were not opened may be anything."""
    for name in ("a", "b", "c"):
        (tmp_path / name).write_bytes(b"123")
        os.utime(tmp_path / name, ns=(5_000, 5_000))
    files = zoo.ImageFiles(tmp_path, ["a", "b", "c"])
    for index in (0, 1):
        files.open(index).close()
    (tmp_path / "a").write_bytes(b"1234")
    os.utime(tmp_path / "a", ns=(5_000, 5_000))
    os.utime(tmp_path / "b", ns=(5_000, 7_000))
    (tmp_path / "c").write_bytes(b"12345")
    for index, name in enumerate("ab"):
        with pytest.raises(zoo.DamagedError) as caught:
            files.open(index)
        assert str(caught.value) == (
            f"{str(tmp_path / name)!r} was changed while it was in use: its size or time is another"
        )
    with files.open(2) as file:
        assert file.read() == b"12345"
    assert list(files.sizes) == [4, 3, 5]


@pytest.mark.parametrize("time", [0, 1, 2**62, 2**63 - 1])
def test_any_time_of_change_is_a_stamp(tmp_path: Path, time: int) -> None:
    """The first second of 1970, which unpacked archives have, and those of broken clocks: opened twice, it is fine."""
    (tmp_path / "a").write_bytes(b"1")
    try:
        os.utime(tmp_path / "a", ns=(time, time))
    except OSError:
        pytest.skip("this file system has no such time")
    files = zoo.ImageFiles(tmp_path, ["a"])
    for _ in range(2):
        files.open(0).close()


MEMORY = "MemTotal:       8 kB\nMemFree:        1 kB\nMemAvailable:   4 kB\n"


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine of 8 KiB of memory, 4 of them free, without a container."""
    read_text = Path.read_text

    def told(self: Path, *args: object, **more: object) -> str:
        return MEMORY if str(self) == "/proc/meminfo" else read_text(self, *args, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(Path, "read_text", told)
    monkeypatch.setattr(memory, "_GROUP", tmp_path)
    return tmp_path


def test_the_machines_memory_is_read_in_bytes(machine: Path) -> None:
    """The system tells it in units of 1024 bytes."""
    assert (memory.whole_memory(), memory.free_memory()) == (8192, 4096)


@pytest.mark.parametrize(
    ("limit", "used", "whole", "free"),
    [
        ("max\n", "100\n", 8192, 4096),
        ("6000\n", "1000\n", 6000, 4096),
        ("6000\n", "5000\n", 6000, 1000),
        ("100000\n", "1000\n", 8192, 4096),
        ("6000\n", "rubbish", 6000, 4096),
        ("6000\n", None, 6000, 4096),
    ],
)
def test_a_containers_limit_counts_where_it_is_less(
    machine: Path, limit: str, used: str | None, whole: int, free: int
) -> None:
    """And what it uses already; what it does not tell is left out."""
    (machine / "memory.max").write_text(limit)
    if used is not None:
        (machine / "memory.current").write_text(used)
    assert (memory.whole_memory(), memory.free_memory()) == (whole, free)


def test_what_does_not_fit_is_told_with_both_sizes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nine tenths of what is free may be taken; where that is unknown, everything."""
    monkeypatch.setattr(memory, "free_memory", lambda: 10_000_000_000)
    memory.check_fits(9_000_000_000, "9 images", "Take fewer.")
    with pytest.raises(zoo.ZooError) as caught:
        memory.check_fits(9_100_000_000, "9 images", "Take fewer.")
    assert str(caught.value) == "9 images need 9.1 GB of memory, and 10.0 GB are free. Take fewer."
    assert caught.value.exit_code == 1
    monkeypatch.setattr(memory, "free_memory", lambda: None)
    memory.check_fits(10**18, "9 images", "Take fewer.")


def test_what_computes_in_the_machines_memory_has_none_of_its_own() -> None:
    """A GPU has."""
    assert memory.device_memory(torch.device("cpu")) is None


@settings(max_examples=25)
@given(
    st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=12),
    st.lists(st.tuples(st.integers(0, 11), st.lists(st.integers(0, 63), max_size=6, unique=True)), max_size=12),
)
def test_all_pairs_of_hashes_that_differ_in_four_bits_are_found(
    hashes: list[int], near: list[tuple[int, list[int]]]
) -> None:
    """And none that differ in more: each pair once, the smaller place first, in their order."""
    for place, bits in near:
        hashes.append(hashes[place % len(hashes)] ^ sum(1 << bit for bit in bits))
    found = likeness._likely(np.array(hashes, np.uint64)).tolist()
    expected = [
        [i, j]
        for i in range(len(hashes))
        for j in range(i + 1, len(hashes))
        if (hashes[i] ^ hashes[j]).bit_count() <= 4
    ]
    assert found == expected


@settings(max_examples=30)
@given(st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=20))
def test_bits_are_counted(values: list[int]) -> None:
    """As Python counts them."""
    assert likeness._ones(np.array(values, np.uint64)).tolist() == [value.bit_count() for value in values]


def pictures(count: int, seed: int = 0) -> torch.Tensor:
    """Smooth pictures, no two alike: uint8 (count, 3, 64, 64)."""
    rough = torch.rand(count, 3, 6, 6, generator=torch.Generator().manual_seed(seed))
    return (torch.nn.functional.interpolate(rough, (SEEN, SEEN), mode="bicubic") * 200).clamp(0, 255).to(torch.uint8)


def test_pictures_look_alike_whatever_their_light_and_size() -> None:
    """Darker, lighter, of less contrast, smaller; a mirrored one is another picture."""
    one, other, plain = pictures(3)
    versions = [one, other, (one.float() * 0.7).to(torch.uint8), (other // 2 + 60), one.flip(2), plain]
    seen = Likenesses(len(versions))
    for index, version in enumerate(versions):
        seen.put([index], version.unsqueeze(0))
    assert seen.pairs() == [(0, 2), (1, 3)]
    half = Likenesses(2)
    half.put([1], one.unsqueeze(0))
    half.put([0], torch.nn.functional.avg_pool2d(one.float(), 2).to(torch.uint8).unsqueeze(0))
    assert half.pairs() == [(0, 1)]


def test_the_order_in_which_pictures_are_kept_does_not_matter() -> None:
    """Several at once, in any order, as threads do."""
    shown = pictures(8)
    shown[5] = shown[2]
    whole, parts = Likenesses(8), Likenesses(8)
    whole.put(list(range(8)), shown)
    for indices in ([7, 3], [0], [6, 5, 4], [2, 1]):
        parts.put(indices, shown[indices])
    assert whole.pairs() == parts.pairs() == [(2, 5)]
    assert (whole._hashes == parts._hashes).all()


def test_pictures_of_nothing_are_alike_to_none() -> None:
    """White paper is no copy of white paper; nor is a picture one of itself."""
    seen = Likenesses(3)
    seen.put([0, 1, 2], torch.full((3, 1, 40, 40), 255, dtype=torch.uint8))
    assert seen.pairs() == []
    assert Likenesses(1).pairs() == []


def test_correlation_has_no_light_and_no_contrast() -> None:
    """One of a picture with itself made lighter, minus one with its negative."""
    row = torch.tensor([[10, 20, 40, 80]], dtype=torch.uint8)
    for other, expected in ((row, 1.0), (row + 50, 1.0), (row // 2, 1.0), (255 - row, -1.0)):
        assert float(likeness._correlations(row, other)) == pytest.approx(expected, abs=1e-5)

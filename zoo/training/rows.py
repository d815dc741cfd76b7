"""What a slice leaves, as one row of bytes: the form in which slices are added, and sent between processes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

import torch
from torch import Tensor

_ALIGNED = 16  # bytes: torch has no larger number


class Field(NamedTuple):
    """Numbers of one kind in a row.

    Attributes:
        dtype: Their type; they are added in it.
        size: Their shape.
        stride: Their memory layout, which leaves no gaps.
    """

    dtype: torch.dtype
    size: tuple[int, ...]
    stride: tuple[int, ...]

    @property
    def bytes(self) -> int:
        """How long it is in a row."""
        return self.dtype.itemsize * torch.Size(self.size).numel()

    @classmethod
    def like(cls, tensor: Tensor) -> Field:
        """Return the field for numbers like those of *tensor*."""
        dense = torch.empty_like(tensor, device="meta")
        return cls(tensor.dtype, tuple(dense.size()), dense.stride())

    @classmethod
    def numbers(cls, count: int, dtype: torch.dtype = torch.float64) -> Field:
        """Return a field of *count* numbers in a line."""
        return cls(dtype, (count,), (1,))


class Stretch(NamedTuple):
    """Numbers of one type that stand together in a row.

    Attributes:
        dtype: Their type.
        start: The first one's place, in bytes.
        stop: Where they end.
        fields: Where only fields that are early stand here, those; else none.
    """

    dtype: torch.dtype
    start: int
    stop: int
    fields: tuple[int, ...] = ()

    def of(self, row: Tensor) -> Tensor:
        """Return these numbers of *row*, uint8 (length,), in a line that shares its memory."""
        return row[self.start : self.stop].view(self.dtype)


class RowLayout:
    """Where the fields of a row stand. It is a function of the fields alone, so all processes have the same.

    Fields of one type stand together, so that a row is added with one call for each type.

    Args:
        fields: In any order.
        parts: The row's length can be divided into so many stretches, each a multiple of 16 bytes.
        early: So many of the first fields are filled before the others, one after another.
    """

    def __init__(self, fields: Sequence[Field], parts: int = 1, early: int = 0) -> None:
        self._fields, self._early = tuple(fields), early
        self._places = [0] * len(fields)
        self._sections: list[Stretch] = []
        end = 0
        by_dtype = sorted(range(len(fields)), key=lambda number: str(fields[number].dtype))
        for dtype, numbers in groupby(by_dtype, key=lambda number: fields[number].dtype):
            start = end
            for number in numbers:
                self._places[number] = end
                end += fields[number].bytes
            self._sections.append(Stretch(dtype, start, end))
            end = _up_to(end, _ALIGNED)
        self.length = _up_to(end, _ALIGNED * parts)

    @property
    def has_one_type(self) -> bool:
        """Whether all numbers of a row are of one type."""
        return len(self._sections) == 1

    def views(self, row: Tensor) -> list[Tensor]:
        """Return the fields of *row*, uint8 (length,), as tensors that share its memory."""
        views = []
        for field, place in zip(self._fields, self._places, strict=True):
            flat = row[place : place + field.bytes].view(field.dtype)
            views.append(flat.as_strided(field.size, field.stride))
        return views

    def numbers(self, row: Tensor) -> list[Tensor]:
        """Return all numbers of *row*, uint8 (length,), by type, as tensors in a line that share its memory."""
        return [section.of(row) for section in self._sections if section.start < section.stop]

    def stretches(self, least: int) -> list[Stretch]:
        """Cut a row into stretches: first those that early fields fill, of *least* bytes or more, then what is left."""
        full, rest = list[Stretch](), list[Stretch]()
        for section in self._sections:
            found = list(self._full_in(section, least))
            start = found[-1].stop if found else section.start
            full += found
            rest += [Stretch(section.dtype, start, section.stop)] if start < section.stop else []
        return full + rest

    def _full_in(self, section: Stretch, least: int) -> Iterator[Stretch]:
        start, fields = section.start, list[int]()
        for number in (each for each in range(self._early) if self._fields[each].dtype == section.dtype):
            fields.append(number)
            stop = self._places[number] + self._fields[number].bytes
            if stop - start >= least:
                yield Stretch(section.dtype, start, stop, tuple(fields))
                start, fields = stop, []

    def add(self, total: Tensor, row: Tensor, start: int = 0) -> None:
        """Add a stretch of a row to the same stretch of another, number by number.

        Args:
            total: uint8 (n,), of the row's bytes from *start*; it is changed.
            row: uint8 (n,), likewise.
            start: A multiple of 16, as n is.
        """
        for dtype, first, last, _ in self._sections:
            low, high = max(first, start) - start, min(last, start + len(total)) - start
            if low < high:
                total[low:high].view(dtype).add_(row[low:high].view(dtype))


def _up_to(count: int, multiple: int) -> int:
    return -(-count // multiple) * multiple

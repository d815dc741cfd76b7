"""The size to which images are resized for a model that cannot take them as they are."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from zoo.errors import UsageError, ZooError
from zoo.inspection.meta import on_meta
from zoo.inspection.reach import EveryPixel, LeftOutError

Size = tuple[int, int]

LIMIT = 1024
"""The longest side that is tried, in pixels, unless the images are larger."""

# So many sides in a row are tried before the smallest that is not too small is sought by halving.
_PATIENCE = 3

# How torch says that a layer's input has shrunk to less than its window. A text that is not known costs time alone.
_TOO_SMALL = re.compile(
    r"too small|greater than actual input size|smaller than|should be less than the corresponding", re.I
)


def smallest_input_size(
    build: Callable[[Size], nn.Module],
    image_size: Sequence[int],
    *,
    in_channels: int,
    sides: Callable[[int], Iterable[int]] | None = None,
    asked: int | Sequence[int] | None = None,
) -> Size:
    """Return the smallest size, at or above that of the images, at which a model runs and looks at every pixel.

    Nothing is computed: the model lives on the meta device, where tensors have shapes and no values, so that a try
    costs some milliseconds a layer. Random numbers are left as they were.

    Args:
        build: Called with a size (H, W), on the meta device; returns a model for that size. One whose model does not
            depend on the size should build it once and return it again.
        image_size: The images' (H, W).
        in_channels: C.
        sides: Called with a side in pixels; yields those to try instead, smallest first. By default the side itself,
            then up to 1024: of each four, first the multiple of four.

        asked: The side, or (H, W), that the user wants in place of the smallest; it is refused unless it works.

    Returns:
        (H, W). Each side is that of the smallest square which works; the square of the longer one where the
        rectangle does not work.

    Raises:
        UsageError: If no size works, or that which was asked for does not; it says why.
        ZooError: If *build* raises it.
    """
    search = _Search(build, in_channels, sides or sides_from)
    with torch.random.fork_rng(devices=[]):
        if asked is None:
            return search.size((image_size[0], image_size[1]))
        size = _as_size(asked)
        if not search.works(size) and (found := search.size(size)) != size:
            raise UsageError(
                f"the model does not take inputs of {size[0]} x {size[1]} pixels as they are; "
                f"input_size={list(found)} works"
            )
        return size


def sides_from(side: int, *, steps: Sequence[int] = (4, 1), limit: int = LIMIT) -> Iterator[int]:
    """Yield *side*, then larger ones up to *limit*: multiples of ``steps[0]``, each followed by what lies before it.

    With steps (4, 1) and side 28: 28, 32, 29, 30, 31, 36, 33 and so on. A network that takes 29 pixels is better off
    with 32, but some take odd sides alone.
    """
    yield side
    coarse, fine = steps[0], steps[-1]
    for end in range(side - side % coarse + coarse, max(limit, side) + 1, coarse):
        yield end
        yield from range(max(side + 1, end - coarse + fine), end, fine) if fine < coarse else ()


def _as_size(asked: int | Sequence[int]) -> Size:
    sides = [asked, asked] if isinstance(asked, int) else list(asked)
    if len(sides) != 2 or not all(type(side) is int and side > 0 for side in sides):
        raise UsageError(f"input_size must be a side or [H, W], in pixels, not {asked!r}")
    return sides[0], sides[1]


class _Search:
    """Tries sizes, and learns from those that fail which others need no trial."""

    def __init__(
        self, build: Callable[[Size], nn.Module], in_channels: int, sides: Callable[[int], Iterable[int]]
    ) -> None:
        self._build, self._in_channels, self._sides = build, in_channels, sides
        self._fault: Exception = ValueError("there is no size to try")
        self._left_out: LeftOutError | None = None

    def size(self, wanted: Size) -> Size:
        """Return the smallest size that works, a square where the rectangle does not.

        Raises:
            UsageError: If there is none.
        """
        height, width = wanted
        rows = self.side(height)
        columns = self.side(width) if width != height else rows
        fits = rows == columns or self.works((rows, columns))
        return (rows, columns) if fits else (max(rows, columns),) * 2

    def side(self, wanted: int) -> int:
        """Return the smallest side at which a square works.

        Raises:
            UsageError: If there is none.
        """
        tried, floor, too_small = wanted, 0, 0
        for tried in self._sides(wanted):
            if tried < floor or (self._left_out and not self._left_out.may_suit(tried)):
                continue
            if self.works((tried, tried)):
                return tried
            if self._too_small:
                too_small += 1
                floor = self._raised_floor(tried) if too_small == _PATIENCE else floor
        reason = " ".join(str(self._fault).split())[:200]
        raise UsageError(f"no input size from {wanted} to {tried} fits the model: {reason}") from self._fault

    def works(self, size: Size) -> bool:
        """Return whether the model runs at this size and looks at every pixel."""
        try:
            check_input_size(self._build, size, in_channels=self._in_channels)
        except ZooError:
            raise
        except Exception as error:
            self._fault = error
            self._left_out = error if isinstance(error, LeftOutError) else self._left_out
            return False
        return True

    @property
    def _too_small(self) -> bool:
        return bool(_TOO_SMALL.search(str(self._fault)))

    def _raised_floor(self, small: int) -> int:
        """Return the smallest side that is not too small, by doubling and halving, from one that is."""
        large = 2 * small
        while large <= LIMIT and not self.works((large, large)) and self._too_small:
            small, large = large, 2 * large
        while large - small > 1:
            middle = (small + large) // 2
            if not self.works((middle, middle)) and self._too_small:
                small = middle
            else:
                large = middle
        return large


def check_input_size(build: Callable[[Size], nn.Module], size: Size, *, in_channels: int) -> None:
    """Raise unless the model that *build* returns for a size runs at it, in training, and looks at every pixel.

    Args:
        build: As for `smallest_input_size`.
        size: (H, W).
        in_channels: C.

    Raises:
        ValueError: If the model leaves out rows or columns of its input, or returns something else than logits (N, K).
        Exception: Whatever building or running the model raises.
    """
    with on_meta(), torch.no_grad():
        model = build(size).train()
    # Two images, since batch norm cannot train on one whose feature map has shrunk to one pixel.
    inputs = torch.empty(2, in_channels, *size, device="meta")
    with torch.device("meta"), torch.no_grad(), EveryPixel(inputs) as seen:
        logits: Any = model(inputs)
    if not isinstance(logits, Tensor) or logits.ndim != 2 or len(logits) != 2:
        shape = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
        raise ValueError(f"the model returns {shape}, not logits (N, K)")
    seen.check(logits)

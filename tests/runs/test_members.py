"""Which runs can be members of one ensemble, by the pictures that each of them saw."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from small_photos import encoded, photographs

from zoo.data import Preparation
from zoo.errors import UsageError
from zoo.runs.members import refuse_other_pictures


def test_pictures_that_no_member_can_be_given_as_it_saw_them_are_refused(tmp_path: Path):
    """Files resized to one size by two filters, or cut to two aspects; other sizes of one aspect are not."""

    def member(where: str, size: tuple[int, int], how: str, fit: str) -> Any:
        images = SimpleNamespace(image_size=size, fit=fit)
        network = SimpleNamespace(prepare=Preparation([0.5], [0.5], interpolation=how))
        return SimpleNamespace(run=SimpleNamespace(where=where, images=images, network=network))

    files: Any = SimpleNamespace(splits=[encoded(photographs(tmp_path, 3, 3))])
    stored: Any = SimpleNamespace(splits=[SimpleNamespace()])

    def refuse(data: Any, *others: Any, fit: str = "stretch") -> None:
        base = member("a", (20, 20), "bilinear", fit)
        refuse_other_pictures([base, *others], base.run, data)

    bicubic = member("b", (20, 20), "bicubic", "stretch")
    with pytest.raises(UsageError, match="b had its pictures resized by the bicubic filter, and a by the bilinear one"):
        refuse(files, bicubic)
    refuse(stored, bicubic)
    refuse(files, member("b", (12, 12), "bicubic", "stretch"), member("c", (20, 12), "bilinear", "stretch"))
    with pytest.raises(UsageError, match=r"b took its pictures by data\.fit 'crop' in 20 x 12, and a in 20 x 20"):
        refuse(files, member("b", (20, 12), "bilinear", "crop"), fit="crop")
    refuse(files, member("b", (10, 10), "bilinear", "crop"), fit="crop")

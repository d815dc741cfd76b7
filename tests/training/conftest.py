"""What tests of several processes share where one is enough."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from torch import distributed


@pytest.fixture
def group() -> Iterator[None]:
    """A group of one process: gloo itself, without anybody to wait for."""
    distributed.init_process_group("gloo", store=distributed.HashStore(), rank=0, world_size=1)
    try:
        yield
    finally:
        distributed.destroy_process_group()

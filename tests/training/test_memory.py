"""Freed memory is kept for the next step."""

from __future__ import annotations

import sys

import pytest
import torch

from zoo.training.memory import keep_freed_memory


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has glibc's allocator")
def test_blocks_that_are_freed_and_taken_again_cost_no_new_pages():
    """Ten times 40 MB, freed in between, take fewer new pages than the 10,000 of one block."""
    import resource

    if not keep_freed_memory():
        pytest.skip("this Python does not run on glibc")

    def pages(times: int) -> int:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        for _ in range(times):
            blocks = [torch.ones(5_000_000) for _ in range(2)]
            del blocks
        return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

    pages(2)
    assert pages(10) < 5000

"""The page on speed: what is said about the roof is what was measured."""

from __future__ import annotations

import csv
import runpy
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
BENCHMARKS = ROOT / "tests" / "benchmarks"


@pytest.fixture(scope="module")
def script() -> dict[str, Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(BENCHMARKS)
        return runpy.run_path(str(BENCHMARKS / "roof.py"))


@pytest.mark.parametrize(
    ("names", "part"),
    [
        (["aten::mkldnn_convolution", "aten::_convolution", "aten::conv2d", "step 0"], "products"),
        (["aten::mm", "MmBackward0", "autograd::engine::evaluate_function: MmBackward0", "step 0"], "products"),
        (["aten::copy_", "aten::_to_copy", "aten::to", "aten::linear", "step 0"], "copies, casts"),
        (["aten::fill_", "aten::zero_", "aten::max_pool2d_with_indices_backward", "step 0"], "pooling"),
        (["aten::empty", "aten::native_batch_norm", "step 0"], "batch norm"),
        (["aten::ge", "dropout", "step 0"], "dropout"),
        (["aten::threshold_backward", "ReluBackward0", "step 0"], "element-wise"),
        (["aten::_fused_adamw_", "Optimizer.step#AdamW.step", "step 0"], "optimizer"),
        (["aten::_log_softmax", "aten::cross_entropy_loss", "step 0"], "the rest"),
        (["step 0"], "the rest"),
    ],
)
def test_an_operation_belongs_to_what_called_it(script, names, part):
    """The nearest caller that is known decides."""
    assert script["part_of"](names) == part


def test_the_page_gives_a_reason_for_each_gap_of_more_than_half():
    """With the numbers of the table, not others."""
    page = (ROOT / "docs" / "explanation" / "speed.md").read_text()
    with (ROOT / "docs" / "explanation" / "speed-roof.csv").open(newline="") as file:
        steps = [row for row in csv.DictReader(file) if row["precision"]]
    wanted = [
        f"| `{row['model']}`, {row['batch']}, {row['precision']} | {row['% of the roof']} |"
        for row in steps
        if int(row["% of the roof"]) < 50
    ]
    assert wanted
    assert [row for row in wanted if row not in page] == []

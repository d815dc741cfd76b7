"""The page on speed: what is said about the roof is what was measured."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import Any

import pytest
from benchmark_scripts import definitions

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def script() -> dict[str, Any]:
    return definitions("roof.py")


@pytest.mark.parametrize(
    ("names", "part"),
    [
        (["aten::mkldnn_convolution", "aten::_convolution", "aten::conv2d", "step 0"], "products"),
        (["aten::mm", "MmBackward0", "autograd::engine::evaluate_function: MmBackward0", "step 0"], "products"),
        (["aten::copy_", "aten::_to_copy", "aten::to", "aten::linear", "step 0"], "copies, casts"),
        (["aten::fill_", "aten::zero_", "aten::max_pool2d_with_indices_backward", "step 0"], "pooling"),
        (["aten::empty", "aten::native_batch_norm", "step 0"], "batch norm"),
        (["aten::ge", "dropout", "step 0"], "dropout"),
        (["aten::mul", "dropout", "step 0"], "dropout"),
        (["aten::copy_", "aten::_to_copy", "aten::to", "dropout", "step 0"], "dropout"),
        (["aten::mul", "MulBackward0", "autograd::engine::evaluate_function: MulBackward0", "step 0"], "dropout"),
        (["aten::threshold_backward", "ReluBackward0", "step 0"], "element-wise"),
        (["aten::_fused_adamw_", "Optimizer.step#AdamW.step", "step 0"], "optimizer"),
        (["aten::add_", "Optimizer.step#AdamW.step", "step 0"], "optimizer"),
        (["aten::zero_", "Optimizer.zero_grad#AdamW.zero_grad", "step 0"], "optimizer"),
        (["aten::sub", "normalise", "step 0"], "the rest"),
        (["aten::copy_", "aten::_to_copy", "normalise", "step 0"], "the rest"),
        (["aten::_log_softmax", "aten::cross_entropy_loss", "step 0"], "the rest"),
        (["step 0"], "the rest"),
    ],
)
def test_an_operation_belongs_to_what_called_it(script, names, part):
    """Dropout, the optimizer and the batch's preparation own what they call; else the nearest known name decides."""
    assert script["part_of"](names) == part


def test_the_page_gives_a_reason_for_each_gap_of_more_than_half():
    """With the numbers of the table, not others: percentages of that precision, milliseconds of that model."""
    with (ROOT / "docs" / "explanation" / "speed-roof.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    page = (ROOT / "docs" / "explanation" / "speed.md").read_text()
    reasons = dict(re.findall(r"^\| (`\w+`, \d+, \w+ \| \d+) \| (.+) \|$", page, re.MULTILINE))
    gaps = [row for row in rows if row["precision"] and int(row["% of the roof"]) < 50]
    assert list(reasons) == [
        f"`{row['model']}`, {row['batch']}, {row['precision']} | {row['% of the roof']}" for row in gaps
    ]
    roofs = {row["precision"]: row["roof, GFLOP/s"] for row in gaps}
    assert f"\n{roofs['fp32']} GFLOP/s in fp32 and {roofs['bf16']} in bf16" in page
    for row, reason in zip(gaps, reasons.values(), strict=True):
        of_roof = row["products alone, % of the roof"]
        assert reason.startswith(f"products are {row['products, %']} % of the step, and at {of_roof} % of the roof")
        numbers = re.findall(r"\b\d[\d.]*\b(?: %| ms)?", re.sub(r"\d+ x \d+", "", reason))
        assert [number for number in numbers if number not in _known(row, rows)] == []


def _known(step: dict[str, str], rows: list[dict[str, str]]) -> set[str]:
    """Return the numbers of a step and its model's layers: percentages of its precision, milliseconds of any."""
    return {
        f"{number} {'ms' if 'ms' in column else '%'}"
        for row in rows
        if (row["model"], row["batch"]) == (step["model"], step["batch"])
        for column, number in row.items()
        if "ms" in column or ("%" in column and (row is step or f"in {step['precision']}, %" in column))
    }

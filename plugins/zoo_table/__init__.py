"""Your own images as a table lists them: CSV, TSV, JSON lines or Parquet."""

from __future__ import annotations

import zoo


@zoo.hookimpl
def register(add: zoo.Add) -> None:
    """Register the dataset."""
    add.dataset(
        "table",
        "zoo_table.dataset:table",
        summary="Your own images as a table lists them: CSV, TSV, JSONL or Parquet with the columns file and label.",
    )

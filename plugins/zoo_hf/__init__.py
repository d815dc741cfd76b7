"""Hugging Face datasets of images; needs the extra ``hf``."""

from __future__ import annotations

import zoo


@zoo.hookimpl
def register(add: zoo.Add) -> None:
    """Register the dataset."""
    add.dataset(
        "hf",
        "zoo_hf.dataset:hf",
        summary="A Hugging Face dataset, from a folder or the hub; needs torch-zoo[hf].",
    )

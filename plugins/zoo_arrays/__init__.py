"""Images in arrays: .npy, .npz and safetensors."""

from __future__ import annotations

import zoo


@zoo.hookimpl
def register(add: zoo.Add) -> None:
    """Register the dataset."""
    add.dataset(
        "arrays",
        "zoo_arrays.dataset:arrays",
        summary="Images and labels in arrays: a folder of .npy files, an .npz or a .safetensors file.",
    )

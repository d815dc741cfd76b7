"""Files for other runtimes, as a plugin of zoo: ``zoo export RUN --format onnx``."""

from __future__ import annotations

import zoo


@zoo.hookimpl
def register(add: zoo.Add) -> None:
    """Register the exporters."""
    add.exporter("torch_export", "zoo_export.program:torch_export", summary="A program of torch.export, for torch.")
    add.exporter("onnx", "zoo_export.onnx_file:onnx", summary="One ONNX file, for onnxruntime and others.")

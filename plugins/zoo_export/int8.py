"""ONNX graphs in 8 bits: weights and activations, static, by onnxruntime's own quantisation."""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

_QUANTIZED = ["Conv", "MatMul", "Gemm"]
_RESIZING = {"rows", "columns"}  # the matrices that resize images: nothing is gained there, and pixels would be lost
_BATCH = 16  # the calibration keeps what every node says of a batch


class _Images:
    """Hands a calibration its images, batch by batch."""

    def __init__(self, images: Tensor) -> None:
        self._batches = iter(torch.split(images, _BATCH))

    def get_next(self) -> dict[str, Any] | None:
        batch = next(self._batches, None)
        return None if batch is None else {"images": batch.numpy()}


def quantized(proto: Any, images: Tensor) -> Any:
    """Return a graph whose convolutions and products are in 8 bits, between nodes that quantise and dequantise.

    Args:
        proto: The graph in fp32.
        images: uint8 (N, C, H, W): activations get the range that they have for these.
    """
    import onnx
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    reader = type("Reader", (_Images, CalibrationDataReader), {})
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)  # it advises what is done here already
    try:
        with tempfile.TemporaryDirectory() as folder:
            whole, folded, small = (Path(folder, f"{name}.onnx") for name in ("whole", "folded", "small"))
            onnx.save(proto, whole)
            quant_pre_process(whole, folded, skip_symbolic_shape=True)
            nodes = onnx.load(folded).graph.node
            quantize_static(
                folded,
                small,
                reader(images),
                quant_format=QuantFormat.QDQ,
                op_types_to_quantize=_QUANTIZED,
                nodes_to_exclude=[node.name for node in nodes if _RESIZING & set(node.input)],
                per_channel=True,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
                # What follows quantises its own inputs; and logits in 256 steps would often be equal.
                extra_options={"OpTypesToExcludeOutputQuantization": ["Gemm", "MatMul"]},
            )
            return onnx.load(small)
    finally:
        logging.disable(before)

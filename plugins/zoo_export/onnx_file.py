"""ONNX files, by torch's own exporter."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import zoo
from zoo_export.int8 import quantized
from zoo_export.tracing import first_line, quietly, untraceable

_LARGEST = 2**31 - 2**20  # what one protobuf message holds, less some room for the graph
_INPUT, _OUTPUTS = "images", ("logits", "probabilities")


def onnx(
    module: nn.Module,
    example: Tensor,
    facts: Mapping[str, Any],
    path: Path,
    calibration: Tensor | None = None,
    opset: int = 20,
    quantize: str = "",
) -> Callable[[Any], Any]:
    """Write one ONNX file, and return what runs it with onnxruntime.

    Args:
        module: Maps images, uint8 (N, C, H, W), to logits and probabilities, float32 (N, K).
        example: Two images or more.
        facts: What the file tells of itself, as JSON under ``zoo`` in its metadata.
        path: The file.
        calibration: Images that a quantised file is fitted to.
        opset: The version of ONNX's operators.
        quantize: "int8" for weights and activations of 8 bits, which other runtimes compute faster.

    Raises:
        ValueError: If *quantize* is something else.
        UsageError: If onnx, onnxscript or onnxruntime is not installed.
        ZooError: If torch cannot trace the model, or the file would have 2 GB or more.
    """
    if quantize not in ("", "int8"):
        raise ValueError(f"quantize must be 'int8', not {quantize!r}")
    try:
        import onnx as library
        import onnxruntime
        import onnxscript  # noqa: F401 - torch's exporter needs it
    except ImportError as error:
        raise zoo.UsageError(
            f"the exporter 'onnx' needs more packages: pip install 'torch-zoo[onnx]' ({error})"
        ) from error
    size = sum(tensor.nbytes for tensor in module.state_dict().values())
    if size > _LARGEST:
        raise zoo.ZooError(f"a model of {size / 1e9:.1f} GB does not fit into one ONNX file, which holds 2 GB at most")
    proto = _traced(module, example, opset)
    if quantize:
        proto = quantized(proto, example if calibration is None else calibration)
    _strip(proto.graph)
    for function in proto.functions:
        _strip(function)
    del proto.metadata_props[:]
    told = {**facts, "quantize": quantize} if quantize else facts
    library.helper.set_model_props(proto, {"zoo": json.dumps(told, allow_nan=False)})
    path.write_bytes(proto.SerializeToString(deterministic=True))
    try:
        library.checker.check_model(str(path), full_check=True)
    except Exception as error:
        raise zoo.ZooError(f"the exported file is not kept: it is no valid ONNX: {first_line(error)}") from error
    return _runner(path, onnxruntime)


def _traced(module: nn.Module, example: Tensor, opset: int) -> Any:
    """Return the model as ONNX's protobuf message.

    Raises:
        ZooError: If torch cannot trace it.
    """
    try:
        with quietly():
            program = torch.onnx.export(
                module,
                (example,),
                dynamo=True,
                dynamic_shapes=({0: torch.export.Dim("batch")},),
                input_names=[_INPUT],
                output_names=list(_OUTPUTS),
                opset_version=opset,
                verbose=False,
            )
    except Exception as error:
        raise untraceable(error) from error
    return program.model_proto  # type: ignore[union-attr] # with dynamo there is one


def _strip(graph: Any) -> None:
    """Remove what the exporter notes of this machine, from a graph or a function and the graphs within.

    Each node comes with the stack that made it: the paths of source files, and with them a user's name.
    """
    graph.doc_string = ""
    del graph.metadata_props[:]
    for kind in ("input", "output", "value_info", "initializer"):
        for value in getattr(graph, kind, ()):
            if hasattr(value, "metadata_props"):  # a function's inputs are names alone
                value.doc_string = ""
                del value.metadata_props[:]
    for node in graph.node:
        node.doc_string = ""
        del node.metadata_props[:]
        for attribute in node.attribute:
            attribute.doc_string = ""
            for inner in (attribute.g, *attribute.graphs):
                if inner.node:
                    _strip(inner)


def _runner(path: Path, runtime: Any) -> Callable[[Any], Any]:
    settings = runtime.SessionOptions()
    settings.log_severity_level = 3
    session = runtime.InferenceSession(path.read_bytes(), settings, providers=["CPUExecutionProvider"])
    return lambda images: session.run(list(_OUTPUTS), {_INPUT: images})

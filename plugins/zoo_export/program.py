"""Programs of torch.export, which torch runs without the model's source."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from zoo_export.tracing import quietly, untraceable


def torch_export(module: nn.Module, example: Tensor, facts: Mapping[str, Any], path: Path) -> None:
    """Write a program of torch.export. It contains a pickle, so zoo writes such files and never reads one.

    ``torch.export.load(FILE, extra_files={"zoo.json": ""})`` loads it, and what it tells of itself.

    Args:
        module: Maps images, uint8 (N, C, H, W), to logits and probabilities, float32 (N, K).
        example: Two images or more.
        facts: What the file tells of itself, as ``zoo.json`` in it.
        path: The file.

    Raises:
        ZooError: If torch cannot trace the model.
    """
    try:
        with quietly():
            program = torch.export.export(module, (example,), dynamic_shapes=({0: torch.export.Dim("batch")},))
    except Exception as error:
        raise untraceable(error) from error
    for part in program.graph_module.modules():
        for node in getattr(part, "graph", torch.fx.Graph()).nodes:
            node.meta.pop("stack_trace", None)  # the paths of source files, and with them a user's name
    stream = io.BytesIO()  # a path must be called .pt2
    torch.export.save(program, stream, extra_files={"zoo.json": json.dumps(facts, allow_nan=False)})
    path.write_bytes(stream.getvalue())

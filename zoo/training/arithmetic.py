"""How a model computes: precision, memory layout, threads. Rules over what the machine can do, never timings."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch._C._functorch import is_functorch_wrapped_tensor

from zoo.errors import UsageError

Device = torch.device

_MANY_DEPTHWISE = 0.1
_HALF = {"bf16": torch.bfloat16, "fp16": torch.float16}


@contextmanager
def own_arithmetic() -> Iterator[None]:
    """Compute as runs do, as long as the context lasts; afterwards the process has its own ways back.

    Numbers too small for their full precision are zero: they cost a hundred times a normal number's time on CPUs, and
    no accuracy hangs on them. Algorithms that are chosen by timing, or that add in any order, would give other bits
    each time, so that cuDNN takes none. The number of threads may be changed meanwhile.
    """
    threads, deterministic = torch.get_num_threads(), torch.backends.cudnn.deterministic
    flushed = not torch.tensor(1e-39).mul(0.5).item()  # torch does not tell
    torch.set_flush_denormal(True)
    torch.backends.cudnn.deterministic = True
    try:
        yield
    finally:
        torch.set_flush_denormal(flushed)
        torch.backends.cudnn.deterministic = deterministic
        if torch.get_num_threads() != threads:
            torch.set_num_threads(threads)


def choose_device(requested: str) -> Device:
    """Return the device for ``auto``, ``cpu``, ``cuda`` or ``mps``.

    Raises:
        UsageError: If that device is not here.
    """
    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if requested == "auto":
        return Device(next(name for name, here in available.items() if here))
    if not available.get(requested, False):
        here = ", ".join(name for name, present in available.items() if present)
        raise UsageError(f"--device {requested} is not available to this torch {torch.__version__}; there is: {here}")
    return Device(requested)


def choose_precision(requested: str, device: Device) -> str:
    """Return ``fp32``, ``bf16`` or ``fp16``; ``auto`` is bf16 where the hardware has instructions for it, else fp32.

    Raises:
        UsageError: If fp16 is asked for on an Apple GPU, where zoo has not been tried with it.
    """
    if requested == "fp16" and device.type == "mps":
        raise UsageError("--precision fp16 is for CUDA devices and CPUs; on mps give --precision fp32")
    if requested != "auto":
        return requested
    return "bf16" if has_fast_bf16(device) else "fp32"


def suits_bf16(model: nn.Module, device: Device) -> bool:
    """Whether bf16 can gain with *model*: on a CPU not where many of its layers are depthwise convolutions.

    Those move much and multiply little, so that there the conversions cost more than faster products save.
    """
    if device.type != "cpu":
        return True
    layers = [module for module in model.modules() if isinstance(module, nn.Conv2d | nn.Linear)]
    depthwise = sum(isinstance(layer, nn.Conv2d) and layer.groups == layer.in_channels > 1 for layer in layers)
    return depthwise < _MANY_DEPTHWISE * len(layers) or not layers


def has_fast_bf16(device: Device) -> bool:
    """Whether the device has instructions for bf16 matrix products."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type == "cpu":
        abilities = _cpu_abilities()
        return bool(abilities.get("avx512_bf16") or abilities.get("amx_bf16") or abilities.get("bf16"))
    return False


def _cpu_abilities() -> dict[str, Any]:
    """Return which instructions the processor has, by name."""
    if hasattr(torch.cpu, "get_capabilities"):
        return dict(torch.cpu.get_capabilities())
    # torch 2.10 tells some of them, each by a function of its own.
    return {"avx512_bf16": torch.cpu._is_avx512_bf16_supported(), "amx_bf16": torch.cpu._is_amx_tile_supported()}


def choose_memory_format(requested: str, model: nn.Module, device: Device) -> torch.memory_format:
    """Return the layout for images and convolution weights; ``auto`` as `prefers_channels_last` says."""
    if requested == "auto":
        requested = "channels_last" if prefers_channels_last(model, device) else "contiguous"
    return torch.channels_last if requested == "channels_last" else torch.contiguous_format


def prefers_channels_last(model: nn.Module, device: Device) -> bool:
    """Whether *model* has convolutions, whose kernels take channels_last without repacking on CPUs and CUDA."""
    return device.type in ("cpu", "cuda") and any(isinstance(module, nn.Conv2d) for module in model.modules())


@contextmanager
def gradients_laid_out(model: nn.Module) -> Iterator[None]:
    """Give gradients the layout of what was flattened on a CPU, as long as the context lasts.

    Gradients come back from `nn.Flatten` row by row. Beside channels_last activations each layer before it would go
    over both in different orders, which takes longer. No gradient that is copied changes; a layer before it that sums
    in the order of memory, such as batch norm, gives another result by rounding.

    Copies of *model* made within the context keep its hooks, and `torch.jit.script` cannot read them.
    """
    flattenings = [module for module in model.modules() if type(module) is nn.Flatten]
    handles = [flattening.register_forward_pre_hook(_keep_channels_last) for flattening in flattenings]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _keep_channels_last(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
    for features in inputs:  # one, unless it is given by name
        if torch.compiler.is_compiling() or not (is_plain(features) and features.requires_grad):
            continue
        if features.is_contiguous(memory_format=torch.channels_last) and not features.is_contiguous():
            features.register_hook(_channels_last)  # type: ignore[no-untyped-call]


def _channels_last(gradient: Tensor | None) -> Tensor | None:
    return None if gradient is None else gradient.contiguous(memory_format=torch.channels_last)


def is_plain(tensor: Tensor) -> bool:
    """Whether *tensor* is numbers on a CPU, rather than a tensor of another kind, or one that vmap or grad sees."""
    return (
        type(tensor) is Tensor
        and tensor.device.type == "cpu"
        and tensor.layout is torch.strided
        and not tensor.is_nested
        and not is_functorch_wrapped_tensor(tensor)
        and tensor.numel() > 0
    )


def choose_dropout_masks(requested: str, device: Device, *, compiled: bool) -> str:
    """Return ``torch`` or ``numpy``; ``auto`` is numpy on CPUs, unless the model is compiled, or computed twice.

    Raises:
        UsageError: If numpy is asked for where it cannot be.
    """
    possible = device.type == "cpu" and not compiled
    if requested == "numpy" and not possible:
        raise UsageError(
            "--dropout-masks numpy is for a CPU, without --compile and --checkpoint-activations; leave it out"
        )
    if requested == "auto":
        return "numpy" if possible else "torch"
    return requested


class Autocast(nn.Module):
    """Run a model's forward pass in half precision where that is safe; its weights and its logits stay fp32.

    Args:
        model: Maps inputs (N, C, H, W) to logits (N, K).
        device_type: ``"cpu"`` or ``"cuda"``.
        dtype: Of what is safe.
    """

    def __init__(self, model: nn.Module, device_type: str, dtype: torch.dtype) -> None:
        super().__init__()
        self.model = model
        self.device_type, self.dtype = device_type, dtype

    def forward(self, inputs: Tensor) -> Tensor:
        """Map inputs, float32 (N, C, H, W), to logits, float32 (N, K): the criterion computes in full precision."""
        with torch.autocast(self.device_type, dtype=self.dtype):
            logits: Tensor = self.model(inputs)
        return logits.float()


def in_precision(model: nn.Module, precision: str, device: Device) -> nn.Module:
    """Return *model*, or where *precision* is a half one, a module that runs it so; both share the parameters."""
    dtype = _HALF.get(precision)
    return model if dtype is None else Autocast(model, device.type, dtype)

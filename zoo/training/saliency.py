"""Where in an image a model sees a class: Grad-CAM where there are convolutions, occlusion for any model."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional

from zoo.training.ensemble import Ensemble
from zoo.training.evaluation import evaluating

_AFTER = 3
"""Linear layers that may follow the last convolution, the head included, where it is still what sees."""

_ACROSS = 7
"""How many times the occluding square goes across the shorter side."""

_BATCH = 32


def last_maps(model: nn.Module, inputs: Tensor) -> str | None:
    """Return the name of the module whose maps are the last that convolutions see.

    That is the last one to run whose output, (N, C, h, w), has the height and width of that of the last convolution
    with more than one place: so norms and activations after it are in.

    Args:
        model: Maps *inputs* to logits.
        inputs: One image, (1, C, H, W).

    Returns:
        None where no convolution has more than one place, or much follows the last: in a transformer it only cuts the
        image into patches. None of an ensemble, too: no maps are all that its members see.
    """
    if isinstance(model, Ensemble):
        return None
    ran = list(_outputs(model, inputs))
    convolutions = [
        place for place, (module, shape) in enumerate(ran) if isinstance(module, nn.Conv2d) and math.prod(shape[2:]) > 1
    ]
    if not convolutions:
        return None
    last = convolutions[-1]
    if sum(isinstance(module, nn.Linear | nn.MultiheadAttention) for module, _ in ran[last:]) > _AFTER:
        return None
    size = ran[last][1][2:]
    seeing = [module for module, shape in ran[last:] if len(shape) == 4 and shape[2:] == size][-1]
    names: dict[nn.Module, str] = {module: name for name, module in model.named_modules()}
    return names[seeing]


def _outputs(model: nn.Module, inputs: Tensor) -> Iterator[tuple[nn.Module, tuple[int, ...]]]:
    """Yield each module that gives a tensor, in the order in which they end, with the shape of what it gives."""
    ran: list[tuple[nn.Module, tuple[int, ...]]] = []

    def note(module: nn.Module, _: object, output: object) -> None:
        if isinstance(output, Tensor):
            ran.append((module, tuple(output.shape)))

    hooks = [module.register_forward_hook(note) for module in model.modules() if module is not model]
    try:
        with evaluating(model):
            model(inputs)
    finally:
        for hook in hooks:
            hook.remove()
    yield from ran


def grad_cam(model: nn.Module, inputs: Tensor, label: int, layer: str) -> Tensor:
    """Return what the maps of a layer say for a class, where they speak for it.

    Args:
        model: Maps *inputs* to logits, (1, K).
        inputs: One image, (1, C, H, W).
        label: The class.
        layer: A module whose output is maps, (1, C', h, w); `last_maps` finds one.

    Returns:
        float32 (h, w) on the CPU, at least 0: the sum of the maps, each place weighted by the gradient of the class's
        logit there.

    Source: Selvaraju et al. 2017. They average the gradient over the places, which comes to the same where the maps are
    averaged before the head. Where a head looks at each place by itself, an average mixes what it thinks of them; place
    by place as here it is true of such models, too: Draelos and Carin 2020.
    """
    seen: list[Tensor] = []
    hook = model.get_submodule(layer).register_forward_hook(lambda _module, _inputs, output: seen.append(output))
    try:
        with evaluating(model), torch.enable_grad():
            # Frozen parameters give no gradient, so it flows from the inputs.
            logits = model(inputs.detach().clone().requires_grad_())
            maps = seen[-1]
            (gradient,) = torch.autograd.grad(logits[0, label], maps)
    finally:
        hook.remove()
    return (gradient * maps.detach()).sum(1)[0].clamp(min=0).float().cpu()


def occlusion(logits_of: Callable[[Tensor], Tensor], inputs: Tensor, label: int) -> Tensor:
    """Return by how much the class becomes less likely where a grey square covers the image.

    The square is a seventh of the shorter side wide and moves by half of itself. Grey is 0, the mean of the images
    that the model knows.

    Args:
        logits_of: Maps inputs (N, C, H, W) to logits (N, K).
        inputs: One image, (1, C, H, W).
        label: The class.

    Returns:
        float32 (H, W) on the CPU, at least 0: the mean fall of the class's log probability over the squares that cover
        a pixel.

    Source: Zeiler and Fergus 2014; they looked at the probability, which moves little where a model is sure.
    """
    height, width = inputs.shape[-2:]
    side = max(1, min(height, width) // _ACROSS)
    corners = [(top, left) for top in _starts(height, side) for left in _starts(width, side)]
    fall, covered = torch.zeros(height, width), torch.zeros(height, width)
    with torch.no_grad():
        whole = functional.log_softmax(logits_of(inputs).float(), dim=1)[0, label].cpu()
        for start in range(0, len(corners), _BATCH):
            some = corners[start : start + _BATCH]
            hidden = inputs.repeat(len(some), 1, 1, 1)
            for image, (top, left) in zip(hidden, some, strict=True):
                image[:, top : top + side, left : left + side] = 0
            found = functional.log_softmax(logits_of(hidden).float(), dim=1)[:, label].cpu()
            for value, (top, left) in zip(found, some, strict=True):
                fall[top : top + side, left : left + side] += whole - value
                covered[top : top + side, left : left + side] += 1
    return (fall / covered).clamp(min=0)


def _starts(length: int, side: int) -> list[int]:
    """Return where squares begin along a side, the last at its end."""
    return sorted({*range(0, length - side + 1, max(1, side // 2)), length - side})

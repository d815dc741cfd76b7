"""What a model's head is given: the features of an image."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor, nn

from zoo.errors import PluginError


@contextmanager
def given_to(layer: nn.Module) -> Iterator[list[Tensor]]:
    """Collect what a layer is given while a model runs, a tensor a call, on its device and as it is."""
    seen: list[Tensor] = []
    hook = layer.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].detach()))
    try:
        yield seen
    finally:
        hook.remove()


def vectors(seen: list[Tensor], count: int, head: str) -> Tensor:
    """Return what a head was given as a vector for each image; maps are averaged over their places.

    Args:
        seen: What it was given, (N, D) or (N, D, H, W), in one call.
        count: N, how many images there were.
        head: Its name.

    Returns:
        float32 (N, D).

    Raises:
        PluginError: If it was given something else.
    """
    shapes = [tuple(part.shape) for part in seen]
    if len(seen) != 1 or seen[0].ndim not in (2, 4) or len(seen[0]) != count:
        raise PluginError(
            f"the model's head {head!r} is given {shapes or 'nothing'} for {count} images, and no vector for each; "
            "let the model name another by head_name = 'NAME'"
        )
    features = seen[0].float()
    return features if features.ndim == 2 else features.mean((2, 3))

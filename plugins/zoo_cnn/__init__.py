"""Small convolutional classifiers, as a plugin of zoo."""

from __future__ import annotations

from typing import Any

import zoo


@zoo.hookimpl
def register(add: Any) -> None:
    """Register the models."""
    add.model("cnn", "zoo_cnn.compact:cnn", summary="Three convolutions, pooling after each; plain.")
    add.model(
        "cnn_dropout",
        "zoo_cnn.compact:cnn_dropout",
        summary="The same with batch norm and dropout; the one to try first.",
    )
    add.model("cnn_batchnorm", "zoo_cnn.compact:cnn_batchnorm", summary="The same with batch norm, no dropout.")
    add.model(
        "lenet5", "zoo_cnn.classics:lenet5", summary="LeNet-5 of 1998: two convolutions, three dense layers, tanh."
    )
    add.model(
        "pytorch_mnist",
        "zoo_cnn.classics:pytorch_mnist",
        summary="The net of the PyTorch MNIST example, 1,199,882 parameters; for comparisons.",
    )
    add.model(
        "resnet9",
        "zoo_cnn.residual:resnet9",
        summary="Eight convolutions with two residual blocks; the most accurate here, and eight times cnn's work.",
    )

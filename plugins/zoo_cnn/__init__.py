"""Small convolutional classifiers, as a plugin of zoo."""

from __future__ import annotations

from typing import Any

import zoo


@zoo.hookimpl
def register(add: Any) -> None:
    """Register the models."""
    add.model(
        "cnn",
        "zoo_cnn.compact:cnn",
        summary="Compact CNN: three convolutions, pooling after each; no dropout, no batch norm.",
    )
    add.model(
        "cnn_dropout",
        "zoo_cnn.compact:cnn_dropout",
        summary="Compact CNN with dropout and batch norm; the one to try first.",
    )
    add.model("cnn_batchnorm", "zoo_cnn.compact:cnn_batchnorm", summary="Compact CNN with batch norm, no dropout.")
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
    # What 'zoo publish' wrote of: zoo train --model cnn_dropout --precision fp32 --threads 1 (seed 0, torch 2.14.1, one
    # run). It is right on 99.46 % of the 10,000 test images. zoo reproduce weights:cnn_dropout-mnist --threads 1
    add.weights(
        "cnn_dropout-mnist",
        "zoo_cnn:cnn_dropout-mnist.safetensors",
        summary="cnn_dropout, trained on MNIST by its default recipe: 99.46 % of the test images.",
        facts={
            "bytes": 140_728,
            "sha256": "3277e91b2bb6aab04cbd4da4c297cea6103c112641eb5584c741a330a149126f",
            "licence": "Apache-2.0",
            "model": "cnn/cnn_dropout",
            "classes": tuple("0123456789"),
        },
    )

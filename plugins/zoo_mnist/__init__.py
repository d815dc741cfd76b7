"""MNIST, embedded: the complete set of handwritten digits comes with the package and needs no network."""

from __future__ import annotations

import zoo


@zoo.hookimpl
def register(add: zoo.Add) -> None:
    """Register the dataset."""
    add.dataset(
        "mnist",
        "zoo_mnist.dataset:mnist",
        summary="Handwritten digits: 60,000 training and 10,000 test images, 1 x 28 x 28, embedded.",
    )

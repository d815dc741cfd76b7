"""TensorBoard's curves of a run, as a plugin of zoo: ``zoo train --observe tensorboard``."""

from __future__ import annotations

import zoo


@zoo.hookimpl
def register(add: zoo.Add) -> None:
    """Register the observer."""
    add.observer(
        "tensorboard", "zoo_tensorboard.writer:TensorBoard", summary="Write curves for TensorBoard to RUN/tensorboard."
    )

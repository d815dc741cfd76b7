"""Where in an image a run's model sees a class."""

from __future__ import annotations

import torch
from torch import Tensor

from zoo.errors import UnknownNameError, UsageError
from zoo.files.given import Given, name_of
from zoo.files.resizing import resized
from zoo.reports.explanations import Explanation
from zoo.runs.predicting import Predictor
from zoo.training.arithmetic import own_arithmetic
from zoo.training.evaluation import evaluating
from zoo.training.saliency import grad_cam, last_maps, occlusion

METHODS = ("auto", "grad-cam", "occlusion")


def explained(predictor: Predictor, image: Given, label: str | None, method: str) -> Explanation:
    """Look where in an image a model sees a class; the arguments are those of `zoo.explain`."""
    if method not in METHODS:
        raise UsageError(f"method must be one of {', '.join(METHODS)}, not {method!r}")
    classes = predictor.images.classes
    if label is not None and label not in classes:
        raise UnknownNameError("class", label, classes)
    name = name_of(image, 0)
    return explained_pixels(predictor, name, predictor.read(image, name), label, method)


def explained_pixels(predictor: Predictor, name: str, pixels: Tensor, label: str | None, method: str) -> Explanation:
    """Look where in an image, uint8 (C, H, W) as the dataset stores it, a model sees a class; else as `explained`."""
    network, classes = predictor.network, predictor.images.classes
    with own_arithmetic():
        inputs = network.prepare_evaluation(pixels[None])
        with evaluating(network.model):
            logits = network.forward(inputs).float()[0]
            chosen = int(logits.argmax()) if label is None else classes.index(label)
            probabilities = (logits / (predictor.temperature or 1.0)).softmax(dim=0)
            layer = None if method == "occlusion" else last_maps(network.model, inputs)
            if layer is None and method == "grad-cam":
                raise UsageError("Grad-CAM needs a model whose last layers are convolutions; use occlusion")
            if layer is None:
                heat = occlusion(network.forward, inputs, chosen)
            else:
                heat = grad_cam(network.model, inputs, chosen, layer)
    return Explanation(
        name,
        classes[chosen],
        float(probabilities[chosen]),
        "occlusion" if layer is None else "grad-cam",
        layer or "",
        _to_one(heat, (pixels.shape[1], pixels.shape[2])).numpy(),
        pixels.numpy(),
    )


def _to_one(heat: Tensor, size: tuple[int, int]) -> Tensor:
    """Return heat of the size of the image, (H, W), its greatest value 1 where there is any."""
    spread = resized(heat[None, None], size, "bilinear")[0, 0].clamp(min=0)
    most = spread.max()
    return spread / most if most > 0 else torch.zeros_like(spread)

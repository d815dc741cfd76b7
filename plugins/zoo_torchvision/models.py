"""torchvision's classifiers, built for the number of channels and the size of the images."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import torch
from torch import nn

import zoo
from zoo_torchvision.library import torchvision
from zoo_torchvision.stem import replace_stem
from zoo_torchvision.weights import expected_of, find_weights, load_pretrained

Size = tuple[int, int]

# Without their auxiliary heads both return logits alone, and inputs are normalised by zoo.
_WITH_AUXILIARY_HEADS = ("googlenet", "inception_v3")
_PLAIN = {"aux_logits": False, "transform_input": False, "init_weights": True}


def build(
    *,
    architecture: str,
    num_classes: int,
    in_channels: int,
    image_size: Size,
    class_names: Sequence[str] = (),
    pretrained: bool | str = False,
    input_size: int | Sequence[int] | None = None,
    extra: Mapping[str, Any] | None = None,
) -> nn.Module:
    """Build one of torchvision's classifiers.

    Args:
        architecture: torchvision's name for it; bound by the entry.
        num_classes: K. Pretrained weights keep the rows of their last layer where they know each of *class_names*; else
            it is begun anew.
        in_channels: C. With another than 3 the first convolution is new. With pretrained weights grey images are
            repeated in three channels; for other numbers the filters of the three colours are taken in turn.
        image_size: (H, W), in pixels.
        class_names: The data's K names.
        pretrained: Whether to begin with torchvision's best weights, downloaded to torch's hub folder; or which of
            them, such as ``"IMAGENET1K_V1"``.
        input_size: Side, or (H, W), to which images are resized, in pixels. Left out, it is the size for which
            pretrained weights are published; without such the smallest, at or above the images', at which the model
            runs and looks at every pixel.
        extra: Further keywords of torchvision's own builder for this model, such as ``{"dropout": 0.3}``.

    Returns:
        A module from (N, C, H, W), floating, to logits (N, K). Where it needs inputs of another size than *image_size*,
        its ``input_size`` is (H, W). With pretrained weights its ``expects`` says what they do.

    Raises:
        zoo.UsageError: If an option is not one of this model's, or no size fits.
        zoo.DamagedError: If the file with the pretrained weights is damaged.
        zoo.ZooError: If the pretrained weights cannot be downloaded.

    Source: torchvision.models.
    """
    weights = find_weights(architecture, pretrained) if pretrained else None
    expects = expected_of(weights, in_channels) if weights else None
    if expects is not None:
        image_size, in_channels = expects.size or image_size, expects.channels
    drafts = _Drafts(architecture, num_classes, in_channels, extra or {})
    size = drafts.chosen_size(image_size, input_size)
    model = drafts.created(size)
    if expects is None:
        if size != tuple(image_size):
            model.input_size = size  # type: ignore[assignment]
        return model
    rows = expects.rows(class_names)
    digest = load_pretrained(model, architecture, drafts.stem_name, weights, rows)
    model.expects = dataclasses.replace(  # type: ignore[assignment]
        expects, size=size, sha256=digest, head="new" if rows is None else "kept"
    )
    return model


class _Drafts:
    """Builds one architecture for one size after another.

    Args:
        architecture: torchvision's name.
        num_classes: K.
        in_channels: C.
        extra: Keywords for torchvision's builder.
    """

    stem_name = ""

    def __init__(self, architecture: str, num_classes: int, in_channels: int, extra: Mapping[str, Any]) -> None:
        self._architecture: Final = architecture
        self._in_channels: Final = in_channels
        plain = _PLAIN if architecture in _WITH_AUXILIARY_HEADS else {}
        self._keywords: Final = {"num_classes": num_classes, **plain, **extra}
        self._any_size: nn.Module | None = None

    def chosen_size(self, image_size: Size, input_size: int | Sequence[int] | None) -> Size:
        """Return the size of the model's inputs.

        Raises:
            zoo.UsageError: If *input_size* does not suit the model, or no size does.
        """
        return zoo.smallest_input_size(
            self.on_meta, image_size, in_channels=self._in_channels, sides=self._sides, asked=input_size
        )

    def on_meta(self, size: Size) -> nn.Module:
        """Return the model without weights for a size; the same again where the size makes no difference to it."""
        if self._size_keywords(size):
            return self.created(size)
        if self._any_size is None:
            self._any_size = self.created(size)
        return self._any_size

    def created(self, size: Size) -> nn.Module:
        """Return the model with fresh weights.

        Raises:
            zoo.UsageError: If the builder does not take a keyword.
        """
        keywords = {**self._keywords, **self._size_keywords(size)}
        try:
            model: nn.Module = torchvision.models.get_model(self._architecture, **keywords)
        except NotImplementedError:
            # RegNet computes its widths with tensors, whose values are not there on the meta device.
            with torch.device("cpu"):
                model = torchvision.models.get_model(self._architecture, **keywords).to("meta")
        except TypeError as error:
            raise zoo.UsageError(f"torchvision's {self._architecture}: {' '.join(str(error).split())}") from error
        self.stem_name = replace_stem(model, self._in_channels)
        return model

    def _size_keywords(self, size: Size) -> dict[str, Any]:
        if self._architecture.startswith("vit_"):
            return {"image_size": _side_of(size)}
        return {"input_size": size} if self._architecture == "maxvit_t" else {}

    def _sides(self, side: int) -> Iterator[int]:
        """Yield what to try for images with this *side*, in pixels."""
        if self._architecture == "maxvit_t":  # four halvings and windows of 7 leave no other
            yield from range(-(-side // 224) * 224, side + 224, 224)
        else:
            yield from zoo.sides_from(side)


def _side_of(size: Size) -> int:
    """Return the side of a square.

    Raises:
        ValueError: If it is none.
    """
    if size[0] != size[1]:
        raise ValueError(f"its inputs are square, not {size[0]} x {size[1]}")
    return size[0]

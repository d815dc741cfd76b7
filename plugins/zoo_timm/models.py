"""timm's classifiers, built for the size of the images."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Final

import torch
from torch import Tensor, nn

import zoo
from zoo_timm.library import models, timm
from zoo_timm.weights import check_weights, expected_of, verified_sha256

Size = tuple[int, int]

# Their first layer is a cosine transform of brightness and colour, whatever number of channels timm is asked for.
_COLOUR_ONLY = ("csatv2",)


def build(
    *,
    architecture: str,
    num_classes: int,
    in_channels: int,
    image_size: Size,
    class_names: Sequence[str] = (),
    pretrained: bool | str = False,
    tag: str = "",
    input_size: int | Sequence[int] | None = None,
    drop_rate: float | None = None,
    drop_path_rate: float | None = None,
    extra: Mapping[str, Any] | None = None,
) -> nn.Module:
    """Build one of timm's classifiers.

    Args:
        architecture: timm's name for it; bound by the entry.
        num_classes: K. Pretrained weights keep the rows of their head where they know each of *class_names*; else it is
            begun anew.
        in_channels: C. With pretrained weights, grey images are repeated in three channels; for other numbers timm
            adapts the first convolution.
        image_size: (H, W), in pixels.
        class_names: The data's K names.
        pretrained: Whether to begin with timm's weights, from the Hugging Face hub or where it keeps its downloads; or
            which of them, such as ``"a1_in1k"``.
        tag: Which of the pretrained weights; empty for timm's default.
        input_size: Side, or (H, W), to which images are resized, in pixels. Left out, it is the size at which
            pretrained weights were trained; without such the smallest, at or above the images', at which the model
            runs and looks at every pixel.
        drop_rate: Probability that dropout zeroes a feature before the head, in [0, 1); left out, the model's own.
        drop_path_rate: Probability that stochastic depth skips the last block, in [0, 1); left out, the model's own.
        extra: Further keywords of timm's own builder for this model, such as ``{"global_pool": "max"}``.

    Returns:
        A module from (N, C, H, W), floating, to logits (N, K). Where it needs inputs of another size than *image_size*,
        its ``input_size`` is (H, W). With pretrained weights its ``expects`` says what they do.

    Raises:
        zoo.UsageError: If an option is not one of this model's, or no size fits.
        zoo.DamagedError: If the file with the pretrained weights is damaged.
        zoo.ZooError: If the pretrained weights cannot be loaded.

    Source: Wightman 2019, PyTorch Image Models (timm).
    """
    name = _weights_name(architecture, pretrained, tag)
    expects, digest = None, ""
    if pretrained:
        digest = check_weights(name)
        expects = expected_of(name, in_channels, class_names)
        image_size, in_channels = expects.size or image_size, expects.channels
    keywords = {"num_classes": num_classes, "in_chans": in_channels, "drop_rate": drop_rate}
    keywords |= {"drop_path_rate": drop_path_rate, **(extra or {})}
    for option, rate in {"drop_rate": drop_rate, "drop_path_rate": drop_path_rate}.items():
        if rate is not None and not 0 <= rate < 1:
            raise zoo.UsageError(f"{option} must be in [0, 1), not {rate!r}")
    drafts = _Drafts(architecture, keywords)
    size = drafts.chosen_size(image_size, input_size)
    if expects is None:
        model = drafts.created(size, name)
        if size != tuple(image_size):
            model.input_size = size  # type: ignore[assignment]
        return model
    model, kept = drafts.pretrained(size, name, expects.rows(class_names))
    model.expects = dataclasses.replace(  # type: ignore[assignment]
        expects, size=size, sha256=digest or verified_sha256(name), head="kept" if kept else "new"
    )
    return model


def _weights_name(architecture: str, pretrained: bool | str, tag: str) -> str:
    """Return timm's name for an architecture's weights."""
    if isinstance(pretrained, str):
        if tag not in ("", pretrained):
            raise zoo.UsageError(f"pretrained={pretrained!r} and tag={tag!r} name two weights; leave one out")
        tag = pretrained
    return f"{architecture}.{tag}" if tag else architecture


def _grey_as_colour(_: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """Give a model's only input, (N, 1, H, W), three equal channels."""
    return (inputs[0].expand(-1, 3, -1, -1),)


def _adapted(model: nn.Module, state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return a file's tensors under timm's own names, position embeddings resized, where timm knows how."""
    adapt: Any = getattr(sys.modules[type(model).__module__], "checkpoint_filter_fn", None)
    return state if adapt is None else dict(adapt(state, model))


def _layer_groups(model: Any) -> list[list[str]] | None:
    """Return the names of a model's parameters in timm's own layer groups; None where timm has none for it."""
    try:
        matcher = model.group_matcher(coarse=False)
    except (AttributeError, NotImplementedError):
        return None
    return list(models.group_parameters(model, matcher).values())


def _finished(model: nn.Module) -> nn.Module:
    model.adapt_weights = partial(_adapted, model)  # type: ignore[assignment]
    model.layer_groups = partial(_layer_groups, model)  # type: ignore[assignment]
    return model


def _hub_config(
    architecture: str, arguments: Mapping[str, Any], model: Any, facts: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the config.json with which timm, and transformers, build *model* again and prepare images as zoo does.

    Args:
        architecture: timm's name.
        arguments: What timm's builder was given, but for the number of classes.
        model: The trained model.
        facts: ``classes``, ``mean``, ``std``, ``input_size`` (C, H, W) and ``interpolation``.
    """
    classes = list(facts["classes"])
    own = model.pretrained_cfg or {}
    prepared = {
        "input_size": list(facts["input_size"]),
        "fixed_input_size": "img_size" in arguments,
        "interpolation": facts["interpolation"],
        "crop_pct": 1.0,
        "crop_mode": "squash",  # zoo gives the whole picture the model's size
        "mean": list(facts["mean"]),
        "std": list(facts["std"]),
        "num_classes": len(classes),
        "first_conv": own.get("first_conv"),
        "classifier": own.get("classifier"),
    }
    return {
        "architecture": architecture,
        "num_classes": len(classes),
        "num_features": model.num_features,
        "label_names": classes,
        "model_args": dict(arguments),
        "pretrained_cfg": prepared,
    }


def _keep_rows(model: Any, rows: Sequence[int]) -> bool:
    """Give a model, in place of its head, those of its rows; return whether its head is one layer that has rows."""
    old = model.get_classifier()
    if not isinstance(old, nn.Linear | nn.Conv2d):
        return False
    model.reset_classifier(len(rows))
    new = model.get_classifier()
    state = {name: values[list(rows)] for name, values in old.state_dict().items()}
    new.load_state_dict(state)
    return True


class _Drafts:
    """Builds one architecture for one size after another.

    Args:
        architecture: timm's name.
        keywords: timm's keywords, those that are None left to timm.
    """

    def __init__(self, architecture: str, keywords: Mapping[str, Any]) -> None:
        self._architecture: Final = architecture
        self._keywords: Final = {name: value for name, value in keywords.items() if value is not None}
        self._in_channels: Final[int] = keywords["in_chans"]
        self._as_colour = self._in_channels == 1 and architecture.startswith(_COLOUR_ONLY)
        if self._as_colour:
            self._keywords["in_chans"] = 3
        self._sized = "img_size" not in self._keywords
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
        if self._any_size is None:
            try:
                model = self.created(size)
            except TypeError as error:
                if not self._sized or "img_size" not in str(error):
                    raise zoo.UsageError(f"timm's {self._architecture}: {' '.join(str(error).split())}") from error
                self._sized = False
                model = self.created(size)
            if self._sized:
                return model
            self._any_size = model
        return self._any_size

    def pretrained(self, size: Size, name: str, rows: Sequence[int] | None) -> tuple[nn.Module, bool]:
        """Return the model with timm's weights, and whether it has their head, of which *rows* are taken.

        Raises:
            zoo.ZooError: If the weights cannot be loaded.
        """
        try:
            if rows is not None:
                own = models.get_pretrained_cfg(name).num_classes
                model = self.created(size, name, pretrained=True, num_classes=own)
                if _keep_rows(model, rows):
                    return model, True
            return self.created(size, name, pretrained=True), False
        except Exception as error:
            if isinstance(error, torch.OutOfMemoryError):
                raise
            reason = " ".join(str(error).split())[:160] or type(error).__name__
            raise zoo.ZooError(
                f"the pretrained weights of timm/{name} cannot be loaded: {reason}; "
                "look whether there is a network, or leave pretrained out"
            ) from error

    def created(self, size: Size, name: str | None = None, **more: Any) -> nn.Module:
        """Return the model for a size."""
        keywords = {**self._keywords, "img_size": size} if self._sized else self._keywords
        model: nn.Module = timm.create_model(name or self._architecture, **{**keywords, **more})
        if self._as_colour:
            model.register_forward_pre_hook(_grey_as_colour)
            return _finished(model)
        arguments = {name: value for name, value in keywords.items() if name != "num_classes"}
        model.hub_config = partial(_hub_config, self._architecture, arguments)  # type: ignore[assignment]
        return _finished(model)

    def _sides(self, side: int) -> Iterator[int]:
        """Yield what to try for images with this *side*, in pixels."""
        yield side
        config = timm.get_pretrained_cfg(self._architecture)
        own = max(config.input_size[1:]) if config else 224
        if self._sized:  # a model for each size: its patches have 4, 8, 12, 14, 16 or 32 pixels
            limit = max(own, 2 * side)
            yield from (larger for larger in range(side + 1, limit + 1) if not larger % 4 or not larger % 14)
        elif not (config and config.fixed_input_size):
            yield from (larger for larger in zoo.sides_from(side) if larger > side)
        yield own

"""The settings of the section ``train``: each declared once, with its type, default, rule and help.

The command line's options, the variables, the TOML file, the arguments of `zoo.train` and the reference page are all
made from this declaration.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

Check = Callable[[Any], bool]

BATCH = 128
"""Images in a batch, where nobody says how many."""


@dataclass(frozen=True)
class Interval:
    """How often a checkpoint is saved: every so many epochs, optimizer steps or minutes.

    Attributes:
        amount: At least 1.
        unit: ``"epoch"``, ``"steps"`` or ``"min"``.
    """

    amount: int
    unit: str

    @classmethod
    def parse(cls, text: str) -> Interval:
        """Read ``1epoch``, ``200steps`` or ``10min``.

        Raises:
            ValueError: If *text* is none of these.
        """
        found = re.fullmatch(r"([1-9]\d*)\s*(epoch|step|min)(?:s|utes?)?", text.strip())
        if not found:
            raise ValueError(f"{text!r} is no interval; give one such as 1epoch, 200steps or 10min")
        return cls(int(found[1]), {"step": "steps"}.get(found[2], found[2]))

    def __str__(self) -> str:
        return f"{self.amount}{self.unit}"


def _setting(
    default: Any, help: str, *, metavar: str = "N", check: Check | None = None, rule: str = "", **more: Any
) -> Any:
    """Declare one setting: its default, what `--help` says, and which values are right.

    Where it is left to zoo, ``usual`` is what that comes to unless something speaks for another value.
    """
    return field(default=default, metadata={"help": help, "metavar": metavar, "check": check, "rule": rule, **more})


def _at_least(low: int) -> dict[str, Any]:
    return {"check": lambda value: low <= value < 2**63, "rule": f"a whole number of at least {low}"}


def _one_of(*choices: str) -> dict[str, Any]:
    return {
        "check": lambda value: value in choices,
        "rule": f"one of {', '.join(choices)}",
        "choices": choices,
        "metavar": "",
    }


_ABOVE_ZERO: dict[str, Any] = {
    "check": lambda value: value > 0 and math.isfinite(value),
    "rule": "a number above 0",
    "metavar": "X",
}


def fold_of(text: str) -> tuple[int, int]:
    """Return I and K of ``"I/K"``.

    Raises:
        ValueError: If *text* is of another form, or not 1 <= I <= K and 2 <= K.
    """
    place, _, count = text.partition("/")
    number, folds = int(place), int(count)
    if not (folds >= 2 and 1 <= number <= folds):
        raise ValueError(text)
    return number, folds


def _is_fold(value: str) -> bool:
    try:
        fold_of(value)
    except ValueError:
        return False
    return True


def _is_interval(value: str) -> bool:
    try:
        Interval.parse(value)
    except ValueError:
        return False
    return True


@dataclass(frozen=True)
class TrainSettings:
    """The settings of the section ``train``: how a model is trained, whichever model it is."""

    epochs: int = _setting(5, "Passes over the training images.", **_at_least(1))
    steps: int | None = _setting(None, "Stop after N optimizer steps, in place of --epochs.", **_at_least(1))
    batch_size: int | str = _setting(
        "auto",
        "Images in a batch; auto: 16 with --tune full up to 2,000 training images, else 128.",
        metavar="N|auto",
        check=lambda value: value == "auto" if isinstance(value, str) else 1 <= value < 2**63,
        rule="a whole number of at least 1, or auto",
        usual=BATCH,
    )
    eval_batch_size: int = _setting(500, "Images in a batch of an evaluation.", **_at_least(1))
    eval_size: int | None = _setting(
        None,
        "Evaluate and predict with inputs of N x N pixels. Default: the size that is trained with.",
        **_at_least(1),
    )
    validation: int | float | None = _setting(
        None,
        "Images held out of the training set: a number, or a fraction below 1. "
        "Default: 5000 if that is at most a tenth of them, else 0.1.",
        metavar="N|FRACTION",
        check=lambda value: 0 <= value < (math.inf if isinstance(value, int) else 1),
        rule="a whole number, or a fraction from 0 to below 1",
    )
    fold: str | None = _setting(
        None,
        "Hold out part I of K equal ones, in place of --validation. zoo sweep --folds K trains all K.",
        metavar="I/K",
        check=_is_fold,
        rule="I of K parts, as 2/5: I from 1 to K, and K at least 2",
    )
    split_by: str = _setting(
        "auto",
        "How images are chosen to be held out. name: by a hash of each one's name, so that others may come and go; "
        "class: each class in proportion, never its last image; order: the same, but perhaps its last, as the first "
        "runs did; auto: name where images have names, else class.",
        **_one_of("auto", "name", "class", "order"),
    )
    seed: int = _setting(
        0,
        "Seed of weights, sample order, dropout and augmentation.",
        check=lambda v: 0 <= v < 2**63,
        rule="a whole number from 0 to 2**63 - 1",
    )
    precision: str = _setting(
        "auto",
        "Arithmetic of the model; auto: bf16 where the hardware has it, else fp32; fp16, with a scaled loss, is for "
        "cards without bf16.",
        **_one_of("auto", "fp32", "bf16", "fp16"),
    )
    device: str = _setting(
        "auto", "Where to train; auto: cuda, else mps, else cpu.", **_one_of("auto", "cpu", "cuda", "mps")
    )
    threads: int | None = _setting(
        None,
        "CPU threads. Default: all.",
        check=lambda value: 1 <= value <= 1024,  # torch ends the process where the system refuses more
        rule="a whole number from 1 to 1024",
    )
    readers: int | None = _setting(
        None,
        "Threads that read images ahead, where they do not fit into memory; 0 reads between the steps. "
        "Default: one a core, at most 16.",
        check=lambda value: 0 <= value <= 1024,
        rule="a whole number from 0 to 1024",
    )
    crop_from: str = _setting(
        "auto",
        "What the augmentation crop cuts from. file: the picture in its file, so that a part keeps its detail, decoded "
        "for each crop; input: the whole picture, in the size of the input; auto: file where images come from files "
        "and crop is the first augmentation.",
        usual="input",
        **_one_of("auto", "file", "input"),
    )
    memory_format: str = _setting(
        "auto",
        "Layout of images in memory; auto: channels_last for networks with convolutions where it gains.",
        **_one_of("auto", "contiguous", "channels_last"),
    )
    dropout_masks: str = _setting(
        "auto",
        "Where dropout's random numbers come from; auto: numpy on CPUs, which is several times as fast.",
        **_one_of("auto", "torch", "numpy"),
    )
    accumulate: int | str = _setting(
        1,
        "Batches whose gradients make one optimizer step; auto: one, in slices where it does not fit into memory.",
        metavar="N|auto",
        check=lambda value: value == "auto" if isinstance(value, str) else 1 <= value < 2**63,
        rule="a whole number of at least 1, or auto",
    )
    slices: int | None = _setting(
        None,
        "Slices that each batch is cut into, for up to as many processes, now or later, with the same bits at any "
        "number of them. Default: the number of processes at the start.",
        usual=1,
        **_at_least(1),
    )
    sum: str = _setting(
        "ordered",
        "How processes add their slices. ordered: in the order of the slices, with the same bits at any number of "
        "processes; fast: by all-reduce, which sends less, with the same bits at one number of them.",
        **_one_of("ordered", "fast"),
    )
    sync_batch_norm: bool = _setting(
        False,
        "Normalise over the slices of all processes together, not each by itself: on GPUs, with the same bits at one "
        "number of processes.",
        metavar="",
    )
    shard_weights: bool = _setting(
        False,
        "Share the weights, their gradients and the optimizer's state out over the processes, for models that do not "
        "fit into one: the results of one process but for rounding.",
        metavar="",
    )
    clip_norm: float | None = _setting(None, "Clip the gradients' norm to X.", **_ABOVE_ZERO)
    ema: float | None = _setting(
        None,
        "Evaluate and keep an exponential moving average of the weights with decay X.",
        metavar="X",
        check=lambda value: 0 <= value < 1,
        rule="a number from 0 to below 1",
    )
    select: str = _setting(
        "accuracy",
        "What makes an epoch the best, on the validation images; balanced: the mean of the classes' accuracies.",
        **_one_of("accuracy", "balanced", "loss"),
    )
    balance: float = _setting(
        0.0,
        "How far small classes are seen more often: 0 not at all, 1 each class equally often.",
        metavar="X",
        check=lambda value: 0 <= value <= 1,
        rule="a number from 0 to 1",
    )
    order: str = _setting(
        "auto",
        "How an epoch's order is kept. table: shuffled in memory; keyed: computed batch by batch, for sets whose table "
        "would not fit; auto: table below 67 million training images.",
        usual="table",
        **_one_of("auto", "table", "keyed"),
    )
    tune: str = _setting(
        "auto",
        "How pretrained weights are tuned. probe: the head alone, fitted in seconds to the images as they are; "
        "full: the probe, then everything; head: the head alone, step by step; "
        "off: as without pretrained weights; auto: full with pretrained weights, else off.",
        usual="off",
        **_one_of("auto", "off", "probe", "full", "head"),
    )
    refit: str = _setting(
        "auto",
        "Whether the head is fitted anew after the last step, to what the tuned rest then sees; "
        "auto: on with --tune full up to 2,000 training images, where there is a probe and no --patience. "
        "Where it is off, a small set's rate is a thirtieth of the optimizer's own, not a tenth.",
        usual="off",
        **_one_of("auto", "on", "off"),
    )
    layer_decay: float | None = _setting(
        None,
        "By how much rates fall a layer group from the head down. Default: 0.75 where weights are tuned, else 1.",
        metavar="X",
        check=lambda value: 0 < value <= 1,
        rule="a number above 0, at most 1",
        usual=1.0,
    )
    head_lr: float | None = _setting(
        None, "How many times the rate the head learns. Default: 1.", usual=1.0, **_ABOVE_ZERO
    )
    freeze: int | str = _setting(
        "auto",
        "What stands still: the first N layer groups, 0 for nothing, or the parameters whose names match, such as "
        "'blocks.*'; auto: with --tune full up to 2,000 training images and frozen batch norms, the groups whose rate "
        "--layer-decay brings below a fifth, else nothing.",
        metavar="N|PATTERN,...",
        check=lambda value: value >= 0 if isinstance(value, int) else bool(value),
        rule="a whole number, or patterns of names",
        usual=0,
    )
    unfreeze_after: int | None = _setting(None, "Let what is frozen learn after N epochs.", **_at_least(1))
    batch_norm: str = _setting(
        "auto",
        "Whether batch norms below the head learn and count on; auto: frozen where weights are tuned, else train.",
        usual="train",
        **_one_of("auto", "frozen", "train"),
    )
    patience: int | None = _setting(None, "Stop after N epochs without a better validation (--select).", **_at_least(1))
    log_every: int | None = _setting(None, "Print the mean loss of every N batches.", **_at_least(1))
    checkpoint_every: str = _setting(
        "1epoch",
        "How often to save: 1epoch, 200steps or 10min.",
        metavar="INTERVAL",
        check=_is_interval,
        rule="such as 1epoch, 200steps or 10min",
    )
    checkpoint_activations: bool = _setting(
        False,
        "Keep of each block of layers its inputs alone, and compute the rest again in the backward pass: less memory, "
        "for a second forward pass.",
        metavar="",
    )
    compile: bool = _setting(
        False, "Compile the model with torch.compile: a minute at the start, and no gain on CPUs.", metavar=""
    )

    @property
    def images_in_batch(self) -> int:
        """Images in a batch, of any run but a small one that is tuned where nobody said how many."""
        return self.batch_size if isinstance(self.batch_size, int) else BATCH

    @property
    def batches_in_step(self) -> int:
        """Batches whose gradients make one optimizer step."""
        return self.accumulate if isinstance(self.accumulate, int) else 1

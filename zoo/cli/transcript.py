"""What a person reads while a run goes on: a line an epoch, and on a terminal a bar below them."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from zoo.cli.launched import tell_launcher
from zoo.progress_bar import ProgressBar
from zoo.runs.reporting import Reporter
from zoo.training.evaluation import standard_error

if TYPE_CHECKING:
    from zoo.records.epochs import EpochResult
    from zoo.training.fit import Progress


_CLASSES = 5  # that are named
_NAME = 30  # characters of a class's name that are shown


UNEVEN = 10
"""How many times the images of the smallest class the largest may have before it is worth a line."""


class Silence(Reporter):
    """Prints nothing but notices, on stderr."""

    def started(self, run: Mapping[str, Any], progress: Progress) -> None:  # noqa: ARG002 - the reporter's interface
        """Tell a launcher, where there is one, which run it is."""
        tell_launcher(run["directory"])

    def notice(self, text: str) -> None:
        """Print one line on stderr."""
        click.echo(f"zoo: {text}", err=True)


class Transcript(Silence):
    """Prints the run on stdout."""

    def __init__(self) -> None:
        self._bar: ProgressBar | None = None
        self._run: Mapping[str, Any] = {}

    def notice(self, text: str) -> None:
        """Print one line on stderr, above the bar."""
        self._hide()
        super().notice(text)

    def started(self, run: Mapping[str, Any], progress: Progress) -> None:
        """Print what is trained, on what, and how."""
        super().started(run, progress)
        self._run = run
        provider = run["entries"].get(run["model"], {"distribution": "this program", "version": ""})
        origin = f"{provider['distribution']} {provider['version']}".strip()
        sizes = [f"{run[split]:,} {split}" for split in ("train", "validation", "test") if run[split]]
        config = run["config"]
        _say(
            f"{run['model']} ({origin}), {run['parameters']:,} parameters, on {_short(run['data'])}: {', '.join(sizes)}"
        )
        _say(_classes(run["classes"]))
        if text := _imbalance(run):
            _say(text)
        threads = f"{run['threads']} thread{'s' if run['threads'] != 1 else ''}"
        if run["slices"] > 1:
            threads = f"{threads} a slice, {run['slices']} slices, {run['processes']} process{_es(run['processes'])}"
        layout = ", channels_last" if run["memory_format"] == "channels_last" else ""
        dropout = ", numpy dropout" if run["dropout_masks"] == "numpy" else ""
        optimizer = ("fused " if run["fused"] else "") + _short(config["optimizer"]["name"])
        chosen = [
            f"{optimizer} lr {run['lr']:g}" if run["lr"] else optimizer,
            _short(config["scheduler"]["name"]),
            f"batch {config['train']['batch_size']}",
            f"seed {config['train']['seed']}",
        ]
        if "augment" in config:
            chosen.insert(2, " + ".join(map(_short, config["augment"]["names"])))
        _say(f"{run['device']}, {threads}, {run['precision']}{layout}{dropout}; {', '.join(chosen)}")
        if run["weights"]:
            _say(_weights(run))
        if (settings := config["train"])["tune"] != "off":
            _say(_tuning(settings))
        if run["storage"] != "memory":
            _say(_stored(run))
        if run["input_size"]:
            _say(_resized(run))
        if side := config["train"].get("eval_size"):
            _say(f"evaluations with inputs of {_times((side, side))}")
        if progress.step:
            _say(f"going on from step {progress.step:,}, in epoch {progress.epoch + 1}")

    def step(self, progress: Progress) -> None:
        """Move the bar."""
        if self._bar is None:
            steps = self._run["steps_per_epoch"]
            left = self._run["steps"] - progress.epoch * steps
            label = f"epoch {progress.epoch + 1}/{self._run['epochs']}"
            self._bar = ProgressBar(label, min(steps, left), sys.stdout, seconds=progress.train_seconds)
        self._bar.move(progress.position)

    def window(self, epoch: int, batch: int, loss: float) -> None:
        """Print the mean loss of the last stretch of batches."""
        self._print(f"[{epoch}, {batch:5d}] loss: {loss:.3f}")

    def epoch(self, result: EpochResult, epochs: int) -> None:
        """Print an epoch's row."""
        name = f"epoch {result.epoch:>{len(str(epochs))}}/{epochs}" if result.epoch else "the probe"
        parts = [name, f"loss {result.loss:.4f}"]
        if result.val_loss is not None and result.val_accuracy is not None:
            parts += [f"val loss {result.val_loss:.4f}", f"val accuracy {result.val_accuracy:.2%}".replace("%", " %")]
        if self._run.get("select") == "balanced" and result.val_balanced_accuracy is not None:
            parts.append(f"balanced {result.val_balanced_accuracy:.2%}".replace("%", " %"))
        parts += [f"{result.samples_per_second:>7,.0f} images/s", _clock(result.seconds)]
        self._print("  ".join(parts))
        self._bar = None  # the next epoch has its own

    def refitted(self, images: int) -> None:
        """Print that the head has seen all images, and the numbers so far have not."""
        self._print(f"the probe is the best: its head is fitted once more, to all {images:,} images")

    def closed(self) -> None:
        """Remove the bar."""
        self._hide()

    @staticmethod
    def finished(directory: Path, summary: Mapping[str, Any]) -> None:
        """Print what came of the run, and what to do with it."""
        _say(f"Finished training in {_clock(summary['seconds'])}. {_accuracy(summary)}")
        _say(f"{directory}    next: zoo evaluate RUN, zoo predict RUN IMAGE")

    @staticmethod
    def already_finished(directory: Path, summary: Mapping[str, Any]) -> None:
        """Print what came of a run that was finished before."""
        _say(f"This run is finished. {_accuracy(summary)}")
        _say(f"{directory}    next: zoo evaluate RUN, zoo predict RUN IMAGE; --restart begins anew")

    def _print(self, text: str) -> None:
        self._hide()
        _say(text)

    def _hide(self) -> None:
        if self._bar is not None:
            self._bar.hide()


def _say(text: str) -> None:
    """Print a line. Where its reader is gone, as that of ``zoo train | head -1``, the run goes on without one."""
    try:
        click.echo(text)
        sys.stdout.flush()
    except BrokenPipeError:
        with open(os.devnull, "w") as nowhere:  # noqa: PTH123 - a device
            os.dup2(nowhere.fileno(), sys.stdout.fileno())


def _weights(run: Mapping[str, Any]) -> str:
    """Return what the model begins with and how images are prepared for it, in a line."""
    weights = run["weights"]
    origin = [text for text in (weights["license"], weights["sha256"][:12]) if text]
    told = f" ({', '.join(origin)})" if origin else ""
    size = f"{_times(weights['size'])}, " if weights["size"] else ""
    mean, std = (" ".join(f"{value:.4g}" for value in weights[name]) for name in ("mean", "std"))
    head = "its head kept" if weights["head"] == "kept" else "a new head"
    source = weights["source"] or run["model"]
    named = source if source.startswith("weights:") else f"weights of {source}"
    return f"{named}{told}, {head}; {size}mean {mean}, std {std}"


def _imbalance(run: Mapping[str, Any]) -> str:
    """Say that some classes have many times the images of others, unless something is done about it already."""
    counts, settings = [count for count in run["classes"].values() if count], run["config"]["train"]
    if settings["balance"] or "weight" in run["config"]["criterion"] or max(counts) <= UNEVEN * min(counts):
        return ""
    return (
        f"the largest class has {max(counts) / min(counts):.0f} times the images of the smallest; "
        "--balance 0.5 evens that out, --select balanced judges by each class alike"
    )


def _classes(counts: Mapping[str, int]) -> str:
    """Name the first few classes with their training images, and those without any, so that a wrong split is seen."""
    named = [f"{_printable(name)} ({count:,})" for name, count in counts.items()]
    missing = [_printable(name) for name, count in counts.items() if not count]
    unlearnt = f"; no training image of {_first(missing)}" if missing else ""
    return f"{len(counts):,} classes: {_first(named)}{unlearnt}"


def _first(texts: Sequence[str]) -> str:
    more = len(texts) - _CLASSES
    return ", ".join(texts[:_CLASSES]) + (f" and {more:,} more" if more > 0 else "")


def _printable(name: str) -> str:
    """Return a class's name as it is, or with escapes where it would break the line or cannot be printed."""
    shown = name if name.isprintable() and name.strip() else repr(name)
    return shown if len(shown) <= _NAME else f"{shown[: _NAME - 3]}..."


def _es(count: int) -> str:
    return "" if count == 1 else "es"


def _short(name: str) -> str:
    return name.rpartition("/")[2]


def _stored(run: Mapping[str, Any]) -> str:
    what = (
        "crops cut from the files and resized"
        if run["config"]["train"].get("crop_from") == "file"
        else "images decoded"
    )
    size = f"{what} to {_times(run['image_size'])}"
    if run["storage"] == "decoded":
        return f"{size}, all in memory"
    readers = run["readers"]
    how = f"by {readers} thread{'s' if readers != 1 else ''}, ahead of the steps" if readers else "between the steps"
    return f"{size} {how}, as they are wanted"


def _resized(run: Mapping[str, Any]) -> str:
    """Say that images are resized once more; where somebody chose fewer pixels than are computed with, how to save."""
    images, inputs = run["image_size"], run["input_size"]
    told = f"images resized from {_times(images)} to {_times(inputs)}, which the model needs"
    chosen = run["config"]["data"].get("size")
    if not (chosen and run["weights"]) or math.prod(images) >= math.prod(inputs):
        return told
    option = "model.input_size" if run["config"]["model"].get("pretrained") is True else "model.expects.size"
    return f"{told}: data.size reads fewer pixels than that; --set {option}={_toml(images)} computes with those"


def _toml(size: tuple[int, int]) -> str:
    return str(size[0]) if size[0] == size[1] else f"[{size[0]},{size[1]}]"


def _times(size: tuple[int, int]) -> str:
    return f"{size[0]} x {size[1]}"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _best(summary: Mapping[str, Any]) -> str:
    by = {"balanced": " by balanced accuracy", "loss": " by loss"}.get(summary.get("select", "accuracy"), "")
    if summary.get("members"):
        return f"the mean of {len(summary['members'])} members"
    return f"best{by}: the probe" if summary["best_epoch"] == 0 else f"best epoch{by} {summary['best_epoch']}"


def _tuning(settings: Mapping[str, Any]) -> str:
    what = {
        "probe": "the head is fitted to what the frozen rest sees",
        "full": "everything is tuned, from a fitted head on",
        "head": "the head alone is tuned",
    }
    again = ", which is fitted anew at the end" if settings["refit"] == "on" else ""
    parts = [f"layer decay {settings['layer_decay']:g}", f"batch norm {settings['batch_norm']}"]
    if settings["freeze"]:
        parts.append(_frozen(settings["freeze"], settings.get("unfreeze_after")))
    return f"{what[settings['tune']]}{again}; {', '.join(parts)}"


def _frozen(freeze: int | str, epochs: int | None) -> str:
    until = f" for {epochs} epoch{'s' if epochs != 1 else ''}" if epochs else ""
    if isinstance(freeze, str):
        return f"{freeze} frozen{until}"
    return f"the first {freeze} layer groups frozen{until}" if freeze > 1 else f"the first layer group frozen{until}"


def _accuracy(summary: Mapping[str, Any]) -> str:
    accuracy, samples = summary["test_accuracy"], summary["test"]
    error = standard_error(accuracy, samples)
    return f"Test accuracy {100 * accuracy:.2f} % +- {100 * error:.2f} on {samples:,} images ({_best(summary)})."

"""Export models of every family as ONNX, check them, and write how well the files agree with the models.

    python tests/benchmarks/exports.py [--pattern 'timm/*'] [--out docs/reference/exports.md]

All models of zoo's own, 20 of timm's and 10 of torchvision's that are built differently, each with random weights after
one step on digits. `zoo export` compares file and model on the test images in batches of 1, 2, 7 and 500, and runs
ONNX's checker in full; `zoo evaluate FILE.onnx` must then give the run's accuracy, and the file must name no place of
this machine. Some half an hour on one core; needs the extra ``onnx``.
"""

from __future__ import annotations

import argparse
import dataclasses
import fnmatch
import getpass
import os
import platform
import sys
import tempfile
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import zoo
from zoo.sharing.export_evaluating import evaluate_file

TIMM = (
    "convnext_atto",
    "deit_tiny_distilled_patch16_224",
    "densenet121",
    "edgenext_xx_small",
    "efficientnet_b0",
    "efficientvit_b0",
    "fastvit_t8",
    "ghostnet_100",
    "inception_next_atto",
    "levit_128s",
    "mixer_s32_224",
    "mobilenetv3_small_100",
    "mobilevit_xxs",
    "poolformer_s12",
    "regnetx_002",
    "repvit_m0_9",
    "resnet18",
    "tiny_vit_5m_224",
    "vit_tiny_patch16_224",
    "xcit_nano_12_p16_224",
)
TORCHVISION = (
    "alexnet",
    "convnext_tiny",
    "densenet121",
    "efficientnet_b0",
    "mobilenet_v2",
    "mobilenet_v3_small",
    "regnet_y_400mf",
    "resnet18",
    "shufflenet_v2_x0_5",
    "squeezenet1_1",
)
IMAGES = 24
GENTLE = {"torchvision/alexnet": 1e-5}
"""Rates of models without norms: a step at the usual one takes AlexNet's logits to 600, of which fp32 has no 1e-4."""


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What became of one model: the file's bytes and how far a logit is off, or why there is none."""

    name: str
    bytes: int = 0
    largest_difference: float = 0.0
    fault: str = ""


def names(pattern: str = "*") -> list[str]:
    """Return the full names of the models that match."""
    own = [each.full_name for each in zoo.entries("models") if each.distribution == "torch-zoo"]
    small = [name for name in own if not name.startswith(("timm/", "torchvision/", "ensemble/"))]
    chosen = [*small, *(f"timm/{name}" for name in TIMM), *(f"torchvision/{name}" for name in TORCHVISION)]
    return fnmatch.filter(chosen, pattern)


def run(name: str) -> Outcome:
    """Train a model for a step, export it and check the file."""
    try:
        with tempfile.TemporaryDirectory() as folder:
            options: dict[str, Any] = {"data.limit": IMAGES}
            if name in GENTLE:
                options["optimizer.lr"] = GENTLE[name]
            trained = zoo.train(name, out=Path(folder, "run"), options=options, steps=1, batch_size=8, threads=1)
            found = zoo.export(trained)
            path = Path(found["file"])
            _check(path, zoo.evaluate(trained)["accuracy"], folder)
        return Outcome(name, found["bytes"], found["largest_difference"])
    except Exception as error:  # whatever a library's model or exporter raises
        return Outcome(name, fault=" ".join(f"{type(error).__name__}: {error}".split())[:300])


def _check(path: Path, accuracy: float, folder: str) -> None:
    if (found := evaluate_file(path)["accuracy"]) != accuracy:
        raise ValueError(f"the file's accuracy is {found}, the run's {accuracy}")
    data = _told_by(path)
    users = [name for name in [getpass.getuser()] if len(name) > 4]  # shorter ones are part of other words
    for place in (sys.prefix, str(Path(zoo.__file__).parent), str(Path.home()), folder, ".py", *users):
        if place.encode() in data:
            raise ValueError(f"the file names {place!r}")


def _told_by(path: Path) -> bytes:
    """Return a file without its weights, in whose many bytes any three letters are found."""
    import onnx

    model = onnx.load(path)
    for tensor in model.graph.initializer:
        tensor.ClearField("raw_data")
    return bytes(model.SerializeToString())


def page(outcomes: Iterable[Outcome]) -> str:
    """Return docs/reference/exports.md."""
    outcomes = list(outcomes)
    packages = ("timm", "torchvision", "torch", "onnx", "onnxscript", "onnxruntime")
    versions = ", ".join(f"{name} {version(name)}" for name in packages)
    good = [outcome for outcome in outcomes if not outcome.fault]
    lines = [
        "# Exported models",
        "",
        f"Written by `python tests/benchmarks/exports.py --out docs/reference/exports.md`, with {versions}, Python",
        f"{platform.python_version()}, {platform.machine()}.",
        "",
        "Each model had random weights and one step on 24 digits, AlexNet, which has no norms, at a rate of 1e-5 for",
        "want of logits that fp32 could tell apart. Its ONNX file was compared with it on those test",
        "images, in batches of 1, 2, 7 and 500: no logit may differ by more than 1e-4, nor by more than 1e-5 of the",
        "greatest and 1e-6 besides. ONNX's checker accepted it in full, `zoo evaluate FILE.onnx` gave the accuracy of",
        "the run exactly, and the file names no place of the machine ([how](../how-to/export.md)).",
        "",
        f"{len(good)} of {len(outcomes)} models were exported.",
        "",
        "| model | file | largest difference of a logit |",
        "|---|---|---|",
    ]
    lines += [f"| {each.name} | {each.bytes / 1e6:,.2f} MB | {each.largest_difference:.1e} |" for each in good]
    failed = [f"- `{each.name}`: {each.fault}" for each in outcomes if each.fault]
    return "\n".join([*lines, "", "## Not exported", "", *(failed or ["None."])]) + "\n"


def main() -> int:
    """Export every model that was asked for; exit code 1 if one fails."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pattern", default="*", help="of full names, as a shell's")
    parser.add_argument("--out", type=Path, help="the page to write")
    arguments = parser.parse_args()
    os.environ.setdefault("TQDM_DISABLE", "1")
    outcomes = []
    for name in names(arguments.pattern):
        outcomes.append(run(name))
        print(outcomes[-1].fault or f"{outcomes[-1].largest_difference:.1e}", name, flush=True)
    if arguments.out:
        arguments.out.write_text(page(outcomes))
    return int(any(outcome.fault for outcome in outcomes))


if __name__ == "__main__":
    sys.exit(main())

"""Build every classifier of timm and torchvision through zoo, and write how many of them run.

    python tests/benchmarks/coverage.py [--pattern 'timm/resnet*'] [--out docs/reference/coverage.md]

Each is built by its registered name for 7 classes and grey images of 28 x 28 pixels, on the meta device, where tensors
have shapes and no values, so that a model of 18 billion parameters takes no memory. It runs forward and backward in
training, and forward in evaluation, at the size that its builder asks for.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

import torch

import zoo
from zoo.inspection.meta import Quick, on_meta

PLUGINS = ("timm", "torchvision")
NUM_CLASSES, IN_CHANNELS, IMAGE_SIZE = 7, 1, (28, 28)


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What became of one model: its input size and number of parameters, or why it does not run."""

    name: str
    input_size: tuple[int, int] = (0, 0)
    parameters: int = 0
    fault: str = ""


def names(pattern: str = "*") -> list[str]:
    """Return the full names of the classifiers that match."""
    return [entry.full_name for entry in zoo.entries("models", pattern) if entry.plugin in PLUGINS]


def sample(population: list[str], count: int | None, seed: int) -> list[str]:
    """Return *count* of the names at random, the same for the same seed; all in their order if it is None."""
    return population if count is None else random.Random(seed).sample(population, min(count, len(population)))


def run(name: str) -> Outcome:
    """Build one model and run it forward and backward, on shapes alone."""
    try:
        facts = {"num_classes": NUM_CLASSES, "in_channels": IN_CHANNELS, "image_size": IMAGE_SIZE}
        with on_meta():
            model = zoo.create("models", name, **facts)
        with torch.device("meta"), Quick():
            size = tuple(getattr(model, "input_size", IMAGE_SIZE))
            inputs = torch.empty(2, IN_CHANNELS, *size, requires_grad=True)
            logits = model.train()(inputs)
            _check(logits, "training")
            logits.sum().backward()
            if inputs.grad is None or inputs.grad.shape != inputs.shape:
                raise ValueError("no gradient reaches the inputs")
            with torch.no_grad():
                _check(model.eval()(inputs), "evaluation")
    except Exception as error:
        return Outcome(name, fault=" ".join(f"{type(error).__name__}: {error}".split())[:300])
    return Outcome(name, size, sum(parameter.numel() for parameter in model.parameters()))


def _check(logits: object, mode: str) -> None:
    shape = tuple(logits.shape) if isinstance(logits, torch.Tensor) else type(logits).__name__
    if shape != (2, NUM_CLASSES):
        raise ValueError(f"{mode} gives {shape}, not {(2, NUM_CLASSES)}")


def left_out() -> dict[str, str]:
    """Return each classifier's name that timm and torchvision list and zoo does not offer, with the reason."""
    import timm
    import torchvision
    from zoo_timm.names import ENCODERS

    offered = set(names())
    listed = {f"timm/{name}": ENCODERS for name in timm.list_models()}
    listed |= {f"torchvision/{name}": "unknown" for name in torchvision.models.list_models(module=torchvision.models)}
    return {name: reason for name, reason in listed.items() if name not in offered}


def page(outcomes: Iterable[Outcome]) -> str:
    """Return docs/reference/coverage.md."""
    outcomes = list(outcomes)
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in ("torch-zoo", "timm", "torchvision", "torch"))
    lines = [
        "# Coverage of timm and torchvision",
        "",
        f"Written by `python tests/benchmarks/coverage.py`, with {versions}.",
        "",
        "Classification models that timm and torchvision list were built through zoo by full name, for 7 classes",
        "and grey images of 28 x 28 pixels, on the meta device; then run forward and backward in training, and forward",
        "in evaluation.",
        "",
        "| plugin | offered | build and run | fail | not run | left out |",
        "|---|---|---|---|---|---|",
    ]
    missing = left_out()
    for plugin in PLUGINS:
        own = [outcome for outcome in outcomes if outcome.name.startswith(f"{plugin}/")]
        good = sum(not outcome.fault for outcome in own)
        offered, absent = (sum(name.startswith(f"{plugin}/") for name in some) for some in (names(), missing))
        lines.append(f"| {plugin} | {offered} | {good} | {len(own) - good} | {offered - len(own)} | {absent} |")
    lines += ["", "## Fail", "", *_listing({o.name: o.fault for o in outcomes if o.fault})]
    lines += ["", "## Left out", "", *_listing(missing)]
    lines += ["", "## Input sizes for images of 28 x 28", "", "| input size | models |", "|---|---|"]
    sizes = Counter(outcome.input_size for outcome in outcomes if not outcome.fault)
    lines += [f"| {height} x {width} | {count} |" for (height, width), count in sorted(sizes.items())]
    return "\n".join(lines) + "\n"


def _listing(reasons: dict[str, str]) -> list[str]:
    return [f"- `{name}`: {reason}" for name, reason in sorted(reasons.items())] or ["None."]


def main() -> int:
    """Run every model that was asked for; exit code 1 if one fails."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pattern", default="*", help="of full names, as a shell's")
    parser.add_argument("--sample", type=int, metavar="N", help="run N of them, drawn at random")
    parser.add_argument("--seed", type=int, default=0, help="of the sample")
    parser.add_argument("--out", type=Path, help="the page to write")
    parser.add_argument("--json", type=Path, help="a file of one line a model; models that it holds are not run again")
    arguments = parser.parse_args()
    os.environ.setdefault("TQDM_DISABLE", "1")
    known = _read(arguments.json)
    began = time.monotonic()
    outcomes = []
    for name in sample(names(arguments.pattern), arguments.sample, arguments.seed):
        outcome = known.get(name) or run(name)
        outcomes.append(outcome)
        if arguments.json and name not in known:
            with arguments.json.open("a") as file:
                file.write(json.dumps(dataclasses.asdict(outcome)) + "\n")
        if outcome.fault:
            print(f"{name}: {outcome.fault}", file=sys.stderr, flush=True)
    failed = sum(bool(outcome.fault) for outcome in outcomes)
    print(f"{len(outcomes)} models, {failed} failed, {time.monotonic() - began:.0f} s")
    if arguments.out:
        arguments.out.write_text(page(outcomes))
    return int(failed > 0)


def _read(path: Path | None) -> dict[str, Outcome]:
    if path is None or not path.exists():
        return {}
    rows = (json.loads(line) for line in path.read_text().splitlines())
    return {
        row["name"]: Outcome(row["name"], tuple(row["input_size"]), row["parameters"], row["fault"]) for row in rows
    }


if __name__ == "__main__":
    sys.exit(main())

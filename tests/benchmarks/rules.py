"""Each rule by which zoo computes, against its alternative, in turns."""

from __future__ import annotations

import json
import resource
import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

import torch
from measuring import FACTS, Row, clock, in_turns, peak_megabytes
from torch import Tensor, nn

import zoo
from zoo.data import Preparation
from zoo.training.arithmetic import gradients_laid_out, has_fast_bf16, in_precision
from zoo.training.dropout import dropout_masks
from zoo.training.evaluation import evaluate
from zoo.training.memory import keep_freed_memory

CONTIGUOUS, LAST = torch.contiguous_format, torch.channels_last
LAYERS = {"contiguous": CONTIGUOUS, "channels_last": LAST}
CHOSEN = {"mlp": CONTIGUOUS, "cnn_dropout": LAST, "pytorch_mnist": LAST}
# Model, batch size, input size, calls a round.
CONVOLUTIONS = (
    ("cnn", 128, 28, 2),
    ("cnn_dropout", 128, 28, 2),
    ("pytorch_mnist", 64, 28, 1),
    ("lenet5", 128, 28, 4),
    ("resnet9", 32, 28, 1),
    ("timm/resnet18", 8, 64, 1),
    ("timm/mobilenetv3_small_100", 8, 64, 1),
)


class Trainer:
    """Training steps over random images.

    Args:
        model: The model, or its registered name.
        batch_size: Images a step.
        side: Height and width of an image, in pixels.
        layout: Of images and weights.
        optimizer: Options of `torch.optim.AdamW`.
        inputs_need_grad: Whether the gradient of the images is computed, too.
        stored: ``uint8`` images that are normalised a batch at a time, or ``float32`` ones that were before.
        precision: ``fp32``, or ``bf16`` by autocast.
    """

    def __init__(
        self,
        model: str | nn.Module,
        batch_size: int,
        *,
        side: int = 28,
        layout: torch.memory_format = CONTIGUOUS,
        optimizer: Mapping[str, Any] | None = None,
        inputs_need_grad: bool = False,
        stored: torch.dtype = torch.uint8,
        precision: str = "fp32",
        **options: Any,
    ) -> None:
        torch.manual_seed(0)
        facts = {**FACTS, "image_size": (side, side)}
        if isinstance(model, str):
            model = zoo.create("models", model, **facts, **options)
        self.model = model.to(memory_format=layout).train()  # type: ignore[call-overload]
        self.forward = in_precision(self.model, precision, torch.device("cpu"))
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-3, **(optimizer or {"fused": True}))
        self.prepare: Callable[[Tensor], Tensor] = Preparation((0.13,), (0.31,), memory_format=layout)
        self.images = torch.randint(0, 256, (4 * batch_size, 1, side, side), dtype=torch.uint8)
        self.labels = torch.randint(0, 10, (len(self.images),))
        if stored == torch.float32:
            self.images, self.prepare = self.prepare(self.images), lambda images: images
        self.batch_size, self.inputs_need_grad = batch_size, inputs_need_grad

    def step(self) -> None:
        """Take one step."""
        chosen = torch.randint(0, len(self.images), (self.batch_size,))
        inputs = self.prepare(self.images.index_select(0, chosen))
        if self.inputs_need_grad:
            inputs.requires_grad_()
        self.optimizer.zero_grad()
        nn.functional.cross_entropy(self.forward(inputs), self.labels.index_select(0, chosen)).backward()
        self.optimizer.step()


def measure(rounds: int) -> tuple[list[Row], list[str]]:
    """Return a row a rule and case: the chosen way, its alternative, and how many times as fast it is."""
    torch.set_flush_denormal(True)
    keep_freed_memory()
    rows = []
    for part in (_memory, _layouts, _flattenings, _optimizers, _denormals, _dropout, _evaluation, _costs):
        rows += part(rounds)
        print(f"  {part.__name__[1:]}", file=sys.stderr)
    return rows, ["gain: the alternative's median time by the chosen one's; above 1 the rule is right"]


def _row(rule: str, case: str, variants: Mapping[str, Callable[[], object]], rounds: int, calls: int = 1) -> Row:
    """Compare two variants; the first is what zoo chooses."""
    seconds = {name: statistics.median(values) for name, values in in_turns(variants, rounds, calls).items()}
    (chosen, ours), (other, theirs) = seconds.items()
    return {
        "rule": rule,
        "case": case,
        "chosen": chosen,
        "ms": round(1e3 * ours, 3),
        "alternative": other,
        "its ms": round(1e3 * theirs, 3),
        "gain": round(theirs / ours, 2),
        "n": rounds * calls,
    }


def _memory(rounds: int) -> list[Row]:
    """In processes of their own, as the allocator's settings last."""
    rows = []
    for name, batch_size in (("mlp", 64), ("mlp", 512), ("pytorch_mnist", 64), ("cnn_dropout", 128)):
        found: dict[bool, list[dict[str, float]]] = {True: [], False: []}
        for _ in range(max(1, rounds // 2)):
            for keep, runs in found.items():
                command = [sys.executable, __file__, name, str(batch_size), str(int(keep))]
                runs.append(json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout))
        ours, theirs = (
            {key: statistics.median(run[key] for run in found[keep]) for key in found[keep][0]}
            for keep in (True, False)
        )
        rows.append(
            {
                "rule": "freed memory",
                "case": f"{name}, batch {batch_size}",
                "chosen": f"kept: {ours['pages']:,.0f} new pages a step, peak {ours['peak']:.0f} MB",
                "ms": round(ours["ms"], 3),
                "alternative": f"given back: {theirs['pages']:,.0f} new pages a step, peak {theirs['peak']:.0f} MB",
                "its ms": round(theirs["ms"], 3),
                "gain": round(theirs["ms"] / ours["ms"], 2),
                "n": 20 * len(found[True]),
            }
        )
    return rows


def _child(name: str, batch_size: int, keep: bool) -> None:
    """Take some steps and print what they took."""
    if keep:
        keep_freed_memory()
    trainer = Trainer(name, batch_size, layout=CHOSEN[name])
    for _ in range(4):
        trainer.step()
    before, times = resource.getrusage(resource.RUSAGE_SELF).ru_minflt, [clock()]
    for _ in range(20):
        trainer.step()
        times.append(clock())
    used = resource.getrusage(resource.RUSAGE_SELF)
    steps = statistics.median(end - start for start, end in pairwise(times))
    print(json.dumps({"ms": 1e3 * steps, "pages": (used.ru_minflt - before) / 20, "peak": peak_megabytes()}))


def _layouts(rounds: int) -> list[Row]:
    rows = []
    for name, batch_size, side, calls in CONVOLUTIONS:
        variants = {
            label: Trainer(name, batch_size, side=side, layout=layout).step
            for label, layout in reversed(LAYERS.items())
        }
        rows.append(_row("memory layout", f"{name}, batch {batch_size}, {side} px", variants, 2 * rounds, calls))
    return rows


def precisions() -> list[str]:
    """Return what is worth computing in on this machine's processor."""
    return ["fp32", *(["bf16"] if has_fast_bf16(torch.device("cpu")) else [])]


def _flattenings(rounds: int) -> list[Row]:
    rows = []
    for name, batch_size, calls in (("pytorch_mnist", 64, 2), ("cnn_dropout", 128, 3), ("lenet5", 128, 4)):
        for precision in precisions():
            trainer = Trainer(name, batch_size, layout=LAST, precision=precision)
            variants = {
                "laid out as what was flattened": gradients_laid_out(trainer.model)(trainer.step),
                "row by row": trainer.step,
            }
            case = f"{name}, batch {batch_size}, {precision}"
            rows.append(_row("a flattening's gradient", case, variants, 2 * rounds, calls))
    return rows


def _optimizers(rounds: int) -> list[Row]:
    rows = []
    for name, batch_size in (("mlp", 64), ("cnn_dropout", 128)):
        for other in ({"foreach": False, "fused": False}, {"foreach": True}):
            label = "foreach" if other["foreach"] else "a loop over tensors, torch's default on CPUs"
            trainers = {
                "fused": Trainer(name, batch_size, optimizer={"fused": True}),
                label: Trainer(name, batch_size, optimizer=other),
            }
            for trainer in trainers.values():
                trainer.step()
            variants = {label: trainer.optimizer.step for label, trainer in trainers.items()}
            rows.append(_row("optimizer kernel", f"AdamW's step alone, {name}", variants, 4 * rounds, 5))
    return rows


def _denormals(rounds: int) -> list[Row]:
    """Moments decay to such numbers where a gradient has stayed zero: a dead unit, a pixel that is always black."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # the setting is the thread's own: the other threads would keep the first one's
    steps: dict[str, Callable[[], object]] = {}
    for label, flush in (("flushed", True), ("kept", False)):
        trainer = Trainer("mlp", 64)
        trainer.step()
        trainer.optimizer.zero_grad(set_to_none=False)
        moments = [moment for state in trainer.optimizer.state.values() for moment in state.values() if moment.ndim]

        def step(
            flush: bool = flush, moments: list[Tensor] = moments, optimizer: torch.optim.Optimizer = trainer.optimizer
        ) -> None:
            torch.set_flush_denormal(False)
            torch._foreach_zero_(moments)
            torch._foreach_add_(moments, 1e-39)
            torch.set_flush_denormal(flush)
            optimizer.step()

        steps[label] = step
    row = _row("denormal numbers", "AdamW's step, mlp, all moments denormal, 1 thread", steps, 2 * rounds, 3)
    torch.set_flush_denormal(True)
    torch.set_num_threads(threads)
    return [row]


def _dropout(rounds: int) -> list[Row]:
    rows = []
    cases = (("mlp", 64, 20), ("mlp", 512, 5), ("pytorch_mnist", 64, 2), ("cnn_dropout", 128, 5))
    for name, batch_size, calls in cases:
        trainer = Trainer(name, batch_size, layout=CHOSEN[name])
        variants = {source: dropout_masks(source)(trainer.step) for source in ("numpy", "torch")}
        rows.append(_row("dropout masks", f"{name}, batch {batch_size}", variants, 2 * rounds, calls))
    return rows


def _evaluation(rounds: int) -> list[Row]:
    rows = []
    for name in ("mlp", "cnn_dropout"):
        trainer = Trainer(name, 1280, layout=CHOSEN[name])

        def run(size: int, trainer: Trainer = trainer) -> Callable[[], object]:
            def all_batches() -> object:
                parts = zip(trainer.images.split(size), trainer.labels.split(size), strict=True)
                batches = ((trainer.prepare(images), labels) for images, labels in parts)
                return evaluate(trainer.model, batches, nn.functional.cross_entropy)

            return all_batches

        for size in (100, 250, 1000, 5000):
            variants = {"500": run(500), str(size): run(size)}
            rows.append(_row("evaluation batch", f"{name}, 5,120 images", variants, rounds))
    return rows


def _costs(rounds: int) -> list[Row]:
    """What parts of a model cost: here the alternative is what was not chosen, or what cannot be."""
    pooled = {layout: torch.randn(64, 64, 24, 24).to(memory_format=LAYERS[layout]) for layout in LAYERS}
    return [
        _row(
            "first layer",
            "mlp, batch 64",
            {
                "no gradient of the images": Trainer("mlp", 64).step,
                "with it": Trainer("mlp", 64, inputs_need_grad=True).step,
            },
            4 * rounds,
            5,
        ),
        _row(
            "first layer",
            "pytorch_mnist, batch 64",
            {
                "no gradient of the images": Trainer("pytorch_mnist", 64, layout=LAST).step,
                "with it": Trainer("pytorch_mnist", 64, layout=LAST, inputs_need_grad=True).step,
            },
            2 * rounds,
        ),
        _row(
            "images in memory",
            "mlp, batch 64",
            {
                "uint8, normalised a batch at a time": Trainer("mlp", 64).step,
                "float32, four times the memory": Trainer("mlp", 64, stored=torch.float32).step,
            },
            4 * rounds,
            5,
        ),
        _row(
            "max-pool's layout",
            "64 x 64 x 24 x 24, forward",
            {name: (lambda x=pooled[name]: nn.functional.max_pool2d(x, 2)) for name in reversed(LAYERS)},
            4 * rounds,
            3,
        ),
    ]


if __name__ == "__main__":
    _child(sys.argv[1], int(sys.argv[2]), sys.argv[3] == "1")

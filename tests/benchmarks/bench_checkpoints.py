"""What checkpoints cost: the share of the main job's time, and milliseconds for models of several sizes.

    python tests/benchmarks/bench_checkpoints.py [--epochs 5] [--rounds 10] [--models NAME...] [--out docs/explanation]

Measured:

- ``zoo train --model cnn_dropout`` on MNIST with its defaults, a checkpoint each epoch: seconds in saving and pruning,
  beside all of the run's, and in finding the newest checkpoint again;
- saving, verifying and loading a model's weights with AdamW's state, for some models, on the disk of the temporary
  folder; beside them, writing and syncing one plain file of as many bytes.

It writes ``checkpoints.md``, two tables with the machine and the versions. Nothing is asserted: a time is a
measurement, not a test.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import zoo
from zoo.records.checkpoints import CheckpointStore, estimate_bytes
from zoo.records.disk import write_synced
from zoo.records.optimizer_state import pack

MODELS = ("cnn/cnn_dropout", "mlp/mlp", "timm/resnet18", "timm/resnet50")


class TimedStore:
    """While it is entered, adds up the seconds that every `CheckpointStore` spends in `save` and `prune`."""

    def __enter__(self) -> TimedStore:
        self.seconds, self.saves = 0.0, 0
        self._own = CheckpointStore.save, CheckpointStore.prune

        def save(store: CheckpointStore, *arguments: Any, **keywords: Any) -> Path:
            self.saves += 1
            return self._timed(lambda: self._own[0](store, *arguments, **keywords))

        def prune(store: CheckpointStore, *arguments: Any, **keywords: Any) -> None:
            self._timed(lambda: self._own[1](store, *arguments, **keywords))

        CheckpointStore.save, CheckpointStore.prune = save, prune  # type: ignore[method-assign, assignment]
        return self

    def __exit__(self, *_: object) -> None:
        CheckpointStore.save, CheckpointStore.prune = self._own  # type: ignore[method-assign]

    def _timed(self, work: Callable[[], Any]) -> Any:
        start = time.perf_counter()
        try:
            return work()
        finally:
            self.seconds += time.perf_counter() - start


def main_job(folder: Path, epochs: int) -> list[str]:
    """Return the table of what saving costs the main job."""
    with TimedStore() as store:
        run = zoo.train(model="cnn_dropout", epochs=epochs, out=folder / "run")
    start = time.perf_counter()
    CheckpointStore(run.directory / "checkpoints").newest()
    found = time.perf_counter() - start
    total = run.summary["seconds"]
    each = 1e3 * store.seconds / store.saves
    return [
        "| run, seconds | saves | milliseconds a save | share of the run | finding the newest, milliseconds |",
        "|---|---|---|---|---|",
        f"| {total:.1f} | {store.saves} | {each:.1f} | {store.seconds / total:.2%} | {1e3 * found:.1f} |",
    ]


def stepped(name: str) -> dict[str, dict[str, Tensor]]:
    """Return the tensors of a model and of AdamW after one step."""
    model: nn.Module = zoo.create("models", name, num_classes=10, in_channels=3, image_size=(64, 64))
    optimizer = torch.optim.AdamW(model.parameters())
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    optimizer.step()
    tensors, _ = pack(optimizer, dict(model.named_parameters()))
    return {"model": model.state_dict(), "optimizer": tensors}


def median(rounds: int, work: Callable[[int], object]) -> str:
    """Return the median of *rounds* times, in milliseconds, after one round that does not count."""
    times = []
    for number in range(rounds + 1):
        start = time.perf_counter()
        work(number)
        times.append(time.perf_counter() - start)
    return f"{1e3 * statistics.median(times[1:]):,.0f}"


def sizes(folder: Path, rounds: int, models: Sequence[str]) -> list[str]:
    """Return the table of milliseconds by model."""
    rows = ["| model | MB | save | verify | load | one plain file, synced |", "|---|---|---|---|---|---|"]
    for name in models:
        (folder / name.replace("/", "-")).mkdir()
        store, tensors = CheckpointStore(folder / name.replace("/", "-") / "checkpoints"), stepped(name)
        size = estimate_bytes(tensors)
        zeros = memoryview(bytes(size))

        def save(number: int, store: CheckpointStore = store, tensors: Any = tensors) -> None:
            store.save(number, tensors=tensors, state={})
            store.prune({number})

        saved = median(rounds, save)
        newest = store.newest()
        assert newest is not None
        verified = median(rounds, lambda _, newest=newest: newest.verify())
        loaded = median(rounds, lambda _, newest=newest: [newest.tensors(part) for part in newest.names])
        plain = median(rounds, lambda _, zeros=zeros: write_synced(folder / "plain", [zeros]))
        rows.append(f"| `{name}` | {size / 1e6:.1f} | {saved} | {verified} | {loaded} | {plain} |")
        store.prune(())
    return rows


def machine() -> str:
    """Return a line that says what this was measured on."""
    load = f", load {os.getloadavg()[0]:.1f} at the end" if hasattr(os, "getloadavg") else ""
    return (
        f"{os.cpu_count()} CPUs ({platform.machine()}, {platform.system()}), Python {platform.python_version()}, "
        f"torch {version('torch')}, zoo {zoo.__version__}{load}."
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--models", nargs="*", default=MODELS, help="full names; timm/resnet50 takes 280 MB a save")
    parser.add_argument("--out", type=Path, default=Path("docs/explanation"))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        job = main_job(Path(folder), options.epochs)
        by_size = sizes(Path(folder), options.rounds, options.models)
    lines = [
        "# What checkpoints cost",
        "",
        "Written by `python tests/benchmarks/bench_checkpoints.py`. " + machine(),
        "",
        f"The main job, `zoo train --model cnn_dropout` with {options.epochs} epochs and a checkpoint after each:",
        "",
        *job,
        "",
        f"Model and AdamW state, milliseconds, median of {options.rounds}:",
        "",
        *by_size,
        "",
        "Saving writes, digests (SHA-256) and syncs every byte, and syncs four files and two directories; verifying",
        "reads and digests; loading reads, digests and makes tensors.",
    ]
    (options.out / "checkpoints.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    main()

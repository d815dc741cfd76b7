"""What a folder's names cost: the memory that a run of so many files takes beyond one of a few, and its first batch.

    python tests/benchmarks/names_memory.py [--names 1281167] [--classes 1000]

A folder of classes is made of links to a few small pictures. Two processes train two steps: one on a folder of four
images a class, all decoded in memory, the other streams the whole. Both have as many classes and hold out as many
images, whose metrics would else be most of the difference. Printed are the peaks of their resident memory, the
difference, and how long the first batch, and the first step, take once the folder was scanned and the run began.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from argparse import ArgumentParser
from pathlib import Path

import numpy as np
from PIL import Image

_MOST_LINKS = 30_000  # of a file, which some file systems limit
_EACH = 4  # images a class of the small folder
_HELD_OUT = 512

_MEASURED = """
import json, resource, sys, time
import zoo
from zoo.data import TrainingBatches

class Watching(zoo.Reporter):
    batch = None
    def started(self, run, progress):
        self.at, self.worked = time.perf_counter(), time.process_time()
    def step(self, progress):
        if progress.step == 1:
            self.stepped = time.perf_counter() - self.at

watching, prepared = Watching(), TrainingBatches._batch

def watched(self, *batch):
    found = prepared(self, *batch)
    watching.batch = watching.batch or (time.perf_counter() - watching.at, time.process_time() - watching.worked)
    return found

TrainingBatches._batch = watched
root, stream, held, out = sys.argv[1:]
began = time.perf_counter()
zoo.train("mlp", data="folder", options={"data.root": root, "data.stream": stream == "1", "data.size": 32},
          steps=2, batch_size=64, validation=int(held), device="cpu", threads=1,
          augment=["flip"], out=out, reporter=watching)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps({"peak_mb": round(peak / 1024), "before_s": round(watching.at - began, 2),
                  "first_batch_s": round(watching.batch[0], 3), "first_batch_cpu_s": round(watching.batch[1], 3),
                  "first_step_s": round(watching.stepped, 3)}))
"""


def linked(root: Path, names: int, classes: int) -> None:
    """Make a folder of *names* files in as many classes, each a link to one of a few pictures."""
    sources: list[Path] = []
    for index in range(names):
        if index % _MOST_LINKS == 0:
            source = root.with_name(f"{root.name}-{index}.png")
            pixels = np.random.default_rng(index).integers(0, 256, (32, 32, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(source)
            sources.append(source)
        label = index % classes
        folder = root / "train" / f"n{label:08}"
        if index < classes:
            folder.mkdir(parents=True)
        os.link(sources[-1], folder / f"n{label:08}_{index:07}.JPEG")
    for label in range(min(classes, 10)):
        folder = root / "test" / f"n{label:08}"
        folder.mkdir(parents=True)
        os.link(sources[0], folder / "test.JPEG")


def measured(root: Path, out: Path, *, stream: bool) -> dict[str, float]:
    """Return what a process says of its run."""
    command = [sys.executable, "-c", _MEASURED, str(root), "1" if stream else "0", str(_HELD_OUT), str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    """Make the folders, measure, and print."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--names", type=int, default=1_281_167)
    parser.add_argument("--classes", type=int, default=1000)
    parser.add_argument("--folder", help="Where the links are made, and stay, to be used again.")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(given.folder or temporary)
        place.mkdir(parents=True, exist_ok=True)
        little = given.classes * _EACH
        many, few = place / f"many-{given.names}-{given.classes}", place / f"few-{given.classes}"
        for root, count in ((many, given.names), (few, little)):
            if not root.exists():
                began = time.perf_counter()
                linked(root, count, given.classes)
                print(f"{count:,} names made in {time.perf_counter() - began:.0f} s")
        small = measured(few, Path(temporary) / "in-memory", stream=False)
        large = measured(many, Path(temporary) / "streamed", stream=True)
    print(f"in memory, {little:,} images: {json.dumps(small)}")
    print(f"streamed, {given.names:,} images: {json.dumps(large)}")
    print(f"memory above: {large['peak_mb'] - small['peak_mb']:,.0f} MB; first batch {large['first_batch_s']:.3f} s")


if __name__ == "__main__":
    main()

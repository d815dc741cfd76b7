"""The task of the eight photograph classes: 204 photographs, 101 to train on, in five fixed splits.

``photo_task.csv`` names the files: photographs that are cut out, of Debian's package ``tuxpaint-stamps-default``
2022.06.04, in /usr/share/tuxpaint/stamps. Drawings, toys and mirror images are left out. Results are reported on
`REPORTED`; whoever chooses a default does so on `TUNING`, which shares no split with it.

    python tests/benchmarks/photo_task.py FOLDER [SEED ...]

lays the splits out as FOLDER/SEED/train/CLASS/FILE and FOLDER/SEED/test/CLASS/FILE, of symbolic links.
"""

from __future__ import annotations

import csv
import hashlib
import sys
from collections.abc import Sequence
from pathlib import Path

STAMPS = Path("/usr/share/tuxpaint/stamps")
CLASSES = ("birds", "fish", "flowers", "fruit", "insects", "mammals", "vegetables", "vehicles")
TRAINING = 101
REPORTED = (0, 1, 2, 3, 4)
TUNING = (100, 101, 102, 103, 104)


def photographs() -> list[tuple[str, str]]:
    """Return the class of each photograph, and its path below the stamps."""
    with Path(__file__).with_suffix(".csv").open(newline="") as file:
        return [(row["class"], row["file"]) for row in csv.DictReader(file)]


def divided(seed: int) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """Return the photographs to train on and those to test on, each class in proportion.

    It hangs on the names and the seed alone, so that no zoo and no library ever divides them otherwise.
    """
    listed = sorted(photographs(), key=lambda one: (one[0], hashlib.sha256(f"{seed}/{one[1]}".encode()).digest()))
    steps = {(2 * number + 1) * len(listed) // (2 * TRAINING) for number in range(TRAINING)}
    return [listed[n] for n in sorted(steps)], [one for n, one in enumerate(listed) if n not in steps]


def lay_out(folder: Path, seed: int, stamps: Path = STAMPS) -> Path:
    """Link one split's photographs into ``folder/SEED`` and return that."""
    for part, photos in zip(("train", "test"), divided(seed), strict=True):
        for name, path in photos:
            target = folder / str(seed) / part / name / Path(path).name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.symlink_to(stamps / path)
    return folder / str(seed)


def main(arguments: Sequence[str]) -> None:
    """Lay out the splits that are named, or those that results are reported on."""
    folder, *seeds = arguments
    for seed in map(int, seeds or REPORTED):
        print(lay_out(Path(folder), seed))


if __name__ == "__main__":
    main(sys.argv[1:])

"""Kill real training runs with SIGKILL, many times, and see that nothing is lost.

    python tests/benchmarks/kill_storm.py --kills 100 --per-run 10

A run of ``zoo train`` (batch norm, dropout, augmentation, an average, a scheduler, a checkpoint every five steps) is
killed at random instants and started again by the same command; when it ends, its weights, optimizer state, metrics
and summary must be those of an uninterrupted run, to the bit. Prints how many kills there were and how many
runs differed.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from storm import storm, uninterrupted


def main() -> int:
    """Kill, compare, and return 1 if anything was lost."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--per-run", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    runs = -(-arguments.kills // arguments.per_run)
    lost = 0
    with tempfile.TemporaryDirectory() as folder:
        whole, seconds = uninterrupted(Path(folder))
        for run in range(runs):
            place = Path(folder) / str(run)
            place.mkdir()
            same = storm(place, arguments.per_run, seconds, arguments.seed + run) == whole
            lost += not same
            done = (run + 1) * arguments.per_run
            print(f"{done} kills, {run + 1} runs, {lost} differ from the uninterrupted one", flush=True)
    return int(lost > 0)


if __name__ == "__main__":
    sys.exit(main())

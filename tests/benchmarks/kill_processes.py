"""Kill processes of training runs with SIGKILL, many times, and see that nothing is lost.

    python tests/benchmarks/kill_processes.py --kills 200 --per-run 10
    python tests/benchmarks/kill_processes.py --torchrun 20

A run in two to four processes loses one of them at a random instant, and is started again with another number of them;
when it ends, its weights, optimizer state, metrics and summary must be those of an uninterrupted run of one process, to
the bit. Prints how many kills there were and how many runs differed. With ``--torchrun`` one run is started again by
torchrun after each kill.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from process_storm import COMMAND, LONGER, go_on, restarted
from storm import outcome
from worlds import together


def main() -> int:
    """Kill, compare, and return 1 if anything was lost."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--per-run", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--torchrun", type=int, metavar="RESTARTS")
    arguments = parser.parse_args()
    return _under_torchrun(arguments.torchrun) if arguments.torchrun else _storm(arguments)


def _under_torchrun(restarts: int) -> int:
    with tempfile.TemporaryDirectory() as name:
        folder, other = Path(name), Path(name) / "other"
        other.mkdir()
        together(1, LONGER, cwd=folder)
        killed = restarted(other, restarts)
        lost = outcome(other / "run") != outcome(folder / "run")
        print(f"{killed} kills, as many restarts by torchrun; the run {'differs' if lost else 'has the bits of one'}")
    return int(lost or killed < restarts)


def _storm(arguments: argparse.Namespace) -> int:
    lost, runs = 0, -(-arguments.kills // arguments.per_run)
    with tempfile.TemporaryDirectory() as folder:
        together(1, COMMAND, cwd=Path(folder))
        whole = outcome(Path(folder) / "run")
        for run in range(runs):
            place = Path(folder) / str(run)
            place.mkdir()
            go_on(place, arguments.seed + run, arguments.per_run)
            lost += outcome(place / "run") != whole
            done = (run + 1) * arguments.per_run
            print(f"{done} kills, {run + 1} runs, {lost} differ from the uninterrupted one", flush=True)
    return int(lost > 0)


if __name__ == "__main__":
    sys.exit(main())

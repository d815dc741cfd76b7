"""Kill processes of training runs with SIGKILL, many times, and see that nothing is lost.

    python tests/benchmarks/kill_processes.py --kills 200 --per-run 10
    python tests/benchmarks/kill_processes.py --torchrun 20
    python tests/benchmarks/kill_processes.py --ends 100

A run in two to four processes loses a random one of them, at a random instant or in a random phase: before it has met
the others, in a step, an evaluation or a save; and is started again with another number of them. When it ends, its
weights, optimizer state, metrics and summary must be those of an uninterrupted run of one process, to the bit. Prints
how many kills there were in each phase, and how many runs differed. With ``--torchrun`` one run is started again by
torchrun after each kill; with ``--ends`` runs of four processes end by themselves, and each process's exit code counts.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from process_storm import COMMAND, LONGER, SHORT, go_on, restarted
from storm import outcome
from worlds import together


def main() -> int:
    """Kill, compare, and return 1 if anything was lost."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--per-run", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--torchrun", type=int, metavar="RESTARTS")
    parser.add_argument("--ends", type=int, metavar="RUNS")
    arguments = parser.parse_args()
    if arguments.ends:
        return _ends(arguments.ends)
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


def _ends(runs: int) -> int:
    codes: Counter[int | None] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        for number in range(runs):
            place = Path(folder) / str(number)
            place.mkdir()
            codes.update(each.code for each in together(4, SHORT, cwd=place))
            print(f"{number + 1} runs of 4 processes; exit codes and how often: {dict(codes)}", flush=True)
    return int(set(codes) != {0})


def _storm(arguments: argparse.Namespace) -> int:
    lost, runs, kills = 0, 0, Counter[str]()
    with tempfile.TemporaryDirectory() as folder:
        together(1, COMMAND, cwd=Path(folder))
        whole = outcome(Path(folder) / "run")
        while kills.total() < arguments.kills:
            place = Path(folder) / str(runs)
            place.mkdir()
            kills += go_on(place, arguments.seed + runs, min(arguments.per_run, arguments.kills - kills.total()))
            lost += outcome(place / "run") != whole
            runs += 1
            told = ", ".join(f"{count} {phase}" for phase, count in sorted(kills.items()))
            print(f"{kills.total()} kills ({told}), {runs} runs, {lost} differ from the uninterrupted one", flush=True)
    return int(lost > 0)


if __name__ == "__main__":
    sys.exit(main())

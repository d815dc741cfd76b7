"""zoo beside the textbook loop, a loop written by hand, and other trainers: images a second."""

from __future__ import annotations

import gzip
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any

import contenders
from measuring import Row, installed

HERE = Path(__file__).parent
# Images an epoch and epochs that are measured: long enough to be steady, short enough that all peers take minutes.
SIZES = {("mlp", 64): 6400, ("pytorch_mnist", 64): 1280, ("mlp", 512): 8192, ("pytorch_mnist", 512): 2048}


class Peer:
    """A contender's process.

    Args:
        name: A key of `contenders.CONTENDERS`.
        folder: Where the peers are installed, if elsewhere than beside this Python's packages.
        errors: Takes what the process writes to stderr.
    """

    def __init__(self, name: str, folder: Path | None, errors: IO[bytes]) -> None:
        self.name = name
        self._process = subprocess.Popen(
            [sys.executable, str(HERE / "contenders.py"), name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env={**os.environ, **({"PYTHONPATH": str(folder)} if folder else {})},
        )
        assert self._process.stdin
        assert self._process.stdout
        self._to, self._from = self._process.stdin, self._process.stdout
        self._errors = errors

    def expect(self, key: str) -> Any:
        """Read up to the message with *key* and return its value; None once the process is gone or says otherwise."""
        for line in self._from:
            message = json.loads(line)
            if key in message:
                return message[key]
            if "missing" in message:
                break
        return None

    def send(self, text: str) -> None:
        """Send a line."""
        self._to.write(text + "\n")
        self._to.flush()

    def close(self) -> None:
        """End the process."""
        self._to.close()
        self._from.close()
        self._process.kill()
        self._process.wait()


@contextmanager
def mnist_files() -> Iterator[Path]:
    """Write zoo's embedded MNIST as the files that torchvision's `MNIST` reads."""
    import zoo_mnist

    source = Path(str(zoo_mnist.__file__)).parent
    with tempfile.TemporaryDirectory() as folder:
        raw = Path(folder) / "MNIST" / "raw"
        raw.mkdir(parents=True)
        for archive in source.glob("*.gz"):
            (raw / archive.stem).write_bytes(gzip.decompress(archive.read_bytes()))
        yield Path(folder)


def measure(folder: Path | None, rounds: int, loaders: Sequence[str] = ("torchvision",)) -> tuple[list[Row], list[str]]:
    """Return one row a contender, model and batch size, and what was left out, a line each."""
    notes: list[str] = []
    with mnist_files() as data, tempfile.TemporaryFile() as errors, ExitStack() as stack:
        peers = []
        for name, (_, module, _) in contenders.CONTENDERS.items():
            peer = Peer(name, folder, errors)
            stack.callback(peer.close)
            if peer.expect("ready"):
                peers.append(peer)
            else:
                notes.append(f"{name} was left out: the module {module} is not installed or does not import")
        rows: list[Row] = []
        for loader in loaders:
            for (model, batch_size), images in SIZES.items():
                if loader == "tensors" and (model, batch_size) != ("mlp", 64):
                    continue
                # zoo's last batch is full, so that the images of an epoch but its first step are a whole number.
                job = contenders.Job(model, batch_size, images, rounds + 1, str(data), loader)
                rows += _one_job(job, peers, rounds, folder, notes)
    return rows, notes


def _one_job(job: contenders.Job, peers: list[Peer], rounds: int, folder: Path | None, notes: list[str]) -> list[Row]:
    running = []
    for peer in list(peers):
        peer.send(json.dumps(vars(job)))
        if peer.expect("waiting"):
            running.append(peer)
        else:
            notes.append(f"{peer.name} failed on {job.model} with batch {job.batch_size}")
            peers.remove(peer)
    seconds: dict[str, list[float]] = {peer.name: [] for peer in running}
    for turn in range(rounds + 1):
        for peer in running:
            peer.send("go")
            took = peer.expect("seconds")
            if turn:  # the first warms up
                seconds[peer.name].append(took)
            # Whatever it does between two epochs is done before the next one's turn.
            peer.expect("waiting" if turn < rounds else "done")
        print(f"  {job.model} {job.batch_size} {job.loader}: round {turn} of {rounds}", file=sys.stderr)
    rates = {
        name: [(job.images - (job.batch_size if name == "zoo" else 0)) / took for took in values]
        for name, values in seconds.items()
    }
    medians = {name: statistics.median(values) for name, values in rates.items()}
    return [_row(job, name, values, medians, folder) for name, values in rates.items()]


def _row(
    job: contenders.Job, name: str, rates: Sequence[float], medians: Mapping[str, float], folder: Path | None
) -> Row:
    return {
        "model": job.model,
        "batch": job.batch_size,
        "loader": job.loader,
        "contender": name,
        "version": _version(contenders.CONTENDERS[name][2], folder),
        "images/s": round(medians[name]),
        "least": round(min(rates)),
        "greatest": round(max(rates)),
        "n": len(rates),
        "x textbook": round(medians[name] / medians["textbook loop"], 2),
    }


def _version(distribution: str, folder: Path | None) -> str:
    if folder is not None:
        from importlib.metadata import distributions

        for found in distributions(path=[str(folder)]):
            if found.metadata["Name"].lower() == distribution:
                return found.version
    return installed(distribution)

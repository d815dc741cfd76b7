"""What one chooses a model by: its size, cost and pretrained weights, read from a plugin's files without torch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from zoo.registry.entry import Entry

FILE = "facts.csv.gz"
SPEEDS = "speeds.csv"
"""Beside it: what was measured, by ``tests/benchmarks/speeds.py`` in the source."""

COLUMNS = ("model", "parameters", "macs", "activations", "input_size", "family", "paper", "weights")


@dataclass(frozen=True)
class WeightsFacts:
    """What a library says of one set of pretrained weights.

    Attributes:
        tag: Its name, for the option ``pretrained``.
        licence: As the library states it; empty where it does not.
        accuracy: Published top-1 accuracy on ImageNet-1k's validation images, in [0, 1]; None where the library does
            not carry it.
    """

    tag: str
    licence: str = ""
    accuracy: float | None = None


@dataclass(frozen=True)
class SpeedFacts:
    """What a model does in a second, measured on two CPU cores at its default input size, in fp32.

    Attributes:
        training: Images that it is trained on.
        prediction: Images that it classifies.
        hardware: On what, and with which torch.
    """

    training: float
    prediction: float
    hardware: str


@dataclass(frozen=True)
class ModelFacts:
    """What a model has and costs, at its default input size.

    Attributes:
        parameters: Trainable numbers.
        macs: Multiply-accumulates for one image, of convolutions, matrix products and attentions.
        activations: Numbers that these put out for one image.
        input_size: (C, H, W), in pixels.
        family: The library's own grouping, else the plugin.
        paper: What the library names as its source, such as ``arXiv:1512.03385``; empty where it names none.
        weights: The pretrained weights, the default first.
        speed: What was measured; None for most models, which were not.
    """

    parameters: int
    macs: int
    activations: int
    input_size: tuple[int, int, int]
    family: str = ""
    paper: str = ""
    weights: tuple[WeightsFacts, ...] = ()
    speed: SpeedFacts | None = None

    @property
    def accuracy(self) -> float | None:
        """The highest published accuracy of its weights, in [0, 1]; None where none is known."""
        return max((each.accuracy for each in self.weights if each.accuracy is not None), default=None)

    @property
    def licences(self) -> tuple[str, ...]:
        """The licences of its weights, each once."""
        return tuple(dict.fromkeys(each.licence for each in self.weights if each.licence))


def facts_of(entry: Entry) -> ModelFacts | None:
    """Return what is known of a model: what its plugin gave `add.model`, or its package's file; None for nothing.

    Raises:
        ValueError: If either is malformed.
    """
    if entry.facts:
        return stated(entry.facts)
    if not isinstance(entry.target, str):
        return None
    return _shipped(entry.target.partition(":")[0].partition(".")[0]).get(entry.name)


@cache
def _shipped(package: str) -> Mapping[str, ModelFacts]:
    """Return the facts that a package's file holds, by the models' names; empty where it has no file."""
    import csv
    import gzip
    from importlib.resources import files

    try:
        packed = files(package).joinpath(FILE).read_bytes()
        measured = files(package).joinpath(SPEEDS)
        speeds = measured.read_text(encoding="utf-8").splitlines() if measured.is_file() else []
    except (ImportError, OSError, TypeError):  # TypeError: a plugin of one module is no package
        return {}
    by_name = {row["model"]: _speed(row) for row in csv.DictReader(speeds)}
    rows = csv.DictReader(gzip.decompress(packed).decode().splitlines())
    return {row["model"]: _from_row(row, by_name.get(row["model"])) for row in rows}


def _speed(row: Mapping[str, str]) -> SpeedFacts:
    return SpeedFacts(float(row["training"]), float(row["prediction"]), row["hardware"])


def _from_row(row: Mapping[str, str], speed: SpeedFacts | None) -> ModelFacts:
    channels, height, width = map(int, row["input_size"].split("x"))
    counts = {name: int(row[name]) for name in ("parameters", "macs", "activations")}
    weights = tuple(_weights(text) for text in row["weights"].split(";") if text)
    return ModelFacts(
        **counts,
        input_size=(channels, height, width),
        family=row["family"],
        paper=row["paper"],
        weights=weights,
        speed=speed,
    )


def _weights(text: str) -> WeightsFacts:
    tag, licence, accuracy = text.split("|")
    return WeightsFacts(tag, licence, float(accuracy) if accuracy else None)


def stated(given: Mapping[str, Any]) -> ModelFacts:
    """Return the facts that a plugin states.

    Raises:
        TypeError: If a key is missing or unknown.
        ValueError: If a value is none.
    """
    if "speed" in given:
        raise TypeError("a speed is measured and shipped in a file, not stated")
    weights = tuple(WeightsFacts(**each) for each in given.get("weights", ()))
    size = tuple(int(length) for length in given.get("input_size", ()))
    facts = ModelFacts(**{**given, "input_size": size, "weights": weights})
    numbers = (facts.parameters, facts.macs, facts.activations, *size)
    if len(size) != 3 or not all(isinstance(number, int) and number >= 0 for number in numbers):
        raise ValueError("parameters, macs and activations are whole numbers, and input_size is (C, H, W)")
    return facts


def packed(rows: Iterable[tuple[str, ModelFacts]]) -> bytes:
    """Return the file that `facts_of` reads: equal facts give equal bytes."""
    import csv
    import gzip
    import io

    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(_row(name, facts) for name, facts in rows)
    return gzip.compress(text.getvalue().encode(), mtime=0)


def _row(name: str, facts: ModelFacts) -> Iterator[str]:
    yield from (name, str(facts.parameters), str(facts.macs), str(facts.activations))
    yield "x".join(map(str, facts.input_size))
    yield from (facts.family, facts.paper)
    yield ";".join(f"{w.tag}|{w.licence}|{'' if w.accuracy is None else w.accuracy}" for w in facts.weights)

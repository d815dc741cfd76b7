"""What models were measured to reach, from the file ``results.csv`` that a plugin may ship in its package."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from zoo.registry.entry import Entry

FILE = "results.csv"


@dataclass(frozen=True)
class Result:
    """What one model reached on one dataset with one set of settings, over several seeds.

    Attributes:
        data: The dataset's full name.
        settings: What the command was given besides the model, the data and the seed; empty for the defaults.
        seeds: How many runs there were.
        parameters: Trainable numbers.
        epochs: Of each run.
        accuracies: Test accuracy of each run, in [0, 1].
        seconds: Of each run: training, validation and saving.
        source: Machine and versions that it was measured with; with semicolons where there were several.
    """

    data: str
    settings: str
    seeds: int
    parameters: int
    epochs: int
    accuracies: tuple[float, ...]
    seconds: tuple[float, ...]
    source: str

    @property
    def mean(self) -> float:
        """The mean test accuracy, in [0, 1]."""
        return sum(self.accuracies) / len(self.accuracies)

    @property
    def spread(self) -> float | None:
        """The sample standard deviation of the accuracies; None for a single run."""
        import statistics

        return statistics.stdev(self.accuracies) if len(self.accuracies) > 1 else None

    def __str__(self) -> str:
        spread = "" if self.spread is None else f" +- {100 * self.spread:.2f}"
        runs = f"{self.seeds} seed{'s' if self.seeds != 1 else ''}"
        how = f", {self.settings}" if self.settings else ""
        return f"{100 * self.mean:.2f} %{spread} on {self.data}{how} ({runs}, {self.epochs} epochs; {self.source})"


def results_of(entry: Entry) -> list[Result]:
    """Return what was measured of a model, by dataset and settings; empty where its plugin ships no results.

    The columns of the file are those of `Result`, one run a row: model, data, settings, seed, epochs, parameters,
    seconds, accuracy and source.
    """
    import csv
    from importlib.resources import files

    if not isinstance(entry.target, str):
        return []
    package = entry.target.partition(":")[0].partition(".")[0]
    try:
        text = files(package).joinpath(FILE).read_text(encoding="utf-8")
    except (ImportError, OSError, TypeError):  # TypeError: a plugin of one module is no package
        return []
    return grouped(row for row in csv.DictReader(text.splitlines()) if row["model"] == entry.full_name)


def grouped(rows: Iterable[dict[str, str]]) -> list[Result]:
    """Gather rows that differ in the seed alone, in the order in which they come."""
    groups: dict[tuple[str, ...], list[dict[str, str]]] = {}
    for row in rows:
        key = tuple(row[column] for column in ("model", "data", "settings"))
        groups.setdefault(key, []).append(row)
    return [
        Result(
            data=runs[0]["data"],
            settings=runs[0]["settings"],
            seeds=len(runs),
            parameters=int(runs[0]["parameters"]),
            epochs=int(runs[0]["epochs"]),
            accuracies=tuple(float(row["accuracy"]) for row in runs),
            seconds=tuple(float(row["seconds"]) for row in runs),
            source="; ".join(dict.fromkeys(row["source"] for row in runs)),
        )
        for runs in groups.values()
    ]

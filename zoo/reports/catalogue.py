"""All registered models in one page: a file that is opened without a network, searched, sorted and filtered."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from zoo.registry import Entry
from zoo.registry.catalogue import ModelFacts
from zoo.reports.rendering import rendered


@dataclass(frozen=True)
class Cell:
    """One cell of the table.

    Attributes:
        text: As it is read.
        key: What the column is sorted by; empty where nothing is known, which comes last.
    """

    text: str
    key: str = ""


HEADINGS = (
    "Model",
    "Parameters, M",
    "MACs, G",
    "Activations, M",
    "Input",
    "ImageNet, %",
    "Weights",
    "Licences",
    "Trained, images/s",
    "Predicted, images/s",
    "Family",
)


def catalogue_page(models: Sequence[tuple[Entry, ModelFacts | None]], version: str) -> str:
    """Return the page: equal models give equal bytes.

    Args:
        models: Every model, with what is known of it.
        version: zoo's.
    """
    rows = [(entry.full_name, entry.summary, list(_cells(entry, facts))) for entry, facts in models]
    count = f"{len(rows):,}"
    return rendered(
        "catalogue.html",
        assets="catalogue",
        title=f"zoo: {count} models",
        headings=HEADINGS,
        rows=rows,
        version=version,
        count=count,
    )


def _cells(entry: Entry, facts: ModelFacts | None) -> Iterator[Cell]:
    """Yield a row's cells after the name."""
    if facts is None:
        yield from (Cell("") for _ in HEADINGS[1:-1])
        yield Cell(entry.plugin, entry.plugin)
        return
    yield _number(facts.parameters, 10**6)
    yield _number(facts.macs, 10**9)
    yield _number(facts.activations, 10**6)
    yield Cell(" x ".join(map(str, facts.input_size)), str(facts.input_size[1]))
    yield Cell("") if facts.accuracy is None else Cell(f"{100 * facts.accuracy:.2f}", f"{facts.accuracy}")
    yield Cell(", ".join(each.tag or "default" for each in facts.weights), str(len(facts.weights) or ""))
    licences = ", ".join(facts.licences)
    yield Cell(licences, licences)
    for speed in (facts.speed.training, facts.speed.prediction) if facts.speed else (None, None):
        yield Cell("") if speed is None else Cell(f"{speed:,.0f}", str(speed))
    yield Cell(facts.family, facts.family)


def _number(value: int, unit: int) -> Cell:
    return Cell(f"{value / unit:,.3g}" if value < 1000 * unit else f"{value / unit:,.0f}", str(value))

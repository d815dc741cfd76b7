"""The page of all models: whole, plain text throughout, and it asks nobody for anything."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

from zoo.registry import Entry
from zoo.registry.catalogue import ModelFacts, SpeedFacts, WeightsFacts
from zoo.reports.catalogue import HEADINGS, catalogue_page

HOSTILE = "<img src=x onerror=alert(1)>"


def entry(name: str, summary: str = "A net.") -> Entry:
    return Entry("models", name, "a:b", summary, {}, False, "auk", "zoo-auk", "1.0")


FACTS = ModelFacts(11_689_512, 1_814_073_344, 2_484_712, (3, 224, 224), HOSTILE, "", (WeightsFacts("v1", "MIT", 0.7),))


class Cells(HTMLParser):
    """Collects the table's cells, row by row, each with its attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.tags: set[str] = set()
        self._in_cell = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        if tag == "tr":
            self.rows.append([])
        self._in_cell = tag == "td" or (self._in_cell and tag == "small")
        if tag == "td":
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        self._in_cell = self._in_cell and tag != "td"

    def handle_data(self, data: str) -> None:
        if self._in_cell:
            self.rows[-1][-1] += data


def parsed(page: str) -> Cells:
    cells = Cells()
    cells.feed(page)
    return cells


def test_each_model_is_a_row_with_what_is_known():
    """Numbers to three digits in the unit of their heading."""
    cells = parsed(catalogue_page([(entry("one"), FACTS), (entry("two"), None)], "1.2"))
    known, unknown = cells.rows[1:]
    assert known[:7] == ["auk/one", "11.7", "1.81", "2.48", "3 x 224 x 224", "70.00", "v1"]
    assert unknown == ["auk/two", *[""] * 9, "auk"]
    assert len(known) == len(unknown) == len(HEADINGS)


def test_a_speed_is_shown_where_it_was_measured():
    """And nothing where it was not."""
    measured = replace(FACTS, speed=SpeedFacts(1234.4, 56789.0, "a machine"))
    cells = parsed(catalogue_page([(entry("one"), measured), (entry("two"), FACTS)], "1.2"))
    assert [row[8:10] for row in cells.rows[1:]] == [["1,234", "56,789"], ["", ""]]


def test_names_are_text_and_never_markup():
    """A family or a summary that looks like an element is shown as it is written."""
    page = catalogue_page([(entry("one", HOSTILE + '"'), FACTS)], "1.2")
    cells = parsed(page)
    assert cells.rows[1][10] == HOSTILE
    assert "img" not in cells.tags
    assert HOSTILE not in page


def test_nothing_is_fetched():
    """The page's policy forbids it, and there is nothing to fetch."""
    page = catalogue_page([(entry("one"), replace(FACTS, family="auks"))], "1.2")
    assert "default-src 'none'" in page
    assert "unsafe-inline" not in page
    assert not re.search(r"(src|href)=(?!\"data:)|url\(|fetch\(|import ", page)


def test_equal_models_give_equal_bytes():
    """No time, no order of a set."""
    models = [(entry("one"), FACTS), (entry("two"), None)]
    assert catalogue_page(models, "1.2") == catalogue_page(models, "1.2")

"""Pictures: well-formed whatever they are given, with ticks that hold all values."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from zoo.reports.drawing import Curve, chart, interval_bar, matrix, nice_ticks, reliability_diagram, tag
from zoo.reports.pictures import picture_of


def parsed(picture: str) -> ET.Element:
    return ET.fromstring(picture)


@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6))
@example(0.0, 5e-324)
@example(-5e-324, 2e-310)
@example(1.0, 1.0 + 2**-52)
@example(-3.0, -3.0)
def test_ticks_hold_all_values_and_are_evenly_spaced(one: float, two: float):
    """A handful of round numbers."""
    low, high = sorted((one, two))
    ticks = nice_ticks(low, high)
    assert 2 <= len(ticks) <= 8
    step = ticks[1] - ticks[0]
    assert ticks[0] <= low + 1e-6 * step
    assert ticks[-1] >= high - 1e-6 * step
    assert np.allclose(np.diff(ticks), step)


@given(st.lists(st.one_of(st.none(), st.floats(0, 10), st.just(float("nan"))), min_size=1, max_size=60))
def test_a_chart_is_well_formed_and_shows_every_known_value(values: list[float | None]):
    """Gaps and what is not a number are left out."""
    picture = parsed(chart("loss", [Curve("a & b", "train", values)], best=1))
    known = [value for value in values if value is not None and value == value]
    assert len(picture.findall("circle")) == len(known)
    for circle in picture.findall("circle"):
        assert 0 <= float(circle.attrib["cy"]) <= 210


def test_content_and_attributes_are_escaped():
    """And elements within elements are not escaped twice."""
    assert tag("a", tag("b", "<&>"), x='"<') == '<a x="&#34;&lt;"><b>&lt;&amp;&gt;</b></a>'


def test_a_matrix_has_a_cell_for_each_pair():
    """With a number where there is any."""
    picture = parsed(matrix(["ant", "<b>"], [[3, 0], [1, 12_345]]))
    assert len(picture.findall("rect")) == 4
    assert [text.text for text in picture.findall("text") if "count" in text.get("class", "")] == ["3", "1", "12k"]
    assert picture.findall("rect")[2][0].text == "<b> called ant: 1 of 12,346"


def test_a_bar_and_a_diagram_are_well_formed():
    """The bar's interval lies within it."""
    bar = parsed(interval_bar(0.9, 0.85, 0.94))
    assert float(bar.findall("rect")[2].attrib["x"]) == 85
    diagram = parsed(reliability_diagram("honest", [0.5, 0.9], [0.4, 1.0], [10, 90]))
    assert len(diagram.findall("circle")) == 2


def test_the_axis_s_name_stands_beside_its_numbers():
    """Not on them: seen so in a browser, where a letter is at most 7.2 pixels wide and 12 high."""
    texts = parsed(reliability_diagram("honest", [0.5], [0.4], [10])).findall("text")
    (name,) = [text for text in texts if text.text == "accuracy"]
    right = float(name.attrib["transform"].partition("(")[2].split()[0]) + 4  # below the line that letters stand on
    numbers = [text for text in texts if text.attrib.get("text-anchor") == "end"]
    assert [text.text for text in numbers] == ["0 %", "50 %", "100 %"]
    assert all(float(text.attrib["x"]) - 7.2 * len(text.text or "") * 0.85 > right for text in numbers[:2])


@pytest.mark.parametrize(("shape", "photo"), [((1, 28, 28), False), ((3, 64, 64), False), ((3, 300, 200), True)])
def test_small_images_are_exact_and_large_ones_shrunk(shape: tuple[int, int, int], photo: bool):
    """So that a page stays small."""
    pixels = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    picture = picture_of(pixels)
    assert picture.photo == photo
    assert max(picture.width, picture.height) <= 104
    assert picture.uri.startswith("data:image/jpeg" if photo else "data:image/png")
    assert picture == picture_of(pixels)

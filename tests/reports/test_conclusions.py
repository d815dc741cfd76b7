"""What a comparison says in words, which labels are suspected, and a run's temperature: from plain data."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.errors import DamagedError
from zoo.reports.calibration import read_temperature, write_calibration
from zoo.reports.conclusions import conclusions
from zoo.reports.metrics import outcomes_of
from zoo.reports.suspicions import suspected_rows


def compared(**changed: Any) -> dict[str, Any]:
    runs = [{"name": name, "samples": 10_000} for name in ("one", "two", "three", "four")]
    groups = [{"runs": [number], "seeds": [0]} for number in range(2)]
    return {
        "same_images": True,
        "split": "test",
        "runs": runs,
        "groups": groups,
        "models": [],
        "recipes": [],
        **changed,
    }


def model_pair(**changed: Any) -> dict[str, Any]:
    counts = {"first": 0, "second": 1, "first_only": 1_200, "second_only": 34}
    return {**counts, "difference": -0.01234, "interval": [-0.02, 0.005], "p": 0.04, "adjusted_p": 0.04, **changed}


def recipe_pair(**changed: Any) -> dict[str, Any]:
    intervals = {"interval": [0.01, 0.03], "bootstrap": [-0.01, 0.05]}
    return {
        "first": 0,
        "second": 1,
        "difference": 0.02,
        "test": "welch's t-test",
        "p": 0.2,
        "adjusted_p": 0.2,
        **intervals,
        **changed,
    }


def test_different_images_are_not_compared_at_all():
    """Whatever else was found."""
    (line,) = conclusions(compared(same_images=False, models=[model_pair()]))
    assert line.startswith("The runs were measured on different test images (by digest): their accuracies are not")


def test_two_trained_models_are_told_apart_image_by_image():
    """The second less the first, with signs, and who got right what."""
    (line,) = conclusions(compared(models=[model_pair()]))
    assert "on the same 10,000 images: two less one is -1.23 %, 95 % interval -2.00 % to +0.50 %;" in line
    assert "34 images only two got right, 1,200 only one." in line
    assert line.endswith("McNemar's exact p = 0.04: the difference is unlikely to be chance.")


@pytest.mark.parametrize(("p", "apart"), [(0.0, True), (0.0499, True), (0.05, False), (1.0, False)])
def test_what_counts_is_the_adjusted_probability(p: float, apart: bool):
    """From 0.05 on nothing is told apart."""
    (line,) = conclusions(compared(models=[model_pair(p=0.001, adjusted_p=p)]))
    assert ("unlikely to be chance" in line) == apart
    assert ("they are not told apart" in line) != apart


def test_several_comparisons_say_what_they_were_adjusted_for():
    """One alone was not."""
    lines = conclusions(compared(models=[model_pair(adjusted_p=0.12), model_pair(second=2, adjusted_p=0.08)]))
    assert [line.partition("exact ")[2] for line in lines] == [
        "p = 0.04, 0.12 adjusted for 2 comparisons: they are not told apart.",
        "p = 0.04, 0.08 adjusted for 2 comparisons: they are not told apart.",
    ]


def test_recipes_are_named_by_their_first_runs():
    """With the interval over seeds, and that over seeds and images."""
    groups = [
        {"runs": [2, 0], "seeds": [0, 1], "mean": 0.9, "interval": [0.88, 0.92]},
        {"runs": [3, 1], "seeds": [0, 1], "mean": 0.925, "interval": [0.9, 0.95]},
    ]
    first, second, pair = conclusions(compared(groups=groups, recipes=[recipe_pair()]))
    assert first == "The recipe of three, 2 seeds: mean 90.00 %, 95 % interval 88.00 to 92.00 %."
    assert second.startswith("The recipe of four, 2 seeds: mean 92.50 %")
    assert pair.startswith("Recipes over seeds: that of four less that of three is +2.00 %, 95 % interval +1.00 % to")
    assert "-1.00 % to +5.00 % over other seeds and images. Welch's t-test, p = 0.2: they are not told apart." in pair


@pytest.mark.parametrize(("groups", "lines"), [(1, 0), (2, 1), (3, 1)])
def test_what_cannot_be_compared_says_what_it_would_take(groups: int, lines: int):
    """Of one recipe alone there is nothing to compare."""
    found = conclusions(compared(groups=[{"runs": [number], "seeds": [0]} for number in range(groups)]))
    assert len(found) == lines
    assert all("each needs two seeds or more" in line for line in found)


def suspects(logits: list[list[float]], labels: list[int]) -> list[int]:
    array = np.asarray(logits, dtype=np.float32)
    outcomes = outcomes_of(array, np.asarray(labels, dtype=np.int64))
    found: list[int] = suspected_rows(outcomes, array.shape[1]).tolist()
    return found


def test_a_confident_mistake_is_suspected_and_a_doubtful_one_is_not():
    """As confident as the images of that class are; the least probable label first."""
    logits = [[4.0, 0], [4, 0], [0, 2], [5, 0], [9, 0], [0.5, 0]]
    assert suspects(logits, [0, 0, 1, 1, 1, 1]) == [4, 3]


def test_a_class_without_images_makes_nobody_suspect():
    """There is nothing to compare the confidence with."""
    assert suspects([[0.0, 9, 0], [9, 0, 0]], [0, 0]) == []


@settings(max_examples=40)
@given(
    st.lists(
        st.tuples(st.integers(0, 2), st.lists(st.integers(-4, 4), min_size=3, max_size=3)), min_size=1, max_size=12
    )
)
def test_only_mistakes_are_suspected_whatever_the_order(images: list[tuple[int, list[int]]]):
    """A right prediction never; and which images are suspected does not hang on their order but where sums round."""
    logits = [[float(value) for value in row] for _, row in images]
    labels = [label for label, _ in images]
    found = suspects(logits, labels)
    assert len(set(found)) == len(found)
    assert all(int(np.argmax(logits[row])) != labels[row] for row in found)
    probability = [float(np.exp(logits[row][labels[row]]) / np.exp(logits[row]).sum()) for row in found]
    assert all(one <= two + 1e-12 for one, two in pairwise(probability))


@settings(max_examples=15)
@given(st.floats(2.0**-10, 2.0**10))
def test_a_temperature_is_read_as_it_was_fitted(tmp_path_factory: pytest.TempPathFactory, temperature: float):
    """Of the checkpoint that it was fitted for, and of no other."""
    run = tmp_path_factory.mktemp("run")
    assert read_temperature(run, "a") is None
    write_calibration(run, {"temperature": temperature, "checkpoint_digest": "a"})
    assert read_temperature(run, "a") == temperature
    assert read_temperature(run, "b") is None


@pytest.mark.parametrize("document", [[], {}, *({"temperature": value} for value in (0.0, -1.0, 1, "1.0", None, True))])
def test_what_is_no_temperature_is_damage_with_its_cure(tmp_path: Path, document: Any):
    """Also for another checkpoint: the file is wrong."""
    (tmp_path / "calibration.json").write_text(json.dumps(document))
    with pytest.raises(DamagedError, match=r"it holds no temperature; 'zoo calibrate .*' makes it again"):
        read_temperature(tmp_path, "a")


def test_a_temperature_that_json_has_not_is_never_written(tmp_path: Path):
    """An infinite one would make all classes equal; what stood there stays."""
    write_calibration(tmp_path, {"temperature": 2.0, "checkpoint_digest": "a"})
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_calibration(tmp_path, {"temperature": float("inf"), "checkpoint_digest": "a"})
    assert read_temperature(tmp_path, "a") == 2.0

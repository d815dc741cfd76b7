"""Cross-validation: runs that hold out one part after another, and what their models said, put together."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from small_images import small_dataset

import zoo
from zoo.errors import UsageError
from zoo.reports.evaluations import read_evaluation
from zoo.reports.pooling import OUT_OF_FOLD, pool
from zoo.reports.suspicions import suspected_labels

SETTINGS = {"model": "linear", "epochs": 1, "batch_size": 16, "threads": 1}


@pytest.fixture(scope="module")
def folds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three folds of 61 images, of which a cap takes 50."""
    path = tmp_path_factory.mktemp("folds")
    for number in (1, 2, 3):
        options = {"data.limit": 50}
        zoo.train(data=small_dataset(61), fold=f"{number}/3", options=options, out=path / f"fold-{number}", **SETTINGS)
    return path


def test_each_image_is_predicted_once_by_a_model_that_has_not_learnt_it(folds: Path):
    """The pooled rows are those of the folds, in the order of the images."""
    runs = [folds / f"fold-{number}" for number in (1, 2, 3)]
    pooled = pool(folds, runs)
    single = [read_evaluation(run, "validation-best") for run in runs]
    places = [set(each.arrays["places"].tolist()) for each in single]
    assert sum(map(len, places)) == len(set.union(*places)) == len(pooled.arrays["places"])
    assert np.all(np.diff(pooled.arrays["places"]) > 0)
    for each in single:
        rows = np.searchsorted(pooled.arrays["places"], each.arrays["places"])
        np.testing.assert_array_equal(pooled.arrays["logits"][rows], each.arrays["logits"])
        np.testing.assert_array_equal(pooled.arrays["labels"][rows], each.arrays["labels"])
    right = sum(each.document["metrics"]["accuracy"] * each.document["samples"] for each in single)
    assert pooled.document["metrics"]["accuracy"] == pytest.approx(right / pooled.document["samples"])


def test_the_pooled_evaluation_is_kept_as_any_other_and_again_with_equal_bytes(folds: Path):
    """With the pixels of the worst mistakes of all folds; labels may be suspected from it."""
    runs = [folds / f"fold-{number}" for number in (1, 2, 3)]
    pool(folds, runs)
    before = [path.read_bytes() for path in sorted((folds / "evaluations").iterdir())]
    kept = read_evaluation(folds, OUT_OF_FOLD)
    images = small_dataset(61).train.images
    for row, pixels in zip(kept.arrays["worst"], kept.arrays["worst_pixels"], strict=True):
        np.testing.assert_array_equal(pixels, images[kept.arrays["places"][row]].numpy())
        assert kept.arrays["labels"][row] != kept.arrays["predictions"][row]
    assert all(each.split == "out-of-fold" for each in suspected_labels(kept))
    pool(folds, runs)
    assert [path.read_bytes() for path in sorted((folds / "evaluations").iterdir())] == before


def test_a_fold_is_evaluated_again_with_its_own_images(tmp_path: Path):
    """The record says which they were."""
    run = zoo.train(fold="2/3", options={"data.limit": 50}, out=tmp_path / "fold", **SETTINGS).directory
    again = zoo.evaluate(run, split="validation")
    assert again["accuracy"] == read_evaluation(run, "validation-best").document["metrics"]["accuracy"]
    assert zoo.evaluate(run, split="train")["samples"] + again["samples"] == 50


@pytest.mark.parametrize("fold", ["0/3", "4/3", "1/1", "2", "a/b", "1/3/5"])
def test_what_is_no_fold_is_refused(fold: str):
    """With what it may be."""
    with pytest.raises(UsageError, match=r"fold.* I of K parts, as 2/5"):
        zoo.train(data=small_dataset(20), fold=fold, **SETTINGS)


def test_a_fold_and_a_share_exclude_each_other():
    """Both would hold images out."""
    with pytest.raises(UsageError, match="--fold takes the place of --validation"):
        zoo.train(data=small_dataset(20), fold="1/2", validation=5, **SETTINGS)


def test_evaluations_of_other_classes_are_no_one_evaluation(folds: Path, tmp_path: Path):
    """They are refused in a line."""
    other = zoo.train(data=small_dataset(30, classes=4), out=tmp_path / "other", **SETTINGS)
    with pytest.raises(UsageError, match="have different classes"):
        pool(tmp_path, [folds / "fold-1", other.directory])

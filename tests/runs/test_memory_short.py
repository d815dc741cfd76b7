"""Where memory is short: one line with a batch size that fits."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from small_images import small_dataset
from torch import nn

import zoo
from zoo.training.fitting_batch import is_one_image_under_batch_norm, is_out_of_memory, largest_fitting


class Hungry(nn.Module):
    """A model for which there is memory for so many images, in training and in evaluation."""

    def __init__(self, training: int, evaluation: int) -> None:
        super().__init__()
        self.layer = nn.Linear(64, 3)
        self.most = {True: training, False: evaluation}

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        if len(inputs) > self.most[self.training]:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate more than there is.")
        return self.layer(inputs.flatten(1))


@pytest.mark.parametrize(
    ("training", "evaluation", "message"),
    [
        (9, 100, "out of memory with --batch-size 32; 8 fits: --batch-size 8 --accumulate 4, which gives steps"),
        (32, 3, "out of memory with --eval-batch-size 20; 2 fits: --eval-batch-size 2$"),
        (0, 100, "out of memory, with a single image"),
    ],
    ids=["training", "evaluation", "nothing"],
)
def test_a_batch_size_that_fits_is_told(tmp_path: Path, training: int, evaluation: int, message: str):
    """What was too large is told apart, and tried in halves."""
    model = Hungry(training, evaluation)
    with pytest.raises(zoo.ZooError, match=message):
        zoo.train(
            model,
            data=small_dataset(),
            batch_size=32,
            eval_batch_size=20,
            validation=20,
            threads=1,
            out=tmp_path / "run",
        )


def test_an_exception_that_is_about_something_else_is_not_taken_for_it():
    """Neither where a run fails, nor where sizes are tried."""

    def broken(count: int) -> None:
        raise RuntimeError(f"no kernel for {count}")

    assert not is_out_of_memory(RuntimeError("shapes do not fit"))
    assert is_out_of_memory(RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"))
    with pytest.raises(RuntimeError, match="no kernel for 8"):
        largest_fitting(broken, 8)


@pytest.mark.parametrize(("room", "expected"), [(100, 100), (99, 50), (25, 25), (1, 1), (0, 0)])
def test_halves_are_tried_down_to_one(room: int, expected: int):
    """A hundred, fifty, twenty-five, twelve, six, three, one."""

    def work(count: int) -> None:
        if count > room:
            raise MemoryError

    assert largest_fitting(work, 100) == expected


def test_batch_norm_s_refusal_of_one_image_is_known_from_torch_s_own_words():
    """One image is then too few to fit; whatever else a model refuses is its own fault and passes through."""
    norm, image = nn.BatchNorm1d(3), torch.zeros(1, 3)
    with pytest.raises(ValueError, match="more than 1 value per channel") as refused:
        norm(image)
    assert is_one_image_under_batch_norm(refused.value)
    assert largest_fitting(lambda count: norm(image.expand(count, 3)), 1) == 0
    assert largest_fitting(lambda count: norm(image.expand(count, 3)), 2) == 2

    def refusing(count: int) -> None:
        raise ValueError(f"no {count} images")

    assert not is_one_image_under_batch_norm(ValueError("no 1 images"))
    for count in (1, 2):
        with pytest.raises(ValueError, match=f"no {count} images"):
            largest_fitting(refusing, count)

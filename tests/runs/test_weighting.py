"""Class weights by a word or by name, and classes that are seen more often."""

from __future__ import annotations

import pytest
import torch
from small_images import MEAN, STD, small_split
from torch import nn

import zoo
from zoo.data import Dataset, TensorImages

COUNTS = {"many": 40, "some": 10, "few": 2}
SMALL = {"epochs": 1, "batch_size": 16, "threads": 1, "validation": 0}


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def uneven() -> Dataset:
    labels = torch.repeat_interleave(torch.arange(3), torch.tensor(list(COUNTS.values())))
    images = TensorImages(small_split(len(labels)).images, labels)
    return Dataset(images, images, list(COUNTS), [MEAN], [STD])


def net(num_classes: int, in_channels: int, image_size: tuple[int, int]) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(in_channels * image_size[0] * image_size[1], num_classes))


def train(weight=None, **settings) -> zoo.Run:
    options = {} if weight is None else {"criterion.weight": weight}
    return zoo.train(model=net, data=uneven(), options=options, **SMALL, **settings)


@pytest.mark.parametrize("criterion", ["cross_entropy", "focal", "multi_margin"])
def test_balanced_weights_are_the_inverse_of_the_frequencies(criterion):
    """As scikit-learn defines them: all classes together weigh the same, and the samples' mean weight is 1."""
    run = train("balanced", criterion=criterion)
    total = sum(COUNTS.values())
    assert run.config.criterion.options["weight"] == pytest.approx([total / (3 * count) for count in COUNTS.values()])


def test_weights_by_name_leave_the_others_at_1():
    """In the order of the logits; what is recorded is what the same numbers would record."""
    run = train({"few": 5, "many": 0.5})
    assert run.config.criterion.options["weight"] == [0.5, 1.0, 5.0]
    assert run.summary["test_loss"] == train([0.5, 1.0, 5.0]).summary["test_loss"]
    assert run.summary["test_loss"] != train().summary["test_loss"]


def test_the_same_command_finds_its_run_again():
    """Though the record has numbers where the command has a word or names."""
    for weight in ("balanced", {"few": 5}):
        assert train(weight, out="run", restart=True).summary == train(weight, out="run").summary
    with pytest.raises(zoo.UsageError, match=r"criterion\.weight is \[1\.0, 1\.0, 5\.0\] there and 'off' here"):
        train(out="run")


def test_a_weight_for_no_class_and_a_word_that_is_none_are_refused():
    """With the name that was meant."""
    with pytest.raises(zoo.UsageError, match=r"no class named 'fwe'\. Did you mean 'few'"):
        train({"fwe": 5})
    with pytest.raises(zoo.UsageError, match="a table by class name, or 'balanced', not 'inverse'"):
        train("inverse")
    with pytest.raises(zoo.UsageError, match="is for a run, which knows the classes"):
        zoo.create("criteria", "cross_entropy", weight="balanced")


def test_balance_is_part_of_the_run_and_its_bits():
    """Other samples are seen, as many as before, and the same again."""
    first, again, plain = train(balance=1.0), train(balance=1.0), train()
    assert first.metrics[0].loss == again.metrics[0].loss != plain.metrics[0].loss
    assert first.summary["steps"] == plain.summary["steps"]
    assert first.config.train.balance == 1.0

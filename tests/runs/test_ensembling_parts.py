"""What an ensemble takes over from its members: their weights, and of their settings what judges them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from zoo.config import Choice, TrainSettings
from zoo.records.checkpoints import WHOLE
from zoo.runs.ensembling import _criterion, _settings, _weights


def test_how_one_member_was_trained_says_nothing_of_the_ensemble():
    """Only what evaluations and splits need is kept: and of the images held out what all have in common."""
    odd = TrainSettings(
        epochs=9,
        freeze=2,
        layer_decay=0.5,
        slices=4,
        shard_weights=True,
        ema=0.9,
        patience=1,
        eval_size=40,
        compile=True,
        checkpoint_activations=True,
        batch_size=7,
        precision="bf16",
        seed=3,
        eval_batch_size=50,
        threads=2,
        fold="1/3",
        split_by="class",
        select="loss",
    )
    kept = {"seed": 3, "eval_batch_size": 50, "threads": 2, "split_by": "class", "select": "loss"}
    off = {"tune": "off", "refit": "off"}
    assert _settings([odd, odd], odd, shared=True) == TrainSettings(**kept, **off, fold="1/3", precision="bf16")
    plain = TrainSettings(precision="fp32")
    assert _settings([odd, plain], odd, shared=False) == TrainSettings(**kept, **off, validation=0, precision="fp32")


def test_a_loss_that_is_not_over_a_softmax_gives_way():
    """Logarithms of probabilities, in a sigmoid, would be a loss of nothing; what members share stays otherwise."""
    plain, focal = Choice("torch/cross_entropy"), Choice("torch/focal", {"gamma": 3.0})
    for name in ("torch/bce", "torch/mse", "torch/multi_margin", "timm/binary_cross_entropy"):
        assert _criterion([Choice(name)] * 2) == plain
    assert _criterion([focal, Choice("torch/focal", {"gamma": 3.0})]) == focal
    assert _criterion([focal, Choice("torch/focal", {"gamma": 2.0})]) == plain


def test_heads_that_learnt_the_validation_images_are_kept_apart():
    """What is validated has the weights from before that; members without such have the same in both."""

    def checkpoint(validated: str, used: str) -> Any:
        return SimpleNamespace(
            validated_part=validated, weights_part=used, tensors=lambda name: {"w": f"{validated}'s {name}"}
        )

    plain, averaged = checkpoint("model", "model"), checkpoint("average", "average")
    refitted = checkpoint("model", WHOLE)
    assert _weights([plain, averaged]) == {
        "model": {"members.0.w": "model's model", "members.1.w": "average's average"}
    }
    assert _weights([plain, refitted]) == {
        "model": {"members.0.w": "model's model", "members.1.w": "model's model"},
        WHOLE: {"members.0.w": "model's model", "members.1.w": f"model's {WHOLE}"},
    }

"""What flows: datasets and their splits, the order of samples, batches, augmentation, transfer to the device."""

from zoo.data.batches import Batch, EvaluationBatches, TrainingBatches
from zoo.data.dataset import Dataset, ImageFacts, Split, TensorImages
from zoo.data.expects import Expects
from zoo.data.holding_out import choose_rule, hold_out, split_by_name, validation_count
from zoo.data.order import batch_spans, sample_order, share_of
from zoo.data.preparation import Preparation, on_device, resident
from zoo.data.splits import Subset, capped

__all__ = [
    "Batch",
    "Dataset",
    "EvaluationBatches",
    "Expects",
    "ImageFacts",
    "Preparation",
    "Split",
    "Subset",
    "TensorImages",
    "TrainingBatches",
    "batch_spans",
    "capped",
    "choose_rule",
    "hold_out",
    "on_device",
    "resident",
    "sample_order",
    "share_of",
    "split_by_name",
    "validation_count",
]

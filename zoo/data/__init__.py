"""What flows: datasets and their splits, the order of samples, batches, augmentation, transfer to the device."""

from zoo.data.batches import Batch, EvaluationBatches, TrainingBatches
from zoo.data.dataset import Dataset, ImageFacts, Split, TensorImages
from zoo.data.encoded import Encoded, EncodedImages, Streamed, is_cuttable, is_streamed
from zoo.data.expects import Expects
from zoo.data.folds import hold_out_fold
from zoo.data.holding import held, moved, sized
from zoo.data.holding_out import choose_rule, hold_out, split_by_name, validation_count
from zoo.data.image_files import ImageFiles
from zoo.data.order import batch_spans, sample_order, share_of
from zoo.data.packed import packed_dataset
from zoo.data.pictures import encoded_dataset
from zoo.data.preparation import Preparation, on_device, resident
from zoo.data.reading import Reader, read_batches
from zoo.data.splits import Subset, capped
from zoo.data.threads import reader_count

__all__ = [
    "Batch",
    "Dataset",
    "Encoded",
    "EncodedImages",
    "EvaluationBatches",
    "Expects",
    "ImageFacts",
    "ImageFiles",
    "Preparation",
    "Reader",
    "Split",
    "Streamed",
    "Subset",
    "TensorImages",
    "TrainingBatches",
    "batch_spans",
    "capped",
    "choose_rule",
    "encoded_dataset",
    "held",
    "hold_out",
    "hold_out_fold",
    "is_cuttable",
    "is_streamed",
    "moved",
    "on_device",
    "packed_dataset",
    "read_batches",
    "reader_count",
    "resident",
    "sample_order",
    "share_of",
    "sized",
    "split_by_name",
    "validation_count",
]

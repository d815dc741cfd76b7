"""What flows: datasets and their splits, the order of samples, batches, augmentation, transfer to the device."""

from zoo.data.dataset import Dataset, Split, TensorImages

__all__ = ["Dataset", "Split", "TensorImages"]

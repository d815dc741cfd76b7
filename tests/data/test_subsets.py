"""Parts of a split."""

from __future__ import annotations

import torch
from small_images import small_split

from zoo.data import Subset


def test_a_subset_of_a_subset_holds_the_images_that_were_asked_for():
    """Indices count within the part they are taken from, and the whole split is asked at once."""
    whole = small_split(50)
    turned = Subset(whole, torch.arange(49, -1, -1))
    few = Subset(turned, torch.tensor([3, 5, 9]))
    images, labels = few.batch(torch.tensor([2, 0]))
    assert torch.equal(images, whole.images[[40, 46]])
    assert torch.equal(labels, whole.labels[[40, 46]])
    assert torch.equal(few.labels, turned.labels[[3, 5, 9]])
    assert few.split is whole

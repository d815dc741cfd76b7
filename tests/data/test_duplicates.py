"""Images in two splits: each is found, whatever its size, and no other is."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from zoo.data import Split, Subset, TensorImages
from zoo.data.duplicates import EXAMPLES, Duplicates, duplicates


def split(images: torch.Tensor) -> TensorImages:
    return TensorImages(images, torch.zeros(len(images), dtype=torch.int64))


@given(st.lists(st.integers(0, 5), min_size=1, max_size=20), st.lists(st.integers(0, 5), min_size=1, max_size=20))
def test_each_image_that_is_in_both_is_found(ours: list[int], theirs: list[int]):
    """Of images of one pixel that are told by their shade."""
    one, other = (split(torch.tensor(part, dtype=torch.uint8).view(-1, 1, 1, 1)) for part in (ours, theirs))
    found = duplicates({"test": one}, other)["test"]
    assert found is not None
    assert found.count == sum(shade in theirs for shade in ours)
    assert all(ours[one] == theirs[other] for one, other in found.pairs)
    assert len(found.pairs) == min(EXAMPLES, found.count)


def test_one_pixel_makes_another_image():
    """At any place, in sizes that are multiples of eight bytes and others."""
    for side in (4, 5):
        images = torch.randint(0, 256, (40, 3, side, side), dtype=torch.uint8)
        changed = images.clone()
        for place in range(40):
            changed[place].view(-1)[place % changed[place].numel()] ^= 1
        assert duplicates({"test": split(changed)}, split(images)) == {"test": Duplicates(0, ())}


def test_places_are_the_dataset_s_own():
    """Of subsets, as the splits of a run are."""
    images = torch.arange(10, dtype=torch.uint8).view(-1, 1, 1, 1)
    ours, theirs = Subset(split(images), torch.tensor([7, 3])), Subset(split(images.flip(0)), torch.tensor([9, 2]))
    assert duplicates({"test": ours}, theirs) == {"test": Duplicates(1, ((7, 2),))}


def test_each_split_is_compared_by_itself():
    """More images than are looked at together, some of two splits."""
    images = torch.randint(0, 256, (300, 3, 64, 64), dtype=torch.uint8)
    others: dict[str, Split] = {
        "validation": split(images[[299, 0]]),
        "test": split(images[[150]]),
        "none": split(255 - images[:1]),
    }
    others |= {"few": Subset(split(images), torch.tensor([7])), "empty": split(images[:0])}
    assert duplicates(others, split(images)) == {
        "validation": Duplicates(2, ((0, 299), (1, 0))),
        "test": Duplicates(1, ((0, 150),)),
        "none": Duplicates(0, ()),
        "few": Duplicates(1, ((7, 7),)),
        "empty": Duplicates(0, ()),
    }


def test_what_is_not_in_memory_is_not_read():
    """Nothing is said of it."""

    class Streamed:
        labels = torch.zeros(3, dtype=torch.int64)

        def __len__(self) -> int:
            return 3

        def batch(self, indices: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            raise AssertionError("read")

    held = split(torch.zeros(1, 1, 1, 1, dtype=torch.uint8))
    assert duplicates({"test": Streamed(), "validation": held}, held) == {
        "test": None,
        "validation": Duplicates(1, ((0, 0),)),
    }
    assert duplicates({"test": held}, Streamed()) == {"test": None}

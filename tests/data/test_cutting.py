"""Parts of pictures, cut as they are read: the same whoever reads them, and those that the augmentation would take."""

from __future__ import annotations

import pytest
import torch
from PIL import Image
from small_photos import encoded, photographs, reading_threads
from torch import Tensor

import zoo
from zoo.data import Preparation, Reader, Subset, TrainingBatches
from zoo.data.augmentation import NEAR, Augmenter, Draws
from zoo.data.cutting import Cutting, checked_boxes, takes_parts
from zoo.data.order import visits
from zoo.errors import PluginError

SIZE = (12, 10)
LABELS = torch.arange(30) % 3


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return photographs(tmp_path_factory.mktemp("photographs"))


def cutting(seed: int = 5) -> Cutting:
    return Cutting(zoo.create("augmentations", "crop"), seed, SIZE)


def swap(inputs: Tensor, targets: Tensor, draws: Draws) -> tuple[Tensor, Tensor]:
    return draws.partners()


def epoch(split, readers: int, *, start: int = 0, accumulate: int = 1, changes=(swap,), balance=0.0) -> list[Tensor]:
    """Return the inputs of an epoch whose crops are cut by the readers."""
    reader = Reader(split, readers, remembered=NEAR, boxes=cutting())
    prepare = Preparation([0.5] * 3, [0.25] * 3)
    augment = Augmenter(
        [zoo.create("augmentations", "crop"), *changes],
        seed=5,
        num_samples=len(split),
        fetch=lambda epoch, indices: (prepare(reader.batch(epoch, indices)[0]), indices),
        near=lambda epoch: visits(5, epoch, split.labels, balance),
        begun=1,
    )
    batches = TrainingBatches(
        split, 7, seed=5, prepare=prepare, augment=augment, reader=reader, accumulate=accumulate, balance=balance
    )
    return [batch.inputs for window in batches.windows(2, start) for batch in window]


@pytest.mark.parametrize("changes", [(), (swap,)], ids=["alone", "mixed"])
@pytest.mark.parametrize(("accumulate", "balance"), [(1, 0.0), (3, 0.0), (1, 1.0)])
def test_any_number_of_readers_cuts_the_same_parts_from_any_step_on(root, accumulate, balance, changes):
    """Alone and mixed with partners that are cut as in their own place, some of them shown more often."""
    part = Subset(encoded(root), torch.arange(29, 2, -1))
    expected = epoch(part, 0, accumulate=accumulate, balance=balance, changes=changes)
    for readers, start in ((0, 1), (1, 0), (2, 1), (5, 0)):
        given = epoch(part, readers, start=start, accumulate=accumulate, balance=balance, changes=changes)
        assert len(given) == len(expected) - start * accumulate
        assert all(map(torch.equal, expected[start * accumulate :], given))
    assert reading_threads() == []


def test_a_visit_s_part_hangs_on_seed_epoch_and_index_alone():
    """In whichever batch it comes; another seed or epoch takes another part."""
    indices = torch.randperm(40, generator=torch.Generator().manual_seed(1))
    boxes = cutting()(3, indices)
    assert (boxes.dtype, tuple(boxes.shape)) == (torch.float64, (40, 4))
    assert torch.equal(boxes, torch.cat([cutting()(3, some) for some in indices.split(3)]))
    for others in (cutting()(4, indices), cutting(6)(3, indices)):
        assert (boxes != others).any(1).all()


def test_parts_are_those_that_the_augmentation_enlarges(tmp_path):
    """On a picture without detail, cut from the file or from the input, there is next to no difference."""
    ramps = torch.stack([torch.arange(240).expand(200, -1), torch.arange(200).unsqueeze(1).expand(-1, 240)]).byte()
    picture = torch.cat([ramps, ramps.new_zeros(1, 200, 240)]).permute(1, 2, 0).contiguous()
    Image.fromarray(picture.numpy()).save(tmp_path / "ramps.png")
    split = zoo.EncodedImages(zoo.ImageFiles(tmp_path, ["ramps.png"] * 20), LABELS[:20], channels=3, size=(50, 60))
    crop, indices = zoo.create("augmentations", "crop", smallest=0.2), torch.arange(20)
    whole = split.batch(indices)[0].float()
    enlarged = Augmenter([crop], seed=5, num_samples=20, fetch=lambda *_: (whole, indices))(whole, indices, 1, indices)[
        0
    ]
    found, _ = Reader(split, boxes=Cutting(crop, 5, (50, 60))).batch(1, indices)
    assert (found - enlarged)[:, :, 3:-3, 3:-3].abs().max() < 5  # it blends in what lies beside the part
    assert (found - whole).abs().amax((1, 2, 3)).min() > 10


def test_only_what_takes_parts_and_nothing_else_is_cut():
    """A crop does, and mirroring does not."""
    assert takes_parts(zoo.create("augmentations", "crop"))
    assert not takes_parts(zoo.create("augmentations", "flip"))
    assert not takes_parts(swap)


@pytest.mark.parametrize(
    "boxes",
    [[0.0, 0.0, 0.5], [-0.1, 0.0, 1.0, 1.0], [0.0, 0.2, 1.0, 0.9], [0.5, 0.5, 0.0, 0.5], [0.0, 0.0, float("nan"), 1.0]],
)
def test_boxes_beyond_the_image_are_the_plugins_fault(boxes):
    """It is named, and what it gave."""

    class Odd:
        def boxes(self, draws, size):
            return torch.tensor([boxes]).expand(len(draws), -1)

    with pytest.raises(PluginError, match=r"augmentation Odd must give boxes \(2, 4\), each top, left, height"):
        Cutting(Odd(), 0, SIZE)(0, torch.arange(2))


def test_rounding_at_the_edges_is_forgiven():
    """And cut off."""
    boxes = torch.tensor([[-1e-8, 0.25, 1.0, 0.75 + 1e-7]], dtype=torch.float64)
    assert checked_boxes(swap, boxes, 1).tolist() == [[0.0, 0.25, 1.0, 0.75]]


def test_a_damaged_file_is_named_whichever_part_is_wanted(root, tmp_path):
    """As where all of it is read."""
    split = encoded(photographs(tmp_path, train=6, test=0))
    path = tmp_path / split.names[2]
    path.write_bytes(path.read_bytes()[:200])
    for readers in (0, 2):
        with pytest.raises(zoo.DamagedError, match=path.name):
            epoch(split, readers, changes=())
    assert reading_threads() == []

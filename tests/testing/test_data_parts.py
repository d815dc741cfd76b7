"""The contract of datasets and augmentations, and which faults it finds."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
import torch
from entry_of import entry_of
from torch import Tensor

import zoo
from zoo.testing import ContractError, ContractWarning, augmentations, datasets


def images(count: int, seed: int = 0) -> Tensor:
    """Return noisy images, uint8 (count, 1, 12, 12)."""
    return torch.randint(256, (count, 1, 12, 12), dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))


def data(**changes: Any) -> zoo.Dataset:
    """Return a sound dataset with some of its parts replaced."""
    parts: dict[str, Any] = {
        "train": zoo.TensorImages(images(60), torch.arange(60) % 3),
        "test": zoo.TensorImages(images(30, seed=1), torch.arange(30) % 3),
        "classes": ("auk", "gull", "tern"),
        "mean": [0.5],
        "std": [0.3],
    }
    return zoo.Dataset(**{**parts, **changes})


class Split(zoo.TensorImages):
    """A split whose batches may be changed."""

    def __init__(self, change: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]], count: int = 60) -> None:
        super().__init__(images(count), torch.arange(count) % 3)
        self.change = change

    def batch(self, indices: Tensor) -> tuple[Tensor, Tensor]:
        return self.change(*super().batch(indices))


def dataset(made: zoo.Dataset) -> Any:
    """Return an entry that builds this dataset."""

    def builder() -> zoo.Dataset:
        return made

    return entry_of("datasets", builder)


@pytest.mark.parametrize("check", datasets.CHECKS.values(), ids=lambda check: check.__name__)
def test_a_sound_dataset_passes(check: Callable[[Any], Any]) -> None:
    """Two splits in memory with three classes."""
    check(dataset(data()))


@pytest.mark.parametrize(
    ("check", "changes", "seen"),
    [
        (datasets.check_images, {"train": Split(lambda x, y: (x.float(), y))}, "torch.float32 (4, 1, 12, 12)"),
        (datasets.check_images, {"train": Split(lambda x, y: (x.flip(0), y))}, "others than when each"),
        (
            datasets.check_images,
            {"test": zoo.TensorImages(images(6).repeat(1, 1, 2, 2), torch.arange(6) % 3)},
            "24, 24",
        ),
        (datasets.check_labels, {"classes": ("auk", 1, "tern")}, "['auk', 1, 'tern']"),
        (datasets.check_labels, {"train": Split(lambda x, y: (x, y * 0))}, "the labels that train.labels has"),
        (datasets.check_disjoint, {"test": zoo.TensorImages(images(60), torch.arange(60) % 3)}, "60 of 60 test images"),
    ],
)
def test_a_faulty_dataset_is_found(check: Callable[[Any], Any], changes: dict[str, Any], seen: str) -> None:
    """Each fault has its own words, and two lines."""
    with pytest.raises(ContractError) as caught:
        check(dataset(data(**changes)))
    assert seen in str(caught.value)
    assert len(str(caught.value).splitlines()) == 2


def test_a_dataset_that_is_another_each_time_is_found() -> None:
    """No run with it could go on: the images would never be those that it began with."""
    seeds = iter(range(9))

    def builder() -> zoo.Dataset:
        return data(train=zoo.TensorImages(images(60, seed=next(seeds)), torch.arange(60) % 3))

    with pytest.raises(ContractError, match="training images: other pixels"):
        datasets.check_known_again(entry_of("datasets", builder))


def test_names_that_are_not_one_for_each_image_are_found() -> None:
    """As those of a whole where a part was taken."""
    split = Split(lambda x, y: (x, y))
    split.names = ["a", "b"]
    with pytest.raises(ContractError, match=r"expected 60 train\.names"):
        datasets.check_known_again(dataset(data(train=split)))


class Unsafe:
    """A split that streams, and keeps what it reads at the moment where other threads find it."""

    partners, shape = "near", (1, 12, 12)

    def __init__(self) -> None:
        self.labels = torch.arange(60) % 3
        self.images = images(60)

    def __len__(self) -> int:
        return 60

    def batch(self, indices: Tensor) -> tuple[Tensor, Tensor]:
        return self.images[indices], self.labels[indices]

    def read_into(self, room: Tensor, indices: Tensor) -> None:
        for image, index in zip(room, indices, strict=True):
            self.at = index
            time.sleep(0.001)
            image.copy_(self.images[self.at])


def test_a_split_that_threads_cannot_read_is_found() -> None:
    """Two of them would be given each other's images."""
    with pytest.raises(ContractError, match="in four threads at once") as caught:
        datasets.check_streaming(dataset(data(train=Unsafe())))
    assert len(str(caught.value).splitlines()) == 2


def test_a_single_shared_image_is_a_warning() -> None:
    """Well-known datasets have some; a contract that refuses them would help nobody."""
    mixed = torch.cat([images(29, seed=1), images(1)])
    with pytest.warns(ContractWarning, match="1 of 30 test images are training images"):
        datasets.check_disjoint(dataset(data(test=zoo.TensorImages(mixed, torch.arange(30) % 3))))


def test_a_class_without_images_is_a_warning() -> None:
    """It may be meant."""
    with pytest.warns(ContractWarning, match="train has no image of 1 of the 4 classes"):
        datasets.check_labels(
            dataset(data(classes=("a", "b", "c", "d"), test=zoo.TensorImages(images(4), torch.arange(4))))
        )


def noise(inputs: Tensor, targets: Tensor, draws: zoo.Draws) -> tuple[Tensor, Tensor]:
    """Add noise from the draws, as one should."""
    return inputs + draws.normal(*inputs.shape[1:]), targets


def global_noise(inputs: Tensor, targets: Tensor, draws: zoo.Draws) -> tuple[Tensor, Tensor]:
    """Add noise from torch's own generator."""
    return inputs + torch.randn_like(inputs), targets


def centred(inputs: Tensor, targets: Tensor, draws: zoo.Draws) -> tuple[Tensor, Tensor]:
    """Subtract the mean of the batch."""
    return inputs - inputs.mean() + draws.uniform(1, 1, 1), targets


def in_place(inputs: Tensor, targets: Tensor, draws: zoo.Draws) -> tuple[Tensor, Tensor]:
    """Overwrite what is given."""
    return inputs.add_(draws.uniform(1, 1, 1)), targets


def soft_in_secret(inputs: Tensor, targets: Tensor, draws: zoo.Draws) -> tuple[Tensor, Tensor]:
    """Return soft targets without saying so."""
    return noise(inputs, torch.nn.functional.one_hot(targets, 5).float(), draws)


def divides(inputs: Tensor, targets: Tensor, draws: zoo.Draws) -> tuple[Tensor, Tensor]:
    """Divide by what may be 0."""
    return inputs / (draws.uniform(1, 1, 1) * 0), targets


def idle(inputs: Tensor, targets: Tensor, draws: zoo.Draws) -> tuple[Tensor, Tensor]:
    """Do nothing."""
    return inputs.clone(), targets


def every_epoch_alike(inputs: Tensor, targets: Tensor, draws: zoo.Draws) -> tuple[Tensor, Tensor]:
    """Mirror every image, always."""
    return inputs.flip(-1), targets


class Parts:
    """Enlarges the upper left quarter."""

    def __call__(self, inputs: Tensor, targets: Tensor, draws: zoo.Draws) -> tuple[Tensor, Tensor]:
        return inputs.clone(), targets

    def boxes(self, draws: zoo.Draws, size: tuple[int, int]) -> Tensor:
        return torch.tensor([0.0, 0.0, 0.5, 0.5]).expand(len(draws), 4)


class Reaching(Parts):
    """Takes a part that is not in the image."""

    def boxes(self, draws: zoo.Draws, size: tuple[int, int]) -> Tensor:
        return super().boxes(draws, size) + 0.6


class Counting(Parts):
    """Takes a part that hangs on the size of the batch."""

    def boxes(self, draws: zoo.Draws, size: tuple[int, int]) -> Tensor:
        return super().boxes(draws, size) / len(draws)


def test_sound_parts_pass() -> None:
    """And what takes none is not asked."""
    augmentations.check_parts(augmentation(Parts()))
    augmentations.check_parts(augmentation(noise))


def augmentation(function: Callable[..., Any]) -> Any:
    """Return an entry that builds this augmentation."""

    def builder() -> Callable[..., Any]:
        return function

    return entry_of("augmentations", builder)


@pytest.mark.parametrize("check", augmentations.CHECKS.values(), ids=lambda check: check.__name__)
def test_a_sound_augmentation_passes(check: Callable[[Any], Any]) -> None:
    """Noise from the draws alone."""
    check(augmentation(noise))


@pytest.mark.parametrize(
    ("check", "function", "seen"),
    [
        (augmentations.check_purity, global_noise, "in batches of 1"),
        (augmentations.check_purity, centred, "in batches of"),
        (augmentations.check_batches, in_place, "as they were; saw other values"),
        (augmentations.check_batches, soft_in_secret, "soft_targets = True"),
        (augmentations.check_batches, divides, "nan or infinity"),
        (augmentations.check_variety, idle, "the given ones"),
        (augmentations.check_variety, every_epoch_alike, "the same in both epochs"),
        (augmentations.check_parts, Reaching(), "must give boxes (28, 4)"),
        (augmentations.check_parts, Counting(), "another in batches of 3"),
    ],
)
def test_a_faulty_augmentation_is_found(check: Callable[[Any], Any], function: Callable[..., Any], seen: str) -> None:
    """Each fault has its own words, and two lines."""
    with pytest.raises(ContractError) as caught:
        check(augmentation(function))
    assert seen in str(caught.value)
    assert len(str(caught.value).splitlines()) == 2


class Showing:
    """Noise that shows these views of images."""

    def __init__(self, views: Callable[[Tensor], Any]) -> None:
        self.views = views

    def __call__(self, inputs: Tensor, targets: Tensor, draws: zoo.Draws) -> tuple[Tensor, Tensor]:
        return noise(inputs, targets, draws)


def test_sound_views_pass() -> None:
    """The image itself, and mirrored."""
    augmentations.check_views(augmentation(Showing(lambda x: [x, x.flip(3)])))


@pytest.mark.parametrize(
    ("views", "seen"),
    [
        (lambda x: [], "another first view"),
        (lambda x: [x.flip(3), x], "another first view"),
        (lambda x: [x.add_(1), x], "the inputs changed"),
        (lambda x: [x, x[..., 1:]], "another shape or type"),
        (lambda x: [x, x.double()], "another shape or type"),
        (lambda x: [x, x - x.mean()], "other views of an image in another batch"),
        (lambda x: [x, x + torch.rand(())], "other views of an image in another batch"),
    ],
)
def test_faulty_views_are_found(views: Callable[[Tensor], Any], seen: str) -> None:
    """In two lines, of which the second says how to mend them."""
    with pytest.raises(ContractError, match=seen) as caught:
        augmentations.check_views(augmentation(Showing(views)))
    assert str(caught.value).splitlines()[1].endswith("of their shape, without random numbers.")

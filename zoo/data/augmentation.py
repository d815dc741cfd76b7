"""Random changes to training batches, each a pure function of (seed, epoch, sample index).

No generator is advanced here. Every number is a hash of where it is used, so a sample is changed in the same way
in whichever batch it comes, however many workers prepare it, and after an interruption.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from zoo.data.order import Order
from zoo.errors import PluginError

Augmentation = Callable[[Tensor, Tensor, "Draws"], tuple[Tensor, Tensor]]
"""Maps inputs (B, C, H, W), floating, targets, (B,) int64 or (B, K) floating, and `Draws` to inputs and targets.

It returns new tensors. One whose targets come out soft, (B, K), has the attribute ``soft_targets = True``, so that
zoo can refuse a criterion that does not take them.

One that does nothing but enlarge a part of each image to the whole may have a method ``boxes(draws, size)``, which
returns these parts, floating (B, 4): top, left, height and width, as shares of the input of *size*, (H, W). Where it
comes first, the parts are cut from the pictures in their files, with all their detail, and it is not called.
"""

Fetch = Callable[[int, Tensor], tuple[Tensor, Tensor]]
"""Maps an epoch and sample indices, int64 (B,), on the device of the indices that the `Augmenter` was called with, to
prepared inputs and their targets."""

_GOLDEN = 0x9E3779B97F4A7C15 - 2**64
_MULTIPLIERS = (0xBF58476D1CE4E5B9 - 2**64, 0x94D049BB133111EB - 2**64)
_PARTNER = "partner"

NEAR = 64
"""Places of an epoch's order by which a partner comes earlier at most, where partners are near."""


class Draws:
    """Random numbers for one augmentation of one batch.

    Sample i's numbers depend on the key and on i alone, never on the rest of the batch. Each call continues where
    the one before stopped, so an augmentation must make the same calls with the same shapes for every batch.

    Args:
        key: What the numbers depend on besides the sample: seed, epoch and place, as text.
        indices: The samples, int64 (B,).
        device: Where the numbers are wanted.
        fetch: Maps the samples' indices to other samples' inputs and targets, for `partners`.

    Source: SplitMix64, Steele, Lea and Flood 2014, here with one stream a sample.
    """

    def __init__(
        self, key: str, indices: Tensor, device: torch.device | str, fetch: Callable[[Tensor], tuple[Tensor, Tensor]]
    ) -> None:
        self._state = _sample_keys(key, indices.to(device, non_blocking=True)).unsqueeze(1)
        self._indices = indices
        self._fetch = fetch
        self._used = 0

    @property
    def device(self) -> torch.device:
        """Where the numbers are made."""
        return self._state.device

    def __len__(self) -> int:
        """The number of samples, B."""
        return len(self._state)

    def uniform(self, *shape: int) -> Tensor:
        """Return numbers in [0, 1), multiples of 2**-24, float32 (B, *shape)."""
        return _shift_right(self._bits(shape), 40).to(torch.float32).mul_(2.0**-24)

    def normal(self, *shape: int) -> Tensor:
        """Return standard normal numbers, float32 (B, *shape), by Box and Muller's method."""
        radius = self.uniform(*shape).neg_().add_(1.0).log_().mul_(-2.0).sqrt_()
        return radius.mul_(self.uniform(*shape).mul_(2 * math.pi).cos_())

    def integers(self, high: int, *shape: int) -> Tensor:
        """Return whole numbers from 0 to below *high*, at least 1, int64 (B, *shape)."""
        return _shift_right(self._bits(shape), 1).remainder_(high)

    def partners(self) -> tuple[Tensor, Tensor]:
        """Return another training sample for each sample: inputs (B, C, H, W) and targets, (B,) or (B, K).

        Each is as it reaches this place of the list in this epoch, changed by the augmentations before. A second
        call returns the same again.
        """
        return self._fetch(self._indices)

    def _bits(self, shape: Sequence[int]) -> Tensor:
        """Return the next hashes, int64 (B, *shape), every bit of which is random."""
        count = math.prod(shape)
        counters = torch.arange(self._used + 1, self._used + count + 1, device=self.device)
        self._used += count
        return _mix(self._state + counters.mul_(_GOLDEN)).view(len(self), *shape)


class Augmenter:
    """Augmentations, one after the other.

    Args:
        augmentations: In the order in which they are applied.
        seed: The run's seed.
        num_samples: Training samples there are; indices are from 0 to below it.
        fetch: How partners are read: maps an epoch and indices to inputs and targets, prepared like the batch.
        near: Returns the order of an epoch's visits where a partner is to be one of a few places earlier, so that it
            was read just now; None where it is any sample.
        begun: How many of the augmentations, the first ones, were done as the images were read.
    """

    def __init__(
        self,
        augmentations: Sequence[Augmentation],
        *,
        seed: int,
        num_samples: int,
        fetch: Fetch,
        near: Callable[[int], Order] | None = None,
        begun: int = 0,
    ) -> None:
        self._augmentations = tuple(augmentations)
        self._begun = begun
        self._seed = seed
        self._num_samples = num_samples
        self._fetch = fetch
        self._near = near
        self._order: tuple[int, Order] | None = None

    @property
    def soft_targets(self) -> bool:
        """Whether targets come out as (B, K), floating."""
        return any(getattr(augmentation, "soft_targets", False) for augmentation in self._augmentations)

    def __call__(self, inputs: Tensor, targets: Tensor, epoch: int, indices: Tensor) -> tuple[Tensor, Tensor]:
        """Return the batch, augmented, in the same memory layout.

        Args:
            inputs: (B, C, H, W), floating, normalised.
            targets: (B,) int64, on the inputs' device.
            epoch: Counted from 0.
            indices: int64 (B,), of the samples; on the inputs' device, or where the samples are read.

        Raises:
            PluginError: If an augmentation returns another shape or type than its kind's contract allows.
        """
        changed, targets = self._through(len(self._augmentations), inputs, targets, epoch, indices)
        if changed.stride() != inputs.stride():
            # Resampling forgets channels_last, and the model's convolutions would each convert on their own.
            changed = torch.empty_like(inputs).copy_(changed)
        return changed, targets

    def _through(
        self, stop: int, inputs: Tensor, targets: Tensor, epoch: int, indices: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Apply the augmentations before place *stop*."""
        for place in range(self._begun, stop):
            draws = self._draws(place, epoch, indices, inputs.device)
            augmentation = self._augmentations[place]
            changed, soft = augmentation(inputs, targets, draws)
            _check(augmentation, inputs, changed, soft)
            inputs, targets = changed, soft
        return inputs, targets

    def _draws(self, place: int, epoch: int, indices: Tensor, device: torch.device) -> Draws:
        key = key_of(self._seed, epoch, place)

        def partners(indices: Tensor) -> tuple[Tensor, Tensor]:
            others = self._others(f"{key}/{_PARTNER}", epoch, indices)
            return self._through(place, *self._fetch(epoch, others), epoch, others)

        return Draws(key, indices, device, partners)

    def _others(self, key: str, epoch: int, indices: Tensor) -> Tensor:
        """Return an index other than its own for each sample; its own only where there is no other."""
        others = max(1, self._num_samples - 1)
        steps = _shift_right(_sample_keys(key, indices), 1)
        if self._near is not None:
            order = self._order_of(epoch, self._near)
            earlier = order.places_of(indices) - steps.remainder_(min(NEAR, others)).add_(1)
            return order.at(earlier.remainder_(self._num_samples))
        return steps.remainder_(others).add_(1).add_(indices).remainder_(self._num_samples)

    def _order_of(self, epoch: int, near: Callable[[int], Order]) -> Order:
        if self._order is None or self._order[0] != epoch:
            self._order = epoch, near(epoch)
        return self._order[1]


def key_of(seed: int, epoch: int, place: int) -> str:
    """Return what the numbers of the augmentation at a *place* of the list depend on besides the sample."""
    return f"augment/{seed}/{epoch}/{place}"


def name_of(augmentation: Augmentation) -> str:
    """Return how messages name an augmentation."""
    return str(getattr(augmentation, "__name__", type(augmentation).__name__))


def _check(augmentation: Augmentation, given: Tensor, inputs: Tensor, targets: Tensor) -> None:
    """Raise a `PluginError` for a result that the loop cannot use. Shapes alone are read: no device is awaited."""
    name = name_of(augmentation)
    if inputs.shape != given.shape or inputs.dtype != given.dtype:
        raise PluginError(
            f"augmentation {name} turned inputs {tuple(given.shape)} {given.dtype} into "
            f"{tuple(inputs.shape)} {inputs.dtype}; it must keep shape and type"
        )
    hard = targets.ndim == 1 and targets.dtype == torch.int64
    soft = targets.ndim == 2 and targets.is_floating_point()
    if len(targets) != len(given) or not (hard or soft):
        raise PluginError(
            f"augmentation {name} returned targets {tuple(targets.shape)} {targets.dtype} for {len(given)} "
            "inputs; they must be (B,) int64 or (B, K) floating"
        )


def _sample_keys(key: str, indices: Tensor) -> Tensor:
    """Return one hash for each sample, int64 (B,): distinct for distinct indices."""
    digest = hashlib.sha256(key.encode()).digest()
    return _mix(indices * _GOLDEN + int.from_bytes(digest[:8], "big", signed=True))


def _mix(state: Tensor) -> Tensor:
    """Scramble *state*, int64, in place. Products wrap around at 64 bits, as SplitMix64 wants.

    Source: the finaliser of SplitMix64, Stafford's variant 13.
    """
    for shift, multiplier in zip((30, 27), _MULTIPLIERS, strict=True):
        state.bitwise_xor_(_shift_right(state, shift)).mul_(multiplier)
    return state.bitwise_xor_(_shift_right(state, 31))


def _shift_right(bits: Tensor, count: int) -> Tensor:
    """Shift int64 *bits* and fill with zeros; torch's own shift repeats the sign."""
    return (bits >> count).bitwise_and_((1 << (64 - count)) - 1)

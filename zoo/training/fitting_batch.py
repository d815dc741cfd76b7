"""Which batch fits into a device's memory, once one did not."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from zoo.training.evaluation import evaluating

Work = Callable[[int], None]
"""Does what a batch of so many images takes."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether a device, or a CPU's allocator, had no memory left."""
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or "DefaultCPUAllocator" in str(error)


def is_one_image_under_batch_norm(error: ValueError) -> bool:
    """Whether batch norm was to train on a single image, whose statistics it cannot take."""
    return "more than 1 value per channel" in str(error)


def largest_fitting(work: Work, most: int) -> int:
    """Return *most*, or a half of it, a quarter and so on: the first with which *work* has memory enough; 0 for none.

    Call it when the tensors of what failed are gone: an exception that is being handled holds them by its traceback.
    """
    count = most
    while count:
        if _works(work, count):
            return count
        count //= 2
    return 0


def _works(work: Work, count: int) -> bool:
    if torch.cuda.is_available():
        torch.cuda.empty_cache()  # what is kept in pieces of another size
    try:
        work(count)
    except (RuntimeError, MemoryError) as error:  # torch's OutOfMemoryError is a RuntimeError
        if not is_out_of_memory(error):
            raise
        return False
    except ValueError as error:
        if not is_one_image_under_batch_norm(error):
            raise
        return False
    return True


def training_work(
    forward: nn.Module, criterion: Callable[[Tensor, Tensor], Tensor], image: Tensor, *, begun: bool
) -> Work:
    """Return what a training step does with a batch of blank images, but for the step itself.

    Args:
        forward: Maps inputs to logits.
        criterion: Maps logits and labels to the mean loss.
        image: An input, (1, C, H, W), of the batch's type, layout and device.
        begun: Whether the optimizer has taken a step; if not, room is left for two tensors beside each parameter.
    """

    def work(count: int) -> None:
        parameters = [parameter for parameter in forward.parameters() if parameter.requires_grad]
        room = [] if begun else [torch.empty_like(parameter) for parameter in parameters for _ in range(2)]
        inputs = torch.empty_like(image.expand(count, -1, -1, -1)).zero_()
        labels = torch.zeros(count, dtype=torch.int64, device=image.device)
        forward.train()
        criterion(forward(inputs), labels).backward()  # type: ignore[no-untyped-call]
        forward.zero_grad()
        del room

    return work


def evaluation_work(forward: nn.Module, image: Tensor) -> Work:
    """Return what an evaluation does with a batch of blank images."""

    def work(count: int) -> None:
        with evaluating(forward):
            forward(torch.empty_like(image.expand(count, -1, -1, -1)).zero_())

    return work

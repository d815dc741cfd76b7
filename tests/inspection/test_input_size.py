"""The size to which images are resized for a model, and whether a model looks at every pixel."""

from __future__ import annotations

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

import zoo
from zoo.inspection.input_size import check_input_size, sides_from
from zoo.inspection.reach import EveryPixel, LeftOutError


def patches(size: int, *, channels: int = 1) -> nn.Module:
    """A classifier over square patches, as a vision transformer begins."""
    return nn.Sequential(
        nn.Conv2d(channels, 4, size, stride=size), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)
    )


def smallest(model_on: object, image_size: tuple[int, int], **options: object) -> tuple[int, int]:
    return zoo.smallest_input_size(model_on, image_size, in_channels=1, **options)  # type: ignore[arg-type]


def test_a_model_that_takes_the_images_keeps_their_size():
    """Nothing is resized where nothing has to be."""
    assert smallest(lambda _: patches(4), (28, 20)) == (28, 20)


def test_patches_that_leave_pixels_out_ask_for_the_next_multiple():
    """28 pixels hold one patch of 16 and 12 pixels that nobody would look at."""
    assert smallest(lambda _: patches(16), (28, 28)) == (32, 32)
    assert smallest(lambda _: patches(14), (30, 30)) == (42, 42)


def test_rows_and_columns_are_chosen_apart():
    """A wide image stays wide."""
    assert smallest(lambda _: patches(8), (20, 60)) == (24, 64)


def test_a_model_for_squares_gets_the_longer_side():
    """A rectangle which the model refuses becomes the square around it."""

    def squares(size: tuple[int, int]) -> nn.Module:
        if size[0] != size[1]:
            raise ValueError("squares only")
        return patches(8)

    assert smallest(squares, (20, 60)) == (64, 64)


def test_too_many_halvings_ask_for_a_larger_size():
    """Five poolings of two need 32 pixels."""
    layers = [nn.MaxPool2d(2) for _ in range(5)]
    model = nn.Sequential(nn.Conv2d(1, 3, 3, padding=1), *layers, nn.AdaptiveAvgPool2d(1), nn.Flatten())
    assert smallest(lambda _: model, (28, 28)) == (32, 32)


def test_a_far_smallest_size_is_found_by_halving():
    """The number of tries grows slowly with the distance, and the result is still the smallest."""
    sizes: list[int] = []
    model = nn.Sequential(nn.Conv2d(1, 3, 200), nn.AdaptiveAvgPool2d(1), nn.Flatten())

    def build(size: tuple[int, int]) -> nn.Module:
        sizes.append(size[0])
        return model

    assert smallest(build, (28, 28)) == (200, 200)
    assert len(sizes) < 40


def test_odd_sides_are_found_where_no_even_one_works():
    """A valid convolution of 3 with stride 2 loses the last row of an even side."""
    model = nn.Sequential(nn.Conv2d(1, 3, 3, stride=2), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    assert smallest(lambda _: model, (28, 28)) == (29, 29)


def test_no_size_is_one_line_that_says_why():
    """The user learns what the model said."""

    def never(size: tuple[int, int]) -> nn.Module:
        raise ValueError(f"cannot be built for {size[0]}")

    with pytest.raises(zoo.UsageError, match=r"no input size from 28 to 32 fits the model: cannot be built for 32"):
        smallest(never, (28, 28), sides=lambda side: range(side, side + 5))


def test_zoo_errors_of_the_builder_pass_through():
    """A wrong option is not taken for a wrong size."""

    def wrong(_: tuple[int, int]) -> nn.Module:
        raise zoo.UsageError("no such option")

    with pytest.raises(zoo.UsageError, match=r"^no such option$"):
        smallest(wrong, (28, 28))


@pytest.mark.parametrize("asked", [48, [48, 48], (48, 64)])
def test_a_size_that_is_asked_for_is_taken_if_it_works(asked: object):
    """A side stands for a square."""
    assert smallest(lambda _: patches(16), (28, 28), asked=asked) == ((48, 48) if asked == 48 else tuple(asked))


def test_a_size_that_does_not_work_is_refused_with_one_that_does():
    """The refusal can be followed."""
    with pytest.raises(zoo.UsageError, match=r"50 x 50 pixels as they are; input_size=\[64, 64\] works"):
        smallest(lambda _: patches(16), (28, 28), asked=50)


@pytest.mark.parametrize("asked", [0, -4, [3], [8, 8, 8], [8.0, 8], True])
def test_nonsense_for_a_size_is_refused(asked: object):
    """A size is one or two positive whole numbers."""
    with pytest.raises(zoo.UsageError, match="input_size must be a side or"):
        smallest(lambda _: patches(16), (28, 28), asked=asked)


def test_the_search_draws_no_random_numbers():
    """The weights that are drawn afterwards do not depend on how many sizes were tried."""
    torch.manual_seed(3)
    before = torch.get_rng_state()
    smallest(lambda _: nn.Sequential(nn.Dropout(), patches(16)), (28, 28))
    assert torch.equal(before, torch.get_rng_state())


def test_a_model_that_gives_no_logits_fails():
    """Feature maps and tuples are no logits."""
    with pytest.raises(ValueError, match=r"returns \(2, 1, 8, 8\), not logits"):
        check_input_size(lambda _: nn.Identity(), (8, 8), in_channels=1)


def test_sides_go_up_by_multiples_each_before_its_predecessors():
    """A network that takes 29 pixels is better off with 32."""
    assert list(sides_from(28, limit=36)) == [28, 32, 29, 30, 31, 36, 33, 34, 35]
    assert list(sides_from(30, limit=36)) == [30, 32, 31, 36, 33, 34, 35]


def layer(kind: str, kernel: int, stride: int, padding: int) -> nn.Module:
    padding = min(padding, kernel // 2)
    if kind == "conv":
        convolution = nn.Conv2d(1, 1, kernel, stride=stride, padding=padding, bias=False)
        nn.init.uniform_(convolution.weight, 0.5, 1.0)
        return convolution
    if kind == "average":
        return nn.AvgPool2d(kernel, stride, padding)
    if kind == "pad":
        return nn.ZeroPad2d((padding, kernel, 0, padding - kernel))
    return nn.ReflectionPad2d((0, padding, padding, 0))


layers = st.tuples(st.sampled_from(["conv", "average", "pad", "reflect"]), *[st.integers(1, 4)] * 2, st.integers(0, 2))


@settings(max_examples=200)
@given(st.lists(layers, min_size=1, max_size=5), st.integers(6, 24), st.integers(6, 24))
def test_what_shapes_tell_is_what_gradients_tell(stack: list[tuple[str, int, int, int]], height: int, width: int):
    """The last row or column is called lost exactly where its gradient is zero, for stacks of strided layers."""
    model = nn.Sequential(*[layer(*settings) for settings in stack])
    inputs = torch.ones(1, 1, height, width, requires_grad=True)
    try:
        outputs = model(inputs)
    except RuntimeError:  # the input shrank to less than a window
        return
    if not outputs.numel():
        return
    (gradient,) = torch.autograd.grad(outputs.sum(), inputs)
    lost = not gradient[..., -1, :].any() or not gradient[..., -1].any()
    assert _found_lost(model, height, width) == lost


def _found_lost(model: nn.Module, height: int, width: int) -> bool:
    inputs = torch.empty(1, 1, height, width, device="meta")
    with torch.no_grad():
        try:
            with EveryPixel(inputs) as seen:
                outputs: Tensor = model.to("meta")(inputs)
            seen.check(outputs)
        except LeftOutError:
            return True
    return False


def test_one_branch_that_sees_everything_is_enough():
    """A shortcut that skips pixels, as in every ResNet, does no harm beside a path that does not."""

    class Residual(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.path, self.shortcut = nn.Conv2d(1, 1, 3, 2, 1), nn.Conv2d(1, 1, 1, 2)

        def forward(self, inputs: Tensor) -> Tensor:
            return (self.path(inputs) + self.shortcut(inputs)).flatten(1)

    check_input_size(lambda _: nn.Sequential(nn.Identity(), Residual()), (9, 9), in_channels=1)
    check_input_size(lambda _: Residual(), (8, 8), in_channels=1)


def test_another_branch_may_see_what_the_patches_leave_out():
    """Patches of 16 beside a plain convolution, both over the images: 28 pixels are all looked at."""

    class TwoBranches(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.patches, self.pixels = nn.Conv2d(1, 2, 16, stride=16), nn.Conv2d(1, 2, 3)

        def forward(self, inputs: Tensor) -> Tensor:
            return self.patches(inputs).mean((2, 3)) + self.pixels(inputs).mean((2, 3))

    check_input_size(lambda _: TwoBranches(), (28, 28), in_channels=1)


def test_shortcuts_on_meta_give_torchs_shapes():
    """Norms, sums and products have the shapes, types and gradients that torch's own rules give them."""
    from zoo.inspection.meta import Quick

    model = nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.SiLU(), nn.Flatten(2), nn.LayerNorm(36), nn.GELU(), nn.Linear(36, 5),
        nn.Softmax(-1), nn.Flatten(), nn.Linear(20, 3), nn.Sigmoid(),
    ).to("meta")  # fmt: skip
    seen = []
    for mode in (torch.no_grad, Quick):
        inputs = torch.empty(2, 1, 8, 8, device="meta", requires_grad=True)
        with mode(), torch.enable_grad():
            outputs = model(inputs)
            (outputs + outputs * 2 * outputs).sum().backward()
        assert inputs.grad is not None
        gradients = [parameter.grad.shape for parameter in model.parameters() if parameter.grad is not None]
        seen.append((outputs.shape, outputs.dtype, outputs.stride(), inputs.grad.shape, gradients))
        model.zero_grad()
    assert seen[0] == seen[1]
    assert len(seen[0][4]) == len(list(model.parameters()))


def test_a_norm_for_another_size_still_fails_on_meta():
    """What does not fit together is left to torch, which says so."""
    with pytest.raises(RuntimeError, match="normalized_shape"):
        check_input_size(lambda _: nn.Sequential(nn.LayerNorm([1, 7, 7]), nn.Flatten()), (8, 8), in_channels=1)


def test_unfolded_patches_that_leave_pixels_out_are_found():
    """A model may cut its patches by unfold in place of a convolution."""

    class Unfolded(nn.Module):
        def forward(self, inputs: Tensor) -> Tensor:
            return nn.functional.unfold(inputs * 2, 8, stride=8).mean(2)

    assert smallest(lambda _: Unfolded(), (28, 28)) == (32, 32)


def test_an_enclosing_meta_device_changes_nothing():
    """What adds in place is followed even where models are built without weights all around."""
    from zoo.inspection.meta import on_meta

    class Adds(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem = nn.Conv2d(1, 2, 3, padding=1)

        def forward(self, inputs: Tensor) -> Tensor:
            total = torch.zeros_like(inputs[:, :1, :1, :1]).expand(-1, 2, *inputs.shape[2:]).clone()
            total += self.stem(inputs)
            return total.mean((2, 3))

    with on_meta():
        check_input_size(lambda _: Adds(), (8, 8), in_channels=1)


@given(st.integers(1, 7), st.integers(1, 7), st.integers(0, 6), st.integers(1, 40))
@example(kernel=16, stride=16, padding=0, side=28)
def test_a_first_layer_s_window_tells_which_sides_may_suit(kernel: int, stride: int, padding: int, side: int):
    """As a gradient does: where windows leave no gaps, it reaches the last pixel if and only if the side may suit."""
    stride, padding = min(stride, kernel), min(padding, kernel - 1)
    fault = LeftOutError(0, (28, 28), (kernel, stride, padding))
    if side + 2 * padding < kernel:
        assert not fault.may_suit(side)
        return
    pixels = torch.ones(1, 1, side, requires_grad=True)
    torch.nn.functional.conv1d(pixels, torch.ones(1, 1, kernel), stride=stride, padding=padding).sum().backward()
    assert pixels.grad is not None
    assert fault.may_suit(side) == bool(pixels.grad[0, 0, -1] > 0)


@pytest.mark.parametrize(("axis", "told"), [(0, "last rows of 28"), (1, "last columns of 30")])
def test_what_is_left_out_is_told_by_its_axis_and_length(axis: int, told: str):
    """Without a window that is to blame, any other side may suit."""
    fault = LeftOutError(axis, (28, 30))
    assert str(fault) == f"the model would leave out the {told}"
    assert all(fault.may_suit(side) for side in (1, 28, 1024))

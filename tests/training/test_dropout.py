"""Dropout with numpy's random numbers: the same distribution as torch's, torch's generator as the only state."""

from __future__ import annotations

import threading

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from small_images import small_dataset
from torch import Tensor, nn
from torch.func import vmap

import zoo
from zoo.errors import UsageError
from zoo.training.arithmetic import choose_dropout_masks
from zoo.training.dropout import dropout_masks

CPU = torch.device("cpu")


def dropped(inputs: Tensor, p: float, *, seed: int = 0, source: str = "numpy", inplace: bool = False) -> Tensor:
    torch.manual_seed(seed)
    with dropout_masks(source):
        return nn.Dropout(p, inplace=inplace)(inputs)


@given(p=st.floats(0.0, 1.0), seed=st.integers(0, 2**40))
def test_it_zeroes_the_share_p_and_keeps_the_mean(p, seed):
    """Within six standard deviations of the binomial distribution, and one step of 1 / 65,536."""
    count = 40_000
    outputs = dropped(torch.ones(count), p, seed=seed)
    spread = 6 * (p * (1 - p) / count) ** 0.5 + 2**-16
    assert abs((outputs == 0).float().mean().item() - p) <= spread
    kept = outputs[outputs != 0]
    assert torch.allclose(kept, torch.full_like(kept, 1 / max(1 - p, 1e-9)), rtol=1e-3 if p < 0.98 else 0.5)


def test_the_expectation_is_exact_for_the_rounded_probability():
    """What is kept is divided by the probability of that, so that the mean of infinitely many masks is 1."""
    kept = dropped(torch.ones(1000, dtype=torch.float64), 0.1).max().item()
    assert kept == 65_536 / (65_536 - 6554)


def test_neighbours_rows_and_calls_are_independent():
    """Correlations of 400,000 pairs of masks, of which one standard deviation is 0.0016."""
    torch.manual_seed(0)
    with dropout_masks("numpy"):
        first, second = (nn.functional.dropout(torch.ones(500, 801), 0.5) - 1 for _ in range(2))
    pairs = [(first[:, 1:], first[:, :-1]), (first[1:], first[:-1]), (first[:, 4:], first[:, :-4]), (first, second)]
    assert all(abs((one * other).mean().item()) < 0.01 for one, other in pairs)


@pytest.mark.parametrize("inplace", [False, True])
def test_the_gradient_is_the_mask(inplace):
    """As with torch's: zero where the output is zero, scaled where it is kept."""
    inputs = torch.ones(50, 7, requires_grad=True)
    outputs = dropped(inputs.clone(), 0.25, inplace=inplace)
    outputs.sum().backward()
    assert torch.equal(inputs.grad, outputs.detach())


def test_the_same_generator_state_gives_the_same_mask_and_moves_on():
    """Nothing but torch's generator is to be saved and restored."""
    inputs = torch.ones(9, 11)
    torch.manual_seed(3)
    with dropout_masks("numpy"):
        state = torch.get_rng_state()
        first = nn.functional.dropout(inputs)
        second = nn.functional.dropout(inputs)
        torch.set_rng_state(state)
        again = nn.functional.dropout(inputs)
    assert torch.equal(first, again)
    assert not torch.equal(first, second)


def test_the_number_of_threads_changes_nothing():
    """The numbers are drawn in one thread."""
    before, masks = torch.get_num_threads(), []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            masks.append(dropped(torch.ones(300, 300), 0.3))
    finally:
        torch.set_num_threads(before)
    assert torch.equal(*masks)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16])
def test_type_and_layout_are_the_inputs(dtype):
    """A mask laid out otherwise would make each product slow."""
    images = torch.ones(4, 3, 6, 5, dtype=dtype).to(memory_format=torch.channels_last)
    outputs = dropped(images, 0.5)
    assert outputs.dtype == dtype
    assert outputs.is_contiguous(memory_format=torch.channels_last)
    assert set(outputs.unique().tolist()) == {0.0, 2.0}
    strided = dropped(torch.ones(8, 10, dtype=dtype)[:, ::3], 0.5)
    assert strided.shape == (8, 4)


@pytest.mark.parametrize("shape", [(), (1,), (0, 3), (5,), (2, 3, 1)])
def test_any_shape(shape):
    """Also one whose elements are no multiple of the four that a number decides."""
    outputs = dropped(torch.ones(shape), 0.5)
    assert outputs.shape == shape
    assert set(outputs.flatten().tolist()) <= {0.0, 2.0}


@pytest.mark.filterwarnings("ignore:.*nested tensors")
def test_what_is_not_its_business_stays_torchs():
    """Evaluation, the ends of the range, errors, other devices, tensors of other kinds."""

    class Tagged(Tensor):
        pass

    inputs = torch.randn(4, 5)
    with dropout_masks("numpy"):
        assert nn.Dropout(0.5).eval()(inputs) is inputs
        assert torch.equal(nn.functional.dropout(inputs, 0.0), inputs)
        assert not nn.functional.dropout(inputs, 1.0).any()
        assert nn.functional.dropout(inputs.to("meta")).device.type == "meta"
        assert type(nn.functional.dropout(inputs.as_subclass(Tagged))) is Tagged
        assert nn.functional.dropout(torch.nested.nested_tensor([inputs, inputs[:2]])).is_nested
        with pytest.raises(ValueError, match="between 0 and 1"):
            nn.functional.dropout(inputs, 1.5)


def test_a_models_vmap_has_torchs_masks():
    """It alone knows which of the images that it hides are to have masks of their own."""
    inputs = torch.ones(6, 50)
    with dropout_masks("numpy"):
        same, different = (vmap(nn.functional.dropout, randomness=kind)(inputs) for kind in ("same", "different"))
    assert torch.equal(same, same[:1].expand(6, 50))
    assert not torch.equal(different, different[:1].expand(6, 50))


def test_torchs_function_is_back_after_it():
    """Also after an error."""
    own = nn.functional.dropout
    with dropout_masks("numpy"):
        assert nn.functional.dropout is not own
    assert nn.functional.dropout is own
    with pytest.raises(TypeError), dropout_masks("numpy"):
        nn.functional.dropout(None)
    assert nn.functional.dropout is own


def test_auto_is_numpy_on_cpus_unless_compiled():
    """A compiler cannot look into numpy's generator; a GPU has one of its own."""
    assert choose_dropout_masks("auto", CPU, compiled=False) == "numpy"
    assert choose_dropout_masks("auto", CPU, compiled=True) == "torch"
    assert choose_dropout_masks("auto", torch.device("cuda"), compiled=False) == "torch"
    assert choose_dropout_masks("torch", CPU, compiled=False) == "torch"
    for device, compiled in ((CPU, True), (torch.device("mps"), False)):
        with pytest.raises(UsageError, match="for a CPU, without --compile"):
            choose_dropout_masks("numpy", device, compiled=compiled)


def test_a_run_uses_what_it_records(tmp_path):
    """Both ways train; the masks, and so the weights, are others; the same way gives the same bits."""

    def trained(name: str, **settings: str) -> zoo.Run:
        torch.manual_seed(0)
        net = nn.Sequential(nn.Flatten(), nn.LazyLinear(8), nn.ReLU(), nn.Dropout(0.5), nn.Linear(8, 3))
        net(torch.zeros(1, 1, 8, 8))
        return zoo.train(net, data=small_dataset(), epochs=1, device="cpu", out=tmp_path / name, **settings)

    auto, again, torchs = trained("auto"), trained("again", dropout_masks="numpy"), trained("t", dropout_masks="torch")
    assert auto.config.train.dropout_masks == "numpy"
    weights = [run.model[-1].weight for run in (auto, again, torchs)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_what_is_compiled_has_torchs_masks_and_stays_one_graph():
    """A block that a plugin compiles by itself: NumPy's generator would break its graph in three."""
    compiled = torch.compile(nn.Dropout(0.5), backend="eager", fullgraph=True)
    with dropout_masks("numpy"):
        assert set(compiled(torch.ones(50)).tolist()) == {0.0, 2.0}


def test_each_thread_has_its_own_masks():
    """Runs in two threads: the first that ends takes nothing from the other, and nothing stays behind."""
    own, inputs = nn.functional.dropout, torch.ones(1000)
    entered, left = threading.Event(), threading.Event()

    def other() -> None:
        with dropout_masks("torch"):
            entered.set()
            left.wait(10)
            torch.manual_seed(0)
            masks.append(nn.functional.dropout(inputs))

    masks: list[Tensor] = []
    thread = threading.Thread(target=other)
    with dropout_masks("numpy"):
        thread.start()
        entered.wait(10)
    left.set()
    thread.join()
    assert nn.functional.dropout is own
    assert torch.equal(masks[0], dropped(inputs, 0.5, source="torch"))


def test_nested_contexts_keep_to_their_own():
    """As of a run within a run's observer."""
    with dropout_masks("numpy"):
        with dropout_masks("torch"):
            torch.manual_seed(0)
            inner = nn.functional.dropout(torch.ones(1000))
        torch.manual_seed(0)
        outer = nn.functional.dropout(torch.ones(1000))
    assert torch.equal(inner, dropped(torch.ones(1000), 0.5, source="torch"))
    assert torch.equal(outer, dropped(torch.ones(1000), 0.5))
    assert not torch.equal(inner, outer)

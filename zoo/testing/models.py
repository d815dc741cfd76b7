"""What a model must do. Each function raises a `ContractError` that says what was expected and seen."""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from zoo.errors import UsageError
from zoo.records.tensors import read_tensors, write_tensors
from zoo.registry import Entry, build
from zoo.runs.network import Network
from zoo.runs.state import load_weights
from zoo.testing.building import Case, inputs_of, network, seeded, sensible_size
from zoo.testing.outcome import ContractError

_REGIONS = 8  # on a side
_DROPOUT = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout, nn.FeatureAlphaDropout)


def check_logits(entry: Entry) -> str:
    """Map images of 1 and 3 channels to one finite logit a class, in training and evaluation."""
    for case in _cases(entry):
        built = network(entry, case)
        for training in (True, False):
            logits = _logits(entry, built, case, inputs_of(built, case), training)
            if not logits.isfinite().all():
                raise ContractError(
                    entry,
                    expected="finite logits for inputs of normal noise",
                    seen=f"{int((~logits.isfinite()).sum())} of {logits.numel()} not finite, for {case}",
                    mend="Look at the initial weights, and at divisions, roots and logarithms.",
                )
    height, width = sensible_size(entry)
    asked = built.prepare.size
    return f"at {height} x {width}" + (f", resized to {asked[0]} x {asked[1]}" if asked else "")


def check_gradients(entry: Entry) -> None:
    """Give every trainable parameter a finite gradient."""
    case = _case(entry)
    built = network(entry, case)
    _stir(built.model)
    _loss(entry, built, case).backward()  # type: ignore[no-untyped-call]
    trainable = [(name, parameter) for name, parameter in built.model.named_parameters() if parameter.requires_grad]
    without = [name for name, parameter in trainable if parameter.grad is None]
    if without:
        raise ContractError(
            entry,
            expected="a gradient for every trainable parameter",
            seen=f"none for {_some(without)}",
            mend="Use each in forward, remove it, or freeze it with requires_grad_(False).",
        )
    wild = [name for name, parameter in trainable if parameter.grad is not None and not parameter.grad.isfinite().all()]
    if wild:
        raise ContractError(
            entry,
            expected="finite gradients",
            seen=f"nan or infinity in that of {_some(wild)}",
            mend="Square roots, divisions and logarithms near 0 have such slopes: add a small number or clamp.",
        )


def check_reach(entry: Entry) -> None:
    """Look at the whole image: no region of the input is without a gradient."""
    case = _case(entry)
    built = network(entry, case)
    _stir(built.model)
    built.model.eval()
    inputs = inputs_of(built, case).requires_grad_()
    logits = built.model(inputs)
    weights = torch.randn(logits.shape, generator=torch.Generator().manual_seed(2))
    (gradient,) = torch.autograd.grad((logits * weights).sum(), inputs, allow_unused=True)
    slopes = (torch.zeros_like(inputs) if gradient is None else gradient).abs().amax(dim=(0, 1))  # (H, W)
    regions = functional.adaptive_max_pool2d(slopes.unsqueeze(0), _REGIONS)
    parts = {"rows": slopes.any(dim=1), "columns": slopes.any(dim=0), "regions": regions.flatten() != 0}
    found = [f"none in {int((~seen).sum())} of {len(seen)} {part}" for part, seen in parts.items() if not seen.all()]
    if found:
        height, width = inputs.shape[-2:]
        raise ContractError(
            entry,
            expected=f"a gradient in every part of an image of {height} x {width} pixels",
            seen=", ".join(found),
            mend="Pad, pool with ceil_mode=True, or set model.input_size = (H, W) to a size that patches and strides "
            "divide; zoo.smallest_input_size finds one.",
        )


def check_evaluation(entry: Entry) -> None:
    """Evaluate an image by itself: neither chance nor the other images of its batch change a bit."""
    case = _case(entry)
    built = network(entry, case)
    _logits(entry, built, case, inputs_of(built, case), training=True)  # running estimates other than the first
    inputs, others = inputs_of(built, case), inputs_of(built, case, seed=9)
    others[0] = inputs[0]
    before = _copied(built.model.state_dict())
    with torch.no_grad():
        first, second, third = (
            _logits(entry, built, case, images, training=False, seed=seed)
            for seed, images in enumerate((inputs, inputs, others))
        )
    if not torch.equal(first, second):
        raise ContractError(
            entry,
            expected="equal bits from two evaluations of the same images",
            seen=f"logits that differ by up to {_distance(first, second):.3g}",
            mend="Pass training=self.training to functional.dropout, and draw no random numbers in evaluation.",
        )
    if not torch.equal(first[0], third[0]):
        raise ContractError(
            entry,
            expected="in evaluation, an image's logits that do not depend on the other images of its batch",
            seen=f"logits that differ by up to {_distance(first[0], third[0]):.3g} when the others change",
            mend="Batch norm must use its running estimates there: pass training=self.training, track them.",
        )
    _require_unchanged(entry, before, built.model.state_dict())


def check_training(entry: Entry) -> None:
    """Use dropout and batch statistics in training, and follow train() and eval() in every submodule."""
    case = _case(entry)
    built = network(entry, case)
    for mode in (False, True):
        built.model.train(mode)
        if stuck := [name for name, module in built.model.named_modules() if module.training is not mode]:
            raise ContractError(
                entry,
                expected=f"every submodule's training flag {mode} after train({mode})",
                seen=f"{not mode} in {_some(stuck)}",
                mend="Call super().train(mode) where train is overridden.",
            )
    before = _copied(built.model.state_dict())
    inputs = inputs_of(built, case)
    first, second = (_logits(entry, built, case, inputs, training=True, seed=seed) for seed in (1, 2))
    if _drops(built.model) and torch.equal(first, second):
        raise ContractError(
            entry,
            expected="dropout that is active in training",
            seen="equal logits under two seeds",
            mend="Use the dropout module in forward.",
        )
    after = built.model.state_dict()
    still = [name for name in _estimates(built.model) if torch.equal(before[name], after[name])]
    if still:
        raise ContractError(
            entry,
            expected="batch norm that learns its running estimates in training",
            seen=f"{_some(still)} unchanged by two batches",
            mend="Call the batch-norm module itself, and leave it in training mode.",
        )


def check_state(entry: Entry) -> None:
    """Keep all that the logits depend on in the state dict, through a safetensors file and a copy."""
    case = _case(entry)
    built = network(entry, case)
    inputs = inputs_of(built, case)
    _logits(entry, built, case, inputs, training=True)
    other = network(entry, case, seed=7)
    with tempfile.TemporaryDirectory() as folder, torch.no_grad():
        path = Path(folder, "model.safetensors")
        write_tensors(path, built.model.state_dict())
        load_weights(other.model, read_tensors(path))
        expected, loaded, copied = (
            _logits(entry, built, case, inputs, training=False, model=model)
            for model in (built.model, other.model, copy.deepcopy(built.model))
        )
    for what, logits in (("another instance with the saved weights", loaded), ("a copy (--ema makes one)", copied)):
        if not torch.equal(expected, logits):
            raise ContractError(
                entry,
                expected=f"equal logits from {what}",
                seen=f"logits that differ by up to {_distance(expected, logits):.3g}",
                mend="Register as a parameter or buffer whatever the logits depend on; a random constant, too.",
            )


def check_determinism(entry: Entry) -> None:
    """Be the same under the same seed: the weights, and the gradients of a step."""
    case = _case(entry)
    first, second = (network(entry, case) for _ in range(2))
    _require_equal(entry, "weights", first.model.state_dict(), second.model.state_dict())
    for built in (first, second):
        _loss(entry, built, case).backward()  # type: ignore[no-untyped-call]
    _require_equal(entry, "gradients", *(_gradients(built.model) for built in (first, second)))
    _require_own_seed(entry, case)


def check_expects(entry: Entry) -> str | None:
    """Say what pretrained weights expect, so that the model can be built again for them without fetching them."""
    case = _case(entry)
    built = network(entry, case)
    if built.expects is None:
        return None
    if not built.expects.source:
        raise ContractError(
            entry,
            expected="model.expects that names where the weights are from",
            seen="source=''",
            mend="Give source, sha256 and license: a run records them.",
        )
    again = network(entry, case, seed=7, recorded=built.expects)
    try:
        load_weights(again.model, built.model.state_dict())
    except UsageError as error:
        raise ContractError(
            entry,
            expected="with pretrained=False, and image_size and in_channels as expects has them, the same layers",
            seen=str(error),
            mend="Build the model for size and channels of expects, then load the weights into it.",
        ) from error
    inputs = inputs_of(built, case)
    with torch.no_grad():
        expected, found = (_logits(entry, each, case, inputs, training=False) for each in (built, again))
    if not torch.equal(expected, found):
        raise ContractError(
            entry,
            expected="equal logits from the model that is built again, with its weights",
            seen=f"logits that differ by up to {_distance(expected, found):.3g}",
            mend="Let nothing but the state dict depend on pretrained.",
        )
    return f"of {built.expects.source}"


def _require_own_seed(entry: Entry, case: Case) -> None:
    left = []
    for seed in (0, 1):
        with seeded(seed):
            build(entry, facts=case.facts, options={})
            left.append(torch.get_rng_state())
    if torch.equal(*left):
        raise ContractError(
            entry,
            expected="random numbers that go on from the run's seed after the model is built",
            seen="the same ones after building under two seeds",
            mend="Leave out torch.manual_seed: --seed decides, and dropout would begin anew, too.",
        )


def _cases(entry: Entry) -> Iterator[Case]:
    """Yield grey and coloured images, few classes and many, an odd number among them."""
    for num_classes, in_channels in ((10, 1), (2, 3), (37, 3)):
        yield Case(num_classes, in_channels, sensible_size(entry))


def _case(entry: Entry) -> Case:
    return Case(image_size=sensible_size(entry))


def _logits(
    entry: Entry,
    built: Network,
    case: Case,
    inputs: Tensor,
    training: bool,
    seed: int = 0,
    model: nn.Module | None = None,
) -> Tensor:
    """Run a model and see that it returns one logit a class; dropout draws from the seed."""
    mode = "training" if training else "evaluation"
    with seeded(seed):
        logits: Any = (model or built.model).train(training)(inputs)
    expected = (len(inputs), case.num_classes)
    if not isinstance(logits, Tensor) or tuple(logits.shape) != expected or not logits.is_floating_point():
        seen = f"{logits.dtype} {tuple(logits.shape)}" if isinstance(logits, Tensor) else f"a {type(logits).__name__}"
        raise ContractError(
            entry,
            expected=f"floating logits {expected} in {mode}, for {case}",
            seen=seen,
            mend="Return the head's output (N, K) alone, in both modes; leave out auxiliary ones.",
        )
    return logits


def _loss(entry: Entry, built: Network, case: Case) -> Tensor:
    inputs = inputs_of(built, case)
    logits = _logits(entry, built, case, inputs, training=True)
    return functional.cross_entropy(logits, torch.arange(len(inputs)) % case.num_classes)


@torch.no_grad()
def _stir(model: nn.Module) -> None:
    """Move every weight a little: a head or a branch that begins at zero hides the gradients behind it."""
    generator = torch.Generator().manual_seed(5)
    for parameter in model.parameters():
        parameter.add_(0.02 * torch.randn(parameter.shape, generator=generator, dtype=parameter.dtype))


def _copied(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in state.items()}


def _require_unchanged(entry: Entry, before: Mapping[str, Tensor], after: Mapping[str, Tensor]) -> None:
    if changed := [name for name, tensor in after.items() if not torch.equal(tensor, before[name])]:
        raise ContractError(
            entry,
            expected="a state dict that evaluation leaves as it is",
            seen=f"another {_some(changed)}",
            mend="Change buffers in training alone: if self.training.",
        )


def _require_equal(entry: Entry, what: str, first: Mapping[str, Tensor], second: Mapping[str, Tensor]) -> None:
    if differing := [name for name, tensor in first.items() if not torch.equal(tensor, second[name])]:
        raise ContractError(
            entry,
            expected=f"the same {what} under the same seed",
            seen=f"others in {_some(differing)}",
            mend="Draw from torch's, NumPy's or Python's global generator, which zoo seeds, in an order that is fixed.",
        )


def _gradients(model: nn.Module) -> dict[str, Tensor]:
    return {name: parameter.grad for name, parameter in model.named_parameters() if parameter.grad is not None}


def _drops(model: nn.Module) -> bool:
    return any(isinstance(module, _DROPOUT) and module.p > 0 for module in model.modules())


def _estimates(model: nn.Module) -> list[str]:
    """Return the names of batch norm's running means."""
    kind = nn.modules.batchnorm._BatchNorm
    norms = [(name, module) for name, module in model.named_modules() if isinstance(module, kind)]
    return [f"{name}.running_mean".lstrip(".") for name, norm in norms if norm.track_running_stats]


def _distance(first: Tensor, second: Tensor) -> float:
    return (first - second).abs().max().item()


def _some(names: list[str], limit: int = 4) -> str:
    shown = ", ".join(map(repr, names[:limit]))
    return shown if len(names) <= limit else f"{shown} and {len(names) - limit} more"


CHECKS = {
    "gives one finite logit a class": check_logits,
    "gives every parameter a finite gradient": check_gradients,
    "looks at the whole image": check_reach,
    "evaluates each image by itself": check_evaluation,
    "trains with dropout and batch statistics": check_training,
    "comes back from a safetensors file": check_state,
    "repeats under the same seed": check_determinism,
    "says what its weights expect": check_expects,
}

"""What registered weights must be."""

from __future__ import annotations

import torch

from zoo.config import Config, Layer
from zoo.data import ImageFacts
from zoo.errors import DamagedError, PluginError, UsageError, ZooError
from zoo.registry import Entry, registry
from zoo.registry.weights import file_of
from zoo.runs.components import find_components
from zoo.runs.elsewhere import WEIGHTS, Fetched, fetched
from zoo.runs.pretrained import head_names
from zoo.testing.building import network_of, sensible_size
from zoo.testing.outcome import ContractError, NotChecked
from zoo.training.evaluation import evaluating


def check_file(entry: Entry) -> str:
    """Be the file that is stated: its size, and every byte."""
    return f"{_fetched(entry).path.stat().st_size:,} bytes"


def check_fit(entry: Entry) -> str:
    """Fit the model that is stated, with a row of its head for each class, and give finite logits."""
    _fetched(entry)
    stated = file_of(entry)
    model = {"name": stated.model, "pretrained": f"{WEIGHTS}{entry.full_name}"}
    component = find_components(Config.from_layers([Layer(str(entry), {"model": model})]), only=("model",))["model"]
    size = sensible_size(registry().find("models", stated.model))
    guessed = ImageFacts(stated.classes, (0.5,), (0.25,), 1, size)
    source = component.beginning.open(guessed)
    if source is None:
        raise _misfit(entry, "a builder that keeps the option pretrained to itself")
    mean, std = tuple(source.expects.mean), tuple(source.expects.std)
    images = ImageFacts(stated.classes, mean, std, len(mean), source.expects.size or size)
    try:
        built = network_of(component, images)
    except UsageError as error:
        raise _misfit(entry, str(error)) from error
    if built.expects is None or built.expects.head != "kept":
        raise _misfit(entry, f"a head that does not serve the {len(stated.classes)} classes")
    given = source.adapted(built.model)
    for name in head_names(built.model, len(stated.classes)):
        if len(given[name]) != len(stated.classes):
            raise _misfit(entry, f"{len(given[name])} rows in {name!r} for {len(stated.classes)} classes")
    with evaluating(built.model):
        inputs = built.prepare(torch.zeros(2, images.in_channels, *images.image_size, dtype=torch.uint8))
        if not built.forward(inputs).isfinite().all():
            raise _misfit(entry, "logits that are not finite")
    return stated.model


def _fetched(entry: Entry) -> Fetched:
    """Return where the file is; one that would have to be downloaded is not checked where there is no network."""
    try:
        return fetched(f"{WEIGHTS}{entry.full_name}")
    except (UsageError, DamagedError, PluginError):
        raise
    except ZooError as error:
        raise NotChecked(str(error)) from None


def _misfit(entry: Entry, seen: str) -> ContractError:
    return ContractError(
        entry,
        expected=f"weights that {file_of(entry).model} takes, of the classes that are stated",
        seen=seen,
        mend="State the model, the classes in the order of the logits, and what the weights expect.",
    )


CHECKS = {
    "is the file that is stated": check_file,
    "fits its model": check_fit,
}

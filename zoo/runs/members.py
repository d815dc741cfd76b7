"""Trained runs that are to answer together: whether they can, and what each of them takes."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from zoo.data import Dataset
from zoo.data.changes import changes
from zoo.data.encoded import is_streamed
from zoo.data.identity import DataIdentity
from zoo.errors import UsageError
from zoo.records.directory import RunDirectory
from zoo.records.history import status_of
from zoo.records.images import DATA, read_data
from zoo.runs.committee import is_ensemble
from zoo.runs.components import Component, find_components
from zoo.runs.images import identity_from_json
from zoo.runs.loading import LoadedRun, load_run
from zoo.runs.network import parameter_count


@dataclasses.dataclass(frozen=True)
class Member:
    """A finished run that becomes a member of an ensemble.

    Attributes:
        run: The run, loaded.
        summary: What its summary.json holds.
        data: What its data are known by.
    """

    run: LoadedRun
    summary: Mapping[str, Any]
    data: DataIdentity

    @cached_property
    def component(self) -> Component:
        """What builds its model, without its pretrained weights."""
        return find_components(self.run.config, only=("model",))["model"].without_pretrained()

    @property
    def weights(self) -> str:
        """What its weights are known by: runs that came to the same bits have the same."""
        checkpoint = self.run.checkpoint
        return checkpoint.manifest.files[f"{checkpoint.weights_part}.safetensors"].sha256

    @property
    def pixels(self) -> int:
        """How many each of its images has."""
        height, width = self.run.images.image_size
        return height * width

    def table(self, base: LoadedRun) -> dict[str, Any]:
        """Return what the model ``ensemble`` builds it from, where the ensemble takes the images of *base*."""
        network, images = self.run.network, self.run.images
        prepare, expects = network.prepare_evaluation, network.expects
        built_for = expects.size if expects is not None and expects.size is not None else images.image_size
        given, usual = prepare.size or images.image_size, base.images.image_size
        # A model that asks for a size, or whose weights do, would be given that where none is told.
        told = given != usual or expects is not None or hasattr(network.model, "input_size")
        table: dict[str, Any] = {"name": self.component.choice.name, "options": dict(self.component.options)}
        table |= {"input_size": list(given), "interpolation": prepare.interpolation} if told else {}
        table |= {"image_size": list(built_for)} if built_for != given else {}
        if expects is not None or (prepare.mean, prepare.std) != (base.images.mean, base.images.std):
            table |= {"mean": list(prepare.mean), "std": list(prepare.std)}
        return table

    def about(self, *, tested_alike: bool) -> dict[str, Any]:
        """Return what an ensemble's summary tells of it; its test accuracy only where the test images were the same."""
        return {
            "run": self.run.directory.path.resolve().name,
            "model": self.run.config.model.name,
            "seed": self.run.config.train.seed,
            "parameters": parameter_count(self.run.network.model),
            "epoch": self.run.epoch,
            "val_accuracy": self.summary.get("val_accuracy"),
            "test_accuracy": self.summary.get("test_accuracy") if tested_alike else None,
            "checkpoint_digest": self.run.digest,
        }


def open_members(runs: Sequence[str | Path | Any]) -> list[Member]:
    """Load runs that can answer together.

    Raises:
        UsageError: If there are fewer than two, or one is no finished run, is an ensemble itself, stands there twice,
            or has other classes or other data than the first.
        DamagedError: If one is damaged.
        PluginError: If a member's plugin is broken.
    """
    if isinstance(runs, str | Path) or len(runs) < 2:
        given = "one" if isinstance(runs, str | Path) or runs else "none"
        raise UsageError(f"an ensemble has two runs or more, and {given} was given: zoo ensemble RUN RUN ...")
    directories = [RunDirectory.open(getattr(run, "directory", run)) for run in runs]
    for directory in directories:
        _refuse_unusable(directory)
    members: list[Member] = []
    for directory in directories:
        member = _opened(directory)
        for other in members:
            _refuse_twice(other, member)
        if members:
            _refuse_others(members[0], member)
        members.append(member)
    return members


def refuse_other_pictures(members: Sequence[Member], base: LoadedRun, dataset: Dataset) -> None:
    """See that pictures which are decoded as *base* had them can be turned into what each of the others saw.

    Raises:
        UsageError: If they cannot: their files are fitted to another aspect, or resized by another filter to a size
            that another member has as well.
    """
    if not any(map(is_streamed, dataset.splits)):  # stored in one size, whoever asks
        return
    (height, width), how = base.images.image_size, base.network.prepare.decoding_filter
    for run in (member.run for member in members):
        (own_height, own_width), own_how = run.images.image_size, run.network.prepare.decoding_filter
        if base.images.fit != "stretch" and own_height * width != height * own_width:
            raise UsageError(
                f"{run.where} took its pictures by data.fit {base.images.fit!r} in {own_height} x {own_width}, and "
                f"{base.where} in {height} x {width}, of another aspect: they saw other parts of them"
            )
        if (own_height, own_width) == (height, width) and own_how != how:
            raise UsageError(
                f"{run.where} had its pictures resized by the {own_how} filter, and {base.where} by the {how} one, to "
                f"the same {height} x {width}; members of one size need one filter: train with "
                f"--set model.expects.interpolation={how}, or give one of them another data.size"
            )


def _refuse_unusable(directory: RunDirectory) -> None:
    status = status_of(directory, directory.read_summary())
    if status != "finished":
        raise UsageError(f"{directory} is not finished ({status}); 'zoo train --resume {directory}' goes on with it")
    if is_ensemble(directory.read_config()):
        made_of = directory.read_summary().get("members")
        cure = (
            "give the runs that it was made of, with the others" if made_of else "leave it out, it was trained as one"
        )
        raise UsageError(f"{directory} is an ensemble itself; {cure}")
    if not (directory.path / DATA).exists():
        raise UsageError(f"{directory} has no {DATA}, so nobody can tell whether it was trained on the others' data")


def _opened(directory: RunDirectory) -> Member:
    run = load_run(directory)
    data = identity_from_json(read_data(directory.path), str(directory.path / DATA))
    return Member(run, directory.read_summary(), data)


def _refuse_twice(first: Member, second: Member) -> None:
    if first.weights == second.weights:
        same = first.run.directory.path.resolve() == second.run.directory.path.resolve()
        why = "is named twice" if same else f"has the very weights of {first.run.where}"
        raise UsageError(f"{second.run.where} {why}: a second one of the same opinion adds nothing; leave one out")


def _refuse_others(first: Member, other: Member) -> None:
    """See that a run has the classes and the data of the first; its images may have been stored in another size."""
    classes, channels = other.data.facts.classes, other.data.facts.in_channels
    facts = dataclasses.replace(first.data.facts, classes=classes, in_channels=channels)
    if found := changes(first.data, dataclasses.replace(other.data, facts=facts), dict, {}):
        raise UsageError(
            f"{other.run.where} was trained on other data than {first.run.where}: {'; '.join(found)}.\n"
            "The members of an ensemble have one data set, whose test images none of them has seen."
        )
    if first.run.images.fit != other.run.images.fit:
        fits = f"{other.run.images.fit!r}, and {first.run.where} by {first.run.images.fit!r}"
        raise UsageError(f"{other.run.where} took its pictures by data.fit {fits}: they saw other images")

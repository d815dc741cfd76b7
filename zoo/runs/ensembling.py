"""`zoo.ensemble`: trained runs as one run, whose model gives the mean of their probabilities in one forward pass."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from zoo.config import Choice, Config, TrainSettings
from zoo.config.sections import SINGLE
from zoo.data import Expects, Split
from zoo.data.splits import places_of
from zoo.records import tree
from zoo.records.checkpoints import WHOLE, Checkpoint
from zoo.records.directory import RunDirectory, new_path
from zoo.records.disk import directory_when_whole, refuse_existing
from zoo.records.images import read_data, read_files, write_images
from zoo.runs.committee import ENSEMBLE
from zoo.runs.components import Components, find_components
from zoo.runs.datasets import Splits, split_dataset
from zoo.runs.environment import environment
from zoo.runs.evaluating import on_own_split, own_data
from zoo.runs.facts import expects_to_json, facts_to_json
from zoo.runs.loading import LoadedRun, load_run
from zoo.runs.members import Member, open_members, refuse_other_pictures
from zoo.runs.moved import relocated, settled
from zoo.runs.network import parameter_count
from zoo.runs.run import Run
from zoo.runs.summary import storage_of, summary_of
from zoo.training.arithmetic import own_arithmetic
from zoo.training.evaluation import Metrics
from zoo.training.fit import Progress

_CRITERION = "torch/cross_entropy"
_OF_PROBABILITIES = {
    _CRITERION,
    "torch/focal",
    "timm/asymmetric_loss_single_label",
    "timm/label_smoothing_cross_entropy",
    "timm/soft_target_cross_entropy",
}
"""Criteria over the softmax of the logits; to others, logarithms of mean probabilities are no logits of their kind."""

_ELSEWHERE = "give another --out"
_KEPT = ("device", "threads", "readers", "eval_batch_size", "seed", "split_by", "select")
"""Settings that evaluations and splits need; how one member was trained says nothing of the others."""


def ensemble(
    runs: Sequence[str | Path | Any],
    *,
    out: str | Path | None = None,
    options: Mapping[str, Any] | None = None,
    report: bool = True,
) -> Run:
    """Make one model of several trained runs, measure it on their test images, and keep it as a run of its own.

    Its answer is the mean of the members' probabilities; each member is given the images as it was trained on them. The
    new run holds the weights of all their best epochs, and needs the members' directories no more: `zoo.evaluate`,
    `zoo.predict`, `zoo.export`, `zoo.publish`, `zoo.report` and `zoo.compare` take it as they take any run.

    Args:
        runs: Two finished runs or more, of any models, that were trained on the same data: directories, or what
            `zoo.train` returned.
        out: The new run's directory, which must not exist; by default a new one under ``runs``.
        options: ``{"data.root": DIR}`` where the images have moved.
        report: Whether to write the run's page, report.html.

    Returns:
        The new run. Its ``summary`` has the ``test_accuracy``, and of each of the ``members`` what it was alone, None
        where that was measured on other test images (``data.limit`` chooses by the seed). It has a ``val_accuracy``
        only where all members held out the same images; else some member has learnt each.

    Raises:
        UsageError: If there are fewer than two runs, one is no finished run, is an ensemble itself or stands there
            twice, they have other classes, other data or other pictures of it, or *out* exists.
        DamagedError: If a run or the data is damaged.
        PluginError: If a member's plugin is broken.
    """
    if out is not None:
        refuse_existing(Path(out).expanduser(), _ELSEWHERE)
    with own_arithmetic():
        members = open_members(runs)
        base = max(members, key=lambda member: member.pixels).run  # whose images lose nothing for the others
        dataset = own_data(base, options)
        refuse_other_pictures(members, base, dataset)
        splits = [split_dataset(dataset, member.run.config) for member in members]
        shared = _are_one([each.validation for each in splits])
        config, components = _configured(members, base, shared=shared, options=options)
        target = Path(out).expanduser() if out is not None else new_path(ENSEMBLE, config.data.name)
        with directory_when_whole(target, _ELSEWHERE) as temporary:
            directory = RunDirectory(temporary)
            _write(directory, members, base, config, components)
            own = split_dataset(dataset, config)
            told = [
                member.about(tested_alike=_are_one([own.test, each.test]))
                for member, each in zip(members, splits, strict=True)
            ]
            seconds = sum(member.summary.get("seconds") or 0.0 for member in members)
            directory.write_summary({**_measured(directory, own), "seconds": seconds, "members": told})
        made = load_run(target)
    if report:
        from zoo.reports.report import report as write_page

        write_page(target)
    return Run(target, made.config, made.directory.read_summary(), (), made.network.model.eval())


def _are_one(splits: Sequence[Split | None]) -> bool:
    """Whether all are the same images of one part of a dataset; validation images then, which no member has learnt."""
    places = [_places(split) for split in splits]
    return places[0] is not None and all(each is not None and torch.equal(places[0], each) for each in places)


def _places(split: Split | None) -> Tensor | None:
    return None if split is None else places_of(split).sort().values


def _configured(
    members: Sequence[Member], base: LoadedRun, *, shared: bool, options: Mapping[str, Any] | None
) -> tuple[Config, Components]:
    """Return the ensemble's configuration: the data of *base*, and how it is evaluated."""
    tables = [member.table(base) for member in members]
    own = any("mean" in table or table.get("interpolation") == "bicubic" for table in tables)  # what needs white
    statistics = {"mean": list(base.images.mean), "std": list(base.images.std)} if own else {}
    config = dataclasses.replace(
        relocated(base.config, options),
        model=Choice(ENSEMBLE, {"members": tables, **statistics}),
        criterion=_criterion([member.run.config.criterion for member in members]),
        augment=(),
        observe=(),
        train=_settings([member.run.config.train for member in members], base.config.train, shared=shared),
    )
    components = find_components(config)
    config = settled(config, components["data"]) if options else config
    return components.resolved(config), components


def _criterion(criteria: Sequence[Choice]) -> Choice:
    """Return by what an ensemble is judged: what its members were, where they agree and it takes probabilities."""
    first, *others = criteria
    kept = first.name in _OF_PROBABILITIES and all(each == first for each in others)
    return first if kept else Choice(_CRITERION)


def _settings(settings: Sequence[TrainSettings], base: TrainSettings, *, shared: bool) -> TrainSettings:
    """Return how an ensemble is evaluated: as its members were where they agree, else in full precision."""
    agreed = {name: {getattr(each, name) for each in settings} for name in ("precision", "memory_format")}
    held_out = {"validation": base.validation, "fold": base.fold} if shared else {"validation": 0}
    return TrainSettings(
        **{name: getattr(base, name) for name in _KEPT},
        **held_out,
        precision=base.precision if len(agreed["precision"]) == 1 else "fp32",
        memory_format=base.memory_format if len(agreed["memory_format"]) == 1 else "auto",
        tune="off",
        refit="off",
    )


def _write(
    directory: RunDirectory, members: Sequence[Member], base: LoadedRun, config: Config, components: Components
) -> None:
    """Write all of the run that is known before it is measured."""
    providers = components.providers
    for member in members:
        component = {"model": member.component}
        providers |= Components(component, {}).providers
    machine = base.machine
    environs = environment(machine.device, machine.threads, providers, None)
    directory.write_environment({**environs, "members": [member.run.config.to_dict() for member in members]})
    write_images(directory.path, read_data(base.directory.path), read_files(base.directory.path))
    directory.write_config(config)
    # A checkpoint of no step, which is its best: nothing here was trained.
    decoded = base.network.prepare.decoding_filter
    images = base.images
    expects = None if decoded == "bilinear" else Expects(mean=images.mean, std=images.std, interpolation=decoded)
    state = {
        "progress": tree.encode(dataclasses.asdict(Progress()), {}),
        "images": facts_to_json(images),
        "expects": expects_to_json(expects),
        "config": config.to_dict(),
        "entries": providers,
    }
    directory.checkpoints.save(0, tensors=_weights([member.run.checkpoint for member in members]), state=state)
    directory.write_metrics([])


def _weights(checkpoints: Sequence[Checkpoint]) -> dict[str, dict[str, Tensor]]:
    """Return the members' weights by part: those that were validated, and where other ones count, those as well."""
    parts = {"model": [each.validated_part for each in checkpoints]}
    if any(each.weights_part == WHOLE for each in checkpoints):
        parts[WHOLE] = [each.weights_part for each in checkpoints]
    return {
        part: {
            f"members.{number}.{name}": tensor
            for number, (checkpoint, own) in enumerate(zip(checkpoints, names, strict=True))
            for name, tensor in checkpoint.tensors(own).items()
        }
        for part, names in parts.items()
    }


def _measured(directory: RunDirectory, splits: Splits) -> dict[str, Any]:
    """Evaluate the ensemble by the one loop, keep what it says of each image, and return its summary."""
    validation: Mapping[str, Any] = {}
    if splits.validation is not None:
        validation = on_own_split(load_run(directory).as_validated(), splits.validation, "validation", "best")
    made = load_run(directory)
    test = on_own_split(made, splits.test, "test", "best")
    run = {
        **{section: getattr(made.config, section).name for section in SINGLE},
        **splits.counts,
        "parameters": parameter_count(made.network.model),
        "storage": storage_of(splits.train),
        "select": made.config.train.select,
    }
    names = [field.name for field in dataclasses.fields(Metrics)]
    summary = summary_of(run, Progress(), "finished", Metrics(**{name: test[name] for name in names}))
    kept = ("loss", "accuracy", "balanced_accuracy")
    return {
        **summary,
        **({f"val_{name}": validation[name] for name in kept} if validation else {}),
    }

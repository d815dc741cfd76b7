"""`zoo.train`: decide what run it is, build its parts, and hand them to a session."""

from __future__ import annotations

import dataclasses
import gc
import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from torch import Tensor

from zoo.config import Config, Layer
from zoo.data import held
from zoo.data.dataset import weights_of as weights_of_samples
from zoo.data.identity import Identification
from zoo.data.one_colour import one_colour
from zoo.data.order import choose_order
from zoo.data.quick_look import quick_findings
from zoo.errors import ZooError
from zoo.records.checkpoints import Checkpoint, estimate_bytes
from zoo.records.directory import RunDirectory, new_path
from zoo.records.lock import RunLock
from zoo.runs.components import Components, find_components
from zoo.runs.cropping import with_crops
from zoo.runs.datasets import load_dataset, split_dataset
from zoo.runs.environment import environment_changes, environment_of
from zoo.runs.facts import expects_from_json
from zoo.runs.found import as_begun, recorded_there
from zoo.runs.images import check_images, keep_identity
from zoo.runs.machine import Machine, usable_here
from zoo.runs.memory_short import BatchesCutError
from zoo.runs.moved import load_again, relocated, settled
from zoo.runs.network import build_network, prepared_for
from zoo.runs.observers import Observers
from zoo.runs.parts import Parts
from zoo.runs.reporting import Reporter, readable
from zoo.runs.run import Run
from zoo.runs.session import Session
from zoo.runs.sharding import tensors_of
from zoo.runs.signals import StopRequests
from zoo.runs.state import packed_scheduler, restore
from zoo.runs.summary import class_counts
from zoo.runs.task import build_task
from zoo.runs.together import (
    among,
    refuse_differences,
    refuse_nameless,
    refuse_odd_weights,
    refuse_too_many,
    refuse_uneven,
)
from zoo.runs.tuning import decided, with_rate
from zoo.runs.weighting import with_class_weights
from zoo.training.arithmetic import own_arithmetic
from zoo.training.batch_norm import synchronise
from zoo.training.dropout import dropout_masks
from zoo.training.fit import Progress
from zoo.training.optimizer_trial import check_packable
from zoo.training.place import place
from zoo.training.processes import TIMEOUT, joined
from zoo.training.randomness import seed_everything
from zoo.training.world import World

_KEPT = 3  # checkpoints: the last two and the best


@dataclass(frozen=True)
class Request:
    """What somebody asked for.

    Attributes:
        config: As it was given, not yet resolved.
        objects: Python objects by section, in place of names.
        out: The run's own directory; None for a new one under runs/.
        restart: Whether to begin anew where *out* already holds a run.
        timeout: Seconds that one of several processes waits for the others.
        check: Told what a new run's images are known by before anything else is built; raises to stop it.
    """

    config: Config
    objects: Mapping[str, Any] = field(default_factory=dict)
    out: Path | None = None
    restart: bool = False
    timeout: float = TIMEOUT
    check: Callable[[Identification], None] | None = None


class AlreadyFinished(Exception):  # noqa: N818 - it is no error
    """The run that was asked for is finished.

    Args:
        directory: Where it is.
        summary: What came of it.
    """

    def __init__(self, directory: RunDirectory, summary: Mapping[str, Any]) -> None:
        super().__init__(f"{directory} is finished")
        self.directory, self.summary = directory, summary


def start(request: Request, reporter: Reporter) -> Run:
    """Train what was asked for, or go on with the run that *out* already holds.

    Where a launcher started several processes, all of them call this, and each returns the run.

    Raises:
        AlreadyFinished: If that run is finished.
        UsageError: If a name, an option or the directory is wrong, or the run there has other settings.
        LostError: If another process was lost.
        ZooError: If the work fails; the message says what was kept.
    """

    def attempt(cut: Path | None) -> Run:
        asked = request if cut is None else dataclasses.replace(request, out=cut, restart=False)
        with joined(place(), request.timeout) as world:
            return _start(asked, reporter if world.is_first else Reporter(), world)

    return _until_it_fits(attempt, reporter)


def _until_it_fits(attempt: Callable[[Path | None], Run], reporter: Reporter) -> Run:
    """Return the run of *attempt*; where batches were cut, of the next one, which goes on in that directory."""
    cut: Path | None = None
    while True:
        try:
            return attempt(cut)
        except BatchesCutError as error:
            reporter.notice(str(error))
            cut = error.directory
        gc.collect()  # the tensors of that attempt, whose parts know one another


def _start(request: Request, reporter: Reporter, world: World) -> Run:
    components = world.agree(lambda: find_components(request.config, request.objects))
    config = components.resolved(request.config)
    if request.out is None:
        world.agree(lambda: refuse_nameless(world))
        path = world.first(lambda: str(new_path(config.model.name, config.data.name)))
        return _begin(RunDirectory(path), request, config, components, reporter, world)
    directory = RunDirectory(request.out)
    recorded = world.first(lambda: recorded_there(directory, config, components, restart=request.restart))
    if recorded is not None:
        begun = Config.from_layers([Layer(str(directory), recorded)])
        train = dataclasses.replace(begun.train, shard_weights=config.train.shard_weights)  # any of its processes may
        return _go_on(directory, dataclasses.replace(begun, train=train), components, reporter, world)
    return _begin(directory, request, config, components, reporter, world)


def resume(
    path: str | Path,
    reporter: Reporter,
    options: Mapping[str, Any] | None = None,
    *,
    timeout: float = TIMEOUT,
) -> Run:
    """Go on with a run where its newest checkpoint is, in any number of processes up to its slices.

    Args:
        path: The run's directory.
        reporter: Told what happens.
        options: ``{"data.root": DIR}`` where the run's images have moved; its record keeps that.
        timeout: Seconds that one of several processes waits for the others.

    Raises:
        AlreadyFinished: If the run is finished.
        UsageError: If there is no run at *path*.
        DamagedError: If the run, or every one of its checkpoints, is damaged.
        LostError: If another process was lost.
        ZooError: If the work fails.
    """

    def attempt(_: Path | None) -> Run:
        with joined(place(), timeout) as world:
            return _resume(path, reporter, options, world)

    return _until_it_fits(attempt, reporter)


def _resume(path: str | Path, reporter: Reporter, options: Mapping[str, Any] | None, world: World) -> Run:
    recorded = world.first(lambda: RunDirectory.open(path).read_config().to_dict())
    config = world.agree(lambda: relocated(Config.from_layers([Layer(str(path), recorded)]), options))
    components = world.agree(lambda: find_components(config))
    if options:
        config = settled(config, components["data"])
    told = reporter if world.is_first else Reporter()
    return _go_on(RunDirectory(path), config, components, told, world)


def _go_on(directory: RunDirectory, config: Config, components: Components, reporter: Reporter, world: World) -> Run:
    """Go on with the run in *directory*."""
    world.agree(lambda: refuse_too_many(config, world))
    with StopRequests() as requests, own_arithmetic(), ExitStack() as held:
        world.first(lambda: _lock(directory, held))  # a second writer is told at once, before it loads anything
        summary = world.first(lambda: readable(directory.read_summary, reporter))
        if summary.get("status") == "finished":
            raise AlreadyFinished(directory, summary)
        found: list[Checkpoint] = []  # in the first process
        state = world.first(lambda: _newest(directory, found))

        def check(images: Identification) -> None:
            if world.is_first:
                check_images(directory, found[0] if found else None, images, reporter.notice)

        config = dataclasses.replace(config, train=as_begun(usable_here(config.train)))
        parts = _alike(world, lambda: build_parts(config, components, reporter, world, state, check, told=False))
        held.enter_context(dropout_masks(parts.machine.dropout_masks))
        return _run(directory, parts, reporter, requests, found)


def _begin(
    directory: RunDirectory, request: Request, config: Config, components: Components, reporter: Reporter, world: World
) -> Run:
    """Begin the run that is requested in *directory*, or beside it where zoo named that and another one took it."""
    config = among(config, world)
    world.agree(lambda: refuse_too_many(config, world))
    with StopRequests() as requests, own_arithmetic(), ExitStack() as held:
        # One that is there is locked at once, as for a run that goes on; a new one is made when all else is built.
        is_there = request.out is not None and directory.path.is_dir()
        world.first(lambda: _lock(directory, held) if is_there else None)
        parts = _alike(world, lambda: build_parts(config, components, reporter, world, None, request.check, told=True))
        held.enter_context(dropout_masks(parts.machine.dropout_masks))
        made = world.first(lambda: str(_made(directory, request, None if is_there else held)))
        return _run(RunDirectory(made), parts, reporter, requests, [])


def _alike(world: World, build: Callable[[], Parts]) -> Parts:
    """Return what *build* does in this process, when all have built the same."""
    parts = world.agree(build)
    if world.size > 1:
        refuse_differences(parts.config, parts.splits.counts, parts.identity.of(), world)
    return parts


def _lock(directory: RunDirectory, held: ExitStack) -> None:
    directory.make()
    held.enter_context(RunLock(directory.path))


def _made(directory: RunDirectory, request: Request, held: ExitStack | None) -> Path:
    """Make a new run's directory, empty, and return its path; lock it if it is to be *held*."""
    if held is not None:
        directory = directory.claimed() if request.out is None else directory
        _lock(directory, held)
    if directory.holds_run and not request.restart:
        raise ZooError(f"another process made a run in {directory} meanwhile; to go on with it, try again")
    directory.clear()
    return directory.path


def _newest(directory: RunDirectory, found: list[Checkpoint]) -> dict[str, Any] | None:
    """Put the newest checkpoint that is whole into *found*, and return its state; None where there is none."""
    checkpoint = directory.checkpoints.newest()
    if checkpoint is None:
        return None
    found.append(checkpoint)
    return checkpoint.state


def build_parts(
    config: Config,
    components: Components,
    reporter: Reporter,
    world: World,
    state: Mapping[str, Any] | None,
    check: Callable[[Identification], None] | None,
    *,
    told: bool,
) -> Parts:
    """Build everything, before anything is written. What is doubtful about the images is *told* where they are new.

    A run that goes on has the *state* of its newest checkpoint, and *check* sees that the images are those that are
    wanted. Weights that a checkpoint holds are not fetched again.
    """
    model, recorded = components["model"], None
    if state is not None:
        model, recorded = model.without_pretrained(), expects_from_json(state.get("expects"))
    machine = Machine.prepare(config.train)
    observers = Observers(components.several["observe"], reporter.notice, first=world.is_first)
    load = load_dataset if check is None else load_again
    dataset, identity = load(components["data"], config.train.split_by)
    if check is not None:
        check(identity)
    if told and world.is_first:
        for finding in quick_findings(dataset, identity):
            reporter.notice(finding.notice)
    seed_everything(config.train.seed)
    network = build_network(model, dataset.facts, machine, config.train, recorded=recorded)
    if config.train.sync_batch_norm:
        synchronise(network.model, machine.device)
    config = with_crops(config, components, dataset, network)
    cut = config.train.crop_from == "file"
    dataset = held(dataset, network.prepare.size, machine.device, network.prepare.interpolation, cut=cut)
    images, splits = dataset.facts, split_dataset(dataset, config)
    network = prepared_for(network, images, model)
    train = decided(config.train, components, network, splits.train)
    weighted = weights_of_samples(splits.train) is not None
    order = choose_order(train.order, len(splits.train), train.balance, weighted=weighted)
    config = dataclasses.replace(config, train=dataclasses.replace(train, order=order))
    components = with_class_weights(
        with_rate(components, config.train, len(splits.train)), class_counts(splits.train, images)
    )
    config = components.resolved(config)
    task = build_task(components, config, images, splits, network, world)
    together = {"--sync-batch-norm": config.train.sync_batch_norm, "--shard-weights": task.shards is not None}
    for option in (option for option, chosen in together.items() if chosen):
        refuse_uneven(task.training, world, option)
    packed_scheduler(task)  # one that cannot be saved is refused now, not when the first epoch is over
    optimizer_bytes = check_packable(task.updates.optimizer, dict(network.model.named_parameters()))
    settings = dataclasses.replace(
        machine.resolved(config.train, network.memory_format, network.precision),
        slices=config.train.slices or 1,
        split_by=splits.rule,
    )
    resolved = dataclasses.replace(config, train=settings)
    size = (
        estimate_bytes({"model": network.model.state_dict()}) * (1 + bool(task.updates.average) + bool(task.refit))
        + optimizer_bytes
    )
    return Parts(resolved, components, machine, network, images, identity, splits, task, size, observers)


def _run(
    directory: RunDirectory, parts: Parts, reporter: Reporter, requests: StopRequests, found: list[Checkpoint]
) -> Run:
    """Begin, or go on from the newest checkpoint that is whole."""
    world = parts.task.world
    names, state = world.first(lambda: _open(directory, parts, reporter, found))
    progress = Progress()
    if state is not None:
        sharded = parts.task.shards is not None
        tensors = tensors_of(world, names, partial(_tensors, found), sharded=sharded)
        progress = world.agree(lambda: restore(parts.task, parts.network, tensors, state))
    refuse_odd_weights(parts.network.model, world, progress.step)
    requests.hold()
    session = Session(directory, parts, progress, reporter, requests)
    try:
        return session.train()
    finally:
        reporter.closed()


def _open(
    directory: RunDirectory, parts: Parts, reporter: Reporter, found: list[Checkpoint]
) -> tuple[list[str], dict[str, Any] | None]:
    """Write what a run begins with, or return the names of the newest whole checkpoint's files and its state."""
    environs = environment_of(parts)
    if directory.holds_run:
        _note_changes(readable(directory.read_environment, reporter), environs, reporter)
        for damage in directory.checkpoints.damages:
            reporter.notice(f"{damage}; the checkpoint before it is used")
        if parts.config.data != (recorded := directory.read_config()).data:  # its images have moved, and are the same
            directory.write_config(dataclasses.replace(recorded, data=parts.config.data))
    else:
        if note := one_colour(parts.splits.train):
            reporter.notice(note)
        directory.write_environment(environs)
        keep_identity(directory, parts.identity, parts.images, parts.splits.learnt())
        directory.write_config(parts.config)  # the last, as a directory holds a run from here on
    _warn_of_little_room(directory, parts.checkpoint_bytes, reporter)
    if not found:
        return [], None
    (checkpoint,) = found
    return checkpoint.names, checkpoint.state


def _tensors(found: Sequence[Checkpoint], name: str) -> dict[str, Tensor]:
    return found[0].tensors(name)


def _warn_of_little_room(directory: RunDirectory, size: int, reporter: Reporter) -> None:
    """Say before the run, not hours later, that its checkpoints may not fit the disk."""
    needed, free = (_KEPT + 1) * size, shutil.disk_usage(directory.path).free
    if free < needed:
        reporter.notice(
            f"{directory} is on a disk with {free / 1e6:,.0f} MB left; "
            f"the run's checkpoints may take {needed / 1e6:,.0f} MB"
        )


def _note_changes(then: Mapping[str, Any], now: Mapping[str, Any], reporter: Reporter) -> None:
    """Say what is another than when the run began: the results stay right, but their bits may differ."""
    if changed := environment_changes(then, now):
        reporter.notice(
            f"this run began elsewhere, so its bits may differ from an uninterrupted one's: {'; '.join(changed)}"
        )

"""`zoo.train`: decide what run it is, build its parts, and hand them to a session."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from zoo.config import Config
from zoo.data.one_colour import one_colour
from zoo.errors import DamagedError, UsageError, ZooError
from zoo.records.checkpoints import Checkpoint, estimate_bytes
from zoo.records.directory import RunDirectory, new_path
from zoo.records.lock import RunLock
from zoo.runs.components import Components, find_components
from zoo.runs.datasets import load_dataset, split_dataset
from zoo.runs.environment import environment
from zoo.runs.facts import expects_from_json
from zoo.runs.images import check_images, keep_identity
from zoo.runs.machine import Machine, usable_here
from zoo.runs.moved import ROOT, load_again, relocated, settled
from zoo.runs.network import build_network
from zoo.runs.observers import Observers
from zoo.runs.reporting import Reporter
from zoo.runs.session import Parts, Run, Session
from zoo.runs.signals import StopRequests
from zoo.runs.state import packed_scheduler, restore
from zoo.runs.summary import weights_of
from zoo.runs.task import build_task
from zoo.runs.tuning import decided
from zoo.training.arithmetic import choose_device, own_arithmetic
from zoo.training.dropout import dropout_masks
from zoo.training.fit import Progress
from zoo.training.optimizer_trial import check_packable
from zoo.training.randomness import seed_everything
from zoo.training.world import World

_SLICES = "train.slices"
_CHOSEN = {_SLICES, "train.layer_decay", "train.head_lr"}
"""Settings that have no word for being left to zoo: leaving them out is that word."""
_KEPT = 3  # checkpoints: the last two and the best


@dataclass(frozen=True)
class Request:
    """What somebody asked for.

    Attributes:
        config: As it was given, not yet resolved.
        objects: Python objects by section, in place of names.
        out: The run's own directory; None for a new one under runs/.
        restart: Whether to begin anew where *out* already holds a run.
    """

    config: Config
    objects: Mapping[str, Any] = field(default_factory=dict)
    out: Path | None = None
    restart: bool = False


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

    Raises:
        AlreadyFinished: If that run is finished.
        UsageError: If a name, an option or the directory is wrong, or the run there has other settings.
        ZooError: If the work fails; the message says what was kept.
    """
    components = find_components(request.config, request.objects)
    config = components.resolved(request.config)
    if request.out is None:
        unclaimed = RunDirectory(new_path(config.model.name, config.data.name))
        return _proceed(unclaimed, config, components, reporter, request)
    directory = RunDirectory(request.out)
    if directory.holds_run and request.restart:
        _refuse_to_remove_others(directory)
    elif directory.holds_run:
        recorded = directory.read_config()
        if changed := differences(recorded, config):
            raise UsageError(
                f"{directory} holds a run with other settings: {'; '.join(changed)}.\n"
                f"Give another --out, or --restart to remove that run and begin anew{_if_moved(directory, changed)}."
            )
        choose_device(config.train.device)  # a run may go on without its GPU, but not where one is asked for
        return _proceed(directory, recorded, components, reporter)
    elif not directory.is_free:
        raise UsageError(f"{str(directory)!r} exists and holds something else than a run; give another --out")
    return _proceed(directory, config, components, reporter, request)


def resume(path: str | Path, reporter: Reporter, options: Mapping[str, Any] | None = None) -> Run:
    """Go on with a run where its newest checkpoint is.

    Args:
        path: The run's directory.
        reporter: Told what happens.
        options: ``{"data.root": DIR}`` where the run's images have moved; its record keeps that.

    Raises:
        AlreadyFinished: If the run is finished.
        UsageError: If there is no run at *path*.
        DamagedError: If the run, or every one of its checkpoints, is damaged.
        ZooError: If the work fails.
    """
    directory = RunDirectory.open(path)
    config = relocated(directory.read_config(), options)
    components = find_components(config)
    if options:
        config = settled(config, components["data"])
    return _proceed(directory, config, components, reporter)


def differences(recorded: Config, requested: Config) -> list[str]:
    """Return where two configurations differ, one line a key; what was left to zoo to choose never does."""
    old, new = {_SLICES: 1, **_flat(recorded.to_dict())}, _flat(requested.to_dict())  # older runs tell of no slices
    open_keys = {key for key, value in new.items() if value == "auto"} | {"train.threads"} | (_CHOSEN - new.keys())
    return [
        f"{key} is {old.get(key, 'off')!r} there and {new.get(key, 'off')!r} here"
        for key in sorted((old.keys() | new.keys()) - open_keys)
        if old.get(key) != new.get(key)
    ]


def _if_moved(directory: RunDirectory, changed: Sequence[str]) -> str:
    """Return what else can be done where the images' place alone is another."""
    return (
        f"; if its images have moved: --resume {directory} --set {ROOT}=DIR"
        if [line.split()[0] for line in changed] == [ROOT]
        else ""
    )


def _refuse_to_remove_others(directory: RunDirectory) -> None:
    """Many a project has a config.toml and a folder checkpoints: only a run of zoo's is ever removed."""
    try:
        directory.read_config()
    except DamagedError as error:
        raise UsageError(
            f"--restart removes runs alone, and {directory} is none, or a damaged one ({error}).\n"
            "Remove it yourself, or give another --out."
        ) from error


def _flat(table: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in table.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = list(value) if isinstance(value, tuple) else value
    return flat


def _proceed(
    directory: RunDirectory,
    config: Config,
    components: Components,
    reporter: Reporter,
    new: Request | None = None,
) -> Run:
    """Go on with the run in *directory*, or begin a *new* one there."""
    named = new is None or new.out is not None
    with StopRequests() as requests, own_arithmetic(), ExitStack() as held:
        # A second writer is told at once, before it loads anything; a new directory is made when all else is built.
        if existed := named and directory.path.is_dir():
            directory.make()
            held.enter_context(RunLock(directory.path))
        if not new and (summary := _readable(directory.read_summary, reporter)).get("status") == "finished":
            raise AlreadyFinished(directory, summary)
        if not new:
            config = dataclasses.replace(config, train=usable_here(config.train))
        checkpoint = None if new else directory.checkpoints.newest()
        parts = _build(config, components, reporter, checkpoint, None if new else directory)
        held.enter_context(dropout_masks(parts.machine.dropout_masks))
        if not named:
            directory = directory.claimed()
        elif not existed:
            directory.make()
        if not existed:
            held.enter_context(RunLock(directory.path))
        if new:
            if directory.holds_run and not new.restart:
                raise ZooError(f"another process made a run in {directory} meanwhile; to go on with it, try again")
            directory.clear()
        return _run(directory, parts, reporter, requests, checkpoint)


def _build(
    config: Config,
    components: Components,
    reporter: Reporter,
    checkpoint: Checkpoint | None,
    begun: RunDirectory | None,
) -> Parts:
    """Build everything, before anything is written.

    A run that was *begun* goes on with the images that it began with. Weights that a checkpoint holds are not fetched
    again.
    """
    model, recorded = components["model"], None
    if checkpoint is not None:
        model, recorded = model.without_pretrained(), expects_from_json(checkpoint.state.get("expects"))
    config = dataclasses.replace(config, train=decided(config.train, components))
    machine = Machine.prepare(config.train)
    observers = Observers(components.several["observe"], reporter.notice)
    load = load_dataset if begun is None else load_again
    dataset, identity = load(components["data"], machine.device, config.train.split_by)
    if begun is not None:
        check_images(begun, checkpoint, identity, reporter.notice)
    images, splits = dataset.facts, split_dataset(dataset, config)
    seed_everything(config.train.seed)
    network = build_network(model, images, machine, config.train, recorded=recorded)
    task = build_task(components, config, images, splits, network, World())
    packed_scheduler(task)  # one that cannot be saved is refused now, not when the first epoch is over
    optimizer_bytes = check_packable(task.updates.optimizer, dict(network.model.named_parameters()))
    settings = dataclasses.replace(
        machine.resolved(config.train, network.memory_format), slices=config.train.slices or 1, split_by=splits.rule
    )
    resolved = dataclasses.replace(config, train=settings)
    size = estimate_bytes({"model": network.model.state_dict()}) * (2 if task.updates.average else 1) + optimizer_bytes
    return Parts(resolved, components, machine, network, images, identity, splits, task, size, observers)


def _run(
    directory: RunDirectory, parts: Parts, reporter: Reporter, requests: StopRequests, checkpoint: Checkpoint | None
) -> Run:
    """Begin, or go on from the newest checkpoint that is whole."""
    weights = weights_of(parts.network.expects)
    environs = environment(parts.machine.device, parts.machine.threads, parts.components.providers, weights)
    if directory.holds_run:
        _note_changes(_readable(directory.read_environment, reporter), environs, reporter)
        for damage in directory.checkpoints.damages:
            reporter.notice(f"{damage}; the checkpoint before it is used")
        if parts.config.data != (recorded := directory.read_config()).data:  # its images have moved, and are the same
            directory.write_config(dataclasses.replace(recorded, data=parts.config.data))
    else:
        if note := one_colour(parts.splits.train):
            reporter.notice(note)
        directory.write_environment(environs)
        keep_identity(directory, parts.identity)
        directory.write_config(parts.config)  # the last, as a directory holds a run from here on
    progress = Progress()
    if checkpoint is not None:
        tensors = {part: checkpoint.tensors(part) for part in checkpoint.names}
        progress = restore(parts.task, parts.network, tensors, checkpoint.state)
    _warn_of_little_room(directory, parts.checkpoint_bytes, reporter)
    requests.hold()
    session = Session(directory, parts, progress, reporter, requests)
    try:
        return session.train()
    finally:
        reporter.closed()


def _readable(read: Callable[[], dict[str, Any]], reporter: Reporter) -> dict[str, Any]:
    """Return what *read* does, or nothing where its file is damaged: all that a run needs is in its checkpoints."""
    try:
        return read()
    except DamagedError as error:
        reporter.notice(f"{error}; going on without it")
        return {}


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
    keys = ("torch", "python", "threads", "cpu_capability", "device")
    changed = [f"{key} {then[key]} then, {now[key]} now" for key in keys if key in then and then[key] != now[key]]
    for name, provider in now["entries"].items():
        before = then.get("entries", {}).get(name)
        if before and before["version"] != provider["version"]:
            changed.append(f"{provider['distribution']} {before['version']} then, {provider['version']} now")
    if changed:
        reporter.notice(
            f"this run began elsewhere, so its bits may differ from an uninterrupted one's: {'; '.join(changed)}"
        )

"""A save that is stopped anywhere, a full disk anywhere, a power cut anywhere: a valid checkpoint always stands."""

from __future__ import annotations

import os
import random
import shutil
import signal
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
import torch
from faulty_disk import FaultyDisk, LosingDisk, PowerCut, RecordingDisk, fill_up, patient_disk, refuse
from small_checkpoints import checked, names_in, save

from zoo.records.checkpoints import CheckpointStore
from zoo.records.disk import Disk

STOPPED = 77


@pytest.fixture
def before(tmp_path: Path) -> Path:
    """Return a run with checkpoints at steps 1 and 2, and what a dead writer left."""
    root = tmp_path / "before"
    root.mkdir()
    save(root, 1)
    save(root, 2)
    leftover = root / "checkpoints" / ".tmp-step-00000009"
    leftover.mkdir()
    (leftover / "model.safetensors").write_bytes(b"half")
    return root


def save_once(root: Path, disk: Disk) -> None:
    """Save step 3 and prune, as a run does at each interval."""
    save(root, 3, disk=disk)
    CheckpointStore(root / "checkpoints", disk).prune({2, 3})


def work(root: Path, disk: Disk, done: Callable[[int], None] = lambda step: None) -> None:
    """Save step 3, save it again with another state, and prune after each."""
    for label in ("", "again"):
        save(root, 3, label, disk)
        done(3)
        CheckpointStore(root / "checkpoints", disk).prune({2, 3})


def points(function: Callable[[Path, Disk], None], before: Path, tmp_path: Path) -> range:
    """Return the numbers of the fault points in what *function* does, the first of which is 1."""
    root = shutil.copytree(before, tmp_path / "counted")
    disk = FaultyDisk(10**9, lambda operation: None)
    function(root, disk)
    assert disk.count > 50
    return range(1, disk.count + 1)


def forked(function: Callable[[], None]) -> int:
    """Start *function* in a forked process; return the process's id."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 warns of threads, which the child never uses
        child = os.fork()
    if child == 0:
        try:
            function()
        finally:
            os._exit(0)
    return child


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the process is ended in a fork")
def test_a_process_that_ends_at_any_point_of_a_save_leaves_a_valid_checkpoint(before: Path, tmp_path: Path) -> None:
    """Wherever the writer dies, the newest checkpoint is whole, and the next save leaves nothing behind."""
    seen = set()
    for point in points(save_once, before, tmp_path):
        root = shutil.copytree(before, tmp_path / str(point))
        child = forked(lambda: save_once(root, FaultyDisk(point, lambda operation: os._exit(STOPPED))))  # noqa: B023
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == STOPPED
        store = CheckpointStore(root / "checkpoints")
        newest = checked(store.newest())
        assert newest.step >= 2, f"point {point}"
        assert not store.damages, f"point {point}"
        seen.add(newest.step)
        save(root, 5, disk=patient_disk())
        checked(store.newest(), 5)
        assert not [name for name in names_in(root) if name.startswith(".")], f"point {point}"
        shutil.rmtree(root)
    assert seen == {2, 3}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the process is killed in a fork")
def test_a_process_killed_in_a_storm_of_saves_loses_no_step_that_it_reported(tmp_path: Path) -> None:
    """SIGKILL at random instants, on the real disk: what save() returned is there, and all that is there is whole."""
    instants = random.Random(0)
    save(tmp_path, 0)
    store = CheckpointStore(tmp_path / "checkpoints")
    for attempt in range(12):
        first = checked(store.newest()).step + 1
        reading, writing = os.pipe()

        def storm(first: int = first, writing: int = writing) -> None:
            for step in range(first, first + 10_000):
                save(tmp_path, step)
                os.write(writing, b"%d\n" % step)
                store.prune({step - 1, step})

        child = forked(storm)
        os.close(writing)
        # Every other process has saved once before its last moments begin, however busy the machine is.
        early = os.read(reading, 4096) if attempt % 2 else b""
        time.sleep(instants.uniform(0, 0.2))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        with os.fdopen(reading, "rb") as late:
            reported = [int(line) for line in (early + late.read()).splitlines()]
        newest = checked(store.newest())
        assert newest.step >= max(reported, default=first - 1)
        assert store.damages == []
    assert newest.step >= 6
    save(tmp_path, newest.step + 1)
    assert not [name for name in names_in(tmp_path) if name.startswith(".")]


@pytest.mark.parametrize("fault", [fill_up, refuse])
def test_a_disk_that_fails_at_any_point_keeps_the_last_good_checkpoint(
    before: Path, tmp_path: Path, fault: Callable[[str], None]
) -> None:
    """Whichever operation fails, and all after it, OSError says so, and once it works again nothing is left behind."""
    for point in points(work, before, tmp_path):
        root = shutil.copytree(before, tmp_path / str(point))
        disk = FaultyDisk(point, fault)
        with suppress(OSError):
            work(root, disk)
        store = CheckpointStore(root / "checkpoints")
        newest = checked(store.newest())
        assert newest.step >= 2, f"point {point}"
        assert not store.damages, f"point {point}"
        save(root, 5, disk=patient_disk())
        checked(store.newest(), 5)
        assert not [name for name in names_in(root) if name.startswith(".")], f"point {point}"
        shutil.rmtree(root)


def test_a_full_disk_leaves_no_temporaries_behind(before: Path) -> None:
    """What a save wrote before the disk was full is removed at once: it is the room that is missing."""
    disk = FaultyDisk(12, fill_up)
    with pytest.raises(OSError, match="No space left"):
        save(before, 3, disk=disk)
    assert names_in(before) == ["step-00000001", "step-00000002"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the limit is set in a fork")
def test_a_real_limit_on_files_keeps_the_last_good_checkpoint(before: Path) -> None:
    """The system itself refuses to write on, in the middle of a tensor: OSError, nothing left, and later it works."""
    import resource

    large = torch.ones(100_000)  # made here: torch's threads do not survive a fork

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
        store = CheckpointStore(before / "checkpoints")
        with pytest.raises(OSError, match="too large"):
            store.save(3, tensors={"model": {"w": large}}, state={})
        assert names_in(before) == ["step-00000001", "step-00000002"]
        save(before, 3)
        os._exit(STOPPED)

    assert os.waitstatus_to_exitcode(os.waitpid(forked(limited), 0)[1]) == STOPPED
    checked(CheckpointStore(before / "checkpoints").newest(), 3)


@pytest.mark.parametrize("keep_names", [True, False])
def test_what_save_returned_survives_a_power_cut_at_any_later_point(
    before: Path, tmp_path: Path, keep_names: bool
) -> None:
    """Though all that was not synced is lost, no step that was reported as saved is."""
    stopped = 0
    for point in points(work, before, tmp_path):
        root = shutil.copytree(before, tmp_path / str(point))
        disk, saved = LosingDisk(point, keep_names=keep_names), [2]
        try:
            work(root, disk, saved.append)
        except PowerCut:
            stopped += 1
        disk.lose(root)
        newest = checked(CheckpointStore(root / "checkpoints").newest())
        assert newest.step >= saved[-1], f"point {point}"
        shutil.rmtree(root)
    assert stopped > 50


def test_a_power_cut_loses_what_is_not_synced(before: Path) -> None:
    """The disk of the test above does lose: without syncs, a reported step is gone."""

    class Careless(LosingDisk):
        def sync(self, file: object) -> None:
            pass

    disk = Careless(10**9, keep_names=True)
    save(before, 3, disk=disk)
    disk.lose(before)
    store = CheckpointStore(before / "checkpoints")
    checked(store.newest(), 2)
    assert [damage.path.name for damage in store.damages] == ["step-00000003"]


def test_data_then_manifest_then_name_are_synced_in_this_order(tmp_path: Path) -> None:
    """Data fsync, manifest fsync, rename, directory fsync: no name stands for data that a power cut may take."""
    disk = RecordingDisk()
    save(tmp_path, 1, disk=disk)
    order = [(operation, path.name) for operation, path in disk.operations if operation != "write"]
    assert order == [
        ("make_directory", "checkpoints"),
        ("sync_directory", tmp_path.name),
        ("make_directory", ".tmp-step-00000001"),
        ("open", "model.safetensors"),
        ("sync", "model.safetensors"),
        ("open", "optimizer.safetensors"),
        ("sync", "optimizer.safetensors"),
        ("open", "state.json"),
        ("sync", "state.json"),
        ("open", "MANIFEST.json"),
        ("sync", "MANIFEST.json"),
        ("sync_directory", ".tmp-step-00000001"),
        ("rename", "step-00000001"),
        ("sync_directory", "checkpoints"),
    ]

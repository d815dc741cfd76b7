"""Checkpoints are found, verified, kept and pruned; damage anywhere in one is told."""

from __future__ import annotations

import hashlib
import json
import random
import re
import shutil
import tracemalloc
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from small_checkpoints import checked, content, names_in, save

from zoo.errors import DamagedError, UsageError
from zoo.records.checkpoints import Checkpoint, CheckpointStore, estimate_bytes
from zoo.records.disk import canonical_json
from zoo.records.manifest import Manifest, NewerFormatError, read_manifest


@pytest.fixture
def store(tmp_path: Path) -> CheckpointStore:
    return CheckpointStore(tmp_path / "checkpoints")


def step_of(checkpoint: Checkpoint | None) -> int | None:
    return checkpoint.step if checkpoint else None


def test_the_newest_checkpoint_is_the_one_of_the_highest_step(store: CheckpointStore, tmp_path: Path) -> None:
    """Steps are compared as numbers, and the directory's name says the step."""
    assert store.newest() is None
    assert store.steps() == []
    for step in (7, 100_000_000, 10):
        path = save(tmp_path, step)
        assert path.name == f"step-{step:08d}"
    checked(store.newest(), 100_000_000)
    assert store.steps() == [7, 10, 100_000_000]
    checked(store.at(7), 7)
    assert store.at(8) is None


def test_equal_states_make_equal_files(tmp_path: Path) -> None:
    """Every file of two checkpoints with one content has the same bytes, whatever order their names came in."""
    for run in ("a", "b"):
        (tmp_path / run).mkdir()
    first = save(tmp_path / "a", 3)
    again = content(3)
    backwards = {part: dict(reversed(tensors.items())) for part, tensors in reversed(again["tensors"].items())}
    second = CheckpointStore(tmp_path / "b" / "checkpoints").save(3, tensors=backwards, state=again["state"])
    assert {path.name: path.read_bytes() for path in first.iterdir()} == {
        path.name: path.read_bytes() for path in second.iterdir()
    }


def test_tensors_that_are_put_together_while_they_are_written_make_equal_files(tmp_path: Path) -> None:
    """One at a time and once each: of those before it none is held any more."""
    for run in ("a", "b"):
        (tmp_path / run).mkdir()
    first, again = save(tmp_path / "a", 3), content(3)
    asked = []

    def whole(tensor: torch.Tensor) -> torch.Tensor:
        asked.append(id(tensor))
        return tensor * 1

    store = CheckpointStore(tmp_path / "b" / "checkpoints")
    second = store.save(3, tensors=again["tensors"], state=again["state"], whole=whole)
    assert {path.name: path.read_bytes() for path in first.iterdir()} == {
        path.name: path.read_bytes() for path in second.iterdir()
    }
    filled = [id(tensor) for part in again["tensors"].values() for tensor in part.values() if tensor.numel()]
    assert sorted(asked) == sorted(filled)


def test_saving_the_same_again_changes_nothing(store: CheckpointStore, tmp_path: Path) -> None:
    """The checkpoint that stands is left alone, to the inode."""
    path = save(tmp_path, 3)
    inode = path.stat().st_ino
    assert save(tmp_path, 3) == path
    assert names_in(tmp_path) == ["step-00000003"]
    assert path.stat().st_ino == inode


def test_another_state_at_one_step_stands_beside_the_first(store: CheckpointStore, tmp_path: Path) -> None:
    """Nothing whole is replaced: the later one is the newest, and pruning removes the earlier."""
    save(tmp_path, 3, "before evaluation")
    path = save(tmp_path, 3, "after evaluation")
    assert names_in(tmp_path) == ["step-00000003", "step-00000003.2"]
    newest = checked(store.newest())
    assert newest.path == path
    assert newest.state["label"] == "after evaluation"
    assert store.steps() == [3]
    store.prune({3})
    assert names_in(tmp_path) == ["step-00000003.2"]
    checked(store.at(3), 3)


def test_a_damaged_checkpoint_is_saved_again(store: CheckpointStore, tmp_path: Path) -> None:
    """The step is whole again, and pruning removes what is damaged of it."""
    damaged = save(tmp_path, 3)
    (damaged / "model.safetensors").write_bytes(b"")
    save(tmp_path, 3)
    checked(store.newest(), 3)
    assert store.damages == []
    store.prune({3})
    assert names_in(tmp_path) == ["step-00000003.2"]


def test_pruning_keeps_an_earlier_save_while_the_later_is_damaged(store: CheckpointStore, tmp_path: Path) -> None:
    """Of a step's two checkpoints the whole one stays."""
    save(tmp_path, 3, "first")
    (save(tmp_path, 3, "second") / "state.json").write_bytes(b"{}\n")
    store.prune({3})
    assert checked(store.newest(), 3).state["label"] == "first"


def test_pruning_removes_all_other_steps(store: CheckpointStore, tmp_path: Path) -> None:
    """Whole and damaged ones go; what is no checkpoint is left alone."""
    for step in range(5):
        save(tmp_path, step)
    (tmp_path / "checkpoints" / "step-00000001" / "MANIFEST.json").unlink()
    (tmp_path / "checkpoints" / "notes.txt").write_text("mine")
    store.prune({2, 4})
    assert names_in(tmp_path) == ["notes.txt", "step-00000002", "step-00000004"]


def test_every_flipped_byte_and_every_truncation_is_found(store: CheckpointStore, tmp_path: Path) -> None:
    """Wherever a file of the newest checkpoint is damaged, that is told, naming it, and the one before is used."""
    save(tmp_path, 1)
    newest = save(tmp_path, 2)
    cases = 0
    for path in sorted(newest.iterdir()):
        whole = path.read_bytes()
        for position in range(len(whole)):
            flipped = bytearray(whole)
            flipped[position] ^= 1 << position % 8
            for damaged in (bytes(flipped), whole[:position]):
                path.write_bytes(damaged)
                with pytest.raises(DamagedError, match=re.escape(str(path))):
                    store.at(2)
                cases += 1
        assert step_of(store.newest()) == 1
        assert [damage.path for damage in store.damages] == [newest]
        path.write_bytes(whole)
    assert cases > 1000
    checked(store.newest(), 2)


def test_damage_in_a_larger_checkpoint_is_found(store: CheckpointStore, tmp_path: Path) -> None:
    """A sample of the bytes of a checkpoint of a megabyte."""
    save(tmp_path, 1)
    numbers = random.Random(0)
    weights = {f"layer{i}": torch.full((64, 512), float(i)) for i in range(8)}
    newest = store.save(2, tensors={"model": weights}, state={"history": list(range(1000))})
    for path in sorted(newest.iterdir()):
        whole = path.read_bytes()
        for position in numbers.sample(range(len(whole)), 20):
            flipped = bytearray(whole)
            flipped[position] ^= 1 << numbers.randrange(8)
            path.write_bytes(flipped)
            assert step_of(store.newest()) == 1, f"{path.name} at byte {position}"
        path.write_bytes(whole + b"\0")
        assert step_of(store.newest()) == 1
        path.write_bytes(whole)


@pytest.mark.parametrize("name", ["MANIFEST.json", "model.safetensors", "optimizer.safetensors", "state.json"])
def test_a_missing_file_is_found(store: CheckpointStore, tmp_path: Path, name: str) -> None:
    """The message names the file, and steps() no longer counts the checkpoint."""
    save(tmp_path, 1)
    path = save(tmp_path, 2) / name
    path.unlink()
    checked(store.newest(), 1)
    assert [str(damage) for damage in store.damages] == [f"{path} is missing"]
    assert store.steps() == [1]
    with pytest.raises(DamagedError, match="is missing"):
        store.at(2)


def test_when_all_are_damaged_the_error_says_so(store: CheckpointStore, tmp_path: Path) -> None:
    """With exit code 4, and the newest one's reason."""
    for step in (1, 2):
        (save(tmp_path, step) / "MANIFEST.json").unlink()
    with pytest.raises(DamagedError, match=r"every checkpoint in .* is damaged; the newest: .*step-00000002"):
        store.newest()
    assert len(store.damages) == 2


def test_what_is_pruned_while_it_is_read_is_not_damaged(
    store: CheckpointStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reader holds no lock: the run that it looks at goes on, saves and prunes."""
    save(tmp_path, 1)

    def read_late(path: Path) -> Manifest:
        monkeypatch.undo()
        save(tmp_path, 2)
        store.prune([2])
        return read_manifest(path)

    monkeypatch.setattr("zoo.records.checkpoints.read_manifest", read_late)
    checked(store.newest(), 2)
    assert store.damages == []


def test_damage_after_the_look_up_is_found_when_it_is_read(store: CheckpointStore, tmp_path: Path) -> None:
    """Tensors and state are digested as they are read, not only before."""
    path = save(tmp_path, 1)
    checkpoint = store.newest()
    assert checkpoint is not None
    model, state = (path / "model.safetensors", path / "state.json")
    model.write_bytes(model.read_bytes()[:-1] + b"\x01")
    state.write_bytes(state.read_bytes().replace(b'"step":1', b'"step":2'))
    with pytest.raises(DamagedError, match="SHA-256"):
        checkpoint.tensors("model")
    with pytest.raises(DamagedError, match="SHA-256"):
        _ = checkpoint.state


def test_a_checkpoint_under_another_name_is_damaged(store: CheckpointStore, tmp_path: Path) -> None:
    """A directory that somebody renamed is not the step that its name says."""
    path = save(tmp_path, 1)
    path.rename(path.with_name("step-00000005"))
    with pytest.raises(DamagedError, match="is not where it was written: it is that of step 1"):
        store.newest()


def manifest_of(path: Path, **changes: object) -> None:
    """Change fields of a checkpoint's manifest as somebody would who makes its digest right again."""
    fields = {**json.loads((path / "MANIFEST.json").read_bytes()), **changes}
    del fields["digest"]
    fields["digest"] = hashlib.sha256(canonical_json(fields)).hexdigest()
    (path / "MANIFEST.json").write_bytes(canonical_json(fields))


def test_a_newer_format_is_not_taken_for_damage(store: CheckpointStore, tmp_path: Path) -> None:
    """An older zoo neither falls back silently nor calls it damaged: it says to upgrade, with exit code 2."""
    save(tmp_path, 1)
    manifest_of(save(tmp_path, 2), format=2)
    with pytest.raises(
        NewerFormatError, match=r"checkpoint format 2; this one reads formats up to 1: upgrade"
    ) as caught:
        store.newest()
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    "changes",
    [
        {"format": "1"},
        {"format": True},
        {"step": "1"},
        {"files": []},
        {"files": {"../model.safetensors": {"bytes": 1, "sha256": "0" * 64}}},
        {"files": {"/etc/passwd": {"bytes": 1, "sha256": "0" * 64}}},
        {"files": {"model.safetensors": {"bytes": 1.5, "sha256": "0" * 64}}},
        {"files": {"model.safetensors": {"bytes": 1, "sha256": "0"}}},
        {"files": {"model.safetensors": {"bytes": 1, "sha256": 3}}},
        {"files": {"model.safetensors": None}},
        {"extra": 1},
    ],
)
def test_a_manifest_with_a_right_digest_and_wrong_fields_is_refused(
    store: CheckpointStore, tmp_path: Path, changes: dict[str, object]
) -> None:
    """A stranger's manifest is checked field by field, and no file name in it leads out of the directory."""
    manifest_of(save(tmp_path, 1), **changes)
    with pytest.raises(DamagedError, match=r"no checkpoint's manifest|not where it was written"):
        store.newest()


def test_a_part_that_was_not_saved_is_named(store: CheckpointStore, tmp_path: Path) -> None:
    """The message says what there is."""
    save(tmp_path, 1)
    checkpoint = checked(store.newest())
    assert checkpoint.names == ["model", "optimizer"]
    with pytest.raises(DamagedError, match=r"has no average.safetensors, only model.safetensors, optimizer"):
        checkpoint.tensors("average")


@pytest.mark.parametrize("part", ["Model", "../model", "", "state.json", "a b"])
def test_a_part_with_an_odd_name_is_refused(store: CheckpointStore, part: str) -> None:
    """Before anything is written."""
    with pytest.raises(UsageError, match="no name for a checkpoint's file"):
        store.save(1, tensors={part: {}}, state={})
    assert not store.directory.exists()


def test_a_save_into_a_removed_run_fails_and_makes_nothing(store: CheckpointStore, tmp_path: Path) -> None:
    """A run directory that was removed while the run went on does not come back."""
    save(tmp_path, 1)
    shutil.rmtree(tmp_path)
    with pytest.raises(FileNotFoundError):
        save(tmp_path, 2)
    assert not tmp_path.exists()


def test_state_that_json_cannot_hold_is_refused_before_anything_is_written(store: CheckpointStore) -> None:
    """A number that is not finite has no JSON."""
    with pytest.raises(ValueError, match="not JSON compliant"):
        store.save(1, tensors={}, state={"loss": float("nan")})
    assert not store.directory.exists()


def test_the_estimate_is_what_the_tensor_files_take(store: CheckpointStore) -> None:
    """To the byte, so that a preflight check can be trusted."""
    tensors = content(3)["tensors"]
    path = store.save(3, tensors=tensors, state={})
    assert estimate_bytes(tensors) == sum(file.stat().st_size for file in path.glob("*.safetensors"))


def test_other_programs_read_the_tensors(tmp_path: Path) -> None:
    """The safetensors package loads a checkpoint's files."""
    path = save(tmp_path, 4)
    assert torch.equal(load_file(path / "model.safetensors")["w"], torch.arange(3.0) + 4)


def test_verifying_holds_a_piece_of_a_file_at_a_time(store: CheckpointStore) -> None:
    """A checkpoint of 32 MB is verified in a hundredth of that memory."""
    store.save(1, tensors={"model": {"w": torch.zeros(2**23)}}, state={})
    tracemalloc.start()
    try:
        assert store.newest() is not None
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


def test_a_manifest_is_read_as_it_was_written(tmp_path: Path) -> None:
    """And its digest does not depend on the order of the files."""
    manifest = read_manifest(save(tmp_path, 4) / "MANIFEST.json")
    backwards = Manifest(4, dict(reversed(manifest.files.items())))
    assert backwards == manifest
    assert backwards.digest == manifest.digest

"""Manifests: one canonical form, a digest of its own, and whatever else they say refused."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.errors import DamagedError, UsageError
from zoo.records.disk import Written, canonical_json
from zoo.records.manifest import Manifest, NewerFormatError, is_file_name, read_manifest
from zoo.records.published import files_listed_in, is_published, verify_folder, write_folder_manifest

SHA = "ab" * 32
NAMES = st.text("abz019_", max_size=20).map(lambda text: f"m{text}.safetensors") | st.just("state.json")
FILES = st.dictionaries(
    NAMES, st.builds(Written, st.integers(0, 2**60), st.binary(min_size=32, max_size=32).map(bytes.hex)), max_size=5
)


def signed(body: Any) -> bytes:
    """Return what a manifest of this content would be: its digest is right, whatever it says."""
    return canonical_json({**body, "digest": hashlib.sha256(canonical_json(body)).hexdigest()})


@settings(max_examples=30)
@given(step=st.integers(0, 2**40), files=FILES)
def test_a_manifest_is_read_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory, step: int, files: dict[str, Written]
):
    """In whatever order its files were given: equal content has one digest."""
    path = tmp_path_factory.mktemp("manifest") / "MANIFEST.json"
    manifest = Manifest(step, files)
    path.write_bytes(manifest.to_bytes())
    assert read_manifest(path) == manifest
    turned = Manifest(step, dict(reversed(files.items())))
    assert turned.to_bytes() == manifest.to_bytes()
    assert Manifest(step + 1, files).digest != manifest.digest


@pytest.mark.parametrize(
    ("name", "right"),
    [
        ("model.safetensors", True),
        ("a.safetensors", True),
        ("state.json", True),
        (f"{'a' * 64}.safetensors", True),
        (f"{'a' * 65}.safetensors", False),
        ("Model.safetensors", False),
        ("1model.safetensors", False),
        (".safetensors", False),
        ("../model.safetensors", False),
        ("a/model.safetensors", False),
        ("model.safetensors\n", False),
        ("state.jsonx", False),
        ("statexjson", False),
        ("MANIFEST.json", False),
        ("", False),
    ],
)
def test_no_file_name_leads_out_of_the_directory(name: str, right: bool):
    """Nor is it one that the directory has for itself."""
    assert is_file_name(name) == right


def body(**changed: Any) -> dict[str, Any]:
    files = {"state.json": {"bytes": 2, "sha256": SHA}}
    return {"format": 1, "step": 3, "files": files, **changed}


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"[]\n", "not in the form in which it was written"),
        (signed(body())[:-1], "not in the form in which it was written"),
        (b" " + signed(body()), "not in the form in which it was written"),
        (canonical_json(body()), "its digest is not its own"),
        (canonical_json({**body(), "digest": SHA}), "its digest is not its own"),
        (signed({"step": 3, "files": {}}), "it has no format number"),
        (signed(body(format=True)), "it has no format number"),
        (signed(body(format="1")), "it has no format number"),
        (signed({"format": 1, "files": {}}), "KeyError: 'step'"),
        (signed({"format": 1, "step": 3}), "KeyError: 'files'"),
        (signed(body(files=[])), "AttributeError"),
        (signed(body(files={"state.json": 5})), "TypeError"),
        (signed(body(files={"state.json": {"bytes": 2}})), "KeyError: 'sha256'"),
        (signed(body(files={"state.json": {"bytes": True, "sha256": SHA}})), "not described by bytes and sha256"),
        (signed(body(files={"state.json": {"bytes": 2, "sha256": SHA.upper()}})), "not described by bytes and sha256"),
        (signed(body(files={"state.json": {"bytes": 2, "sha256": SHA[1:]}})), "not described by bytes and sha256"),
        (signed(body(files={"../state.json": {"bytes": 2, "sha256": SHA}})), "'../state.json' is not described"),
        (signed(body(more=1)), "it says more than one of format 1 does"),
        (signed(body(format=0)), "it says more than one of format 1 does"),
    ],
)
def test_what_is_no_manifest_is_refused_with_its_path(tmp_path: Path, data: bytes, told: str):
    """Also where a stranger took a right digest of it."""
    path = tmp_path / "MANIFEST.json"
    path.write_bytes(data)
    with pytest.raises(DamagedError) as caught:
        read_manifest(path)
    assert str(caught.value).startswith(f"{path} is ")
    assert told in str(caught.value)


def test_a_newer_format_is_told_from_damage(tmp_path: Path):
    """Nothing is wrong with the file: zoo is too old."""
    path = tmp_path / "MANIFEST.json"
    path.write_bytes(signed(body(format=2, news="of tomorrow")))
    with pytest.raises(
        NewerFormatError, match=r"checkpoint format 2; this one reads formats up to 1: upgrade"
    ) as caught:
        read_manifest(path)
    assert caught.value.exit_code == 2


def published(folder: Path) -> Path:
    """Make a published folder of three small files."""
    folder.mkdir()
    files = {}
    for name, data in {"model.safetensors": b"weights", "zoo.toml": b"recipe", "README.md": b""}.items():
        (folder / name).write_bytes(data)
        files[name] = Written(len(data), hashlib.sha256(data).hexdigest())
    write_folder_manifest(folder, files)
    return folder


def test_a_published_folder_is_known_by_its_three_files(tmp_path: Path):
    """Each of them is needed; more may be there."""
    folder = published(tmp_path / "model")
    (folder / ".gitattributes").write_text("of a hub")
    verify_folder(folder)
    assert is_published(folder)
    assert list(files_listed_in(folder / "MANIFEST.json")) == ["README.md", "model.safetensors", "zoo.toml"]
    for name in ("MANIFEST.json", "model.safetensors", "zoo.toml"):
        (folder / name).rename(folder / "away")
        assert not is_published(folder)
        (folder / "away").rename(folder / name)


@pytest.mark.parametrize("change", [b"weightz", b"weight", b"weights!", b""])
def test_a_file_that_is_not_the_published_one_is_named(tmp_path: Path, change: bytes):
    """Longer, shorter, or other bytes of its length."""
    folder = published(tmp_path / "model")
    (folder / "model.safetensors").write_bytes(change)
    with pytest.raises(DamagedError, match="not those that were published") as caught:
        verify_folder(folder)
    assert str(folder / "model.safetensors") in str(caught.value)


def listed(**changed: Any) -> dict[str, Any]:
    return {
        "format": 1,
        "kind": "published model",
        "files": {"model.safetensors": {"bytes": 7, "sha256": SHA}},
        **changed,
    }


def naming(name: str) -> dict[str, Any]:
    return listed(files={name: {"bytes": 7, "sha256": SHA}, "model.safetensors": {"bytes": 7, "sha256": SHA}})


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"7\n", "not in the form in which it was written"),
        (signed(listed()) + b"\n", "not in the form in which it was written"),
        (canonical_json({**listed(), "digest": SHA}), "its digest is not its own"),
        (signed(listed(kind="checkpoint")), "or not the manifest of a published model"),
        (signed(listed(format=None)), "or not the manifest of a published model"),
        (signed(listed(files={})), "does not name model.safetensors"),
        (signed(listed(files=None)), "misstates a file"),
        (signed(listed(files={"model.safetensors": {"bytes": "x", "sha256": SHA}})), "misstates a file"),
        (signed(listed(files={"model.safetensors": {"sha256": SHA}})), "misstates a file: 'bytes'"),
        (signed(naming("../secret")), "names '../secret', which is no file of its folder"),
        (signed(naming("/etc/passwd")), "names '/etc/passwd', which is no file of its folder"),
        (signed(naming("a/b")), "names 'a/b', which is no file of its folder"),
        (signed(naming("MANIFEST.json")), "names 'MANIFEST.json', which is no file of its folder"),
    ],
)
def test_a_published_manifest_that_says_something_else_is_refused(tmp_path: Path, data: bytes, told: str):
    """Before a file that it names is opened."""
    path = tmp_path / "MANIFEST.json"
    path.write_bytes(data)
    with pytest.raises(DamagedError) as caught:
        files_listed_in(path)
    assert str(caught.value).startswith(f"{path} ")
    assert told in str(caught.value)


@pytest.mark.parametrize("name", ["..", ".", ""])
def test_a_manifest_that_names_a_folder_verifies_nothing(tmp_path: Path, name: str):
    """A stranger's digest of a folder is refused like a file that is gone."""
    (tmp_path / "MANIFEST.json").write_bytes(signed(naming(name)))
    with pytest.raises(DamagedError):
        verify_folder(tmp_path)


def test_a_newer_published_format_is_told_from_damage(tmp_path: Path):
    """With what to do."""
    (tmp_path / "MANIFEST.json").write_bytes(signed(listed(format=2)))
    with pytest.raises(UsageError, match="published by a newer zoo, in format 2: upgrade torch-zoo"):
        files_listed_in(tmp_path / "MANIFEST.json")

"""Trained models that are named rather than given as a path: what plugins registered, and what is on the hub.

``weights:NAME`` is an entry of the kind weights, ``hf:user/name@commit`` what 'zoo publish' wrote to a repository. Both
come to this machine's disk, and are verified there before anything of them is parsed.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from zoo.errors import DamagedError, PluginError, UsageError
from zoo.files.downloads import data_folder, download, sha256_of
from zoo.files.hub import PREFIX as HUB
from zoo.files.hub import HubName
from zoo.records.manifest import MANIFEST
from zoo.records.published import files_listed_in
from zoo.registry import Entry, registry
from zoo.registry.weights import WeightsFile, file_of, place_of

WEIGHTS = "weights:"


def is_named(source: object) -> bool:
    """Tell whether a text names weights rather than a path."""
    return isinstance(source, str | Path) and str(source).startswith((WEIGHTS, HUB))


def refuse_missing(source: Path) -> None:
    """See that there is something at a path that is meant to be a trained model, before torch is imported.

    Raises:
        UsageError: If there is nothing, or a name is malformed or unknown.
    """
    if is_named(source):
        _looked_up(str(source))
    elif not source.expanduser().exists():
        raise UsageError(f"there is no run {str(source)!r}; 'zoo runs' lists those in the folder runs")


def pinned_name(text: str) -> str:
    """Return a name in full, which will always mean the same: weights with their plugin, a repository with its commit.

    Raises:
        UsageError: If there is no such thing.
        ZooError: If the hub would have to be asked and cannot be.
    """
    if text.startswith(WEIGHTS) and "/" in text:
        return text  # of a run that was begun with them, whose plugin may be gone by now
    found = _looked_up(text)
    return f"{WEIGHTS}{found.full_name}" if isinstance(found, Entry) else str(found.pinned)


@dataclass(frozen=True)
class Fetched:
    """What a name stands for, on this machine's disk.

    Attributes:
        name: In full.
        path: A file of weights whose bytes are those that its plugin states, or a published folder, not yet verified.
        stated: What the plugin states of the file; None of a folder.
    """

    name: str
    path: Path
    stated: WeightsFile | None = None


def fetched(text: str) -> Fetched:
    """Bring what a name stands for to this machine, unless it is here.

    Raises:
        UsageError: If there is no such thing.
        DamagedError: If it is damaged, or another than its plugin states.
        PluginError: If a plugin's file is missing.
        ZooError: If there is no network.
    """
    found = _looked_up(text)
    if isinstance(found, Entry):
        stated = file_of(found)
        return Fetched(f"{WEIGHTS}{found.full_name}", _verified(found, _file_of(found, stated), stated), stated)
    name = found.pinned
    return Fetched(str(name), _folder_of(name))


def _looked_up(text: str) -> Entry | HubName:
    if text.startswith(WEIGHTS):
        return registry().find("weights", text.removeprefix(WEIGHTS))
    return HubName.parse(text)


def _folder_of(name: HubName) -> Path:
    """Return the folder with all files that a repository's manifest lists."""
    try:
        manifest = name.fetch(MANIFEST)
    except UsageError as error:
        raise UsageError(f"{error}\nzoo loads from the hub what 'zoo publish' wrote") from error
    for file in files_listed_in(manifest):
        name.fetch(file)
    return manifest.parent


def _file_of(entry: Entry, stated: WeightsFile) -> Path:
    place = place_of(entry.target)
    if place is None:
        raise PluginError(f"{entry}: its target {entry.target!r} names no file")
    if place["url"]:
        suffix = Path(place["url"].partition("?")[0]).suffix
        target = data_folder("weights") / f"{entry.name}-{stated.sha256[:16]}{suffix}"
        return download(place["url"], target, sha256=stated.sha256, max_bytes=stated.bytes)
    if place["hub"]:
        return HubName.parse(f"{HUB}{place['hub']}").fetch(place["name"])
    from importlib.resources import files

    try:
        path = Path(str(files(place["package"]).joinpath(place["file"])))
    except (ImportError, TypeError) as error:
        raise PluginError(f"{entry}: its package {place['package']!r} cannot be imported: {error}") from error
    if not path.is_file():
        raise PluginError(f"{entry}: its file {entry.target!r} is missing. Reinstall {entry.distribution}.")
    return path


def _verified(entry: Entry, path: Path, stated: WeightsFile) -> Path:
    size = path.stat().st_size
    found = sha256_of(path) if size == stated.bytes else f"that of {size:,} bytes, not {stated.bytes:,}"
    if found != stated.sha256:
        raise DamagedError(f"{str(path)!r} is not what {entry} states: its SHA-256 is {found}, not {stated.sha256}")
    return path

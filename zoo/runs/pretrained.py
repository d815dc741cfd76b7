"""Beginning with weights from a file or from another run, whatever the model's builder knows of pretrained weights."""

from __future__ import annotations

import dataclasses
import logging
import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from zoo.data import Expects, ImageFacts
from zoo.errors import DamagedError, PluginError, UsageError
from zoo.records.directory import RunDirectory
from zoo.records.published import WEIGHTS, is_published, verify_folder
from zoo.records.weight_file import is_weight_file, read_weight_file
from zoo.records.weights import PICKLED, SAFE, read_weights, refuse_other
from zoo.registry.entry import in_one_line
from zoo.runs.elsewhere import Fetched, fetched, is_named, pinned_name
from zoo.runs.facts import expects_from_json, facts_from_json
from zoo.runs.record import checked_record
from zoo.typed import plain, text_of

_log = logging.getLogger("zoo")

_STATED = ("mean", "std", "size", "interpolation", "classes")


@dataclass(frozen=True)
class Beginning:
    """With which weights a model begins, as far as that is not its builder's business.

    Attributes:
        path: A file with weights, a run or what was published of one; None for neither.
        name: Weights that a plugin registered, or a repository on the hub, in full; empty for neither.
        sha256: The SHA-256 that the file must have; empty where any will do.
        stated: What somebody states that the weights expect, over what their own record says.
    """

    path: Path | None = None
    name: str = ""
    sha256: str = ""
    stated: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def taken_from(cls, options: dict[str, Any], taken: Collection[str]) -> Beginning:
        """Take zoo's own options out of a model's *options*; the names that its builder has *taken* are the builder's.

        A text that names a file or a folder, or looks like one, is a path, and one that begins with ``weights:`` or
        ``hf:`` a name; any other is the builder's, if it has an option ``pretrained``.

        Raises:
            UsageError: If a value cannot be.
            ZooError: If the hub must be asked for the newest commit and cannot be.
        """
        given: Any = options.get("pretrained")
        name = pinned_name(given) if is_named(given) else ""
        path = None if name else _path_of(given, certain="pretrained" not in taken)
        if name or path is not None:
            del options["pretrained"]
            if "pretrained" in taken:
                options["pretrained"] = False
        sha256 = "" if "sha256" in taken else text_of(options.pop("sha256", "")) or ""
        stated = {} if "expects" in taken else _stated(options.pop("expects", {}))
        return cls(path, name, sha256, stated)

    @property
    def recorded(self) -> dict[str, Any]:
        """Zoo's own options, as the configuration holds them."""
        pretrained = self.name or (str(self.path) if self.path else None)
        options = {"pretrained": pretrained, "sha256": self.sha256, "expects": self.stated}
        return {name: value for name, value in options.items() if value}

    def open(self, images: ImageFacts) -> Source | None:
        """Read the weights that were given as a file, a run or a name, and what they expect; None where none were.

        Raises:
            UsageError: If there is no such file, run or name, or a file's hash must be given.
            DamagedError: If it is damaged.
            ZooError: If they must be fetched, and there is no network.
        """
        if self.path is None and not self.name:
            return None
        if self.path is not None and not self.path.exists():
            raise UsageError(f"model.pretrained names no file and no run: {str(self.path)!r} does not exist")
        source = _read(fetched(self.name) if self.path is None else Fetched(str(self.path), self.path), self, images)
        if self._is_mute and "mean" not in self.stated:
            _log.warning(
                "nobody states what the weights in %r expect: images are normalised by the data's own mean and "
                "standard deviation; --set model.expects.mean=[...] and model.expects.std=[...] state others",
                str(self.path),
            )
        return Source(source.tensors, self.applied(source.expects, images) or source.expects)

    def applied(self, expects: Expects | None, images: ImageFacts) -> Expects | None:
        """Return what the weights expect with what was stated in its place; None where nothing is.

        Raises:
            UsageError: If what was stated cannot be.
        """
        if not self.stated:
            return expects
        base = expects or Expects(mean=images.mean, std=images.std, source="model.expects")
        try:
            return dataclasses.replace(base, **self.stated)
        except (TypeError, ValueError) as error:
            raise UsageError(f"model.expects: {error}") from error

    def leaves_statistics(self, model: nn.Module) -> bool:
        """Whether nobody states the statistics of what *model* begins with, so that they are those of the data."""
        if "mean" in self.stated or self.name:
            return False
        if self.path is None:
            return bool(self.stated) and getattr(model, "expects", None) is None
        return self._is_mute

    @property
    def _is_mute(self) -> bool:
        """Whether the weights are a file that tells nothing of what they expect, as those of others are."""
        return self.path is not None and self.path.is_file() and not is_weight_file(self.path)

    def verify(self, expects: Expects | None) -> None:
        """See that a builder's weights have the SHA-256 that was given.

        Raises:
            UsageError: If there are none, or none is known of them.
            DamagedError: If they have another.
        """
        if not self.sha256 or self.path is not None or self.name:
            return
        if expects is None or not expects.sha256:
            raise UsageError("model.sha256 was given, and the model begins with no file that has one")
        if expects.sha256 != self.sha256.lower():
            raise DamagedError(f"the weights {expects.source!r} have the SHA-256 {expects.sha256}, not {self.sha256}")


@dataclass(frozen=True)
class Source:
    """Weights that were read.

    Attributes:
        tensors: By name.
        expects: What they expect of images.
        model: The registered model that they are of, where that is stated.
    """

    tensors: Mapping[str, Tensor]
    expects: Expects
    model: str = ""

    def load_into(self, model: nn.Module, images: ImageFacts) -> str:
        """Load the weights into *model*, which was built for the same kind of inputs.

        Returns:
            ``"kept"`` where the weights' head serves the classes of *images*, else ``"new"``: the model's own stays.

        Raises:
            UsageError: If they do not fit; it says what.
        """
        own, given = model.state_dict(), self.adapted(model)
        head = head_names(model, images.num_classes)
        rows = self.expects.rows(images.classes)
        for name in head:
            rows = rows if name in given and _has_rows(given[name], rows, own[name]) else None
        for name in head:
            given[name] = own[name] if rows is None else given[name][list(rows)]
        for name in own.keys() - given.keys():
            if name.endswith("num_batches_tracked"):  # older files do not have it, and nothing is computed with it
                given[name] = own[name]
        self._check_fits(own, given)
        with torch.no_grad():
            for name, tensor in own.items():
                tensor.copy_(given[name])
        return "new" if rows is None else "kept"

    def adapted(self, model: nn.Module) -> dict[str, Tensor]:
        """Return the tensors under the model's own names and of its sizes, as far as its builder knows how."""
        given = dict(self.tensors)
        for prefix in ("module.", "_orig_mod."):  # what torch's wrappers put before every name
            if given and all(name.startswith(prefix) for name in given):
                given = {name.removeprefix(prefix): tensor for name, tensor in given.items()}
        adapt: Any = getattr(model, "adapt_weights", None)
        if adapt is None or isinstance(adapt, nn.Module):
            return given
        try:
            return dict(adapt(given))
        except Exception as error:
            raise UsageError(
                f"the weights in {self.expects.source!r} do not fit the model: {in_one_line(error)}"
            ) from error

    def _check_fits(self, own: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> None:
        faults = [f"the model's {name!r} is not there" for name in own if name not in given]
        faults += [f"the model has no {name!r}" for name in given if name not in own]
        faults += [
            f"{name!r} is {tuple(given[name].shape)} there and {tuple(own[name].shape)} in the model"
            for name in own
            if name in given and own[name].shape != given[name].shape
        ]
        if faults:
            others = len(faults) - 1
            more = f"; {others:,} more such difference{'s' * (others > 1)}" if others else ""
            raise UsageError(f"the weights in {self.expects.source!r} do not fit the model: {faults[0]}{more}")


def _read(place: Fetched, beginning: Beginning, images: ImageFacts) -> Source:
    """Return the weights that lie at a place; *images* are those of a file that tells nothing of its own."""
    path, sha256 = place.path, beginning.sha256
    if path.is_dir() and not is_published(path):
        return _of_run(path)
    if path.is_dir():
        verify_folder(path)
        path = path / WEIGHTS
    if is_weight_file(path):
        return _of_published(path, place, sha256)
    return _of_file(path, sha256, images) if place.stated is None else registered(place)


def _of_published(path: Path, place: Fetched, sha256: str) -> Source:
    """Return the weights of a file that zoo published, which tells all that they expect."""
    file = read_weight_file(path)
    refuse_other(path, file.sha256, sha256.lower())
    record = checked_record(file.record, str(path))
    images = facts_from_json(record["images"], str(path))
    licence = place.stated.licence if place.stated else ""
    expects = _as_trained(images, expects_from_json(record.get("expects")))
    expects = dataclasses.replace(expects, source=place.name, sha256=file.sha256, license=licence)
    return Source(file.tensors, expects)


def registered(place: Fetched) -> Source:
    """Return the weights of a file that zoo did not write, of which a plugin states what they expect.

    Raises:
        PluginError: If it does not.
        DamagedError: If the file holds something else than tensors.
    """
    stated = place.stated
    if stated is None or "mean" not in stated.expects:
        raise PluginError(f"{place.name} state no mean and std, and their file tells nothing of its own")
    weights = read_weights(place.path, sha256=stated.sha256)
    about: dict[str, Any] = {"source": place.name, "sha256": stated.sha256, "license": stated.licence}
    try:
        expects = Expects(**stated.expects, classes=stated.classes, head="kept", **about)
    except (TypeError, ValueError) as error:
        raise PluginError(f"{place.name} misstates what its weights expect: {error}") from error
    return Source(weights.tensors, expects, stated.model)


def _as_trained(images: ImageFacts, before: Expects | None) -> Expects:
    """Return what weights expect that were trained on *images*, having begun with others that expected *before*."""
    if before is None:
        before = Expects(mean=images.mean, std=images.std, size=images.image_size)
    return dataclasses.replace(before, classes=images.classes, head="new")


def _of_run(path: Path) -> Source:
    """Return the weights of a run's best epoch; they expect what they were trained on.

    Those that were validated, as the same images may be held out again: a head that was then fitted to all of them
    would know their labels.
    """
    checkpoint = RunDirectory.open(path).checkpoint("best")
    part = checkpoint.validated_part
    images = facts_from_json(checkpoint.state.get("images"))
    before = expects_from_json(checkpoint.state.get("expects"))
    digest = checkpoint.manifest.files[f"{part}.safetensors"].sha256
    expects = dataclasses.replace(_as_trained(images, before), source=str(path), sha256=digest)
    return Source(checkpoint.tensors(part), expects)


def _of_file(path: Path, sha256: str, images: ImageFacts) -> Source:
    """Return the weights of a file, of which only the tensors are known."""
    weights = read_weights(path, sha256=sha256)
    expects = Expects(mean=images.mean, std=images.std, source=str(path), sha256=weights.sha256)
    return Source(weights.tensors, expects)


def _path_of(value: Any, *, certain: bool) -> Path | None:
    """Return the path that an option names, None where it names none: what exists, or looks like a path, is one."""
    text = value if isinstance(value, str) else text_of(value)
    if not text or isinstance(value, bool):
        return None
    path = Path(text).expanduser()
    looks_so = os.sep in text or "/" in text or text.startswith("~") or path.suffix in (SAFE, *PICKLED)
    return path.absolute() if certain or looks_so or path.exists() else None


def _stated(table: Any) -> dict[str, Any]:
    if not isinstance(table, Mapping):
        raise UsageError(f"model.expects is a table with {', '.join(_STATED)}, not {plain(table)!r}")
    if unknown := [name for name in table if name not in _STATED]:
        raise UsageError(f"model.expects has no {unknown[0]!r}; it takes {', '.join(_STATED)}")
    if ("mean" in table) != ("std" in table):
        raise UsageError("model.expects takes mean and std together: one without the other normalises nothing")
    return {name: _as_size(plain(value)) if name == "size" else plain(value) for name, value in table.items()}


def _as_size(value: Any) -> Any:
    return [value, value] if type(value) is int else value


def head_names(model: nn.Module, classes: int) -> list[str]:
    """Return the names of the tensors of the last layer that has a row for each class."""
    layers = [
        (name, module)
        for name, module in model.named_modules()
        if isinstance(weight := getattr(module, "weight", None), Tensor) and weight.ndim > 1 and len(weight) == classes
    ]
    return [f"{layers[-1][0]}.{name}".lstrip(".") for name in layers[-1][1].state_dict()] if layers else []


def _has_rows(given: Tensor, rows: Sequence[int] | None, own: Tensor) -> bool:
    return rows is not None and given.ndim == own.ndim and given.shape[1:] == own.shape[1:] and max(rows) < len(given)

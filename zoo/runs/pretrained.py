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
from zoo.errors import DamagedError, UsageError
from zoo.records.directory import RunDirectory
from zoo.records.weights import PICKLED, SAFE, read_weights
from zoo.registry.entry import in_one_line
from zoo.runs.facts import expects_from_json, facts_from_json
from zoo.typed import plain, text_of

_log = logging.getLogger("zoo")

_STATED = ("mean", "std", "size", "interpolation", "classes")


@dataclass(frozen=True)
class Beginning:
    """With which weights a model begins, as far as that is not its builder's business.

    Attributes:
        path: A file with weights, or a run; None for neither.
        sha256: The SHA-256 that the file must have; empty where any will do.
        stated: What somebody states that the weights expect, over what their own record says.
    """

    path: Path | None = None
    sha256: str = ""
    stated: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def taken_from(cls, options: dict[str, Any], taken: Collection[str]) -> Beginning:
        """Take zoo's own options out of a model's *options*; the names that its builder has *taken* are the builder's.

        A text that names a file or a folder, or looks like one, is a path; any other is the builder's, if it has an
        option ``pretrained``.

        Raises:
            UsageError: If a value cannot be.
        """
        path = _path_of(options.get("pretrained"), certain="pretrained" not in taken)
        if path is not None:
            del options["pretrained"]
            if "pretrained" in taken:
                options["pretrained"] = False
        sha256 = "" if "sha256" in taken else text_of(options.pop("sha256", "")) or ""
        stated = {} if "expects" in taken else _stated(options.pop("expects", {}))
        return cls(path, sha256, stated)

    @property
    def recorded(self) -> dict[str, Any]:
        """Zoo's own options, as the configuration holds them."""
        options = {"pretrained": str(self.path) if self.path else None, "sha256": self.sha256, "expects": self.stated}
        return {name: value for name, value in options.items() if value}

    def open(self, images: ImageFacts) -> Source | None:
        """Read the weights that were given as a file or a run, and what they expect; None where none were.

        Raises:
            UsageError: If there is no such file or run, or a file's hash must be given.
            DamagedError: If it is damaged.
        """
        if self.path is None:
            return None
        if not self.path.exists():
            raise UsageError(f"model.pretrained names no file and no run: {str(self.path)!r} does not exist")
        source = _of_run(self.path) if self.path.is_dir() else _of_file(self.path, self.sha256, images)
        if not self.path.is_dir() and "mean" not in self.stated:
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
        if self.path is None and not self.stated:
            return False
        told_by_builder = self.path is None and getattr(model, "expects", None) is not None
        of_a_run = self.path is not None and self.path.is_dir()
        return "mean" not in self.stated and not told_by_builder and not of_a_run

    def verify(self, expects: Expects | None) -> None:
        """See that a builder's weights have the SHA-256 that was given.

        Raises:
            UsageError: If there are none, or none is known of them.
            DamagedError: If they have another.
        """
        if not self.sha256 or self.path is not None:
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
    """

    tensors: Mapping[str, Tensor]
    expects: Expects

    def load_into(self, model: nn.Module, images: ImageFacts) -> str:
        """Load the weights into *model*, which was built for the same kind of inputs.

        Returns:
            ``"kept"`` where the weights' head serves the classes of *images*, else ``"new"``: the model's own stays.

        Raises:
            UsageError: If they do not fit; it says what.
        """
        own, given = model.state_dict(), self._adapted(model)
        head = _head_names(model, images.num_classes)
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

    def _adapted(self, model: nn.Module) -> dict[str, Tensor]:
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
            more = f"; {len(faults) - 1} more such differences" if len(faults) > 1 else ""
            raise UsageError(f"the weights in {self.expects.source!r} do not fit the model: {faults[0]}{more}")


def _of_run(path: Path) -> Source:
    """Return the weights of a run's best epoch; they expect what they were trained on."""
    checkpoint = RunDirectory.open(path).checkpoint("best")
    part = "average" if "average" in checkpoint.names else "model"
    images = facts_from_json(checkpoint.state.get("images"))
    before = expects_from_json(checkpoint.state.get("expects"))
    if before is None:
        before = Expects(mean=images.mean, std=images.std, size=images.image_size)
    digest = checkpoint.manifest.files[f"{part}.safetensors"].sha256
    expects = dataclasses.replace(before, classes=images.classes, head="new", source=str(path), sha256=digest)
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


def _head_names(model: nn.Module, classes: int) -> list[str]:
    """Return the names of the tensors of the last layer that has a row for each class."""
    layers = [
        (name, module)
        for name, module in model.named_modules()
        if isinstance(weight := getattr(module, "weight", None), Tensor) and weight.ndim > 1 and len(weight) == classes
    ]
    return [f"{layers[-1][0]}.{name}".lstrip(".") for name in layers[-1][1].state_dict()] if layers else []


def _has_rows(given: Tensor, rows: Sequence[int] | None, own: Tensor) -> bool:
    return rows is not None and given.ndim == own.ndim and given.shape[1:] == own.shape[1:] and max(rows) < len(given)

"""Weights that a plugin registers: where their file is, and what it must be; read without torch."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from zoo.errors import PluginError
from zoo.registry.entry import Entry

_PLACE = re.compile(
    r"(?!hf:)(?P<package>[A-Za-z_][\w.]*):(?P<file>[\w.-]+(/[\w.-]+)*)"
    r"|(?P<url>https?://\S+)"
    r"|hf:(?P<hub>[\w.-]+/[\w.-]+@[0-9a-f]{40})/(?P<name>[\w.-]+)"
)
_TEXT = re.compile(r"[A-Za-z_][\w.]*:[\w./-]+\.txt")
_EXPECTED = ("mean", "std", "size", "interpolation", "crop")
_SUFFIXES = (".safetensors", ".pth", ".pt", ".bin", ".ckpt")


@dataclass(frozen=True)
class WeightsFile:
    """What a plugin states of a file with weights.

    Attributes:
        bytes: Its size.
        sha256: Of the whole file, 64 hexadecimal digits in lower case.
        licence: Under which the weights are published, as an SPDX expression.
        model: The registered model whose weights they are.
        classes: The names of the classes, in the order of their logits.
        expects: What else the weights expect, with the names that `zoo.Expects` has: ``mean``, ``std``, ``size``,
            ``interpolation``, ``crop``. A file that zoo published tells that itself.
    """

    bytes: int
    sha256: str
    licence: str
    model: str
    classes: tuple[str, ...]
    expects: Mapping[str, Any] = field(default_factory=dict)


def place_of(target: Any) -> re.Match[str] | None:
    """Return the parts of where a file is, None where a target names no such place.

    ``package:file``, a file in a package; an address, http or https; or ``hf:user/name@commit/file`` on the hub.
    """
    found = _PLACE.fullmatch(target) if isinstance(target, str) else None
    return found if found and str(target).partition("?")[0].endswith(_SUFFIXES) else None


def file_of(entry: Entry) -> WeightsFile:
    """Return what is stated of registered weights, the classes read where they are in a file.

    Raises:
        PluginError: If there is no such file.
    """
    file = stated_file(entry.facts)
    if not isinstance(named := entry.facts["classes"], str):
        return file
    names = tuple(line for line in entry.read_file(named).splitlines() if line)
    if not names:
        raise PluginError(f"{entry}: its file {named!r} names no classes")
    return replace(file, classes=names)


def stated_file(given: Any) -> WeightsFile:
    """Return the facts that a plugin states of weights.

    Raises:
        TypeError: If they are no mapping, or a key is missing or unknown.
        ValueError: If a value is none.
    """
    if not isinstance(given, Mapping):
        raise TypeError("weights need facts: bytes, sha256, licence, model and classes")
    own = {name: value for name, value in given.items() if name not in _EXPECTED}
    expects = {name: value for name, value in given.items() if name in _EXPECTED}
    classes = own.get("classes") or ()
    if isinstance(classes, str) and not _TEXT.fullmatch(classes):
        raise ValueError("classes is a list of names, or 'package:file.txt', a name a line")
    own["classes"] = (classes,) if isinstance(classes, str) else tuple(classes)
    file = WeightsFile(**own, expects=expects)
    texts = (file.licence, file.model, *file.classes)
    if type(file.bytes) is not int or file.bytes < 1:
        raise ValueError("bytes is the file's size, a whole number")
    if not isinstance(file.sha256, str) or not re.fullmatch("[0-9a-f]{64}", file.sha256):
        raise ValueError("sha256 has 64 lower-case hexadecimal digits")
    if not file.classes or not all(isinstance(text, str) and text for text in texts):
        raise ValueError("licence and model are texts, and classes is a list of names")
    if ("mean" in expects) != ("std" in expects):
        raise ValueError("mean and std go together")
    return file

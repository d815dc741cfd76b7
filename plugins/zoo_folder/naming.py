"""What a folder's name says: that it is a split, and of what."""

from __future__ import annotations

import re
from typing import NamedTuple

_ROLES = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("test", "testing"), "test"),
    **dict.fromkeys(("val", "valid", "validation", "dev"), "validation"),
    **dict.fromkeys(("eval", "evaluation"), "evaluation"),
}
_PLAIN_WORDS = """
    set sets data dataset datasets image images img imgs pic pics picture pictures photo photos sample samples split
    splits folder folders dir file files class classes cls jpg jpeg png bmp tif tiff webp rgb gray grey v ver version
    new final full all raw small large mini tiny px x resized cropped crops processed preprocessed clean cleaned
    labelled labeled
"""
_PLAIN = _PLAIN_WORDS.split()
"""Words that say nothing of what is in a folder."""

_WORD = re.compile(r"[^\W\d_]+")
_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])")
_PLAIN_ONES = f"(?:{'|'.join(_PLAIN)})*"
_ROLE_ONES = f"(?:{'|'.join(sorted(_ROLES, key=len, reverse=True))})"
_GLUED = re.compile(rf"{_PLAIN_ONES}({_ROLE_ONES})({_ROLE_ONES})?{_PLAIN_ONES}")


class Role(NamedTuple):
    """What a name says of a folder that is a split.

    Attributes:
        part: ``"train"``, ``"test"``, ``"validation"`` or ``"evaluation"``.
        stem: The words besides that one and those that say nothing: ``("pets",)`` of ``pets_train_images``.
    """

    part: str
    stem: tuple[str, ...]


def role_of(name: str) -> Role | None:
    """Read a folder's name: ``train``, ``Train2017``, ``training_set``, ``imagesTrain``, ``pets-train``.

    Returns:
        The role, or None for a name without one, or with several, such as ``train_test``; ``train_val`` is to be
        trained on.
    """
    parts: list[str] = []
    stem: list[str] = []
    for word in _words(name):
        if found := _GLUED.fullmatch(word):
            parts += [_ROLES[role] for role in found.groups() if role]
        elif word not in _PLAIN:
            stem.append(word)
    if parts == ["train", "validation"]:
        parts = ["train"]
    return Role(parts[0], tuple(stem)) if len(parts) == 1 else None


def says_nothing(name: str, parent: str) -> bool:
    """Whether a folder is but a wrapper, by its name: ``images``, or ``seg_train`` in ``seg_train``."""
    return name == parent or all(word in _PLAIN for word in _words(name))


def _words(name: str) -> list[str]:
    return [word.casefold() for word in _WORD.findall(_HUMP.sub(" ", name))]

"""Which folders are splits and which are classes, by what lies in them and by their names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

import zoo
from zoo_folder.naming import Role, role_of, says_nothing
from zoo_folder.scanning import Folder, plain

EXPECTED = "Expected are ROOT/train/CLASS/* and ROOT/test/CLASS/*, or ROOT/CLASS/*"
_SHOWN = 4  # names in a message


class Chosen(NamedTuple):
    """The folders that hold classes.

    Attributes:
        train: Whose images are trained on.
        test: Whose images are tested with; None where they are to be taken from the others.
        unused: Folders with images that are none of these.
        validation: Whose images are validated on; None where some of the training images are to be held out.
    """

    train: Sequence[Folder]
    test: Folder | None
    unused: Sequence[Folder] = ()
    validation: Folder | None = None


class Candidate(NamedTuple):
    """A folder that has a split's name, and folders with images within."""

    folder: Folder
    role: Role
    classes: frozenset[str]

    @property
    def may_be_alone(self) -> bool:
        """Whether it can be a split without another one that agrees with it.

        A folder that holds images itself is a class with folders within, and so is one that has but ``images`` there.
        """
        telling = {name for name in self.classes if not says_nothing(name, self.folder.label)}
        return not self.folder.files and len(telling) >= (2 if self.role.part == "train" else 1)


def choose(root: Folder) -> Chosen:
    """Decide whether the folders in *root* are splits or classes.

    They are splits where each has a split's name and class folders within, or where two of different roles have class
    folders of the same names. They are classes where no folder with a split's name holds class folders; a class may
    have folders within. What may be either is refused.

    Raises:
        UsageError: If that cannot be told, the training images are missing, or two folders may be one split.
    """
    folders = root.holding
    candidates = [found for folder in folders.values() if (found := _candidate(folder))]
    pairs = list(combinations(candidates, 2))
    alone = len(candidates) == len(folders) and all(one.role.stem == other.role.stem for one, other in pairs)
    if candidates and alone:
        return _assigned(root, candidates, folders)
    if stems := {each.role.stem for pair in pairs if _agree(*pair) for each in pair}:
        return _assigned(root, [each for each in candidates if each.role.stem in stems], folders)
    if open_ones := [each for each in candidates if each.may_be_alone]:
        raise zoo.UsageError(_ambiguous(root, open_ones, folders))
    _refuse_bare_splits(root, folders)
    _refuse_splits_within(root, folders)
    _refuse_alike(root, folders)
    return Chosen([root], None)


def named(root: Folder, train: str | Sequence[str], test: str | None) -> Chosen:
    """Return the folders that somebody named, by their paths below *root*.

    Raises:
        UsageError: If one is not there.
    """
    names = [train] if isinstance(train, str) else list(train)
    chosen = [unwrapped(_below(root, name, "train")) for name in names]
    return Chosen(chosen, None if test is None else unwrapped(_below(root, test, "test")))


def unwrapped(folder: Folder) -> Folder:
    """Return the folder of the classes: an archive's often holds them one deeper, as in ``seg_train/seg_train``."""
    inner = list(folder.holding.values())
    if len(inner) == 1 and not folder.files and inner[0].holding and says_nothing(inner[0].label, folder.label):
        return unwrapped(inner[0])
    return folder


def quoted(names: Iterable[str]) -> str:
    """Return some names for a message, the first few of many."""
    shown = list(names)
    more = f" and {len(shown) - _SHOWN:,} more" if len(shown) > _SHOWN else ""
    return ", ".join(map(repr, shown[:_SHOWN])) + more


def _candidate(folder: Folder) -> Candidate | None:
    role, classes = role_of(folder.label), frozenset(unwrapped(folder).holding)
    return Candidate(folder, role, classes) if role and classes else None


def _agree(one: Candidate, other: Candidate) -> bool:
    return one.role.stem == other.role.stem and one.role.part != other.role.part and bool(one.classes & other.classes)


def _assigned(root: Folder, candidates: Sequence[Candidate], folders: Mapping[str, Folder]) -> Chosen:
    parts: dict[str, list[Folder]] = {}
    for candidate in candidates:
        parts.setdefault(candidate.role.part, []).append(candidate.folder)
    if evaluation := parts.pop("evaluation", None):
        # Beside a test set it is the validation set, and else the test set.
        parts.setdefault("validation" if "test" in parts else "test", []).extend(evaluation)
    if "train" not in parts:
        raise zoo.UsageError(_without_train(root, candidates))
    _refuse_empty_splits(root, {candidate.role.stem for candidate in candidates})
    for part, found in parts.items():
        if len(found) > 1:
            raise zoo.UsageError(
                f"{str(root.path)!r} has {quoted(folder.label for folder in found)}: each may be the {part} set. "
                "Say which is: --set data.train=FOLDER --set data.test=FOLDER"
            )
    test = parts.get("test", parts.get("validation", [None]))[0]
    more = parts["validation"] if "test" in parts and "validation" in parts else []
    # Where val is a link to test, its images are tested with alone.
    more = [folder for folder in more if test is None or folder.real != test.real]
    train = [unwrapped(folder) for folder in parts["train"]]
    used = {candidate.folder.name for candidate in candidates}
    unused = [folder for folder in folders.values() if folder.name not in used]
    return Chosen(train, test and unwrapped(test), unused, unwrapped(more[0]) if more else None)


def _below(root: Folder, name: str, option: str) -> Folder:
    folder = root
    for step in plain(name).strip("/").split("/"):
        if step not in folder.folders:
            raise zoo.UsageError(
                f"data.{option}: {str(folder.path)!r} has no folder {step!r}; it has {quoted(folder.folders) or 'none'}"
            )
        folder = folder.folders[step]
    return folder


def _without_train(root: Folder, candidates: Sequence[Candidate]) -> str:
    names = quoted(candidate.folder.label for candidate in candidates)
    return (
        f"{str(root.path)!r} has {names} but no 'train'. {EXPECTED}. --set data.train=FOLDER names the training set; "
        "where all folders are classes: --set data.splits=false"
    )


def _ambiguous(root: Folder, candidates: Sequence[Candidate], folders: Mapping[str, Folder]) -> str:
    if all(candidate.role.part != "train" for candidate in candidates):
        return _without_train(root, candidates)
    train = next(candidate.folder.label for candidate in candidates if candidate.role.part == "train")
    beside = [name for name in folders if name != train]
    if all(role_of(name) and not folders[name].holding for name in beside):
        return (
            f"{str(root.path)!r} has images in {quoted(beside)} without class folders, which cannot be tested with. "
            f"To train on {train!r} alone, a part of it kept for testing: --set data.train={train}"
        )
    return (
        f"{str(root.path)!r}: is {train!r} the training set or a class? It has folders within, and beside it lie "
        f"{quoted(beside)}. For a class: --set data.splits=false; for the training set: --set data.train={train}, and "
        "--set data.test=FOLDER where there is one"
    )


def _refuse_empty_splits(root: Folder, stems: set[tuple[str, ...]]) -> None:
    """Refuse a split without images, which was to hold some: another would stand in for it unseen."""
    for name, folder in root.folders.items():
        if not folder.has_images and (role := role_of(name)) and role.stem in stems:
            raise zoo.UsageError(f"there are no images in {str(folder.path)!r}; add them, or remove the folder")


def _refuse_bare_splits(root: Folder, folders: Mapping[str, Folder]) -> None:
    """Refuse ``train/*`` and ``test/*`` without classes, as nobody has classes of just these names."""
    roles = [role_of(name) for name in folders]
    if len(folders) > 1 and all(role and roles[0] and role.stem == roles[0].stem for role in roles):
        raise zoo.UsageError(
            f"{str(root.path)!r} has {quoted(folders)}, which have the names of splits and no class folders within. "
            f"{EXPECTED}. If they are the classes: --set data.splits=false"
        )


def _refuse_splits_within(root: Folder, folders: Mapping[str, Folder]) -> None:
    """Refuse ``CLASS/train`` and ``CLASS/test``: all images of a class would be mixed and split anew."""
    for name, folder in folders.items():
        parts = {role.part for inner in folder.holding if (role := role_of(inner)) and not role.stem}
        if "train" in parts and len(parts) > 1:
            raise zoo.UsageError(
                f"{str(root.path)!r} has splits within its classes: {name!r} holds {quoted(folder.holding)}. "
                f"{EXPECTED}. To mix them and split anew: --set data.splits=false"
            )


def _refuse_alike(root: Folder, folders: Mapping[str, Folder]) -> None:
    """Refuse folders that hold nothing but the same folders: splits of unusual names, or parts of a collection."""
    within = [frozenset(folder.holding) for folder in folders.values()]
    if len(within) > 1 and len(within[0]) > 1 and len(set(within)) == 1 and not any(f.files for f in folders.values()):
        raise zoo.UsageError(
            f"{str(root.path)!r} has {quoted(folders)}, which all hold {quoted(sorted(within[0]))}. "
            "If they are splits: --set data.train=FOLDER --set data.test=FOLDER; if they are classes: "
            "--set data.splits=false"
        )

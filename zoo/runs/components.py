"""From the names in a configuration to the entries that build them, with every option looked at first."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

from zoo.config import SEVERAL, SINGLE, Choice, Config
from zoo.errors import UnknownNameError, UsageError
from zoo.registry import Entry, Option, build, kind_of_section, options_of, registry, signature_of
from zoo.registry.signatures import checked_options
from zoo.runs.pretrained import Beginning
from zoo.training import dynamo

_READERS = {
    **dict.fromkeys((".csv", ".tsv", ".jsonl", ".parquet"), "table/table"),
    **dict.fromkeys((".npz", ".safetensors"), "arrays/arrays"),
    ".tar": "tar/tar",
    ".pack": "packed/packed",
}
"""By their endings, which datasets read the files that people have."""

GIVEN = "python:"
"""How a record names an object that was passed to `zoo.train` in place of a name."""


@dataclass(frozen=True)
class Component:
    """One part of a run, ready to be built.

    Attributes:
        choice: Its full name and all its options, defaults included.
        options: Those of them that somebody set.
        entry: What builds it; None where the object itself was given.
        given: The object that was given in place of a name, or None.
        section: Where its name would stand, if it was given as an object.
        beginning: With which weights a model begins, as far as zoo itself sees to it.
    """

    choice: Choice
    options: Mapping[str, Any]
    entry: Entry | None
    given: Any = None
    section: str = ""
    beginning: Beginning = field(default_factory=Beginning)

    def build(self, **facts: Any) -> Any:
        """Build it from the facts that its builder asks for and its options.

        Raises:
            UsageError: If its builder refuses the options.
            PluginError: If its builder fails.
        """
        if self.entry is None:
            self._check_given()
            return self.given
        return build(self.entry, facts=facts, options=self.options)

    def _check_given(self) -> None:
        promised = kind_of_section(self.section).result
        if not isinstance(self.given, resolve_name(promised)):
            wanted = f"a name, a {promised.replace(':', '.')} or what builds one"
            raise UsageError(f"{self.section} must be {wanted}, not {self.given!r:.60}")

    def option(self, name: str) -> Any:
        """Return the value of an option, or None where its builder has no such option."""
        bound = self.entry.arguments if self.entry else {}
        return self.choice.options.get(name, bound.get(name))

    @property
    def may_decay(self) -> bool:
        """Whether, as an optimizer, it decays weights, or takes any option, so that nobody can tell."""
        return bool(self.option("weight_decay")) or self.entry is None or signature_of(self.entry).open

    def without_pretrained(self) -> Component:
        """Return the component for weights that will come from a checkpoint: nothing is downloaded for it."""
        own = {name: value for name, value in self.choice.options.items() if name not in self.beginning.recorded}
        bare = dataclasses.replace(self, choice=Choice(self.choice.name, own), beginning=Beginning())
        if not bare.option("pretrained"):
            return bare
        return dataclasses.replace(bare, options={**self.options, "pretrained": False})

    @property
    def label(self) -> str:
        """How messages name it."""
        return str(self.entry) if self.entry else f"the object {self.choice.name.removeprefix(GIVEN)}"


@dataclass(frozen=True)
class Components:
    """All parts of a run.

    Attributes:
        single: By section: model, data, optimizer, criterion, scheduler.
        several: By section: augment, observe; in the order in which they were given.
    """

    single: Mapping[str, Component]
    several: Mapping[str, tuple[Component, ...]]

    def __getitem__(self, section: str) -> Component:
        return self.single[section]

    @property
    def providers(self) -> dict[str, dict[str, str]]:
        """The distribution and version behind each full name."""
        chosen = [*self.single.values(), *(part for parts in self.several.values() for part in parts)]
        entries = [component.entry for component in chosen if component.entry]
        return {
            entry.full_name: {
                "plugin": entry.plugin,
                "distribution": entry.distribution,
                "version": entry.version,
            }
            for entry in entries
        }

    def resolved(self, config: Config) -> Config:
        """Return *config* with full names and complete options."""
        choices: dict[str, Any] = {section: part.choice for section, part in self.single.items()}
        choices |= {section: tuple(part.choice for part in parts) for section, parts in self.several.items()}
        return dataclasses.replace(config, **choices)


def find_components(
    config: Config, objects: Mapping[str, Any] | None = None, *, only: tuple[str, ...] = (*SINGLE, *SEVERAL)
) -> Components:
    """Look up every name in *config* and check every option against its builder's signature.

    Args:
        config: The names and options.
        objects: Objects by section that stand in place of names.
        only: The sections that are wanted; a plugin that only another section needs is not loaded.

    Raises:
        UnknownNameError: If a name or an option is not known.
        AmbiguousNameError: If several plugins offer a short name.
        PluginError: If a plugin that is needed is broken.
    """
    if not config.train.compile:
        dynamo.postpone()  # before plugins are loaded, since some import it, by way of torchvision
    objects = objects or {}
    single = {
        section: _given(section, objects[section], getattr(config, section))
        if section in objects
        else find_component(section, getattr(config, section))
        for section in SINGLE
        if section in only
    }
    several = {
        section: tuple(find_component(section, choice) for choice in getattr(config, section))
        for section in SEVERAL
        if section in only
    }
    return Components(single, several)


def find_component(section: str, choice: Choice) -> Component:
    """Look up one name and check its options, as `find_components` does."""
    if choice.name.startswith(GIVEN):
        raise UsageError(
            f"this run's {section} was the Python object {choice.name.removeprefix(GIVEN)}, which has no registered "
            "name; register it in a plugin to use the run again from its files"
        )
    kind = kind_of_section(section)
    entry = _found_dataset(choice.name) if section == "data" else registry().find(kind.plural, choice.name)
    return _chosen(section, entry, entry.full_name, choice.options)


def _chosen(section: str, entry: Entry, name: str, options: Mapping[str, Any]) -> Component:
    """Return the component with its options checked; those of a model's that are zoo's own are not the builder's."""
    signature, beginning = signature_of(entry), Beginning()
    if section == "model":
        options = dict(options)
        named = set(signature.options) | ({"pretrained"} if signature.open else set())
        beginning = Beginning.taken_from(options, named)
    options = checked_options(entry, signature, options)
    component = _with_defaults(entry, name, located(options) if section == "data" else options)
    choice = Choice(name, {**component.choice.options, **beginning.recorded})
    return dataclasses.replace(component, choice=choice, beginning=beginning)


def reader_of(path: Path) -> str | None:
    """Return the dataset that reads a folder, or a file by its ending; None where none does, or nothing is there."""
    if path.is_dir():
        return "folder/folder"
    return _READERS.get(path.suffix.casefold()) if path.is_file() else None


def _found_dataset(name: str) -> Entry:
    """Return the dataset of this name; one who gave a folder or a file in its place is told how these are named."""
    try:
        return registry().find("datasets", name)
    except UnknownNameError as error:
        reader = reader_of(Path(name).expanduser())
        if reader is None:
            raise
        what = "folder" if Path(name).expanduser().is_dir() else "file"
        raise UsageError(
            f"no dataset named {name!r}, but a {what}; its images are "
            f"--data {reader.rpartition('/')[2]} --set data.root={shlex.quote(name)}"
        ) from error


def located(options: Mapping[str, Any]) -> Mapping[str, Any]:
    """Make the folders of a dataset absolute, so that the record means the same ones from everywhere."""
    found = dict(options)
    for name in ("root", "images"):
        value = options.get(name)
        # Beside its root a table has a folder of images; what another dataset calls so may be no folder.
        if isinstance(value, str) and (name == "root" or Path(value).expanduser().is_dir()):
            found[name] = str(Path(value).expanduser().absolute())
    return found


def _with_defaults(entry: Entry, name: str, options: Mapping[str, Any]) -> Component:
    # What the entry itself binds goes with its name, so it is no option of the record.
    known = [option for option in options_of(entry) if option.name not in entry.arguments and _fits_toml(option)]
    complete = {option.name: option.default for option in known} | dict(options)
    plain = {key: list(value) if isinstance(value, tuple | range) else value for key, value in complete.items()}
    return Component(Choice(name, plain), options, entry)


def _fits_toml(option: Option) -> bool:
    return isinstance(option.default, bool | int | float | str | list | tuple)


def _given(section: str, value: Any, choice: Choice) -> Component:
    """Wrap an object that was given in place of a name; a class or function is a builder like any other."""
    name = f"{GIVEN}{getattr(value, '__qualname__', type(value).__qualname__)}"
    if not _is_builder(section, value):
        if choice.options:
            raise UsageError(
                f"{section} was given as an object, which takes no options; {dict(choice.options)!r} was given"
            )
        return Component(Choice(name), {}, None, value, section)
    kind = kind_of_section(section).plural
    entry = Entry(kind, name.removeprefix(GIVEN), value, "", {}, False, "python", "this program", "")
    return _chosen(section, entry, name, choice.options)


def _is_builder(section: str, value: Any) -> bool:
    """Whether *value* makes the thing rather than being it: a class or function, but not a criterion's function."""
    if isinstance(value, type):
        return True
    return (
        section in ("model", "optimizer", "scheduler", "data") and callable(value) and not hasattr(value, "state_dict")
    )

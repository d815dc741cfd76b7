"""What a run is asked to be: the keys of the configuration file, their defaults, and how layers of them combine.

Every setting of the section ``train`` is declared once, as a field of `TrainSettings`. The command line's options, the
variables, the TOML file, the arguments of `zoo.train` and the reference page are all made from that declaration.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from zoo.errors import UnknownNameError, UsageError

SCHEMA = 1

Check = Callable[[Any], bool]


@dataclass(frozen=True)
class Interval:
    """How often a checkpoint is saved: every so many epochs, optimizer steps or minutes.

    Attributes:
        amount: At least 1.
        unit: ``"epoch"``, ``"steps"`` or ``"min"``.
    """

    amount: int
    unit: str

    @classmethod
    def parse(cls, text: str) -> Interval:
        """Read ``1epoch``, ``200steps`` or ``10min``.

        Raises:
            ValueError: If *text* is none of these.
        """
        found = re.fullmatch(r"([1-9]\d*)\s*(epoch|step|min)(?:s|utes?)?", text.strip())
        if not found:
            raise ValueError(f"{text!r} is no interval; give one such as 1epoch, 200steps or 10min")
        return cls(int(found[1]), {"step": "steps"}.get(found[2], found[2]))

    def __str__(self) -> str:
        return f"{self.amount}{self.unit}"


def _setting(
    default: Any, help: str, *, metavar: str = "N", check: Check | None = None, rule: str = "", **more: Any
) -> Any:
    """Declare one setting: its default, what `--help` says, and which values are right."""
    return field(default=default, metadata={"help": help, "metavar": metavar, "check": check, "rule": rule, **more})


def _at_least(low: int) -> dict[str, Any]:
    return {"check": lambda value: value >= low and math.isfinite(value), "rule": f"a whole number of at least {low}"}


def _one_of(*choices: str) -> dict[str, Any]:
    return {
        "check": lambda value: value in choices,
        "rule": f"one of {', '.join(choices)}",
        "choices": choices,
        "metavar": "",
    }


_ABOVE_ZERO: dict[str, Any] = {
    "check": lambda value: value > 0 and math.isfinite(value),
    "rule": "a number above 0",
    "metavar": "X",
}


def _is_interval(value: str) -> bool:
    try:
        Interval.parse(value)
    except ValueError:
        return False
    return True


@dataclass(frozen=True)
class TrainSettings:
    """The settings of the section ``train``: how a model is trained, whichever model it is."""

    epochs: int = _setting(5, "Passes over the training images.", **_at_least(1))
    steps: int | None = _setting(None, "Stop after N optimizer steps, in place of --epochs.", **_at_least(1))
    batch_size: int = _setting(128, "Images in a batch.", **_at_least(1))
    eval_batch_size: int = _setting(500, "Images in a batch of an evaluation.", **_at_least(1))
    validation: int | float | None = _setting(
        None,
        "Images held out of the training set: a number, or a fraction below 1. "
        "Default: 5000 if that is at most a tenth of them, else 0.1.",
        metavar="N|FRACTION",
        check=lambda value: 0 <= value < (math.inf if isinstance(value, int) else 1),
        rule="a whole number, or a fraction from 0 to below 1",
    )
    seed: int = _setting(
        0,
        "Seed of weights, sample order, dropout and augmentation.",
        check=lambda v: 0 <= v < 2**63,
        rule="a whole number from 0 to 2**63 - 1",
    )
    precision: str = _setting(
        "auto",
        "Arithmetic of the model; auto: bf16 where the hardware has it.",
        **_one_of("auto", "fp32", "bf16"),
    )
    device: str = _setting(
        "auto", "Where to train; auto: cuda, else mps, else cpu.", **_one_of("auto", "cpu", "cuda", "mps")
    )
    threads: int | None = _setting(
        None,
        "CPU threads. Default: all.",
        check=lambda value: 1 <= value <= 1024,  # torch ends the process where the system refuses more
        rule="a whole number from 1 to 1024",
    )
    memory_format: str = _setting(
        "auto",
        "Layout of images in memory; auto: channels_last for networks with convolutions where it gains.",
        **_one_of("auto", "contiguous", "channels_last"),
    )
    dropout_masks: str = _setting(
        "auto",
        "Where dropout's random numbers come from; auto: numpy on CPUs, which is several times as fast.",
        **_one_of("auto", "torch", "numpy"),
    )
    accumulate: int = _setting(1, "Batches whose gradients make one optimizer step.", **_at_least(1))
    clip_norm: float | None = _setting(None, "Clip the gradients' norm to X.", **_ABOVE_ZERO)
    ema: float | None = _setting(
        None,
        "Evaluate and keep an exponential moving average of the weights with decay X.",
        metavar="X",
        check=lambda value: 0 <= value < 1,
        rule="a number from 0 to below 1",
    )
    patience: int | None = _setting(None, "Stop after N epochs without a better validation accuracy.", **_at_least(1))
    log_every: int | None = _setting(None, "Print the mean loss of every N batches.", **_at_least(1))
    checkpoint_every: str = _setting(
        "1epoch",
        "How often to save: 1epoch, 200steps or 10min.",
        metavar="INTERVAL",
        check=_is_interval,
        rule="such as 1epoch, 200steps or 10min",
    )
    compile: bool = _setting(
        False, "Compile the model with torch.compile: a minute at the start, and no gain on CPUs.", metavar=""
    )


@dataclass(frozen=True)
class Choice:
    """A registered entry by name, with the options for its builder."""

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)


SINGLE = {
    "model": None,
    "data": "mnist/mnist",
    "optimizer": "torch/adamw",
    "criterion": "torch/cross_entropy",
    "scheduler": "torch/one_cycle",
}
"""The sections that name one entry, with the default name; a model has none."""

SEVERAL = ("augment", "observe")
"""The sections that list entries under ``names`` and hold a table of options for each."""

DATA_LIMIT = "limit"
"""The one key of a single section that is zoo's own and not the builder's: it caps every split."""


KEYS: dict[str, str] = {
    **{section: f"{section}.name" for section in SINGLE},
    "lr": "optimizer.lr",
    **{section: f"{section}.names" for section in SEVERAL},
    **{item.name: f"train.{item.name}" for item in dataclasses.fields(TrainSettings)},
}
"""What the command line and `zoo.train` call a setting, and its key in the file."""


def layer_of(argument: str, value: Any, source: str) -> Layer:
    """Return the layer of one setting.

    Args:
        argument: One of `KEYS`.
        value: As it was typed or passed; several names may be one text with commas.
        source: For error messages.
    """
    section, key = KEYS[argument].split(".")
    if section in SEVERAL:
        if not isinstance(value, str | list | tuple):
            raise UsageError(f"{source} must be names, not {value!r}")
        names = value.split(",") if isinstance(value, str) else list(value)
        value = [name.strip() if isinstance(name, str) else name for name in names if name != ""]
    return Layer(source, {section: {key: value}})


@dataclass(frozen=True)
class Config:
    """All that defines a run.

    Raises:
        UsageError: From `from_layers`, if a key is unknown or a value is not of its type or range.
    """

    model: Choice
    data: Choice
    optimizer: Choice
    criterion: Choice
    scheduler: Choice
    augment: tuple[Choice, ...] = ()
    observe: tuple[Choice, ...] = ()
    train: TrainSettings = field(default_factory=TrainSettings)
    limit: int | None = None

    @classmethod
    def from_layers(cls, layers: Iterable[Layer]) -> Config:
        """Combine layers of settings, the weakest first."""
        merged: dict[str, Any] = {}
        for layer in layers:
            _merge(merged, layer.checked())
        limit = merged.get("data", {}).get(DATA_LIMIT)
        chosen: dict[str, Any] = {section: _single(section, merged.get(section, {})) for section in SINGLE}
        chosen |= {section: _several(section, merged.get(section, {})) for section in SEVERAL}
        return cls(**chosen, train=TrainSettings(**merged.get("train", {})), limit=limit)

    def to_dict(self) -> dict[str, Any]:
        """Return the configuration as the TOML file holds it: complete, in a fixed order, without what is off."""
        document: dict[str, Any] = {"schema": SCHEMA}
        for section in SINGLE:
            choice: Choice = getattr(self, section)
            document[section] = {"name": choice.name, **_without_none(choice.options)}
        if self.limit is not None:
            document["data"][DATA_LIMIT] = self.limit
        for section in SEVERAL:
            choices: tuple[Choice, ...] = getattr(self, section)
            if choices:
                document[section] = {"names": [choice.name for choice in choices]}
                document[section].update({c.name: _without_none(c.options) for c in choices if c.options})
        document["train"] = _without_none(dataclasses.asdict(self.train))
        return document


@dataclass(frozen=True)
class Layer:
    """Settings from one source.

    Attributes:
        source: As error messages name it: ``"run.toml"``, ``"ZOO_TRAIN_EPOCHS"``, ``"--epochs"``.
        values: Nested like the TOML file.
    """

    source: str
    values: Mapping[str, Any]

    def checked(self) -> Mapping[str, Any]:
        """Return the values, each of the right type and in range.

        Raises:
            UsageError: If a section, a key or a value is wrong; the message names the source.
        """
        values = dict(self.values)
        schema = values.pop("schema", SCHEMA)
        if schema != SCHEMA:
            raise UsageError(
                f"{self.source}: schema is {schema!r}, but this torch-zoo reads schema {SCHEMA}; update it"
            )
        for section, table in values.items():
            if section not in (*SINGLE, *SEVERAL, "train"):
                raise UnknownNameError("section", section, (*SINGLE, *SEVERAL, "train"), f"It stands in {self.source}.")
            if not isinstance(table, Mapping):
                raise UsageError(f"{self.source}: {section} must be a table such as [{section}], not {table!r}")
        if "train" in values:
            values["train"] = {key: self._train_value(key, value) for key, value in values["train"].items()}
        if "lr" in values.get("optimizer", {}):
            values["optimizer"] = {**values["optimizer"], "lr": self._rate(values["optimizer"]["lr"])}
        if DATA_LIMIT in values.get("data", {}):
            values["data"] = {**values["data"], DATA_LIMIT: self._limit(values["data"][DATA_LIMIT])}
        return values

    def _train_value(self, key: str, value: Any) -> Any:
        fields = {item.name: item for item in dataclasses.fields(TrainSettings)}
        if key not in fields:
            raise UnknownNameError(
                "key", f"train.{key}", [f"train.{name}" for name in fields], f"It stands in {self.source}."
            )
        return checked_value(fields[key], value, self.source)

    def _rate(self, value: Any) -> float:
        try:
            rate = float(_convert(value, {"float"}))
        except ValueError:
            rate = math.nan
        if not (math.isfinite(rate) and rate > 0):
            raise UsageError(f"{self.source}: optimizer.lr must be a number above 0, not {value!r}")
        return rate

    def _limit(self, value: Any) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise UsageError(f"{self.source}: data.limit must be a whole number of at least 1, not {value!r}")
        return value


def checked_value(setting: dataclasses.Field[Any], value: Any, source: str) -> Any:
    """Return *value* as the type of *setting*; text is read as a number where one is wanted.

    Raises:
        UsageError: If it is of another type or out of range.
    """
    kinds = {name.strip() for name in str(setting.type).split("|")}
    if value is None and "None" in kinds:
        return None
    try:
        converted = _convert(value, kinds)
    except (TypeError, ValueError):
        wanted = "a number" if kinds & {"int", "float"} else "true or false" if "bool" in kinds else "text"
        rule = setting.metadata["rule"]
        raise UsageError(f"{source}: train.{setting.name} must be {rule or wanted}, not {value!r}") from None
    check = setting.metadata["check"]
    if check and not check(converted):
        raise UsageError(f"{source}: train.{setting.name} must be {setting.metadata['rule']}, not {value!r}")
    return converted


def _convert(value: Any, kinds: set[str]) -> Any:
    """Return *value* as one of *kinds*, given by their Python names.

    Raises:
        ValueError: If it cannot be read as any.
    """
    if "bool" in kinds:
        return _convert_bool(value)
    if isinstance(value, bool):
        raise ValueError
    if "int" in kinds and (
        hasattr(value, "__index__") or (isinstance(value, str) and re.fullmatch(r"\s*[+-]?\d+\s*", value))
    ):
        return int(value)
    if "float" in kinds and (isinstance(value, str) or hasattr(value, "__float__")):
        return float(value)
    if "str" in kinds and isinstance(value, str):
        return value
    raise ValueError


def _convert_bool(value: Any) -> bool:
    words = {
        "1": True,
        "true": True,
        "yes": True,
        "on": True,
        "0": False,
        "false": False,
        "no": False,
        "off": False,
    }
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.strip().lower() in words:
        return words[value.strip().lower()]
    raise ValueError


def read_toml(path: Path) -> dict[str, Any]:
    """Return the tables of a TOML file.

    Raises:
        UsageError: If there is no such file, or it is not TOML.
    """
    import tomllib  # 3 ms that a TAB need not wait for

    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (FileNotFoundError, NotADirectoryError):
        raise UsageError(f"no configuration file {str(path)!r}") from None
    except OSError as error:
        raise UsageError(f"cannot read the configuration file {str(path)!r}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{str(path)!r} is not TOML: {error}") from None


def parse_assignment(text: str) -> dict[str, Any]:
    """Read ``model.p=0.5`` into ``{"model": {"p": 0.5}}``. The value is TOML, or else text.

    Raises:
        UsageError: If *text* has no key, no section or no ``=``.
    """
    key, equals, value = text.partition("=")
    if not equals:
        raise UsageError(f"--set {text!r} is not of the form SECTION.OPTION=VALUE, such as model.p=0.5")
    return nested(key.strip(), _toml_value(value.strip()))


def in_order(settings: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Return flags or arguments in the order in which they lie over one another, in whichever they were given.

    A name comes before its options, as it drops those of another name, and ``steps`` after ``epochs``, which drops it.
    """
    return sorted(settings.items(), key=lambda setting: (setting[0] not in SINGLE, setting[0] == "steps"))


def nested(key: str, value: Any) -> dict[str, Any]:
    """Return ``{"model": {"p": value}}`` for the key ``model.p``.

    Raises:
        UsageError: If the key has no section.
    """
    parts = key.split(".")
    if len(parts) < 2 or not all(parts):
        raise UsageError(f"{key!r} is no key such as 'model.p': a section, a dot and an option")
    for part in reversed(parts):
        value = {part: value}
    return dict(value)


def _toml_value(text: str) -> Any:
    import tomllib

    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _merge(base: dict[str, Any], layer: Mapping[str, Any]) -> None:
    """Lay *layer* over *base*. Naming another entry drops the options that were meant for the one before.

    So does giving another length for the run: ``epochs`` over ``steps``.
    """
    for section, table in layer.items():
        below = base.setdefault(section, {})
        if section in SEVERAL and isinstance(names := table.get("names"), list):
            base[section] = below = {
                key: value
                for key, value in below.items()
                if key == "names" or any(_may_be_one(key, name) for name in names)
            }
        if section == "train" and "epochs" in table and "steps" not in table:
            below.pop("steps", None)
        if section in SINGLE and "name" in table and not _may_be_one(below.get("name"), table["name"]):
            kept = {key: below[key] for key in (DATA_LIMIT,) if section == "data" and key in below}
            base[section] = below = kept
        for key, value in table.items():
            if section in SEVERAL and isinstance(value, Mapping):
                below[key] = {**below.get(key, {}), **value}
            else:
                below[key] = value


def _may_be_one(below: Any, name: Any) -> bool:
    """Whether two names may mean one entry: equal, one the short form of the other, or none named so far."""
    if below is None or not (isinstance(below, str) and isinstance(name, str)):
        return below is None
    return below == name or name == below.rpartition("/")[2] or below == name.rpartition("/")[2]


def _single(section: str, table: Mapping[str, Any]) -> Choice:
    name = table.get("name", SINGLE[section])
    if not isinstance(name, str) or not name:
        raise UsageError(
            f"no {section} was named; give one with --{section} NAME. 'zoo list {section}s' shows what there is."
            if name is None
            else f"{section}.name must be text, not {name!r}"
        )
    own = ("name", DATA_LIMIT) if section == "data" else ("name",)
    return Choice(name, {key: value for key, value in table.items() if key not in own})


def _several(section: str, table: Mapping[str, Any]) -> tuple[Choice, ...]:
    names = table.get("names", [])
    if not isinstance(names, list) or not all(isinstance(name, str) and name for name in names):
        raise UsageError(f"{section}.names must be a list of names, not {names!r}")
    options = {key: value for key, value in table.items() if key != "names"}
    if wrong := [key for key in options if not any(key in (name, name.rpartition("/")[2]) for name in names)]:
        raise UsageError(
            f"{section}.{wrong[0]} has options, but {wrong[0]!r} is not among the chosen: {', '.join(names) or 'none'}"
        )
    for name in names:
        if (
            len(twice := [key for key in (name, name.rpartition("/")[2]) if key in options]) > 1
            and twice[0] != twice[1]
        ):
            raise UsageError(f"{section} has two tables for one entry, {twice[0]!r} and {twice[1]!r}; make them one")
    return tuple(Choice(name, _options_for(section, name, options)) for name in names)


def _options_for(section: str, name: str, options: Mapping[str, Any]) -> Mapping[str, Any]:
    found = options.get(name, options.get(name.rpartition("/")[2], {}))
    if not isinstance(found, Mapping):
        raise UsageError(
            f"{section}.{name} must be a table of options, such as --set {section}.{name}.OPTION=VALUE, not {found!r}"
        )
    return found


def _without_none(options: Mapping[str, Any]) -> dict[str, Any]:
    """TOML has no null: what is off is left out."""
    return {key: value for key, value in options.items() if value is not None}

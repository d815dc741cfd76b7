"""The kinds of things that a plugin can register, and the facts that each kind's builders may ask for."""

from __future__ import annotations

from dataclasses import dataclass

from zoo.errors import UnknownNameError


@dataclass(frozen=True)
class Kind:
    """One kind of entry.

    Attributes:
        singular: As in ``add.model`` and in messages.
        plural: As in ``zoo list models``.
        section: The table of the configuration file that holds an entry's options, as in ``--set model.p=0.1``.
        facts: Keywords that zoo knows and passes to a builder whose signature names them. They are not options.
        later_facts: Those that came after the first plugins: a builder that takes any keyword, and may pass all of them
            on, is not surprised by these; it must name them.
        result: What its builders return, as ``"module:type"``; empty where anything goes.
        many: Whether a run takes several of them, each with a table of options of its own.
        is_file: Whether its targets are files, from which nothing is built.
    """

    singular: str
    plural: str
    section: str
    facts: tuple[str, ...] = ()
    result: str = ""
    many: bool = False
    is_file: bool = False
    later_facts: tuple[str, ...] = ()

    @property
    def all_facts(self) -> tuple[str, ...]:
        """Every fact that a builder may name."""
        return (*self.facts, *self.later_facts)

    def option_key(self, name: str, option: str) -> str:
        """Return what one writes after ``--set`` for an option: ``model.p``, but ``augment.shift.pixels``."""
        return f"{self.section}.{name}.{option}" if self.many else f"{self.section}.{option}"


KINDS: tuple[Kind, ...] = (
    Kind(
        "model",
        "models",
        "model",
        ("num_classes", "in_channels", "image_size"),
        "torch.nn:Module",
        later_facts=("class_names",),
    ),
    Kind("optimizer", "optimizers", "optimizer", ("params",), "torch.optim:Optimizer"),
    Kind("criterion", "criteria", "criterion", (), "collections.abc:Callable"),
    Kind(
        "scheduler",
        "schedulers",
        "scheduler",
        ("optimizer", "total_steps", "steps_per_epoch"),
        "torch.optim.lr_scheduler:LRScheduler",
    ),
    Kind("dataset", "datasets", "data", ("split_by",), "zoo:Dataset"),
    Kind(
        "augmentation",
        "augmentations",
        "augment",
        ("num_classes", "in_channels", "image_size"),
        "collections.abc:Callable",
        many=True,
        later_facts=("pixel_mean", "pixel_std"),
    ),
    Kind("observer", "observers", "observe", many=True),
    Kind("searcher", "searchers", "search", ("space", "seed"), later_facts=("folder",)),
    Kind("pruner", "pruners", "prune"),
    Kind("recipe", "recipes", "recipe", is_file=True),
    Kind("exporter", "exporters", "export", ("module", "example", "facts", "path", "calibration")),
    Kind("weights", "weights", "weights", is_file=True),
)


def kind_of_section(section: str) -> Kind:
    """Return the kind whose entries a section of the configuration names.

    Raises:
        KeyError: If there is no such section.
    """
    return _BY_SECTION[section]


_BY_SECTION = {kind.section: kind for kind in KINDS}


def kind_named(name: str) -> Kind:
    """Return the kind with this singular or plural name.

    Raises:
        UnknownNameError: If there is none.
    """
    for kind in KINDS:
        if name in (kind.singular, kind.plural):
            return kind
    raise UnknownNameError(
        "kind", name, [kind.plural for kind in KINDS], f"There are: {', '.join(k.plural for k in KINDS)}."
    )

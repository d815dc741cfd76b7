"""The registry from Python: `zoo.entries` and `zoo.create`."""

from __future__ import annotations

from typing import Any

from zoo.errors import UsageError
from zoo.registry.building import build
from zoo.registry.entry import Entry
from zoo.registry.kinds import kind_named
from zoo.registry.lookup import registry


def entries(kind: str | None = None, pattern: str = "*") -> list[Entry]:
    """Return the registered entries of a kind, or of all, whose name or full name matches.

    Args:
        kind: ``"models"``, ``"optimizers"``, ``"criteria"``, ``"schedulers"``, ``"datasets"`` and so on.
        pattern: As a shell's, with ``*`` and ``?``; case does not count.

    Returns:
        The entries, sorted by kind and name, each with its plugin, distribution and version.

    Raises:
        UnknownNameError: If there is no such kind.
    """
    return registry().entries(kind, pattern)


def create(kind: str, name: str, /, **facts_and_options: Any) -> Any:
    """Build one entry: ``create("models", "cnn_dropout", num_classes=10, in_channels=1, image_size=(28, 28), p=0.1)``.

    Args:
        kind: As for `entries`.
        name: Full, ``"plugin/name"``, or short.
        **facts_and_options: What zoo tells the kind's builders in a run, such as ``num_classes`` or ``params``, and
            the builder's own options. Facts that the builder does not ask for are left out.

    Returns:
        What the builder returns: a module, an optimizer, a dataset.

    Raises:
        UsageError: If the name or an option is wrong.
        PluginError: If the plugin is broken, or builds something else than its kind promises.
    """
    if kind_named(kind).is_file:
        uses = {"recipe": f"zoo.train(recipe={name!r})", "weights": f"zoo.load('weights:{name}')"}
        singular = kind_named(kind).singular
        raise UsageError(f"{singular} {name!r} is a file, and nothing is built from it; {uses[singular]} takes it")
    entry = registry().find(kind, name)
    facts = {key: value for key, value in facts_and_options.items() if key in kind_named(kind).all_facts}
    options = {key: value for key, value in facts_and_options.items() if key not in facts}
    return build(entry, facts=facts, options=options)

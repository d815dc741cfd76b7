"""What stands still while the rest learns: a pure function of the settings and the step.

Every parameter is in the optimizer from the first step on. One that is frozen gets no gradient, so that the optimizer
passes it by; so nothing has to be added later, schedules see the same groups all along, and a run that goes on freezes
what it would have frozen.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from fnmatch import fnmatchcase

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from zoo.errors import UsageError


class Freezing:
    """Freezes parameters, and batch norms with their running statistics.

    Args:
        model: Whose parameters; those that do not learn anyway stay as they are.
        frozen: The names of parameters that stand still.
        until: The step from which on they learn; None for never.
        norms: The names of the batch norms that stand still all the time.
    """

    def __init__(
        self, model: nn.Module, frozen: Collection[str], *, until: int | None = None, norms: Collection[str] = ()
    ) -> None:
        self._until = until
        modules = {name: module for name, module in model.named_modules() if isinstance(module, _BatchNorm)}
        always = [modules[name] for name in norms]
        self._always = [p for module in always for p in module.parameters() if p.requires_grad]
        kept = {id(parameter) for parameter in self._always}
        learning = {name: p for name, p in model.named_parameters() if p.requires_grad and id(p) not in kept}
        self._at_first = [parameter for name, parameter in learning.items() if name in frozen]
        self._norms = always
        still = {id(parameter) for parameter in self._at_first}
        # A batch norm below which nothing learns must not see its statistics move either.
        self._norms_at_first = [
            module
            for name, module in modules.items()
            if name not in norms and still.issuperset(map(id, module.parameters())) and [*module.parameters()]
        ]

    def apply(self, step: int) -> None:
        """Freeze what is frozen in the optimizer step *step*, from 0. Call it when the model is in training mode."""
        early = self._until is None or step < self._until
        for parameter in self._always:
            parameter.requires_grad_(False)
        for parameter in self._at_first:
            parameter.requires_grad_(not early)
        for module in self._norms:
            module.training = False
        for module in self._norms_at_first:
            module.training = not early

    def release(self) -> None:
        """Let everything learn that did at first."""
        for parameter in (*self._always, *self._at_first):
            parameter.requires_grad_(True)


def frozen_names(groups: Sequence[Sequence[str]], freeze: int | str) -> set[str]:
    """Return the names of the parameters that ``--freeze`` means.

    Args:
        groups: All names, from the input to the head.
        freeze: How many groups, from the input on, or patterns with ``*`` and ``?``, separated by commas.

    Raises:
        UsageError: If it means no parameter, or all of them.
    """
    names = [name for group in groups for name in group]
    if isinstance(freeze, int):
        found = {name for group in groups[:freeze] for name in group}
    else:
        patterns = [pattern.strip() for pattern in freeze.split(",")]
        found = {name for name in names if any(fnmatchcase(name, pattern) for pattern in patterns)}
    if not found:
        raise UsageError(f"--freeze {freeze} matches none of the model's parameters, such as {names[0]!r}")
    if len(found) == len(names):
        what = f"; there are {len(groups)} layer groups" if isinstance(freeze, int) else ""
        raise UsageError(f"--freeze {freeze} leaves nothing to train{what}")
    return found


def batch_norms(model: nn.Module, outside: str) -> set[str]:
    """Return the names of the batch norms that are not in the module *outside*, the head."""
    return {
        name
        for name, module in model.named_modules()
        if isinstance(module, _BatchNorm) and name != outside and not name.startswith(f"{outside}.")
    }

"""``zoo plugins check``: whether a plugin keeps the contract."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import click

from zoo.cli.completion import complete_plugins
from zoo.cli.options import common_options
from zoo.cli.output import write_json
from zoo.errors import UsageError

if TYPE_CHECKING:
    from zoo.testing import Outcome

FAILED = 3
_CLASSES = 1000


class Shape(click.ParamType[tuple[int, int, int]]):
    """An image's channels, height and width, such as ``3x224x224``."""

    name = "shape"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int, int]:
        """Read the three numbers."""
        parts = str(value).split("x")
        if len(parts) != 3 or not all(part.isdecimal() and int(part) for part in parts):
            self.fail(f"{value!r} is no shape; give channels, height and width, such as 3x224x224", param, ctx)
        channels, height, width = map(int, parts)
        return channels, height, width


@click.command("check")
@click.argument("name", shell_complete=complete_plugins)
@click.option("--entries", "only", metavar="PATTERN", default="*", help="Check only entries whose name matches.")
@click.option(
    "--set",
    "assignments",
    metavar="ENTRY.OPTION=VALUE",
    multiple=True,
    help="Give an entry an option without which it cannot be built.",
)
@click.option(
    "--measure",
    type=Shape(),
    metavar="CxHxW",
    is_flag=False,
    flag_value="3x224x224",
    help="Instead, count what each model has and costs for such an image, 3x224x224 if left out, and 1,000 classes: "
    "the facts for add.model.",
)
@common_options
def check(
    name: str,
    only: str,
    assignments: tuple[str, ...],
    measure: tuple[int, int, int] | None,
    quiet: bool,
    as_json: bool,
) -> int:
    """Check that a plugin keeps the contract.

    Everything that NAME offers is built, run and compared with what its kind promises, a line a check. The exit code is
    3 if any fails.
    """
    if measure is not None:
        return _measure(name, only, measure, as_json)
    from zoo.testing import checks_of

    outcomes: list[tuple[str, str, Outcome]] = []
    for item in checks_of(name, only=only, options=_options(assignments)):
        outcome = item.run()
        outcomes.append((item.subject, item.title, outcome))
        if not as_json and not (quiet and outcome.status == "ok"):
            _write(item.subject, item.title, outcome)
    counts = Counter(outcome.status for _, _, outcome in outcomes)
    if as_json:
        write_json(
            {
                "plugin": name,
                "passed": not counts["failed"],
                "checks": [
                    {"subject": subject, "check": title, "status": outcome.status, "detail": outcome.detail}
                    for subject, title, outcome in outcomes
                ],
            }
        )
    else:
        click.echo(f"{len(outcomes)} checks: {', '.join(f'{n} {status}' for status, n in counts.items())}")
    return FAILED if counts["failed"] else 0


def _measure(name: str, only: str, shape: tuple[int, int, int], as_json: bool) -> int:
    """Print what each of a plugin's models costs."""
    from fnmatch import fnmatchcase

    from zoo.testing.costs import measured
    from zoo.testing.plugins import installed

    entries = [e for e in installed(name).entries if e.kind == "models" and fnmatchcase(e.name, only)]
    if not entries:
        raise UsageError(f"plugin {name!r} has no model that {only!r} matches")
    facts = {entry.name: measured(entry, shape, _CLASSES) for entry in entries}
    if as_json:
        write_json({"plugin": name, "facts": facts})
    else:
        click.echo("\n".join(f"{model}: facts={found}" for model, found in facts.items()))
    return 0


def _options(assignments: tuple[str, ...]) -> dict[str, dict[str, Any]]:
    """Return what ``--set`` gives, by the entries' names."""
    from zoo.config import parse_assignment

    options: dict[str, dict[str, Any]] = {}
    for text in assignments:
        for entry, given in parse_assignment(text).items():
            if not isinstance(given, dict):
                raise UsageError(f"--set {text}: write ENTRY.OPTION=VALUE, such as photos.root=DIR")
            options.setdefault(entry, {}).update(given)
    return options


def _write(subject: str, title: str, outcome: Outcome) -> None:
    """Print one line, and what is wrong below it."""
    line = f"{outcome.status:<8}{subject}: {title}"
    if outcome.status == "ok":
        click.echo(f"{line} ({outcome.detail})" if outcome.detail else line)
    else:
        click.echo("\n".join([line, *(f"        {part}" for part in outcome.detail.splitlines())]))

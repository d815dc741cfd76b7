"""The group: help without imports, suggestions, and summaries that agree with the commands."""

from __future__ import annotations

from typing import Any

import click
import pytest
from fake_distributions import FakeSite

import zoo as package
from zoo.cli.data import COMMANDS as DATA_COMMANDS
from zoo.cli.group import COMMANDS, cli
from zoo.cli.lazy import LazyCommand, LazyGroup
from zoo.cli.plugins import COMMANDS as PLUGIN_COMMANDS

_ALL = [*COMMANDS, *PLUGIN_COMMANDS, *DATA_COMMANDS]
_RUN = [command for command in _ALL if command.name != "data"]  # which only leads to others


@pytest.mark.parametrize("stand_in", _ALL, ids=lambda command: command.name)
def test_a_summary_agrees_with_its_commands_help(stand_in: LazyCommand):
    """The summary is stored beside the lazy name, so that help imports no command; here the two are held together."""
    command = stand_in.load()
    assert command.name == stand_in.name
    assert command.get_short_help_str(200) == stand_in.get_short_help_str(200)
    assert (command.help or "").startswith(stand_in.help or "-")


@pytest.mark.parametrize("stand_in", _RUN, ids=lambda command: command.name)
def test_every_command_has_the_common_options_and_says_what_each_option_does(stand_in: LazyCommand):
    """``--no-plugin``, ``--strict``, ``--quiet`` and ``--json`` work everywhere; no option is without help."""
    options = [parameter for parameter in stand_in.load().params if isinstance(parameter, click.Option)]
    assert {"--no-plugin", "--strict", "--quiet", "--json"} <= {flag for option in options for flag in option.opts}
    assert [option.opts for option in options if not option.help] == []


def test_help_version_and_completion_import_no_command_and_no_plugin(site: FakeSite):
    """Not even the registry: what a plugin costs is not paid here."""
    site.install("penguin", "raise SystemExit('imported')")
    check = "import sys; from zoo.cli import main; code = main(sys.argv[1:])\n"
    check += "heavy = ('torch', 'zoo.registry', 'zoo.cli.list', 'zoo.cli.show', 'importlib.metadata')\n"
    check += "print([name for name in heavy if name in sys.modules])"
    for argument in ("--help", "--version"):
        done = site.python(check, argument)
        assert done.stdout.endswith("[]\n"), done
        assert done.stderr == ""


def test_the_version_is_the_packages(zoo: Any):
    """One place states it."""
    assert zoo("--version") == (0, f"zoo {package.__version__}\n", "")


def test_help_lists_the_commands_in_the_order_of_use(zoo: Any):
    """Training first, housekeeping last."""
    shown = [line.split()[0] for line in zoo("--help").out.partition("Commands:\n")[2].splitlines()]
    assert shown == [command.name for command in COMMANDS]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["lsit"], "zoo: No such command 'lsit'. Did you mean 'list'?\nTry 'zoo --help'.\n"),
        (["list", "--jsan"], "zoo: No such option '--jsan'. Did you mean '--json'?\nTry 'zoo list --help'.\n"),
        (["plugins", "chekc"], "zoo: No such command 'chekc'. Did you mean 'check'?\nTry 'zoo plugins --help'.\n"),
        (["show", "model"], "zoo: Missing argument 'NAME'.\nTry 'zoo show --help'.\n"),
        (
            ["list", "modles"],
            (
                "zoo: no kind named 'modles'. Did you mean 'models'? There are: models, optimizers, criteria, "
                "schedulers, datasets, augmentations, observers, searchers, pruners, "
                "recipes, exporters, weights.\n"
            ),
        ),
        (
            ["plugins", "--no-plugin", "pengiun"],
            "zoo: no plugin named 'pengiun'. --no-plugin names it; 'zoo plugins' shows what is installed.\n",
        ),
    ],
)
def test_a_typing_error_costs_a_line_or_two_with_a_suggestion(zoo: Any, arguments: list[str], message: str):
    """Exit code 2, nothing on stdout."""
    assert zoo(*arguments) == (2, "", message)


def test_a_lazy_group_keeps_ordinary_commands_too():
    """A command that is already there runs as in any group."""
    group = LazyGroup("group", lazy=[LazyCommand("main", "zoo.cli.group:cli", "Another.")])
    group.add_command(click.Command("plain", callback=lambda: 7))
    assert group.main(["plain"], standalone_mode=False) == 7
    assert group.list_commands(click.Context(group)) == ["main", "plain"]


def test_without_arguments_the_help_is_shown(zoo: Any):
    """A newcomer who types the bare command learns what there is; it is still no success."""
    done = zoo()
    assert (done.code, done.out) == (2, "")
    assert done.err == click.Context(cli, info_name="zoo").get_help() + "\n"

"""``zoo plugins new``: a new plugin, complete with tests."""

from __future__ import annotations

from pathlib import Path

import click

from zoo.cli.options import common_options
from zoo.cli.output import write_json
from zoo.scaffold.distribution import KINDS, NewPlugin
from zoo.scaffold.names import PluginName


@click.command("new")
@click.argument("name")
@click.option(
    "--kind",
    type=click.Choice(list(KINDS)),
    default="model",
    show_default=True,
    help="What its first entry is.",
)
@click.option(
    "--dir",
    "parent",
    metavar="DIR",
    type=click.Path(path_type=Path),
    default=Path(),
    help="Where to make the folder zoo-NAME. Default: here.",
)
@common_options
def new(name: str, kind: str, parent: Path, quiet: bool, as_json: bool) -> None:
    """Write a new plugin, complete with tests.

    NAME is what stands before the slash in full names. The folder zoo-NAME is a distribution that can be installed,
    tested and published as it is: its package zoo_NAME has one working entry to begin from.
    """
    plugin = NewPlugin(PluginName.parse(name), KINDS[kind], parent.expanduser())
    files = plugin.write()
    if as_json:
        write_json(
            {
                "directory": str(plugin.directory),
                "plugin": plugin.name.plugin,
                "distribution": plugin.name.distribution,
                "package": plugin.name.package,
                "kind": kind,
                "entry": plugin.entry,
                "files": [path.as_posix() for path in files],
                "next": list(plugin.next_commands),
            }
        )
    elif not quiet:
        click.echo(f"{plugin.directory}: the plugin {plugin.name.plugin!r} with the {kind} {plugin.entry!r}\nNext:")
        click.echo("\n".join(f"  {command}" for command in plugin.next_commands))

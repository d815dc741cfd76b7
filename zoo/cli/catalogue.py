"""``zoo catalogue``: all models in one page to search, sort and filter."""

from __future__ import annotations

from pathlib import Path

import click

import zoo
from zoo.cli.options import common_options
from zoo.cli.output import write_json
from zoo.errors import UsageError
from zoo.registry import registry


@click.command("catalogue")
@click.option("--html", "path", required=True, type=click.Path(path_type=Path), help="The file to write.")
@common_options
def catalogue(path: Path, quiet: bool, as_json: bool) -> None:
    """Write a page of all registered models.

    One file that needs no network: search by name, family, weights or licence, limit parameters and cost, sort by any
    column. zoo list models shows the same on a terminal.
    """
    from zoo.records.disk import write_atomic
    from zoo.registry.catalogue import facts_of
    from zoo.reports.catalogue import catalogue_page

    models = [(entry, facts_of(entry)) for entry in registry().entries("models")]
    try:
        write_atomic(path, catalogue_page(models, zoo.__version__))
    except OSError as error:
        raise UsageError(f"cannot write {str(path)!r}: {error.strerror}; give another --html") from None
    if as_json:
        write_json({"file": str(path), "models": len(models)})
    elif not quiet:
        click.echo(f"{path}: {len(models):,} models")

"""``zoo show``: one entry, where it comes from, and what one may set on it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import click

from zoo.cli.choosing import in_short
from zoo.cli.completion import complete_kinds, complete_names
from zoo.cli.docstrings import argument_texts, first_paragraph
from zoo.cli.list import described
from zoo.cli.options import common_options
from zoo.cli.output import table, terminal_width, write_json
from zoo.registry import Entry, Option, kind_named, registry, signature_of
from zoo.registry.catalogue import ModelFacts, facts_of
from zoo.registry.results import results_of
from zoo.registry.weights import file_of

_INDENT = " " * 6
_SHOWN = 10  # classes that are named


@click.command()
@click.argument("kind", shell_complete=complete_kinds)
@click.argument("name", shell_complete=complete_names())
@common_options
def show(kind: str, name: str, quiet: bool, as_json: bool) -> None:  # noqa: ARG001 - every command takes --quiet
    """Show one entry, where it comes from and its options.

    KIND is model, optimizer, criterion, scheduler, dataset, augmentation, observer, recipe, exporter or weights; NAME
    is a short name, or a full one as in timm/resnet18.
    """
    entry = registry().find(kind, name)
    if as_json:
        write_json({"entry": described(entry) | _details(entry)})
    else:
        click.echo("\n".join(_lines(entry)))


def _details(entry: Entry) -> dict[str, Any]:
    if entry.kind == "recipes":
        return {"text": entry.read_text()}
    if entry.kind == "weights":
        return {"file": asdict(file_of(entry))}
    target, signature = entry.load(), signature_of(entry)
    texts = argument_texts(target)
    return {
        "description": first_paragraph(target),
        "facts": list(signature.facts),
        "unchecked": signature.open,
        "options": [_described_option(option, texts) for option in signature.options.values()],
        **(_of_model(entry) if entry.kind == "models" else {}),
    }


def _of_model(entry: Entry) -> dict[str, Any]:
    facts = facts_of(entry)
    return {"results": [asdict(result) for result in results_of(entry)], "costs": facts and asdict(facts)}


def _described_option(option: Option, texts: dict[str, str]) -> dict[str, Any]:
    stated = {"name": option.name, "type": option.type_name, "required": option.required}
    default = {} if option.required else {"default": option.default}
    return stated | default | {"text": texts.get(option.name, "")}


def _lines(entry: Entry) -> Iterator[str]:
    kind = kind_named(entry.kind)
    short = registry().short_name(entry)
    yield f"{kind.singular} {entry.full_name}" + (f", or in short {short}" if short else "")
    yield f"  {entry.summary}"
    yield f"  plugin {entry.plugin}, {entry.distribution} {entry.version}"
    yield f"  target {entry.target}" + "".join(f", {key}={value!r}" for key, value in entry.arguments.items())
    yield ""
    others = {"recipes": _recipe_lines, "weights": _weights_lines}
    yield from others.get(entry.kind, _builder_lines)(entry)
    if entry.kind == "models" and (facts := facts_of(entry)):
        yield ""
        yield from _fact_lines(facts)
    if entry.kind == "models" and (results := results_of(entry)):
        yield from ("", "test accuracy, as measured by the plugin's authors")
        yield from (f"  {result}" for result in results)


def _recipe_lines(entry: Entry) -> Iterator[str]:
    yield from entry.read_text().splitlines()


def _weights_lines(entry: Entry) -> Iterator[str]:
    """Yield what a file with weights is, and how it is used."""
    file = file_of(entry)
    name = registry().short_name(entry) or entry.full_name
    classes = ", ".join(file.classes[:_SHOWN]) + (", ..." if len(file.classes) > _SHOWN else "")
    yield f"weights of {file.model}, licence {file.licence}"
    yield f"{len(file.classes):,} classes: {classes}"
    yield f"{file.bytes:,} bytes, SHA-256 {file.sha256}"
    yield from (f"expects {key} {value!r}" for key, value in file.expects.items())
    yield from ("", f"zoo predict weights:{name} IMAGE")
    yield f"zoo train --model {file.model} --set model.pretrained=weights:{name}"


def _fact_lines(facts: ModelFacts) -> Iterator[str]:
    """Yield what a model has and costs, and its weights."""
    shape = " x ".join(map(str, facts.input_size))
    yield f"{facts.parameters:,} parameters; for one image of {shape}:"
    yield f"  {in_short(facts.macs)} multiply-accumulates, {in_short(facts.activations)} activations"
    if speed := facts.speed:
        yield f"  {speed.training:,.0f} images/s trained, {speed.prediction:,.0f} predicted ({speed.hardware})"
    if facts.paper:
        yield f"source: {facts.paper}"
    if facts.weights:
        yield f"pretrained weights, by the library's records: {len(facts.weights)}"
        rows = [
            (
                f"  {w.tag or 'default'}",
                w.licence,
                "" if w.accuracy is None else f"{100 * w.accuracy:.2f} % on ImageNet",
            )
            for w in facts.weights
        ]
        yield from table(rows)


def _builder_lines(entry: Entry) -> Iterator[str]:
    target, signature = entry.load(), signature_of(entry)
    if paragraph := first_paragraph(target):
        yield from (paragraph, "")
    if signature.options:
        yield f"options, as --set {kind_named(entry.kind).option_key(entry.name, 'OPTION')}=VALUE"
        yield from _option_lines(list(signature.options.values()), argument_texts(target))
    else:
        yield "no options" if not signature.open else "options: whatever the builder takes"
    if entry.kind == "models":
        yield "options of every model: pretrained=FILE, RUN or weights:NAME, sha256=HASH, expects.mean=[...] and so on"
    if signature.open:
        yield "options unchecked: the builder takes any keyword"
    if signature.facts:
        yield f"zoo gives it {', '.join(signature.facts)}"


def _option_lines(options: Sequence[Option], texts: Mapping[str, str]) -> Iterator[str]:
    """Yield each option's name, type and default, and below it what the builder says about it."""
    width = terminal_width()
    rows = [(f"  {o.name}", o.type_name, "required" if o.required else repr(o.default)) for o in options]
    for option, line in zip(options, table(rows), strict=True):
        yield line
        if text := texts.get(option.name):
            yield _INDENT + text if width is None else click.wrap_text(text, width, _INDENT, _INDENT)

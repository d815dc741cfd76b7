"""A published model's README.md: what it is, how good it is and how it is loaded."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from zoo.reports.statistics import wilson

_SHOWN = 20  # classes that are named


def model_card(
    name: str, record: Mapping[str, Any], summary: Mapping[str, Any], licence: str | None, *, timm: bool
) -> str:
    """Return the card, in Markdown with the metadata that hubs read in front.

    Args:
        name: The folder's.
        record: What is published beside the weights.
        summary: The run's summary.json.
        licence: An SPDX expression, or None.
        timm: Whether timm and transformers load the folder.
    """
    lines = [*_metadata(name, summary, licence, timm=timm), *_text(name, record, summary, licence)]
    trained = "members" not in summary
    return "\n".join([*lines, *_how_to_load(timm=timm), *_files(trained=trained), ""])


def _metadata(name: str, summary: Mapping[str, Any], licence: str | None, *, timm: bool) -> Iterator[str]:
    """Yield the lines between the dashes: YAML, in which JSON is a value as well."""
    data = str(summary["data"])
    result = {
        "task": {"type": "image-classification", "name": "Image Classification"},
        "dataset": {"type": data, "name": data},
        "metrics": [{"type": "accuracy", "name": "Accuracy", "value": summary["test_accuracy"]}],
    }
    yield "---"
    if licence is not None:
        yield f"license: {json.dumps(licence.lower())}"
    yield f"library_name: {'timm' if timm else 'zoo'}"
    yield "pipeline_tag: image-classification"
    yield f"tags: {json.dumps(['image-classification', 'zoo', *(['timm'] if timm else [])])}"
    yield f"model-index: {json.dumps([{'name': name, 'results': [result]}])}"
    yield "---"


def _text(name: str, record: Mapping[str, Any], summary: Mapping[str, Any], licence: str | None) -> Iterator[str]:
    images, total = record["images"], int(summary["test"])
    interval = wilson(round(summary["test_accuracy"] * total), total)
    shape = " x ".join(map(str, (images["in_channels"], *images["image_size"])))
    classes = images["classes"]
    yield from (f"# {name}", "")
    yield f"`{summary['model']}`, {summary['parameters']:,} parameters, an image classifier trained with"
    yield from ("zoo (`pip install torch-zoo`).", "")
    yield "| | |"
    yield "|---|---|"
    yield (
        f"| test accuracy | {100 * summary['test_accuracy']:.2f} %, 95 % interval {100 * interval.low:.2f} to "
        f"{100 * interval.high:.2f} %, on {total:,} images |"
    )
    yield f"| trained on | `{summary['data']}`: {summary['train']:,} images, {summary['validation']:,} for validation |"
    yield f"| images | {shape} |"
    if members := summary.get("members"):
        yield f"| made of | {len(members)} models, trained one by one; the answer is the mean of their probabilities |"
        for each in members:
            yield f"| member | `{each['model']}`, {each['parameters']:,} parameters, {_alone(each['test_accuracy'])} |"
    else:
        yield f"| epochs | {summary['epochs']}; the weights are those of epoch {summary['best_epoch']} |"
    if (expects := record["expects"]) and expects["source"]:
        yield f"| began with | `{expects['source']}` {_of_licence(expects['license'])}|"
    yield f"| licence | {licence or 'not stated'} |"
    named = ", ".join(json.dumps(each, ensure_ascii=False) for each in classes[:_SHOWN])
    yield from ("", f"{len(classes)} classes: {named}{', ...' if len(classes) > _SHOWN else ''}", "")


def _alone(accuracy: float | None) -> str:
    return "alone not measured on these images" if accuracy is None else f"test accuracy {100 * accuracy:.2f} % alone"


def _of_licence(licence: str) -> str:
    return f"({licence}) " if licence else ""


def _how_to_load(*, timm: bool) -> Iterator[str]:
    yield from ("## Load it", "", "```python", "import zoo", "", 'model = zoo.load("DIR")  # this folder')
    yield from ('print(model("image.png").label)', "```", "")
    if timm:
        yield from ("Or without zoo, the same weights:", "", "```python", "import timm", "")
        yield from ('model = timm.create_model("local-dir:DIR", pretrained=True)', "```", "")


def _files(*, trained: bool) -> Iterator[str]:
    """Yield what the other files are; an ensemble is not trained, its members were."""
    if trained:
        yield from ("## Train it again", "", "```sh", "zoo train --config zoo.toml", "```", "")
        yield "`zoo.toml` is the whole recipe, `environment.json` what it was computed with, and `MANIFEST.json`"
    else:
        yield from ("## Its members", "", "`environment.json` has the whole recipe of each, and `MANIFEST.json`")
    yield "has the SHA-256 of every file."

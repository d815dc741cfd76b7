"""From a template to a page: one HTML file whose policy lets nothing in but its own style and script."""

from __future__ import annotations

import base64
import functools
import hashlib
from importlib.resources import files
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from zoo.reports.drawing import tag


def rendered(template: str, *, assets: str = "report", **values: Any) -> str:
    """Return a page of a template in zoo/reports/templates; its policy names style and script by their digests.

    Args:
        template: The file's name.
        assets: The name of the style and of the script beside it, without their endings.
        values: What the template shows.
    """
    style, script = _text(f"{assets}.css"), _text(f"{assets}.js")
    policy = {"style_hash": _digest(style), "script_hash": _digest(script)}
    # Both are zoo's own files; to escape them would break them.
    own = {"style": Markup(style), "script": Markup(script)}  # noqa: S704
    return _environment().get_template(template).render(**policy, **own, **values) + "\n"


def framed(page: str) -> str:
    """Return a page as a notebook shows it: in a frame of its own, which reaches nothing of the notebook's."""
    return str(tag("iframe", srcdoc=page, width="100%", height=620, frameborder=0, sandbox="allow-scripts"))


@functools.cache
def _environment() -> Environment:
    return Environment(
        loader=FunctionLoader(_text), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )


def _text(name: str) -> str:
    return files("zoo.reports").joinpath("templates", name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode('ascii')}"

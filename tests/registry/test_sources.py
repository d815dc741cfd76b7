"""The functions that a library marks with a decorator, read without importing it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import zoo

SOURCE = """
import x

raise ImportError("nobody should import this")

@register_model
@other(1)
def under_another(pretrained=False):
    pass


@register_model(name="x")
def with_parentheses():
    pass


@register_model_later
def of_another_decorator():
    pass


def bare():
    pass
"""


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package `somelib` whose models stand in `somelib/models`."""
    models = tmp_path / "somelib" / "models"
    models.mkdir(parents=True)
    (tmp_path / "somelib" / "__init__.py").write_text("raise ImportError\n")
    (models / "nets.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(tmp_path)
    return models


def test_marked_functions_are_found_with_their_files(library: Path):
    """With parentheses, under further decorators; nothing is imported."""
    found = zoo.decorated_functions("somelib", "models", "register_model")
    assert found == {"under_another": "nets", "with_parentheses": "nets"}
    assert "somelib" not in sys.modules


def test_other_layouts_give_no_names(library: Path):
    """The caller then takes another way."""
    assert zoo.decorated_functions("somelib", "networks", "register_model") == {}
    assert zoo.decorated_functions("somelib", "models", "model") == {}


def test_a_library_that_is_not_installed_is_said():
    """With how to get it."""
    with pytest.raises(zoo.PluginError, match="nolib is not installed; pip install nolib"):
        zoo.decorated_functions("nolib", "models", "register_model")

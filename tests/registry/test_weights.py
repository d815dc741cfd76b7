"""Weights that a plugin registers: what it must state, and where their file may be."""

from __future__ import annotations

from typing import Any

import pytest
from fake_distributions import FakeSite
from fake_distributions import site as site  # noqa: PLC0414 - a fixture is found by its name here

from zoo.errors import PluginError
from zoo.registry import Add
from zoo.registry.weights import file_of, place_of

FACTS = {"bytes": 8, "sha256": "5f" * 32, "licence": "MIT", "model": "tern/net", "classes": ("a", "b")}
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def add(target: Any = "zoo_tern:net.safetensors", facts: Any = FACTS) -> Add:
    """Register weights as a plugin does."""
    adding = Add("tern", "zoo-tern", "1.0")
    adding.weights("net", target, summary="Weights.", facts=facts)
    return adding


@pytest.mark.parametrize(
    ("target", "named", "value"),
    [
        ("zoo_tern.files:more/net.safetensors", "file", "more/net.safetensors"),
        ("https://example.org/a/net.pth?download=1", "url", "https://example.org/a/net.pth?download=1"),
        ("http://127.0.0.1:8000/net.bin", "url", "http://127.0.0.1:8000/net.bin"),
        (f"hf:user/name@{COMMIT}/model.safetensors", "hub", f"user/name@{COMMIT}"),
    ],
)
def test_a_file_may_be_in_a_package_at_an_address_or_on_the_hub(target: str, named: str, value: str):
    """And what is stated of it is kept as it is."""
    (entry,) = add(target).entries()
    place = place_of(entry.target)
    assert place is not None
    assert place[named] == value
    assert file_of(entry).sha256 == FACTS["sha256"]
    assert file_of(entry).classes == ("a", "b")


@pytest.mark.parametrize(
    "target",
    [
        "zoo_tern.nets:net",
        "ftp://example.org/net.safetensors",
        "hf:user/name@main/model.safetensors",
        "hf:user/name/model.safetensors",
        "zoo_tern:../net.py",
        len,
        None,
    ],
)
def test_another_target_is_no_file_of_weights(target: Any):
    """A branch moves; a builder is no file."""
    with pytest.raises(PluginError, match=r"not 'package:file', an address or 'hf:user/name@commit/file'"):
        add(target)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (None, "weights need facts: bytes, sha256, licence, model and classes"),
        ({"bytes": None}, "bytes is the file's size"),
        ({"bytes": True}, "bytes is the file's size"),
        ({"sha256": "5F" * 32}, "64 lower-case hexadecimal digits"),
        ({"sha256": "5f5f"}, "64 lower-case hexadecimal digits"),
        ({"classes": ()}, "classes is a list of names"),
        ({"classes": "ab"}, "classes is a list of names, or 'package:file.txt'"),
        ({"licence": ""}, "licence and model are texts"),
        ({"mean": [0.5]}, "mean and std go together"),
        ({"colour": 3}, "unexpected keyword argument 'colour'"),
    ],
)
def test_what_is_not_stated_or_misstated_is_told(change: Any, message: str):
    """The whole plugin is broken then, as with any other wrong entry."""
    facts = None if change is None else {**FACTS, **change}
    with pytest.raises(PluginError, match=message):
        add(facts=facts)


def test_many_classes_may_be_in_a_file_of_the_package(site: FakeSite):
    """One a line, read when they are asked for; a file that is missing or empty is the plugin's fault."""
    folder = site.path / "zoo_tern"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (entry,) = add(facts={**FACTS, "classes": "zoo_tern:classes.txt"}).entries()
    with pytest.raises(PluginError, match=r"its file 'zoo_tern:classes\.txt' cannot be read"):
        file_of(entry)
    (folder / "classes.txt").write_text("ant\nbee\n")
    assert file_of(entry).classes == ("ant", "bee")
    (folder / "classes.txt").write_text("\n")
    with pytest.raises(PluginError, match="names no classes"):
        file_of(entry)


def test_a_missing_fact_is_named():
    """The hash above all."""
    with pytest.raises(PluginError, match="sha256"):
        add(facts={name: value for name, value in FACTS.items() if name != "sha256"})

"""``zoo show``: an entry, its origin and its options."""

from __future__ import annotations

import json
from typing import Any

import pytest
from fake_distributions import FakeSite, offering

from zoo.cli.docstrings import argument_texts, first_paragraph

_SOURCE = '''

def net(num_classes: int, image_size: tuple[int, int], *, p: float = 0.5, widths: list[int]):
    """Build a net
    of two lines.

    It has more to say.

    Args:
        num_classes: K.
        p: Probability of a zero,
            in [0, 1).
        widths (list of int): Features of each layer: any number.

    Returns:
        p: not an argument.
    """


def anything(**options):
    return options
'''


@pytest.fixture(autouse=True)
def penguin(site: FakeSite) -> None:
    """A plugin with a documented model, one that takes anything, and a recipe."""
    source = offering(
        "add.model('net', 'zoo_penguin:net', summary='A net.', arguments={'p': 0.1})",
        "add.dataset('ice', 'zoo_penguin:anything', summary='Ice.', short=False)",
        "add.recipe('fast', 'zoo_penguin:fast.toml', summary='One epoch.')",
        "add.criterion('gone', 'zoo_penguin:gone', summary='Not there.')",
    )
    site.install("penguin", source + _SOURCE)


@pytest.mark.parametrize("arguments", [("model", "net"), ("models", "penguin/net")])
def test_an_entry_is_shown_with_origin_options_types_and_defaults(zoo: Any, arguments: tuple[str, str]):
    """Singular or plural kind, short or full name."""
    done = zoo("show", *arguments)
    assert (done.code, done.err) == (0, "")
    assert done.out == (
        "model penguin/net, or in short net\n"
        "  A net.\n"
        "  plugin penguin, zoo-penguin 1.0\n"
        "  target zoo_penguin:net, p=0.1\n"
        "\n"
        "Build a net of two lines.\n"
        "\n"
        "options, as --set model.OPTION=VALUE\n"
        "  p       float      0.1\n"
        "      Probability of a zero, in [0, 1).\n"
        "  widths  list[int]  required\n"
        "      Features of each layer: any number.\n"
        "options of every model: pretrained=FILE, RUN or weights:NAME, sha256=HASH, expects.mean=[...] and so on\n"
        "zoo gives it num_classes, image_size\n"
    )


def test_a_terminal_gets_descriptions_in_its_width(zoo: Any, monkeypatch: pytest.MonkeyPatch):
    """A pipe gets them whole."""
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "36")
    lines = zoo("show", "model", "net").out.splitlines()
    assert "      Features of each layer: any" in lines
    assert "      number." in lines


def test_a_builder_of_any_keyword_is_said_to_be_unchecked(zoo: Any):
    """A misspelt option will not be caught there."""
    lines = zoo("show", "dataset", "penguin/ice").out.splitlines()
    assert lines[0] == "dataset penguin/ice"
    assert lines[-1] == "options unchecked: the builder takes any keyword"


def test_options_of_a_kind_of_which_a_run_takes_several_stand_under_the_entrys_name(site: FakeSite, zoo: Any):
    """Two augmentations may have an option of one name."""
    site.install(
        "auk", offering("add.augmentation('shift', 'zoo_auk:shift', summary='S.')") + "\ndef shift(pixels=2): ..."
    )
    assert "options, as --set augment.shift.OPTION=VALUE\n  pixels    2\n" in zoo("show", "augmentation", "shift").out


def test_json_tells_the_same(zoo: Any):
    """For scripts and for editors."""
    entry = json.loads(zoo("show", "model", "net", "--json").out)["entry"]
    assert entry["full_name"] == "penguin/net"
    assert (entry["description"], entry["facts"], entry["unchecked"]) == (
        "Build a net of two lines.",
        ["num_classes", "image_size"],
        False,
    )
    assert entry["options"] == [
        {
            "name": "p",
            "type": "float",
            "required": False,
            "default": 0.1,
            "text": "Probability of a zero, in [0, 1).",
        },
        {"name": "widths", "type": "list[int]", "required": True, "text": "Features of each layer: any number."},
    ]


def test_a_recipe_is_shown_as_its_file(site: FakeSite, zoo: Any, monkeypatch: pytest.MonkeyPatch):
    """It may be copied from there into one's own configuration."""
    monkeypatch.setattr("zoo.registry.Entry.read_text", lambda _: "[train]\nepochs = 1\n")
    assert zoo("show", "recipe", "fast").out.endswith("\n\n[train]\nepochs = 1\n")
    assert json.loads(zoo("show", "recipe", "fast", "--json").out)["entry"]["text"] == "[train]\nepochs = 1\n"


def test_a_target_that_is_not_there_is_the_plugins_fault(zoo: Any):
    """Exit code 3, with plugin, entry and distribution."""
    done = zoo("show", "criterion", "gone")
    assert (done.code, done.out) == (3, "")
    assert done.err.startswith("zoo: criterion 'penguin/gone' (zoo-penguin 1.0): its target 'zoo_penguin:gone' does no")


def test_an_unknown_name_is_the_users_error(zoo: Any):
    """Exit code 2 and a suggestion."""
    done = zoo("show", "model", "nett")
    assert (done.code, done.out) == (2, "")
    assert done.err == "zoo: no model named 'nett'. Did you mean 'net'? 'zoo list models' shows all 1.\n"


def test_a_builder_without_docstring_or_arguments_has_none():
    """Nothing is made up."""
    assert first_paragraph(lambda: None) == ""
    assert argument_texts(lambda: None) == {}

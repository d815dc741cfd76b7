"""``zoo list``: every entry with where it comes from."""

from __future__ import annotations

import json
from typing import Any

import pytest
from fake_distributions import FakeSite, offering, offering_models

from zoo.cli.output import table


@pytest.fixture(autouse=True)
def plugins(site: FakeSite) -> None:
    """Two sound plugins that share a short name, and a broken one."""
    site.install("auk", offering_models("net", "auk_net"), version="1.5")
    site.install("gull", offering_models("net") + "    add.optimizer('sgd', 'a:b', summary='Descent.')\n")
    site.install("odd", "import no_such_module")


def test_entries_are_listed_with_plugin_distribution_and_version(zoo: Any):
    """What one may type comes first: the short name where it works, else the full one."""
    done = zoo("list", "models")
    assert done.code == 0
    assert done.out.splitlines() == [
        "auk_net   auk   zoo-auk 1.5   The auk_net.",
        "auk/net   auk   zoo-auk 1.5   The net.",
        "gull/net  gull  zoo-gull 1.0  The net.",
    ]
    assert done.err.count("\n") == 1
    assert "plugin 'odd' (zoo-odd 1.0) is broken" in done.err


def test_counts_are_shown_by_kind_and_plugin(zoo: Any):
    """The bare command answers what there is at all."""
    lines = zoo("list").out.splitlines()
    assert lines[0].split() == ["models", "3", "auk", "2,", "gull", "1"]
    assert lines[1].split() == ["optimizers", "1", "gull", "1"]
    assert lines[2].split() == ["criteria", "0"]
    assert json.loads(zoo("list", "--json").out)["counts"]["models"] == {"auk": 2, "gull": 1}


def test_json_states_schema_and_provenance(zoo: Any):
    """Scripts read this, so its keys are the interface."""
    document = json.loads(zoo("list", "model", "auk_*", "--json").out)
    assert document == {
        "schema": 1,
        "entries": [
            {
                "kind": "models",
                "name": "auk_net",
                "full_name": "auk/auk_net",
                "short_name": "auk_net",
                "plugin": "auk",
                "distribution": "zoo-auk",
                "version": "1.5",
                "summary": "The auk_net.",
                "target": "collections:OrderedDict",
                "arguments": {},
            }
        ],
    }


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["models", "auk"], "no model matches 'auk'. '*auk*' matches 2: auk/auk_net, auk/net."),
        (["models", "nett"], "no model matches 'nett'. Did you mean 'auk/net' or 'gull/net'?"),
        (["models", "q*"], "no model matches 'q*'. 'zoo list models' shows all 3."),
        (["criteria"], "no criterion matches '*'. No installed plugin offers any."),
    ],
)
def test_an_empty_listing_says_so_and_what_else_to_try(zoo: Any, arguments: list[str], message: str):
    """It is no error: nothing on stdout, exit code 0."""
    done = zoo("list", *arguments)
    assert (done.code, done.out) == (0, "")
    assert done.err.splitlines()[-1] == message
    assert message not in zoo("list", *arguments, "--quiet").err


def test_a_plugin_is_left_out_by_flag_and_by_variable(zoo: Any, monkeypatch: pytest.MonkeyPatch):
    """Both free the short name, and a plugin left out costs no line."""
    expected = ["auk_net  auk  zoo-auk 1.5  The auk_net.", "net      auk  zoo-auk 1.5  The net."]
    done = zoo("list", "models", "--no-plugin", "odd", "--no-plugin=gull")
    assert (done.out.splitlines(), done.err) == (expected, "")
    monkeypatch.setenv("ZOO_DISABLE", " odd, gull,")
    done = zoo("list", "models")
    assert (done.out.splitlines(), done.err) == (expected, "")


def test_an_unknown_plugin_in_the_variable_is_an_error(zoo: Any, monkeypatch: pytest.MonkeyPatch):
    """A typing error would leave the plugin in."""
    monkeypatch.setenv("ZOO_DISABLE", "gul")
    done = zoo("list")
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("zoo: no plugin named 'gul'. Did you mean 'gull'? ZOO_DISABLE names it;")


def test_strict_stops_with_3_while_any_plugin_is_broken(zoo: Any):
    """For continuous integration; leaving the broken one out satisfies it, whatever the flags' order."""
    done = zoo("list", "--strict")
    assert (done.code, done.out) == (3, "")
    assert done.err.endswith("zoo: --strict: plugin 'odd' (zoo-odd 1.0) is broken\n")
    assert zoo("list", "--strict", "--no-plugin", "odd").code == 0


_ROWS = [("name", "plugin", "a summary that is long"), ("a_longer_name", "p", "short")]


@pytest.mark.parametrize(
    ("width", "lines"),
    [
        (None, ["name           plugin  a summary that is long", "a_longer_name  p       short"]),
        (80, ["name           plugin  a summary that is long", "a_longer_name  p       short"]),
        (30, ["name           plugin  a summ…", "a_longer_name  p       short"]),
        (16, ["name           …", "a_longer_name  …"]),
        (5, ["name…", "a_longer_name"]),
    ],
)
def test_a_table_is_cut_to_the_terminal_but_never_within_a_name(width: int | None, lines: list[str]):
    """A name is there to be copied."""
    assert list(table(_ROWS, width)) == lines


def test_a_terminal_gets_a_header_and_its_width(zoo: Any, monkeypatch: pytest.MonkeyPatch):
    """A pipe gets neither, so that scripts count entries."""
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "37")
    assert zoo("list", "models").out.splitlines()[:2] == [
        "NAME      PLUGIN  DISTRIBUTION  SUMM…",
        "auk_net   auk     zoo-auk 1.5   The …",
    ]


def test_values_that_json_cannot_say_are_shown_as_python_writes_them(site: FakeSite, zoo: Any):
    """A callable target or an odd argument does not end the listing."""
    site.install("auk", offering("add.model('net', dict, summary='A net.', arguments={'size': {1}})"))
    (entry,) = json.loads(zoo("list", "models", "auk/*", "--json").out)["entries"]
    assert (entry["target"], entry["arguments"]) == ("<class 'dict'>", {"size": "{1}"})

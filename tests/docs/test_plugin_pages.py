"""The pages about writing plugins: what they quote is what stands in the templates, the example and the contract."""

from __future__ import annotations

import re

import pytest
from documents import DOCS, blocks

import zoo
from zoo.registry import kind_named
from zoo.testing import contract

EXAMPLE = "".join(path.read_text() for path in sorted((DOCS / "examples" / "zoo-extras").rglob("*.py")))


@pytest.mark.parametrize("excerpt", blocks("how-to/wrap-an-existing-package.md", "python"))
def test_what_the_page_on_wrapping_quotes_stands_in_the_example(excerpt: str) -> None:
    """To the letter."""
    assert excerpt in EXAMPLE


def test_the_page_on_wrapping_counts_the_example_rightly() -> None:
    """The number of lines that it boasts of."""
    page = (DOCS / "how-to/wrap-an-existing-package.md").read_text()
    assert f"{len(EXAMPLE.splitlines())} lines" in page


def test_the_page_on_testing_names_every_check() -> None:
    """In the order in which they are made."""
    page = (DOCS / "how-to/test-a-plugin.md").read_text()
    rows = dict(re.findall(r"^\| (every plugin|every entry|[a-z]+) \| (.+) \|$", page, re.MULTILINE))
    assert rows.pop("every plugin").split("; ") == [
        check.title for check in zoo.testing.checks_of("recipes") if check.subject.startswith("plugin ")
    ]
    assert rows.pop("every entry") == "takes what zoo gives it"
    assert {kind: text.split("; ") for kind, text in rows.items()} == {
        kind_named(kind).singular: list(checks) for kind, checks in contract._OF_ITS_KIND.items()
    }


def test_the_program_on_one_check_runs() -> None:
    """As it is written."""
    (program,) = (text for text in blocks("how-to/test-a-plugin.md", "python") if "check_evaluation" in text)
    exec(program, {})


def test_the_tutorial_quotes_the_template() -> None:
    """The slow suite runs its commands; that its excerpts are current is looked at each time."""
    from zoo.scaffold.distribution import KINDS, NewPlugin
    from zoo.scaffold.names import PluginName

    written = "\n".join(NewPlugin(PluginName("penguin"), KINDS["model"], DOCS).files().values())
    for language in ("python", "toml"):
        assert all(excerpt in written for excerpt in blocks("tutorial/first-plugin.md", language))

"""What TAB offers."""

from __future__ import annotations

from typing import Any

import pytest
from click.shell_completion import ShellComplete
from fake_distributions import FakeSite, offering_models

from zoo.cli.group import cli
from zoo.registry import registry


@pytest.fixture
def tab(site: FakeSite, zoo: Any, capsys: pytest.CaptureFixture[str]) -> Any:
    """What is offered for the words of a line, the last of which is not finished."""
    site.install("auk", offering_models("net", "auk_net"))
    site.install("gull", offering_models("net"))
    site.install("odd", "import no_such_module")

    def offer(*words: str) -> list[str]:
        registry.cache_clear()
        offered = ShellComplete(cli, {}, "zoo", "_ZOO_COMPLETE").get_completions(list(words[:-1]), words[-1])
        assert capsys.readouterr() == ("", ""), "a message would land in the line that is being typed"
        return [item.value for item in offered]

    return offer


def test_commands_kinds_names_and_plugins_are_offered(tab: Any):
    """Short names where they work, full names once a slash is typed."""
    assert tab("l") == ["lr", "list"]
    assert tab("plugins", "c") == ["check"]
    assert tab("list", "mo") == ["models"]
    assert tab("show", "models", "") == ["auk_net", "auk/net", "gull/net"]
    assert tab("show", "model", "auk/") == ["auk/auk_net", "auk/net"]
    assert tab("list", "models", "g") == ["gull/net"]
    assert tab("list", "--no-plugin", "") == ["auk", "gull", "odd"]
    assert tab("list", "--no-plugin", "gull", "models", "n") == ["net"]


@pytest.mark.parametrize("words", [("show", "modles", ""), ("list", "--no-plugin", "unknown", "models", "")])
def test_a_line_that_is_wrong_already_offers_nothing_and_says_nothing(tab: Any, words: tuple[str, ...]):
    """The error comes when the line is entered."""
    assert tab(*words) in ([], ["auk_net", "auk/net", "gull/net"])


def test_completing_names_in_a_shell_does_not_import_torch(site: FakeSite):
    """The whole way, as bash asks for it."""
    site.install("penguin", offering_models("penguin_net"))
    code = "import sys, atexit; atexit.register(lambda: print('torch' in sys.modules, file=sys.stderr))\n"
    code += "from zoo.cli import main; main([])"
    line = {"_ZOO_COMPLETE": "bash_complete", "COMP_WORDS": "zoo show models penguin", "COMP_CWORD": "3"}
    done = site.python(code, **line)
    assert done.stdout == "plain,penguin_net\n"
    assert done.stderr.endswith("False\n")

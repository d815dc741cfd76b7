"""``zoo plugins``: what is installed, its state and its cost."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from fake_distributions import FakeSite, offering_models


@pytest.fixture(autouse=True)
def plugins(site: FakeSite) -> None:
    """One plugin of each status."""
    site.install("auk", offering_models("net") + "    add.criterion('b', 'a:b', summary='B.')\n", version="1.5")
    site.install("gull", offering_models("net"), requires=["torch-zoo>=99"])
    site.install("odd", "import no_such_module")
    site.install("shy", offering_models("a", "b"), requires=["torch-zoo>=0.1"])


def test_plugins_are_listed_with_status_origin_requirement_cost_and_entries(zoo: Any):
    """Or with the reason where they are not ok."""
    done = zoo("plugins", "--no-plugin", "shy")
    rows = [re.split(r" {2,}", line) for line in done.out.splitlines()]
    assert rows[0][:4] == ["auk", "ok", "zoo-auk 1.5", "-"]
    assert re.fullmatch(r"\d+ ms", rows[0][4])
    assert rows[0][5] == "1 model, 1 criterion"
    assert rows[1][:5] == ["gull", "incompatible", "zoo-gull 1.0", "torch-zoo>=99", "-"]
    assert rows[1][5].startswith("it requires torch-zoo>=99, and zoo is ")
    assert rows[2] == [
        "odd",
        "broken",
        "zoo-odd 1.0",
        "-",
        "-",
        "ModuleNotFoundError: No module named 'no_such_module'",
    ]
    assert rows[3] == ["shy", "disabled", "zoo-shy 1.0", "torch-zoo>=0.1", "-", "by --no-plugin"]
    assert done.err.count("\n") == 2


def test_json_tells_the_same_by_names(zoo: Any):
    """Entries are counted by kind, milliseconds are numbers."""
    auk, gull, odd, shy = json.loads(zoo("plugins", "--json").out)["plugins"]
    assert auk.pop("import_ms") > 0
    assert auk == {
        "name": "auk",
        "status": "ok",
        "reason": "",
        "distribution": "zoo-auk",
        "version": "1.5",
        "requires": None,
        "pulled_torch": False,
        "entries": {"models": 1, "criteria": 1},
    }
    assert [plugin["status"] for plugin in (gull, odd, shy)] == ["incompatible", "broken", "ok"]


def test_a_plugin_that_imports_torch_at_the_top_is_pointed_at(site: FakeSite):
    """It makes every listing two seconds slower; its author should know."""
    site.install("heavy", "import sys; sys.modules['torch'] = sys\n" + offering_models("heavy_net"))
    rows = [line for line in site.zoo("plugins").stdout.splitlines() if "imports torch" in line]
    assert [row.split()[0] for row in rows] == ["heavy"]


def test_help_names_the_subcommands_without_importing_them(zoo: Any):
    """The scaffold and the check are found from here."""
    assert re.search(r"Commands:\n +new +Write .*\n +check +Check ", zoo("plugins", "--help").out)

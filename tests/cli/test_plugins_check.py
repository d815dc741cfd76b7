"""``zoo plugins check``: a line a check, and an exit code."""

from __future__ import annotations

import json
from typing import Any

import pytest
from fake_distributions import FakeSite, offering

PARTS = """
class Sound:
    def epoch_finished(self, epoch):
        pass


class Faulty:
    def epoch_finished(self, epoch):
        raise OSError("no room")
"""


@pytest.fixture(autouse=True)
def auk(site: FakeSite) -> None:
    """A plugin with a sound observer and a faulty one."""
    (site.path / "zoo_auk_parts.py").write_text(PARTS)
    calls = (f"add.observer('{n}', 'zoo_auk_parts:{n.title()}', summary='The {n}.')" for n in ("sound", "faulty"))
    site.install("auk", offering(*calls), requires=["torch-zoo>=0.1"])


def test_each_check_is_a_line_and_a_failure_is_exit_code_3(zoo: Any):
    """What is wrong, and how to mend it, stands below the line of its check."""
    done = zoo("plugins", "check", "auk")
    lines = done.out.splitlines()
    assert done.code == 3
    assert lines[0] == "ok      plugin auk: states which zoo it needs (torch-zoo>=0.1)"
    at = lines.index("failed  observer faulty: follows a run to its end, and one that fails")
    assert "observer 'auk/faulty' (zoo-auk 1.0): expected epoch_finished to return; saw OSError" in lines[at + 1]
    assert lines[at + 2].startswith("        It gets read-only data")
    assert lines[-1] == "11 checks: 10 ok, 1 failed"


def test_a_pattern_chooses_the_entries(zoo: Any):
    """A plugin of a thousand entries need not be checked as a whole; quiet shows only what is not ok."""
    done = zoo("plugins", "check", "auk", "--entries", "s*", "--quiet")
    assert done == (0, "8 checks: 8 ok\n", "")
    assert zoo("plugins", "check", "auk", "--entries", "sonud").code == 2


def test_an_option_is_given_by_the_entrys_name(zoo: Any, site: FakeSite):
    """A misspelt entry, or a value without one, is wrong usage."""
    source = PARTS.replace("def epoch", "def __init__(self, *, path: str): ...\n\n    def epoch", 1)
    (site.path / "zoo_auk_needy.py").write_text(source)
    site.install("gull", offering("add.observer('needy', 'zoo_auk_needy:Sound', summary='It needs a path.')"))
    assert "2 skipped" in zoo("plugins", "check", "gull").out
    assert "skipped" not in zoo("plugins", "check", "gull", "--set", "needy.path=x").out
    for wrong in ("path=x", "nedy.path=x", "needy.pth=x"):
        assert zoo("plugins", "check", "gull", "--set", wrong).code == 2


def test_json_tells_the_same(zoo: Any):
    """For CI."""
    done = zoo("plugins", "check", "auk", "--json")
    told = json.loads(done.out)
    assert done.code == 3
    assert (told["schema"], told["plugin"], told["passed"]) == (1, "auk", False)
    assert {check["status"] for check in told["checks"]} == {"ok", "failed"}
    assert set(told["checks"][0]) == {"subject", "check", "status", "detail"}


def test_a_plugin_that_is_not_there_is_wrong_usage_and_a_broken_one_is_not(zoo: Any, site: FakeSite):
    """Exit codes 2 and 3; each in a line or two."""
    site.install("odd", "import no_such_module")
    missing = zoo("plugins", "check", "auc")
    assert missing.code == 2
    assert "Did you mean 'auk'" in missing.err
    broken = zoo("plugins", "check", "odd")
    assert broken.code == 3
    assert "ModuleNotFoundError" in broken.err


MODELS = """
from torch import nn


def net(num_classes, in_channels):
    return nn.Sequential(nn.Conv2d(in_channels, 2, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2, num_classes))


def picky(num_classes, in_channels, image_size):
    raise ValueError("only on Sundays")
"""


def test_measure_counts_what_a_model_costs(zoo: Any, site: FakeSite):
    """It prints what the author may state in add.model; nothing else is checked."""
    (site.path / "zoo_gull_nets.py").write_text(MODELS)
    site.install("gull", offering("add.model('net', 'zoo_gull_nets:net', summary='A net.')"))
    expected = {"parameters": 3056, "macs": 36 * 2 * 27 + 2000, "activations": 72 + 1000, "input_size": (3, 8, 8)}
    assert zoo("plugins", "check", "gull", "--measure", "3x8x8").out == f"net: facts={expected}\n"
    document = json.loads(zoo("plugins", "check", "gull", "--measure", "--json").out)
    assert document["facts"]["net"]["input_size"] == [3, 224, 224]


def test_what_cannot_be_measured_is_told(zoo: Any, site: FakeSite):
    """A shape that is none, no model, a builder that fails."""
    assert "'3x8' is no shape" in zoo("plugins", "check", "auk", "--measure", "3x8").err
    assert "plugin 'auk' has no model that '*' matches" in zoo("plugins", "check", "auk", "--measure").err
    (site.path / "zoo_gull_nets.py").write_text(MODELS)
    site.install("gull", offering("add.model('picky', 'zoo_gull_nets:picky', summary='A net.')"))
    done = zoo("plugins", "check", "gull", "--measure")
    assert done.code == 3
    assert "only on Sundays" in done.err

"""What must hold across processes: one order whatever the hash seed, no torch, names in spawned children."""

import json
from pathlib import Path

import pytest
from fake_distributions import FakeSite, offering, offering_models

_LIST = """
import json, sys
from zoo.errors import ZooError
from zoo.registry import Registry
from zoo.registry.discovery import find

registry = Registry(find([sys.argv[1]]))
lines = [f"{plugin} {plugin.status} {plugin.reason}" for plugin in registry.plugins()]
lines += [f"{entry} {registry.short_name(entry)}" for entry in registry.entries()]
for name in ("shared", "unknown", "twin/net"):
    try:
        registry.find("models", name)
    except ZooError as error:
        lines.append(str(error))
print(json.dumps(lines))
"""


def _install_all(site: FakeSite, order: int) -> None:
    """Install clashing, broken and sound plugins, forwards or backwards."""
    wrong_arguments = "import zoo\n\n@zoo.hookimpl\ndef register(a, b, c): pass"
    for plugin, distribution, source in [
        ("auk", "zoo-auk", offering_models("shared", "auk_net")),
        ("gull", "zoo-gull", offering_models("shared", "auk_net2")),
        ("odd", "zoo-odd", wrong_arguments),
        ("twin", "zoo-twin-a", offering_models("net")),
        ("twin", "zoo-twin-b", offering_models("net", "twin_net")),
    ][::order]:
        site.install(plugin, source, distribution=distribution, module=distribution.replace("-", "_"))


def test_twenty_hash_seeds_and_two_installation_orders_give_one_output(tmp_path: Path):
    """Owners of names, orders of listings and texts of errors never change between runs."""
    outputs = set()
    for seed in range(20):
        site = FakeSite(tmp_path / f"site-{seed % 2}")
        if seed < 2:
            _install_all(site, order=1 if seed else -1)
        done = site.python(_LIST, str(site.path), PYTHONHASHSEED=str(seed))
        assert done.returncode == 0, done.stderr
        outputs.add((done.stdout, done.stderr))
    ((stdout, stderr),) = outputs
    assert len(json.loads(stdout)) == 5 + 7 + 3
    assert stderr.count("\n") == 1, "one line for the one broken plugin"


_SPAWN = """
import multiprocessing, zoo

def build(name):
    return type(zoo.create("models", name, num_classes=3)).__name__

def main():
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        print(pool.map(build, ["net", "penguin/net"]))
"""


@pytest.mark.slow
def test_a_spawned_child_builds_a_third_partys_model_by_name(site: FakeSite):
    """Nothing that a parent registered is needed: the child finds plugins as every process does."""
    site.install("penguin", offering("add.model('net', 'torch.nn:Identity', summary='A net.')"))
    (site.path / "spawner.py").write_text(_SPAWN)
    done = site.python("import spawner; spawner.main()")
    assert done.stdout == "['Identity', 'Identity']\n", done.stderr


def test_entries_survive_pickling(site: FakeSite):
    """An entry may be handed to another process."""
    import pickle

    site.install("penguin", offering_models("net", arguments={"a": [1]}))
    entry = site.registry().find("models", "net")
    assert pickle.loads(pickle.dumps(entry)) == entry
    assert hash(entry) == hash(pickle.loads(pickle.dumps(entry)))

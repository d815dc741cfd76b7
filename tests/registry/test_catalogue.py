"""What models cost, as plugins ship or state it: read without torch, and true."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from fake_distributions import FakeSite, offering

import zoo
from zoo.cli.choosing import COLUMNS
from zoo.inspection.cost import cost_of
from zoo.inspection.meta import on_meta
from zoo.registry import Entry, registry
from zoo.registry.catalogue import SPEEDS, ModelFacts, SpeedFacts, WeightsFacts, facts_of, packed

SAMPLE = ("timm/resnet18", "timm/vit_tiny_patch16_224", "torchvision/mobilenet_v3_small", "cnn/cnn_dropout", "mlp/mlp")


@pytest.mark.parametrize("name", SAMPLE)
def test_what_is_shipped_is_what_is_counted(name: str):
    """Parameters, products and activations of a sample, counted again."""
    entry = registry().find("models", name)
    facts = facts_of(entry)
    assert facts is not None
    channels, *size = facts.input_size
    with on_meta():
        model = zoo.create(
            "models", name, num_classes=1000 if channels == 3 else 10, in_channels=channels, image_size=tuple(size)
        )
    cost = cost_of(model, facts.input_size)
    assert (cost.parameters, cost.macs, cost.activations) == (facts.parameters, facts.macs, facts.activations)


def test_published_costs_agree():
    """Resnet18 has 11.69 million parameters and 1.81 G multiply-accumulates in every list."""
    facts = facts_of(registry().find("models", "torchvision/resnet18"))
    assert facts is not None
    assert replace(facts, speed=None) == ModelFacts(
        11_689_512, 1_814_073_344, 2_484_712, (3, 224, 224), "resnet", "", (WeightsFacts("IMAGENET1K_V1", "", 0.69758),)
    )


def test_what_was_measured_stands_with_its_hardware():
    """Images a second, for one model of each plugin at least: predicting is quicker than training."""
    found = [facts.speed for entry in registry().entries("models") if (facts := facts_of(entry)) and facts.speed]
    assert len(found) >= 18
    assert all(0 < speed.training < speed.prediction and "cores" in speed.hardware for speed in found)


def test_nearly_every_registered_model_has_facts():
    """All of torchvision's, 99 of 100 of timm's, and zoo's own but for ensembles, which cost what their members do."""
    missing = [entry for entry in registry().entries("models") if facts_of(entry) is None]
    assert {entry.plugin for entry in missing} <= {"timm", "ensemble"}
    assert len(missing) <= 0.01 * len(registry().entries("models", "timm/*"))


def test_reading_facts_imports_no_torch():
    """A table of 1,450 models is a blink."""
    program = (
        "import sys; from zoo.registry import registry; from zoo.registry.catalogue import facts_of\n"
        "assert sum(facts_of(entry) is not None for entry in registry().entries('models')) > 1400\n"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_equal_facts_give_equal_files():
    """The file states no time."""
    rows = [("net", ModelFacts(1, 2, 3, (3, 4, 5), "nets", "arXiv:1", (WeightsFacts("a", "MIT", 0.5),)))]
    assert packed(rows) == packed(rows)


def test_a_measured_speed_is_read_from_beside_the_facts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Of the models that were measured; the others have none."""
    package = tmp_path / "zoo_auk_nets"
    package.mkdir()
    (package / "__init__.py").touch()
    facts = ModelFacts(1, 2, 3, (3, 4, 5))
    (package / "facts.csv.gz").write_bytes(packed([("fast", facts), ("other", facts)]))
    (package / SPEEDS).write_text('model,training,prediction,hardware\nfast,12.5,80.0,"A chip, 2 cores"\n')
    monkeypatch.syspath_prepend(tmp_path)
    fast, other = (
        Entry("models", name, "zoo_auk_nets:b", "", {}, False, "auk", "zoo-auk", "1.0") for name in ("fast", "other")
    )
    assert facts_of(fast) == replace(facts, speed=SpeedFacts(12.5, 80.0, "A chip, 2 cores"))
    assert facts_of(other) == facts
    sort = COLUMNS["training"]
    assert [sort.show(fast, facts_of(fast)), sort.show(other, facts)] == ["12/s", ""]
    assert (sort.key(fast, facts_of(fast)), sort.key(other, facts)) == (-12.5, None)


STATED = "facts={'parameters': 10, 'macs': 20, 'activations': 30, 'input_size': (1, 28, 28)}"


def test_a_plugin_may_state_a_model_s_facts(site: FakeSite):
    """In the call that adds the model."""
    site.install("auk", offering(f"add.model('net', 'a:b', summary='A net.', {STATED})"))
    assert facts_of(site.registry().find("models", "net")) == ModelFacts(10, 20, 30, (1, 28, 28))


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ("{'parameters': 1}", "missing 2 required positional arguments|input_size"),
        ("{'parameters': 1, 'macs': 2, 'activations': 3, 'input_size': (28, 28)}", "input_size is \\(C, H, W\\)"),
        ("{'parameters': '1', 'macs': 2, 'activations': 3, 'input_size': (1, 28, 28)}", "whole numbers"),
        (STATED.partition("=")[2].replace("}", ", 'speed': 3}"), "a speed is measured"),
        ("{'paramters': 1, 'macs': 2, 'activations': 3, 'input_size': (1, 28, 28)}", "paramters"),
    ],
)
def test_malformed_facts_are_told_and_the_plugin_is_left_out(site: FakeSite, facts: str, reason: str):
    """A plugin's registration counts as a whole or not at all."""
    site.install("auk", offering(f"add.model('net', 'a:b', summary='A net.', facts={facts})"))
    plugin = next(plugin for plugin in site.registry().plugins() if plugin.name == "auk")
    assert plugin.status == "broken"
    assert re.search(reason, plugin.reason), plugin.reason


def test_only_models_have_facts(site: FakeSite):
    """An optimizer's would be read by nobody."""
    site.install("auk", offering(f"add.optimizer('sgd', 'a:b', summary='Descent.', {STATED})"))
    plugin = next(plugin for plugin in site.registry().plugins() if plugin.name == "auk")
    assert "only models and weights have facts" in plugin.reason

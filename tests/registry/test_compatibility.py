"""Which plugins accept the installed zoo."""

import pytest
from fake_distributions import FakeSite, offering_models
from hypothesis import given
from hypothesis import strategies as st
from packaging.version import Version

from zoo.errors import PluginError
from zoo.registry.compatibility import accepts, stated_requirement


@pytest.mark.parametrize(
    ("requirements", "stated"),
    [
        ([], None),
        (["torch>=2", "torch-zoology>=9", "zoo>=9"], None),
        (["torch-zoo"], "torch-zoo"),
        (["numpy", "Torch_Zoo >= 0.1"], "torch-zoo>=0.1"),
        (["torch-zoo (>=0.1)"], "torch-zoo>=0.1"),
        (["torch-zoo[tensorboard]<2,>=0.1"], "torch-zoo<2,>=0.1"),
        (["torch-zoo>=9; extra == 'new'"], None),
        (["torch-zoo>=9; python_version < '3'", "torch-zoo>=0.1; python_version >= '3'"], "torch-zoo>=0.1"),
    ],
)
def test_what_a_distribution_states_about_zoo_is_read(requirements: list[str], stated: str | None):
    """Extras, other platforms and names that only begin alike do not count."""
    assert stated_requirement(requirements) == stated


@pytest.mark.parametrize(
    ("requirement", "version", "accepted"),
    [
        (None, "0.1.0", True),
        ("torch-zoo", "0.1.0", True),
        ("torch-zoo>=0.1", "0.1.0", True),
        ("torch-zoo>=0.1.0.0", "0.1", True),
        ("torch-zoo>=0.10", "0.9", False),
        ("torch-zoo>=0.2", "0.2.dev1", False),
        ("torch-zoo>=0.1,<0.2", "0.2.0", False),
        ("torch-zoo~=0.1", "0.5.0", True),
    ],
)
def test_a_requirement_is_held_against_the_installed_version(requirement: str | None, version: str, accepted: bool):
    """Releases compare as numbers, development versions as packaging compares them."""
    assert accepts(requirement, version) is accepted


@given(*[st.lists(st.integers(0, 20), min_size=1, max_size=4)] * 2)
def test_the_shortcut_compares_releases_as_packaging_does(least: list[int], installed: list[int]):
    """Most plugins state a plain lower bound, which is compared without importing packaging."""
    one, other = ".".join(map(str, least)), ".".join(map(str, installed))
    assert accepts(f"torch-zoo>={one}", other) is (Version(other) >= Version(one))


def test_an_incompatible_plugin_is_listed_with_the_reason_and_not_imported(
    site: FakeSite, capsys: pytest.CaptureFixture[str]
):
    """It is never silently absent, and what needs it says so."""
    site.install("penguin", "raise RuntimeError('imported')", requires=["torch-zoo>=99"])
    registry = site.registry()
    (plugin,) = registry.plugins()
    assert (plugin.status, plugin.requires) == ("incompatible", "torch-zoo>=99")
    assert plugin.reason.startswith("it requires torch-zoo>=99, and zoo is ")
    assert capsys.readouterr().err.startswith("zoo: plugin 'penguin' (zoo-penguin 1.0) is incompatible: it requires")
    with pytest.raises(PluginError, match=r"model 'penguin/net' cannot be had: plugin 'penguin' .* is incompatible"):
        registry.find("models", "penguin/net")


def test_a_malformed_requirement_breaks_only_its_plugin(site: FakeSite):
    """An installer refuses such a distribution, but others may write one."""
    site.install("penguin", offering_models("net"), requires=["torch-zoo>=="])
    site.install("auk", offering_models("net"), requires=["torch-zoo>=0"])
    assert [plugin.status for plugin in site.registry().plugins()] == ["ok", "broken"]

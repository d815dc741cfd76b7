"""Finding plugins among installed distributions."""

from importlib.metadata import entry_points
from pathlib import Path

import pytest
from fake_distributions import FakeSite, offering_models

from zoo.registry.discovery import find


def _labels(*folders: Path) -> list[str]:
    return [found.label for found in find([str(folder) for folder in folders])]


def test_plugins_are_sorted_by_name_and_distribution(site: FakeSite):
    """The order of the listing is the names', whatever order they were installed in."""
    for name in ("penguin", "auk", "gull"):
        site.install(name, offering_models("net"))
    assert _labels(site.path) == ["auk", "gull", "penguin"]


def test_two_distributions_with_one_plugin_name_are_both_kept_and_told_apart(site: FakeSite):
    """Neither twin is dropped, which pluggy's own finding would do; each has its distribution in its label."""
    for distribution in ("zoo-twin-b", "zoo-twin-a"):
        site.install("twin", offering_models("net"), distribution=distribution, module=distribution.replace("-", "_"))
    assert _labels(site.path) == ["twin@zoo-twin-a", "twin@zoo-twin-b"]


def test_zoo_keeps_its_plugins_plain_name_when_a_third_party_takes_it(site: FakeSite):
    """Recorded full names of zoo's own plugins go on meaning what they meant, whatever is installed."""
    site.install("timm", offering_models("net"), distribution="torch-zoo", module="own_timm")
    site.install("timm", offering_models("net"), distribution="zoo-intruder", module="intruder")
    assert _labels(site.path) == ["timm", "timm@zoo-intruder"]


def test_the_first_of_two_copies_of_a_distribution_counts_as_python_imports_it(tmp_path: Path):
    """A checkout on PYTHONPATH hides the release in site-packages, spelling of the name aside."""
    first, second = FakeSite(tmp_path / "first"), FakeSite(tmp_path / "second")
    first.install("penguin", offering_models("new"), version="2.0", distribution="zoo_penguin")
    second.install("penguin", offering_models("old"), version="1.0", distribution="zoo-penguin")
    second.install("gone", offering_models("gone"), distribution="zoo-penguin", version="1.0")
    found = find([str(first.path), str(second.path)])
    assert [(plugin.label, plugin.version) for plugin in found] == [("penguin", "2.0")]


def test_a_copy_without_plugins_hides_a_later_one_that_has_some(tmp_path: Path):
    """What Python would not import is not listed."""
    first, second = FakeSite(tmp_path / "first"), FakeSite(tmp_path / "second")
    (first.describe("zoo-penguin", "2.0", (), {}) / "entry_points.txt").unlink()
    second.install("penguin", offering_models("old"))
    assert _labels(first.path, second.path) == []


def test_another_distributions_unreadable_entry_points_harm_nobody(site: FakeSite):
    """Only what mentions the group zoo is parsed: `entry_points()` itself fails here."""
    site.install("penguin", offering_models("net"))
    folder = site.describe("stranger", "1.0", (), {})
    (folder / "entry_points.txt").write_text("[console_scripts]\nno equals sign\n")
    with pytest.raises(TypeError):
        entry_points()
    assert _labels(site.path) == ["penguin"]


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("entry_points.txt", b"[zoo]\nno equals sign\n"),
        ("METADATA", b"\xff\xfe"),
        ("METADATA", b"Metadata-Version: 2.1\n"),
    ],
)
def test_a_plugin_whose_metadata_is_damaged_is_listed_with_the_reason(site: FakeSite, file: str, content: bytes):
    """It is neither left out silently nor the end of the others."""
    site.install("penguin", offering_models("net"))
    site.install("auk", offering_models("net"))
    (site.path / "zoo_penguin-1.0.dist-info" / file).write_bytes(content)
    auk, damaged = sorted(find([str(site.path)]), key=lambda found: found.name != "auk")
    assert not auk.fault
    assert "cannot be read" in damaged.fault
    assert str(site.path) in damaged.fault


def test_a_name_that_no_full_name_could_hold_is_a_fault(site: FakeSite):
    """A slash would make ``plugin/name`` unreadable."""
    site.describe("zoo-odd", "1.0", (), {"a/b": "zoo_odd"})
    (found,) = find([str(site.path)])
    assert "'a/b' is no name for a plugin" in found.fault


def test_two_entry_points_with_one_name_in_one_distribution_are_a_fault_of_the_second(site: FakeSite):
    """The first works; the second is shown."""
    site.install("penguin", offering_models("net"))
    site.describe("zoo-penguin", "1.0", (), {"penguin": "zoo_other"})
    first, second = find([str(site.path)])
    assert not first.fault
    assert "two entry points" in second.fault

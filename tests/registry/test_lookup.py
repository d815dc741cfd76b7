"""Looking entries up by full name, short name and pattern."""

import sys

import pytest
from fake_distributions import FakeSite, offering, offering_models

from zoo.errors import AmbiguousNameError, PluginError, UnknownNameError, UsageError


@pytest.fixture
def zoo_and_two_others(site: FakeSite) -> FakeSite:
    """Zoo's own plugins ``cnn`` and ``timm``, and two third parties whose names partly clash."""
    own = {"distribution": "torch-zoo", "version": "0.1"}
    site.install("cnn", offering_models("lenet", "cnn"), module="own_cnn", **own)
    site.install("timm", offering_models("resnet18", "lenet", short=False), module="own_timm", **own)
    site.install("auk", offering_models("lenet", "shared", "auk_net"), version="1.5")
    site.install("gull", offering_models("shared", "resnet18"), version="2.5")
    return site


@pytest.mark.parametrize(
    ("name", "full_name"),
    [
        ("cnn", "cnn/cnn"),
        ("lenet", "cnn/lenet"),
        ("auk/lenet", "auk/lenet"),
        ("timm/lenet", "timm/lenet"),
        ("auk_net", "auk/auk_net"),
        ("resnet18", "gull/resnet18"),
        ("timm/resnet18", "timm/resnet18"),
        ("auk@zoo-auk/auk_net", "auk/auk_net"),
    ],
)
def test_a_name_means_one_entry(zoo_and_two_others: FakeSite, name: str, full_name: str):
    """A full name always works; a short one is zoo's own first, else the one third party's that offers it."""
    assert zoo_and_two_others.registry().find("models", name).full_name == full_name


def test_the_short_name_that_works_is_known_for_each_entry(zoo_and_two_others: FakeSite):
    """What a listing shows is what one may type."""
    registry = zoo_and_two_others.registry()
    shown = {entry.full_name: registry.short_name(entry) for entry in registry.entries()}
    assert {full_name: short for full_name, short in shown.items() if short} == {
        "auk/auk_net": "auk_net",
        "cnn/cnn": "cnn",
        "cnn/lenet": "lenet",
        "gull/resnet18": "resnet18",
    }
    assert all(registry.find("models", short).full_name == full for full, short in shown.items() if short)


def test_a_short_name_that_two_plugins_offer_names_both_with_distribution_and_version(zoo_and_two_others: FakeSite):
    """Nothing shadows anything silently."""
    with pytest.raises(AmbiguousNameError) as caught:
        zoo_and_two_others.registry().find("model", "shared")
    assert str(caught.value) == (
        "model 'shared' is offered by several plugins; give the full name: "
        "auk/shared (zoo-auk 1.5), gull/shared (zoo-gull 2.5)"
    )


def test_the_plain_name_of_twins_is_ambiguous_and_their_labels_work(site: FakeSite):
    """Both stay usable; neither is meant where it is not said which."""
    site.install("twin", offering_models("net", "a_only"), distribution="zoo-twin-a", module="twin_a")
    site.install("twin", offering_models("net"), distribution="zoo-twin-b", module="twin_b")
    registry = site.registry()
    for distribution in ("zoo-twin-a", "zoo-twin-b"):
        entry = registry.find("models", f"twin@{distribution}/net")
        assert (entry.plugin, entry.distribution) == (f"twin@{distribution}", distribution)
    for name in ("twin/net", "twin/a_only"):
        with pytest.raises(AmbiguousNameError, match=r"give the full name: twin@zoo-twin-a/"):
            registry.find("models", name)
    with pytest.raises(UnknownNameError, match=r"no model named 'twin/nett'"):
        registry.find("models", "twin/nett")


def test_a_third_party_that_takes_the_name_of_a_plugin_of_zoo_does_not_take_its_entries(site: FakeSite):
    """``timm/resnet18`` in an old run's record goes on meaning zoo's."""
    site.install("timm", offering_models("resnet18"), distribution="torch-zoo", module="own_timm")
    site.install("timm", offering_models("resnet18"), distribution="zoo-intruder", module="intruder")
    registry = site.registry()
    assert registry.find("models", "timm/resnet18").distribution == "torch-zoo"
    assert registry.find("models", "timm@torch-zoo/resnet18").distribution == "torch-zoo"
    assert registry.find("models", "timm@zoo-intruder/resnet18").distribution == "zoo-intruder"
    assert registry.find("models", "resnet18").distribution == "torch-zoo"


def test_a_full_name_loads_only_its_own_plugin(site: FakeSite):
    """A slow or broken plugin that a run does not use costs it nothing."""
    site.install("auk", offering_models("net"))
    site.install("gull", "raise RuntimeError")
    site.registry().find("models", "auk/net")
    assert "zoo_auk" in sys.modules
    assert "zoo_gull" not in sys.modules


def test_a_short_name_of_zoo_loads_only_plugins_of_zoo(site: FakeSite, capsys: pytest.CaptureFixture[str]):
    """The default run does not pay for what third parties import."""
    site.install("cnn", offering_models("net"), distribution="torch-zoo", module="own_cnn")
    site.install("gull", "raise RuntimeError")
    site.registry().find("models", "net")
    assert capsys.readouterr().err == ""


def test_entries_are_sorted_by_kind_name_and_plugin(zoo_and_two_others: FakeSite):
    """Equal installations list equally."""
    zoo_and_two_others.install("zebra", offering("add.optimizer('a', 'a:b', summary='A.')"))
    names = [(entry.kind, entry.name, entry.plugin) for entry in zoo_and_two_others.registry().entries()]
    assert names[0] == ("models", "auk_net", "auk")
    assert names[-1] == ("optimizers", "a", "zebra")
    assert names[:-1] == sorted(names[:-1])


@pytest.mark.parametrize(
    ("pattern", "matched"),
    [
        ("*", 9),
        ("lenet", 3),
        ("LENET", 3),
        ("*net", 4),
        ("auk/*", 3),
        ("*resnet1?", 2),
        ("net", 0),
        ("", 0),
    ],
)
def test_a_pattern_matches_names_and_full_names(zoo_and_two_others: FakeSite, pattern: str, matched: int):
    """As a shell's patterns, over both; case does not count."""
    assert len(zoo_and_two_others.registry().entries("models", pattern)) == matched


@pytest.mark.parametrize(
    ("kind", "name", "message"),
    [
        ("model", "lenett", "no model named 'lenett'. Did you mean 'lenet'"),
        ("models", "LeNet", "no model named 'LeNet'. Did you mean 'lenet'"),
        ("models", "timm/resnt18", "no model named 'timm/resnt18'. Did you mean 'timm/resnet18'"),
        ("models", "tim/resnet18", "no model named 'tim/resnet18'. Did you mean 'timm/resnet18'"),
        ("models", "resnt18", "no model named 'resnt18'. Did you mean 'resnet18' or 'timm/resnet18'?"),
        ("optimizer", "lenet", "no optimizer named 'lenet'. There is model 'auk/lenet' (zoo-auk 1.5). 'zoo list opt"),
        ("models", "qqqqqq", "no model named 'qqqqqq'. 'zoo list models' shows all 9."),
        ("modles", "lenet", "no kind named 'modles'. Did you mean 'models'?"),
    ],
)
def test_an_unknown_name_is_answered_with_the_likely_ones(
    zoo_and_two_others: FakeSite, kind: str, name: str, message: str
):
    """Over all names, full names of hidden short names included."""
    with pytest.raises(UnknownNameError) as caught:
        zoo_and_two_others.registry().find(kind, name)
    assert str(caught.value).startswith(message)


def test_an_unknown_names_error_also_says_which_plugins_are_broken(site: FakeSite):
    """The name may be missing because its plugin is."""
    site.install("auk", offering_models("auk_net"))
    site.install("gull", "import no_such_module")
    with pytest.raises(UnknownNameError) as caught:
        site.registry().find("models", "gull_net")
    assert str(caught.value).splitlines()[1] == "Not looked into: plugin 'gull' (zoo-gull 1.0) is broken."


def test_a_full_name_of_a_broken_plugin_says_what_is_wrong_with_the_plugin(site: FakeSite):
    """It is the plugin's fault, exit code 3, not the user's."""
    site.install("gull", "import no_such_module")
    with pytest.raises(PluginError) as caught:
        site.registry().find("models", "gull/net")
    assert str(caught.value).startswith(
        "model 'gull/net' cannot be had: plugin 'gull' (zoo-gull 1.0) is broken: ModuleNotFoundError: No module named"
    )


def test_a_disabled_plugin_is_not_loaded_and_says_by_what(site: FakeSite):
    """Its entries are gone, it stays in the listing, and asking for it by full name is the user's error."""
    site.install("auk", "raise RuntimeError")
    registry = site.registry()
    registry.disable(["auk"], "--no-plugin")
    assert "zoo_auk" not in sys.modules
    assert [(plugin.status, plugin.reason) for plugin in registry.plugins()] == [("disabled", "by --no-plugin")]
    with pytest.raises(UsageError, match=r"'auk/net' needs plugin 'auk' \(zoo-auk 1\.0\), which is disabled by --no-p"):
        registry.find("models", "auk/net")


def test_disabling_one_of_two_frees_the_short_name(zoo_and_two_others: FakeSite):
    """What is left out makes nothing ambiguous, also after it was loaded."""
    registry = zoo_and_two_others.registry()
    shared = registry.find("models", "gull/shared")
    assert registry.short_name(shared) is None
    registry.disable(["auk"], "--no-plugin")
    assert registry.find("models", "shared") == shared
    assert registry.short_name(shared) == "shared"


def test_twins_are_disabled_together_or_apart(site: FakeSite):
    """The plain name means both."""
    for name in ("a", "b"):
        site.install("twin", offering_models("net"), distribution=f"zoo-twin-{name}", module=f"twin_{name}")
    registry = site.registry()
    registry.disable(["twin@zoo-twin-b"], "ZOO_DISABLE")
    assert [plugin.status for plugin in registry.plugins()] == ["ok", "disabled"]
    registry.disable(["twin"], "ZOO_DISABLE")
    assert [plugin.status for plugin in registry.plugins()] == ["disabled", "disabled"]


def test_disabling_what_is_not_installed_is_an_error(site: FakeSite):
    """A misspelt name must not leave the plugin in."""
    site.install("penguin", offering_models("net"))
    with pytest.raises(UnknownNameError) as caught:
        site.registry().disable(["pengiun"], "ZOO_DISABLE")
    assert str(caught.value) == (
        "no plugin named 'pengiun'. Did you mean 'penguin'? "
        "ZOO_DISABLE names it; 'zoo plugins' shows what is installed."
    )


def test_strict_names_every_plugin_that_is_broken_or_incompatible(site: FakeSite):
    """A continuous integration wants to know; what is disabled on purpose does not count."""
    site.install("auk", "raise RuntimeError")
    site.install("gull", offering_models("net"), requires=["torch-zoo>=99"])
    registry = site.registry()
    with pytest.raises(PluginError) as caught:
        registry.check_all()
    assert str(caught.value) == (
        "--strict: plugin 'auk' (zoo-auk 1.0) is broken; plugin 'gull' (zoo-gull 1.0) is incompatible"
    )
    registry.disable(["auk", "gull"], "--no-plugin")
    registry.check_all()

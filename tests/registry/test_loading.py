"""Loading a plugin inside its guard: whatever it does costs only itself, and says why."""

import pytest
from fake_distributions import FakeSite, offering, offering_models

from zoo.errors import PluginError
from zoo.registry import Plugin


def _loaded(site: FakeSite, name: str = "penguin") -> Plugin:
    return next(plugin for plugin in site.registry().plugins() if plugin.name.startswith(name))


def test_a_sound_plugin_is_ok_with_its_entries_and_cost(site: FakeSite):
    """Status, provenance, entries and milliseconds are all there."""
    site.install("penguin", offering_models("a", "b"), version="2.5", requires=["torch-zoo>=0.1", "numpy"])
    plugin = _loaded(site)
    assert (plugin.status, plugin.reason, plugin.requires) == ("ok", "", "torch-zoo>=0.1")
    assert [str(entry) for entry in plugin.entries] == [
        "model 'penguin/a' (zoo-penguin 2.5)",
        "model 'penguin/b' (zoo-penguin 2.5)",
    ]
    assert plugin.import_ms > 0
    assert not plugin.pulled_torch


@pytest.mark.parametrize(
    ("source", "cause"),
    [
        ("import no_such_module", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("class Panic(BaseException): pass\nraise Panic('rust')", "Panic: rust"),
        ("def broken(:", "SyntaxError"),
        (offering("1 / 0"), "ZeroDivisionError: division by zero"),
        (offering("add.modle('net', 'a:b', summary='A net.')"), "no attribute 'modle'"),
        (offering("add.model('net', 'a:b')"), "missing 1 required keyword-only argument: 'summary'"),
        ("import zoo\n\n@zoo.hookimpl\ndef registr(add): pass", "no hook is named 'registr'. Did you mean 'register'?"),
        (
            "import zoo\n\n@zoo.hookimpl\ndef xyzzy(add): pass",
            "no hook is named 'xyzzy'. There are: checkpoint_saved, ",
        ),
        ("import zoo\n\n@zoo.hookimpl\ndef register(ad): pass", "hook 'register' takes no 'ad': it is given add"),
        ("def register(add): pass", "has no hook: put @zoo.hookimpl above 'def register(add)'"),
        (offering("add.model('a b', 'a:b', summary='A net.')"), "add.model('a b', ...): a name has letters"),
        (offering("add.model('net', 'a.b', summary='A net.')"), "the target is 'a.b', not 'module:attribute'"),
        (offering("add.model('net', 'a:b', summary=' ')"), "the summary is ' ', not one line"),
        (offering("add.model('net', 'a:b', summary='A', arguments=[1])"), "the arguments are [1], not keywords"),
        (offering(*["add.model('net', 'a:b', summary='A net.')"] * 2), "the plugin adds this name twice"),
    ],
)
def test_a_broken_plugin_costs_one_line_with_distribution_version_cause_and_cure(
    site: FakeSite, capsys: pytest.CaptureFixture[str], source: str, cause: str
):
    """Whatever goes wrong while it is imported or registers, the others work and the user learns why."""
    site.install("penguin", source, version="2.5")
    site.install("auk", offering_models("net"))
    registry = site.registry()
    assert [(plugin.name, plugin.status) for plugin in registry.plugins()] == [("auk", "ok"), ("penguin", "broken")]
    registry.plugins()
    line, rest = capsys.readouterr().err.split("\n", 1)
    assert line.startswith("zoo: plugin 'penguin' (zoo-penguin 2.5) is broken: ")
    assert cause in line
    assert line.endswith("Upgrade or uninstall zoo-penguin, or leave the plugin out with ZOO_DISABLE=penguin")
    assert not rest, "it is said once"


def test_none_of_the_entries_count_of_a_plugin_that_fails_after_some(site: FakeSite):
    """A registration counts as a whole or not at all."""
    site.install("penguin", offering("add.model('net', 'a:b', summary='A net.')", "raise ValueError('no')"))
    assert site.registry().entries() == []


def test_ctrl_c_during_a_plugins_import_passes(site: FakeSite):
    """The user's interrupt is not mistaken for the plugin's fault."""
    site.install("penguin", "raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        site.registry().plugins()


def test_what_a_plugin_prints_on_import_goes_to_stderr(site: FakeSite, capsys: pytest.CaptureFixture[str]):
    """JSON on stdout stays JSON."""
    site.install("penguin", "print('hello')\n" + offering_models("net"))
    site.registry().plugins()
    assert capsys.readouterr() == ("", "hello\n")


def test_an_object_with_hooks_serves_as_a_plugin_too(site: FakeSite):
    """An entry point may name an attribute of a module, as in every other use of entry points."""
    source = "import zoo\n\nclass Penguin:\n    @zoo.hookimpl\n    def register(self, add):\n"
    source += "        add.model('net', 'a:b', summary='A net.')\n\npenguin = Penguin()\n"
    site.install("other", source)
    site.describe("zoo-other", "1.0", (), {"penguin": "zoo_other:penguin"})
    assert [entry.full_name for entry in _loaded(site).entries] == ["penguin/net"]


def test_a_hook_may_leave_out_arguments_that_it_does_not_want(site: FakeSite):
    """So hooks can gain arguments later."""
    site.install("penguin", "import zoo\n\n@zoo.hookimpl\ndef epoch_finished(epoch): return epoch")
    registry = site.registry()
    ((plugin, call),) = registry.implementations("epoch_finished")
    assert plugin.name == "penguin"
    assert call(run={}, epoch={"loss": 1.0}) == [{"loss": 1.0}]
    assert registry.implementations("run_started") == []


def test_one_module_may_serve_two_entry_points(site: FakeSite):
    """Two names for one module are two plugins; a shared pluggy manager would refuse the second."""
    site.install("penguin", offering_models("net"))
    site.describe("zoo-penguin", "1.0", (), {"emperor": "zoo_penguin"})
    assert [entry.full_name for entry in site.registry().entries()] == ["emperor/net", "penguin/net"]


def test_a_plugin_that_looks_names_up_on_import_does_not_load_without_end(site: FakeSite):
    """It finds itself empty, and then registers."""
    site.install("penguin", "import registry_under_test\nregistry_under_test.it.entries()\n" + offering_models("net"))
    (site.path / "registry_under_test.py").write_text("it = None")
    import registry_under_test

    registry_under_test.it = site.registry()
    assert [entry.name for entry in registry_under_test.it.entries()] == ["net"]


def test_a_target_that_does_not_exist_names_the_plugin_the_entry_and_the_distribution(site: FakeSite):
    """Targets are imported late; what is wrong with one is said with everything that is known about it."""
    site.install("penguin", offering_models("net", target="zoo_penguin:missing"))
    entry = site.registry().find("model", "net")
    with pytest.raises(PluginError) as caught:
        entry.load()
    assert str(caught.value) == (
        "model 'penguin/net' (zoo-penguin 1.0): its target 'zoo_penguin:missing' does not load: AttributeError: "
        "module 'zoo_penguin' has no attribute 'missing'. Mend, upgrade or uninstall zoo-penguin."
    )


def test_a_target_that_is_no_builder_is_named(site: FakeSite):
    """A constant cannot be called."""
    site.install("penguin", offering_models("net", target="math:pi"))
    with pytest.raises(PluginError, match=r"its target 'math:pi' is no builder but 3\.14"):
        site.registry().find("model", "net").load()


def test_a_recipes_text_is_read_from_its_package(site: FakeSite):
    """A recipe's target is a file beside the plugin's modules."""
    folder = site.path / "zoo_cook"
    folder.mkdir()
    (folder / "fast.toml").write_text("[train]\nepochs = 1\n")
    (folder / "__init__.py").write_text(
        offering(
            "add.recipe('fast', 'zoo_cook:fast.toml', summary='One epoch.')",
            "add.recipe('gone', 'zoo_cook:gone.toml', summary='Not there.')",
        )
    )
    site.describe("zoo-cook", "1.0", (), {"cook": "zoo_cook"})
    registry = site.registry()
    assert registry.find("recipe", "fast").read_text() == "[train]\nepochs = 1\n"
    with pytest.raises(PluginError, match=r"recipe 'cook/gone' \(zoo-cook 1\.0\): its file 'zoo_cook:gone\.toml'"):
        registry.find("recipe", "gone").read_text()

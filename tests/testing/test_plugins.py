"""The contract of a plugin as a whole, and the ways to run it: as functions, as tests."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fake_distributions import FakeSite, offering

import zoo.testing
from zoo.errors import UnknownNameError, UsageError
from zoo.registry import registry
from zoo.registry.discovery import find
from zoo.testing import Check, ContractError, Outcome, checks_of
from zoo.testing.plugins import installed

HOOK_ALONE = "import zoo\n\n\n@zoo.hookimpl\ndef run_started(run):\n    pass\n"
RAISES = "class Raises:\n    def run_failed(self, error):\n        raise OSError('no room')\n"
OBSERVER = "class Silent:\n    def run_started(self, run):\n        pass\n"


@pytest.fixture(autouse=True)
def alone(site: FakeSite, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let only the fake site's plugins be installed."""
    monkeypatch.setattr("zoo.registry.lookup.find", lambda: find([str(site.path)]))
    registry.cache_clear()
    yield
    registry.cache_clear()


def outcome_of(plugin: str, title: str, **options: Any) -> Outcome:
    """Return the outcome of one check of a plugin."""
    return next(check for check in checks_of(plugin, **options) if check.title == title).run()


def test_a_plugin_of_hooks_alone_passes(site: FakeSite) -> None:
    """Offering nothing is right for one that watches runs."""
    site.install("auk", HOOK_ALONE, requires=["torch-zoo>=0.1"])
    outcomes = {check.title: check.run() for check in checks_of("auk")}
    assert {outcome.status for outcome in outcomes.values()} == {"ok"}
    assert outcomes["states which zoo it needs"].detail == "torch-zoo>=0.1"
    assert outcomes["is quick to import"].detail.endswith("ms, without torch")


def test_a_plugin_without_requirement_or_purpose_hears_of_it(site: FakeSite) -> None:
    """The one is a warning, the other a fault."""
    site.install("auk", offering("pass"))
    requirement = outcome_of("auk", "states which zoo it needs")
    assert requirement.status == "warning"
    assert "'torch-zoo>=0.1'" in requirement.detail
    assert outcome_of("auk", "says what each entry is").status == "failed"


def test_a_plugin_that_imports_torch_at_its_top_is_warned(site: FakeSite) -> None:
    """A fake torch is enough: it is the name that every listing would wait for."""
    (site.path / "torch.py").write_text("")
    site.install("auk", f"import torch\n{HOOK_ALONE}")
    outcome = outcome_of("auk", "is quick to import")
    assert outcome.status == "warning"
    assert "imports torch" in outcome.detail
    assert "'module:attribute'" in outcome.detail


def test_a_short_name_that_another_plugin_offers_is_a_fault(site: FakeSite) -> None:
    """It would not work; the message names the rival."""
    call = "add.observer('silent', 'zoo_auk_parts:Silent', summary='Says nothing.'{})"
    (site.path / "zoo_auk_parts.py").write_text(OBSERVER)
    site.install("auk", offering(call.format("")))
    site.install("gull", offering(call.format(", short=False")))
    assert outcome_of("auk", "clashes with nothing that is installed", only="silent").status == "ok"
    site.install("tern", offering(call.format("")))
    registry.cache_clear()
    outcome = outcome_of("auk", "clashes with nothing that is installed")
    assert outcome.status == "failed"
    assert "observer 'tern/silent' (zoo-tern 1.0)" in outcome.detail
    assert "gull" not in outcome.detail


def test_two_distributions_with_one_plugin_name_hear_of_it(site: FakeSite) -> None:
    """Their full names would hold the distributions' names."""
    site.install("auk", HOOK_ALONE, distribution="zoo-auk-a", module="auk_a")
    site.install("auk", HOOK_ALONE, distribution="zoo-auk-b", module="auk_b")
    outcome = outcome_of("auk@zoo-auk-a", "clashes with nothing that is installed")
    assert outcome.status == "failed"
    assert "'auk' in another distribution" in outcome.detail


def test_a_plugin_that_is_missing_or_broken_is_an_error(site: FakeSite) -> None:
    """Nothing can be checked then; a misspelt name gets a suggestion."""
    site.install("auk", "import no_such_module")
    with pytest.raises(UnknownNameError, match="Did you mean 'auk'"):
        checks_of("auc")
    with pytest.raises(ContractError, match="broken: ModuleNotFoundError"):
        checks_of("auk")


def test_an_entry_that_needs_an_option_is_skipped_or_given_it(site: FakeSite) -> None:
    """Its author names the option in the test class."""
    source = OBSERVER + "    def __init__(self, *, path: str):\n        pass\n"
    (site.path / "zoo_auk_parts.py").write_text(source)
    site.install("auk", offering("add.observer('silent', 'zoo_auk_parts:Silent', summary='Says nothing.')"))
    skipped = outcome_of("auk", "has hooks")
    assert skipped.status == "skipped"
    assert "'path'" in skipped.detail
    options = {"silent": {"path": "x"}}
    assert outcome_of("auk", "has hooks", options=options) == Outcome("ok", "run_started")
    assert outcome_of("auk", "clashes with nothing that is installed", options=options) == Outcome("ok")
    assert outcome_of("auk", "works in a new process", options=options) == Outcome("ok", "1 built")
    with pytest.raises(UnknownNameError, match="Did you mean 'silent'"):
        checks_of("auk", options={"silnet": {}})


def test_a_dataset_that_asks_for_its_files_is_skipped(site: FakeSite) -> None:
    """It has an option with a default that it refuses; its author gives the folder."""
    source = "import zoo\n\n\ndef photos(*, root: str = ''):\n    raise zoo.UsageError('which photos?')\n"
    (site.path / "zoo_auk_parts.py").write_text(source)
    site.install("auk", offering("add.dataset('photos', 'zoo_auk_parts:photos', summary='Photos.')"))
    skipped = outcome_of("auk", "keeps its splits apart")
    assert skipped == Outcome("skipped", "dataset 'auk/photos' (zoo-auk 1.0) asks for options: which photos?")


def test_a_fault_that_only_a_new_process_shows_is_found(site: FakeSite) -> None:
    """An entry that a variable of this process lets through does not come along."""
    source = "import sys\nif 'pytest' not in sys.modules:\n    raise ImportError('not here')\n" + OBSERVER
    (site.path / "zoo_auk_parts.py").write_text(source)
    site.install("auk", offering("add.observer('silent', 'zoo_auk_parts:Silent', summary='Says nothing.')"))
    outcome = outcome_of("auk", "works in a new process")
    assert outcome.status == "failed"
    assert "'auk/silent'" in outcome.detail
    assert "not here" in outcome.detail


def test_an_error_that_nobody_expected_fails_its_check_alone() -> None:
    """A check never ends the others."""
    outcome = Check("model auk", "works", lambda: str(1 // 0)).run()
    assert outcome == Outcome("failed", "model auk: ZeroDivisionError: integer division or modulo by zero")


def test_the_test_class_gives_a_test_for_each_check(site: FakeSite, tmp_path: Path) -> None:
    """The report names entry and check, shows the message, and a plugin that is not installed is one failure."""
    (site.path / "zoo_auk_parts.py").write_text(RAISES)
    site.install("auk", offering("add.observer('raises', 'zoo_auk_parts:Raises', summary='It raises.')"))
    (tmp_path / "test_auk.py").write_text(
        "import zoo.testing\n\n\n"
        "class TestAuk(zoo.testing.PluginContract):\n    plugin = 'auk'\n\n\n"
        "class TestGull(zoo.testing.PluginContract):\n    plugin = 'gull'\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-v", "--rootdir", tmp_path, tmp_path],
        env={"PYTHONPATH": str(site.path), "PATH": "", "OMP_NUM_THREADS": "1"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert "test_contract[observer raises: has hooks] PASSED" in done.stdout
    assert "test_contract[observer raises: follows a run to its end, and one that fails] FAILED" in done.stdout
    assert "expected run_failed to return; saw OSError: no room" in done.stdout
    assert "no plugin named 'gull'" in done.stdout
    assert done.returncode == 1


def test_neither_pytest_nor_torch_is_imported_for_the_names(site: FakeSite) -> None:
    """A test file that names the contract costs nothing until it runs."""
    done = site.python(
        "import sys, zoo.testing; zoo.testing.PluginContract; print({'pytest', 'torch'} & set(sys.modules))"
    )
    assert done.stdout == "set()\n", done.stderr


def test_every_name_of_the_module_is_there() -> None:
    """The table of homes is right."""
    assert all(hasattr(zoo.testing, name) for name in zoo.testing.__all__)
    with pytest.raises(AttributeError):
        zoo.testing.no_such_name  # noqa: B018


def test_hooks_of_the_plugin_itself_follow_a_run(site: FakeSite) -> None:
    """They hear of every run, so that one which raises would be a nuisance in all of them."""
    site.install("auk", HOOK_ALONE, requires=["torch-zoo>=0.1"])
    site.install("gull", HOOK_ALONE.replace("pass", 'raise OSError("no printer")'), requires=["torch-zoo>=0.1"])
    title = "follows a run to its end, and one that fails"
    (sound,) = [check for check in checks_of("auk") if check.title == title]
    (faulty,) = [check for check in checks_of("gull") if check.title == title]
    assert sound.run().status == "ok"
    assert faulty.run().status == "failed"
    assert "OSError: no printer" in faulty.run().detail


def test_a_name_that_two_distributions_have_is_told_with_both(site: FakeSite) -> None:
    """Each can be checked by the name that 'zoo plugins' shows."""
    for distribution in ("zoo-auk-a", "zoo-auk-b"):
        site.install("auk", HOOK_ALONE, distribution=distribution)
    with pytest.raises(UsageError, match=r"several distributions have a plugin 'auk'.*auk@zoo-auk-a, auk@zoo-auk-b"):
        installed("auk")

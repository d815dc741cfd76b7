"""Third-party plugins as their users meet them: built, installed, listed, checked, trained with."""

from __future__ import annotations

import json
import re
import shlex
import zipfile
from pathlib import Path
from typing import Any

import pytest
from documents import DOCS, blocks
from environments import Environment

from zoo.scaffold.distribution import KINDS, TEMPLATES

pytestmark = pytest.mark.slow

FOREIGN = ("vit-pytorch", "pytorch-optimizer", "einops")
TINY = ("--epochs", "1", "--set", "data.limit=64", "--json")


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """An environment with a scaffolded plugin of every kind, each installed from its wheel, unchanged."""
    environment = Environment(tmp_path_factory.mktemp("installed"))
    for kind in KINDS:
        environment.do("zoo", "plugins", "new", f"tern-{kind}", "--kind", kind)
        environment.install_wheel(environment.folder / f"zoo-tern-{kind}")
    return environment


@pytest.mark.parametrize("kind", KINDS)
def test_a_scaffold_of_each_kind_installs_passes_its_tests_and_trains(installed: Environment, kind: str) -> None:
    """As it was written: listed with its origin, its own tests pass, and the command that it names trains."""
    project = installed.folder / f"zoo-tern-{kind}"
    (entry,) = json.loads(installed.do("zoo", "list", kind, f"tern_{kind}/*", "--json"))["entries"]
    assert (entry["distribution"], entry["version"]) == (project.name, "0.1.0")
    installed.do("zoo", "plugins", "check", f"tern_{kind}")
    assert re.search(r"\d+ passed", installed.do("python", "-m", "pytest", "-q", "-p", "no:cacheprovider", project))
    lines = (project / "README.md").read_text().splitlines()
    command = next(shlex.split(line) for line in lines if line.startswith(("zoo train", "zoo sweep")))
    if kind in ("searcher", "pruner"):  # which are no part of the runs of their sweep
        (run,) = json.loads(installed.do(*command, *TINY, "--trials", "1"))["runs"]
        assert run["summary"]["status"] == "finished"
        return
    summary = json.loads(installed.do(*command, *TINY))
    assert summary["status"] == "finished"
    written = json.loads((installed.folder / summary["directory"] / "environment.json").read_text())
    assert project.name in {provider["distribution"] for provider in written["entries"].values()}


def test_a_scaffolds_wheel_holds_the_package_and_nothing_else(installed: Environment) -> None:
    """No tests, no CI file, no leftovers."""
    (wheel,) = (installed.folder / "wheels" / "zoo-tern-model").glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert {name for name in names if ".dist-info/" not in name} == {
        "zoo_tern_model/__init__.py",
        "zoo_tern_model/nets.py",
    }


def test_zoos_own_wheel_holds_every_template(tmp_path: Path) -> None:
    """Files that begin with a dot among them, which packaging tools like to leave out."""
    Environment(tmp_path / "environment").do(
        "python", "-m", "pip", "wheel", "--no-deps", "--wheel-dir", tmp_path, DOCS.parent
    )
    (wheel,) = tmp_path.glob("*.whl")
    packed = {name for name in zipfile.ZipFile(wheel).namelist() if name.startswith("zoo/scaffold/templates/")}
    templates = [path for path in TEMPLATES.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    assert packed == {path.relative_to(DOCS.parent).as_posix() for path in templates}


@pytest.fixture(scope="module")
def extras(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """An environment with the example plugin from its wheel, and the packages that it wraps."""
    environment = Environment(tmp_path_factory.mktemp("extras"))
    if environment.run("pip", "install", "--quiet", "--no-deps", *FOREIGN).returncode:
        pytest.skip("no package index to install vit-pytorch and pytorch-optimizer from")
    environment.install_wheel(DOCS / "examples" / "zoo-extras")
    return environment


def test_the_example_is_under_sixty_lines() -> None:
    """Wrapping two packages is no work."""
    sources = (DOCS / "examples" / "zoo-extras").rglob("*.py")
    assert sum(len(path.read_text().splitlines()) for path in sources) < 60


def test_the_example_offers_what_it_wraps_and_keeps_the_contract(extras: Environment) -> None:
    """At least ten classifiers and ninety optimizers, each built, run, saved and loaded."""
    listed: dict[str, Any] = {
        kind: json.loads(extras.do("zoo", "list", kind, "extras/*", "--json"))["entries"]
        for kind in ("models", "optimizers")
    }
    assert len(listed["models"]) >= 10
    assert len(listed["optimizers"]) >= 90
    (plugin,) = (p for p in json.loads(extras.do("zoo", "plugins", "--json"))["plugins"] if p["name"] == "extras")
    assert (plugin["status"], plugin["pulled_torch"]) == ("ok", False)
    told = json.loads(extras.do("zoo", "plugins", "check", "extras", "--json"))
    assert told["passed"]
    assert not [check for check in told["checks"] if check["status"] == "skipped"]


def test_the_example_trains_and_goes_on(extras: Environment) -> None:
    """A foreign model under a foreign optimizer, evaluated again from its files to the same bits."""
    names = ("--model", "extras/simple_vit", "--optimizer", "extras/lion")
    summary = json.loads(extras.do("zoo", "train", *names, *TINY))
    again = json.loads(extras.do("zoo", "evaluate", summary["directory"], "--json"))
    assert again["accuracy"] == summary["test_accuracy"]


def test_the_tutorial_runs_as_it_is_written(tmp_path: Path) -> None:
    """From nothing to trained: every command of tutorial/first-plugin, in an environment of its own."""
    environment = Environment(tmp_path / "environment")
    desk = tmp_path / "desk"
    desk.mkdir()
    commands = blocks("tutorial/first-plugin.md", "sh")
    assert "zoo plugins new penguin\n" in commands
    printed = environment.do("bash", "-euc", "\n".join(commands), cwd=desk)
    shown = "\n".join(blocks("tutorial/first-plugin.md", "")).splitlines()
    timeless = re.compile(r"\(\d+ ms")
    printed_lines = {timeless.sub("(1 ms", line) for line in printed.splitlines()}
    assert [line for line in shown if timeless.sub("(1 ms", line) not in printed_lines] == []
    sources = "\n".join(path.read_text() for path in desk.glob("zoo-penguin/**/*") if path.suffix in (".py", ".toml"))
    for excerpt in (*blocks("tutorial/first-plugin.md", "python"), *blocks("tutorial/first-plugin.md", "toml")):
        assert excerpt in sources
    assert len(list(desk.glob("runs/*/summary.json"))) == 2

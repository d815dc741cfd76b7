"""``zoo plugins new``: a distribution that is complete as it is written."""

from __future__ import annotations

import ast
import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from fake_distributions import FakeSite, offering_models
from hypothesis import given
from hypothesis import strategies as st

import zoo as zoo_package
from zoo.errors import UsageError
from zoo.scaffold.distribution import KINDS, TEMPLATES, NewPlugin
from zoo.scaffold.names import PluginName

FILES = {
    ".github/workflows/test.yml",
    ".gitignore",
    "LICENSE",
    "README.md",
    "pyproject.toml",
    "tests/test_king_tern.py",
    "zoo_king_tern/__init__.py",
}


def written(name: str, kind: str, folder: Path) -> Path:
    """Write a plugin and return its folder."""
    plugin = NewPlugin(PluginName.parse(name), KINDS[kind], folder)
    plugin.write()
    return plugin.directory


@pytest.mark.parametrize("kind", KINDS)
def test_every_file_is_there_and_no_placeholder_is_left(kind: str, tmp_path: Path) -> None:
    """Row P11 of the lessons: whatever the kind, no word of the template stays behind."""
    directory = written("king-tern", kind, tmp_path)
    files = {path.relative_to(directory).as_posix() for path in directory.rglob("*") if path.is_file()}
    assert files > FILES
    assert len(files) == len(FILES) + 1  # the module of its entry
    for path in directory.rglob("*"):
        text = f"{path.name}\n{path.read_text() if path.is_file() else ''}"
        assert not re.search(r"penguin|todo|fixme|xxx|change.?me|your.?name|example\.com|<[a-z_ ]+>", text, re.I), path
        assert "{{" not in text.replace("${{ matrix.python }}", "")
        if path.suffix == ".py":
            ast.parse(text.partition("\n")[2])
            assert max(map(len, text.splitlines())) <= 120


@pytest.mark.parametrize("kind", KINDS)
def test_the_projects_facts_fit_together(kind: str, tmp_path: Path) -> None:
    """One distribution, one package, one entry point, and a requirement on the zoo that wrote it."""
    directory = written("King.Tern", kind, tmp_path)
    project = tomllib.loads((directory / "pyproject.toml").read_text())["project"]
    assert directory.name == project["name"] == "zoo-king-tern"
    assert project["entry-points"]["zoo"] == {"king_tern": "zoo_king_tern"}
    major, minor, *_ = zoo_package.__version__.split(".")
    assert project["dependencies"] == [f"torch-zoo>={major}.{minor}"]
    plugin = NewPlugin(PluginName.parse("king-tern"), KINDS[kind], tmp_path)
    readme = (directory / "README.md").read_text()
    assert f"The {kind} `{plugin.entry}`" in readme
    assert plugin.next_commands[2] in readme
    assert f'"{plugin.entry}"' in (directory / "zoo_king_tern" / "__init__.py").read_text()


@pytest.mark.parametrize("kind", KINDS)
def test_the_next_command_trains_with_the_entry(kind: str) -> None:
    """Each kind has its own option, which the command knows."""
    from zoo.cli.sweep import sweep
    from zoo.cli.train import train

    words = KINDS[kind].command.split()
    command = {"train": train, "sweep": sweep}[words[1]]
    assert KINDS[kind].entry in words
    assert {word for word in words if word.startswith("--")} <= {option for p in command.params for option in p.opts}


def test_every_kind_that_has_builders_has_a_template() -> None:
    """A kind that is added is not forgotten here; recipes and weights are no code, exporters train nothing."""
    from zoo.registry import KINDS as REGISTERED

    assert set(KINDS) == {kind.singular for kind in REGISTERED} - {"recipe", "exporter", "weights"}
    assert {path.name for path in TEMPLATES.iterdir()} == {"common", *KINDS}


def test_it_tells_where_it_wrote_and_three_commands(zoo: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Install, check, train, ready to be copied."""
    monkeypatch.chdir(tmp_path)
    done = zoo("plugins", "new", "tern")
    assert done.code == 0
    assert done.out.splitlines() == [
        "zoo-tern: the plugin 'tern' with the model 'tern_net'",
        "Next:",
        "  pip install -e ./zoo-tern",
        "  zoo plugins check tern",
        "  zoo train --model tern_net",
    ]
    assert (tmp_path / "zoo-tern" / "pyproject.toml").is_file()


def test_json_and_quiet(zoo: Any, tmp_path: Path) -> None:
    """A script learns every name and file; quiet is silent. The parent folder is made."""
    parent = tmp_path / "a" / "b c"
    told = json.loads(zoo("plugins", "new", "Zoo-Tern", "--kind", "dataset", "--dir", str(parent), "--json").out)
    assert told["directory"] == str(parent / "zoo-tern")
    assert (told["plugin"], told["distribution"], told["package"]) == ("tern", "zoo-tern", "zoo_tern")
    assert (told["kind"], told["entry"]) == ("dataset", "tern_shapes")
    assert all((parent / "zoo-tern" / file).is_file() for file in told["files"])
    assert told["next"][0] == f"pip install -e '{parent / 'zoo-tern'}'"
    assert zoo("plugins", "new", "gull", "--dir", str(parent), "--quiet") == (0, "", "")


def test_nothing_is_overwritten(zoo: Any, tmp_path: Path) -> None:
    """Whatever has the name of the folder stays, file or folder, and the message says what to do."""
    (tmp_path / "zoo-tern").mkdir()
    (tmp_path / "zoo-gull").write_text("mine")
    for name in ("tern", "gull"):
        done = zoo("plugins", "new", name, "--dir", str(tmp_path))
        assert done.code == 2
        assert f"zoo-{name}' exists; nothing is written over, give another name or --dir" in done.err
    assert (tmp_path / "zoo-gull").read_text() == "mine"
    assert sorted(path.name for path in tmp_path.glob("zoo-*")) == ["zoo-gull", "zoo-tern"]
    assert not list((tmp_path / "zoo-tern").iterdir())


def test_a_disk_that_refuses_leaves_nothing(zoo: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a folder would look like a whole one."""
    write, calls = Path.write_text, []

    def full(self: Path, *args: Any, **options: Any) -> int:
        calls.append(self)
        if len(calls) > 3:
            raise OSError(28, "No space left on device", str(self))
        return write(self, *args, **options)

    monkeypatch.setattr(Path, "write_text", full)
    done = zoo("plugins", "new", "tern", "--dir", str(tmp_path / "new"))
    assert done.code == 1
    assert "No space left on device" in done.err
    assert list((tmp_path / "new").iterdir()) == []


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("", "letters, digits"),
        ("3d", "beginning with a letter"),
        ("pin guin", "letters, digits"),
        ("../evil", "letters, digits"),
        ("a/b", "letters, digits"),
        ("tern-", "letters, digits"),
        ("zoo-", "letters, digits"),
        ("sturnidé", "letters, digits"),
        ("class", "a word of the Python language"),
        ("a" * 65, "more than 64"),
    ],
)
def test_a_name_that_cannot_be_is_refused(zoo: Any, tmp_path: Path, name: str, words: str) -> None:
    """It must do as a distribution, a package, a function and a class."""
    done = zoo("plugins", "new", "--dir", str(tmp_path), "--", name)
    assert done.code == 2
    assert words in done.err
    assert not list(tmp_path.glob("*zoo*"))


def test_a_name_that_is_taken_is_refused(zoo: Any, site: FakeSite, tmp_path: Path) -> None:
    """By a plugin, a distribution or a package."""
    site.install("tern", offering_models("net"), distribution="birds")
    site.install("other", offering_models("net"), distribution="zoo-gull")
    (site.path / "zoo_auk.py").touch()
    for name, words in (
        ("tern", "the plugin 'tern' is installed"),
        ("gull", "the distribution zoo-gull 1.0 is installed"),
        ("auk", "a package 'zoo_auk' can be imported"),
    ):
        done = zoo("plugins", "new", name, "--dir", str(tmp_path / "new"))
        assert done.code == 2
        assert words in done.err
    assert not (tmp_path / "new").exists()


def test_an_unknown_kind_is_refused_with_those_there_are(zoo: Any) -> None:
    """All on one line."""
    done = zoo("plugins", "new", "tern", "--kind", "modle")
    assert done.code == 2
    assert "'modle'" in done.err
    assert "scheduler" in done.err


def test_writing_a_plugin_imports_no_torch(site: FakeSite, tmp_path: Path) -> None:
    """It takes no longer than a listing."""
    code = (
        "import sys; from zoo.cli.main import main; "
        f"main(['plugins', 'new', 'tern', '--dir', {str(tmp_path)!r}]); assert 'torch' not in sys.modules"
    )
    done = site.python(code)
    assert done.returncode == 0, done.stderr


@given(st.text(max_size=12) | st.from_regex(r"[A-Za-z0-9._-]{1,12}", fullmatch=True))
def test_whatever_is_accepted_is_a_name_everywhere(text: str) -> None:
    """For any text: refused in words, or good as a package, a distribution, an entry point and a class."""
    try:
        name = PluginName.parse(text)
    except UsageError:
        return
    assert name.package.isidentifier()
    assert name.class_name.isidentifier()
    assert name.plugin.isidentifier()
    assert re.fullmatch(r"zoo-[a-z0-9]+(-[a-z0-9]+)*", name.distribution)
    assert PluginName.parse(name.distribution) == name

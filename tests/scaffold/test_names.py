"""The names of a new plugin, and the texts that are made with them."""

from __future__ import annotations

import errno
import os
import re
import stat
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import zoo
from zoo.errors import UsageError, ZooError
from zoo.records.disk import Disk
from zoo.scaffold import distribution
from zoo.scaffold.distribution import KINDS, NewPlugin
from zoo.scaffold.names import PluginName

RULE = "give letters, digits, '-' and '_', beginning with a letter, such as 'penguin' or 'king-penguin'"


@pytest.mark.parametrize(
    ("text", "plugin", "named", "package", "class_name"),
    [
        ("penguin", "penguin", "zoo-penguin", "zoo_penguin", "Penguin"),
        ("king-penguin", "king_penguin", "zoo-king-penguin", "zoo_king_penguin", "KingPenguin"),
        ("King_Penguin", "king_penguin", "zoo-king-penguin", "zoo_king_penguin", "KingPenguin"),
        ("king..penguin", "king_penguin", "zoo-king-penguin", "zoo_king_penguin", "KingPenguin"),
        ("zoo-penguin", "penguin", "zoo-penguin", "zoo_penguin", "Penguin"),
        ("ZOO_penguin", "penguin", "zoo-penguin", "zoo_penguin", "Penguin"),
        ("zoo-zoo-x", "zoo_x", "zoo-zoo-x", "zoo_zoo_x", "ZooX"),
        ("zoology", "zoology", "zoo-zoology", "zoo_zoology", "Zoology"),
        ("r2d2", "r2d2", "zoo-r2d2", "zoo_r2d2", "R2d2"),
        ("a", "a", "zoo-a", "zoo_a", "A"),
        ("x" * 64, "x" * 64, f"zoo-{'x' * 64}", f"zoo_{'x' * 64}", f"X{'x' * 63}"),
    ],
)
def test_one_name_has_four_spellings(text: str, plugin: str, named: str, package: str, class_name: str) -> None:
    """With or without ``zoo-`` before it, in any spelling that PEP 503 holds equal."""
    name = PluginName.parse(text)
    assert (name.plugin, name.distribution, name.package, name.class_name) == (plugin, named, package, class_name)
    assert PluginName.parse(name.distribution) == PluginName.parse(name.plugin) == name or plugin.startswith("zoo_")


@pytest.mark.parametrize(
    "text", ["", "zoo-", "2d", "-penguin", "penguin-", "_", "king penguin", "pingüin", "a/b", "a\n"]
)
def test_what_is_no_name_is_told_the_rule(text: str) -> None:
    """With two examples."""
    with pytest.raises(UsageError) as caught:
        PluginName.parse(text)
    assert str(caught.value) == f"{text!r} is no name for a plugin: {RULE}"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("x" * 65, "it has more than 64 characters"),
        ("class", "it is a word of the Python language; give another"),
        ("zoo-Import", "it is a word of the Python language; give another"),
    ],
)
def test_a_name_that_nothing_could_have_is_told_why(text: str, why: str) -> None:
    """The name as it was typed, and the reason."""
    with pytest.raises(UsageError) as caught:
        PluginName.parse(text)
    assert str(caught.value) == f"{text!r} is no name for a plugin: {why}"


@given(st.from_regex(r"\A[a-z][a-z0-9]{0,5}([-_.]{1,2}[a-z0-9]{1,4}){0,2}\Z"))
def test_every_spelling_of_a_name_is_that_name(text: str) -> None:
    """Upper case, other separators, the distribution's name: they cannot be two plugins."""
    try:
        name = PluginName.parse(text)
    except UsageError as error:
        assume("Python" not in str(error) and not text.startswith("zoo"))
        raise
    assert PluginName.parse(text.upper()) == name
    assert PluginName.parse(re.sub(r"[-_.]+", "_", text)) == name
    if not name.plugin.startswith("zoo_"):
        assert PluginName.parse(name.distribution) == name
        assert PluginName.parse(name.package) == name
    assert name.package.isidentifier()
    assert name.class_name.isidentifier()


@pytest.mark.parametrize(
    ("parent", "install"),
    [
        (Path(), "pip install -e ./zoo-tern"),
        (Path("plugins"), "pip install -e plugins/zoo-tern"),
        (Path("/a b"), "pip install -e '/a b/zoo-tern'"),
    ],
)
def test_the_first_command_names_a_folder_and_no_distribution(parent: Path, install: str) -> None:
    """What pip would look up has no slash; what the shell would cut is quoted."""
    plugin = NewPlugin(PluginName.parse("tern"), KINDS["model"], parent)
    assert plugin.next_commands == (install, "zoo plugins check tern", "zoo train --model tern_net")


@pytest.mark.parametrize("kind", KINDS)
def test_the_texts_hold_for_any_name(kind: str) -> None:
    """A name inside another word, upper case, the year: the same files for each, with its own name in all of them."""
    plain, other = (
        {path.as_posix(): text for path, text in NewPlugin(PluginName(name), KINDS[kind], Path()).files().items()}
        for name in ("tern", "penguin")
    )
    assert len(plain) == len(other)
    for (path, text), (other_path, other_text) in zip(plain.items(), other.items(), strict=True):
        assert path.replace("tern", "penguin") == other_path
        assert "penguin" not in text.lower()
        assert text.count("\n") == other_text.count("\n")
    major, minor, *_ = zoo.__version__.split(".")
    assert f"torch-zoo>={major}.{minor}" in plain["pyproject.toml"]
    assert re.search(r"\b20\d\d\b", plain["LICENSE"])


def test_what_is_written_is_what_is_told(tmp_path: Path) -> None:
    """Every file's path, sorted, relative to the folder; a parent that is missing is made."""
    plugin = NewPlugin(PluginName.parse("tern"), KINDS["optimizer"], tmp_path / "deep" / "er")
    written = plugin.write()
    assert written == sorted(written) == sorted(plugin.files())
    for path in written:
        assert (plugin.directory / path).read_text(encoding="utf-8") == plugin.files()[path]
    assert stat.S_IMODE(plugin.directory.stat().st_mode) == 0o755
    assert [item.name for item in plugin.parent.iterdir()] == ["zoo-tern"]


@pytest.mark.parametrize("there", ["folder", "file", "dangling link"])
def test_whatever_has_the_folders_name_stays(tmp_path: Path, there: str) -> None:
    """A link that leads nowhere as well: what it led to may come back."""
    plugin = NewPlugin(PluginName.parse("tern"), KINDS["model"], tmp_path)
    if there == "folder":
        plugin.directory.mkdir()
    elif there == "file":
        plugin.directory.write_text("mine")
    else:
        plugin.directory.symlink_to(tmp_path / "gone")
    with pytest.raises(UsageError) as caught:
        plugin.write()
    assert str(caught.value) == (
        f"{str(plugin.directory)!r} exists; nothing is written over, give another name or --dir, or remove it"
    )
    assert [item.name for item in tmp_path.iterdir()] == ["zoo-tern"]


def test_an_interruption_leaves_nothing_and_passes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C between two files."""
    calls = iter(range(9))
    write_text = Path.write_text

    def interrupted(self: Path, *args: object, **more: object) -> int:
        if next(calls) == 3:
            raise KeyboardInterrupt
        return write_text(self, *args, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(Path, "write_text", interrupted)
    with pytest.raises(KeyboardInterrupt):
        NewPlugin(PluginName.parse("tern"), KINDS["model"], tmp_path).write()
    assert not list(tmp_path.iterdir())


def test_a_parent_that_is_a_file_is_told(tmp_path: Path) -> None:
    """With what to do, and the system's own words."""
    (tmp_path / "file").write_text("")
    plugin = NewPlugin(PluginName.parse("tern"), KINDS["model"], tmp_path / "file")
    with pytest.raises(UsageError) as caught:
        plugin.write()
    assert str(caught.value) == f"cannot make {str(plugin.directory)!r}: File exists; give another --dir"


@pytest.mark.parametrize(("kind", "call"), [(Path, "write_text"), (Disk, "rename")])
def test_a_disk_that_refuses_is_told_and_nothing_is_left(
    kind: type, call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where it is full, at a file or at the last step, which gives the folder its name."""

    def full(*args: object, **more: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(kind, call, full)
    plugin = NewPlugin(PluginName.parse("tern"), KINDS["model"], tmp_path)
    with pytest.raises(ZooError) as caught:
        plugin.write()
    assert caught.value.exit_code == 1
    assert str(caught.value) == (
        f"cannot write {str(plugin.directory)!r}: No space left on device; give another --dir. Nothing was left there."
    )
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "taken"),
    [
        ("mnist", "the plugin 'mnist' is installed; give another name. 'zoo plugins' shows all."),
        ("json", ""),
    ],
)
def test_a_name_is_free_unless_something_has_it(name: str, taken: str) -> None:
    """A module of Python's is no package ``zoo_json``."""
    if not taken:
        distribution.check_free(PluginName(name))
        return
    with pytest.raises(UsageError) as caught:
        distribution.check_free(PluginName(name))
    assert str(caught.value) == taken


def test_a_package_that_can_be_imported_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Though no distribution has it: it would be found in place of the new one."""
    (tmp_path / "zoo_quokka.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(UsageError, match=r"^a package 'zoo_quokka' can be imported already; give another name$"):
        distribution.check_free(PluginName("quokka"))

"""The files below a folder."""

from __future__ import annotations

from pathlib import Path

import pytest

import zoo
from zoo.files.folders import files_of


def names(root: Path) -> list[str]:
    return [path.relative_to(root).as_posix() for path in files_of(root)]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("b.png", "a.png", "z/2.png", "z/1.png", "c/deep/x.png"):
        path = tmp_path / "set" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    return tmp_path / "set"


def test_a_file_is_itself_also_where_it_is_missing(tmp_path: Path):
    """Whoever opens it says what is wrong."""
    assert list(files_of(tmp_path / "none.png")) == [tmp_path / "none.png"]


def test_a_folder_is_its_files_in_order(root: Path):
    """Whatever the order of the file system: its own, then those of the folders in it."""
    assert names(root) == ["a.png", "b.png", "c/deep/x.png", "z/1.png", "z/2.png"]


def test_litter_is_left_out(root: Path):
    """What systems and network drives leave about is nobody's picture."""
    for name in (".DS_Store", "Thumbs.db", "@eaDir/a.png", "__MACOSX/b.png", "z/desktop.ini", ".hidden/c.png"):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_bytes(b"")
    assert names(root) == ["a.png", "b.png", "c/deep/x.png", "z/1.png", "z/2.png"]


def test_a_link_to_the_parent_ends(root: Path):
    """Each real folder is looked through once."""
    (root / "z" / "up").symlink_to(root)
    assert len(names(root)) == 5


def test_a_folder_without_files_is_told(root: Path):
    """It would be no answer to nothing asked."""
    (root / "empty").mkdir()
    with pytest.raises(zoo.UsageError, match=r"empty' has no files"):
        list(files_of(root / "empty"))

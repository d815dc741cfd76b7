"""docs/how-to/your-own-images.md, executed."""

from __future__ import annotations

import contextlib
import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from PIL import Image

import zoo
from zoo.cli import main
from zoo.data import held

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "your-own-images.md"


@pytest.fixture
def photos(tmp_path, monkeypatch) -> Path:
    """The folder of the page, with pictures that are easily told apart, as the working directory's ``photos``."""
    generator = torch.Generator().manual_seed(0)
    for split, count in (("train", 12), ("test", 3)):
        for name, level in (("cat", 60), ("dog", 190)):
            folder = tmp_path / "photos" / split / name
            folder.mkdir(parents=True)
            for index in range(count):
                pixels = (level + torch.randn(32, 32, 3, generator=generator) * 9).clamp(0, 255).to(torch.uint8)
                Image.fromarray(pixels.numpy()).save(folder / f"{index:03}.png")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "photos"


def commands() -> list[str]:
    blocks = re.findall(r"```console\n(.*?)```", PAGE.read_text(), re.DOTALL)
    return [line.removeprefix("$ ") for block in blocks for line in block.splitlines() if line.startswith("$ ")]


def test_every_command_of_the_page_works(photos, capsys):
    """The page's commands, one after the other, each end with exit code 0; the last one tells cats from dogs."""
    del photos
    shown = commands()
    assert len(shown) == 6
    for command in shown:
        program, *arguments = shlex.split(command)
        assert program == "zoo"
        capsys.readouterr()
        assert main(arguments) == 0, capsys.readouterr().err
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("\t")[0] for line in lines] == ["photos/test/cat/001.png", "photos/test/dog/001.png"]
    assert {line.split("\t")[1] for line in lines} <= {"cat", "dog"}


@contextlib.contextmanager
def planted(path: Path, content: bytes) -> Iterator[None]:
    """Keep a file in folders of its own for a while."""
    made = [parent for parent in path.parents if not parent.exists()]
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    yield
    shutil.rmtree(made[-1])


def test_the_errors_that_the_page_lists_are_those_that_are_said(photos):
    """Every fault in the table is made, and met with the words in its first column."""
    said = []

    def refused(root: Path = photos) -> None:
        with pytest.raises(zoo.ZooError) as caught:
            held(zoo.create("datasets", "folder", root=str(root)), None, "cpu")
        said.append(str(caught.value))

    empty = photos.parent / "none"
    empty.mkdir()
    refused(empty)
    picture = (photos / "test" / "cat" / "001.png").read_bytes()
    with planted(empty / "cat" / "a.png", picture):
        refused(empty)
    with planted(photos / "bus" / "a.png", picture):
        (photos / "test").rename(photos.parent / "test")
        refused()
        (photos.parent / "test").rename(photos / "test")
    with planted(photos / "testing" / "cat" / "a.png", picture):
        refused()
    emu = photos / "train" / "emu"
    emu.mkdir()
    refused()
    emu.rmdir()
    (photos / "val").mkdir()
    refused()
    (photos / "val").rmdir()
    with (
        planted(photos / "train" / "caf\u00e9" / "a.png", picture),
        planted(photos / "train" / "cafe\u0301" / "a.png", picture),
    ):
        refused()
    (photos / "train" / "kitty").symlink_to("dog")
    refused()
    (photos / "train" / "kitty").unlink()
    with planted(photos / "test" / "emu" / "a.png", picture):
        refused()
    victim = photos / "train" / "cat" / "000.png"
    whole = victim.read_bytes()
    victim.write_bytes(b"text")
    refused()
    victim.write_bytes(whole[: len(whole) // 2])
    refused()

    section = PAGE.read_text().partition("## When it says no")[2]
    table = re.findall(r"^\| (`.*?) \|", section, re.MULTILINE)
    promised = [words for cell in table[:7] for words in re.findall(r"`(.*?)`", cell)]
    assert len(promised) == len(said) == 11
    for words, message in zip(promised, said, strict=True):
        assert words in message

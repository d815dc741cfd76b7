"""``zoo data sheet``: what is drawn is what a run is shown."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from small_images import small_dataset
from small_photos import photographs
from torch import nn

import zoo
from zoo.cli import main
from zoo.data.cutting import Cutting


class Keeps(nn.Module):
    """A linear classifier that keeps what it was shown in training."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(64, 3)
        self.shown: list[torch.Tensor] = []

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        if self.training:
            self.shown.append(inputs.clone())
        return self.layer(inputs.flatten(1))


def test_each_column_is_what_an_epoch_of_the_run_is_shown(tmp_path: Path):
    """A picture's images, read back, are among the inputs of the run with the same settings, epoch for epoch."""
    settings = {"data": small_dataset(12), "augment": "flip,shift", "validation": 0, "threads": 1, "epochs": 2}
    model = Keeps()
    zoo.train(model, out=tmp_path / "run", report=False, **settings)
    sheet = np.asarray(zoo.contact_sheet(Keeps(), images=4, columns=2, **settings))[..., 0]
    side = 96
    for epoch in (1, 2):
        shown = {tuple((x * 0.25 * 255 + 127.5).round().flatten().int().tolist()) for x in model.shown[epoch - 1]}
        for row in range(4):
            left, top = epoch * (side + 4) + 8, row * (side + 4)
            cell = sheet[top : top + side : 12, left : left + side : 12]
            assert tuple(cell.flatten().tolist()) in shown


def test_without_augmentation_all_columns_are_alike():
    """And nothing is drawn from the process's random numbers."""
    model, state = Keeps(), torch.get_rng_state()
    sheet = np.asarray(zoo.contact_sheet(model, images=1, columns=2, data=small_dataset(), threads=1))
    assert np.array_equal(sheet[:, :96], sheet[:, 108:204])
    assert np.array_equal(sheet[:, :96], sheet[:, 208:304])
    assert torch.equal(torch.get_rng_state(), state)


def test_a_sheet_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Its name is printed, and nothing else is left."""
    monkeypatch.chdir(tmp_path)
    asked = ["data", "sheet", "--model", "linear", "--set", "data.limit=64", "--augment", "warp", "--threads", "1"]
    assert main([*asked, "--images", "2", "--columns", "3"]) == 0
    assert capsys.readouterr().out == "sheet.png\n"
    assert [path.name for path in tmp_path.iterdir()] == ["sheet.png"]
    with Image.open("sheet.png") as picture:
        assert picture.size == (4 * (84 + 4) + 4, 2 * 84 + 4)
    assert main([*asked, "--out", "none/there.png"]) == 2
    assert "give another --out" in capsys.readouterr().err


def test_crops_are_drawn_as_readers_cut_them_from_files(tmp_path: Path):
    """Behind the whole picture, another part in each epoch."""
    options = {"data.root": str(photographs(tmp_path, train=9, test=3)), "data.size": 12}
    settings = {"data": "folder", "options": options, "augment": "crop", "validation": 0, "threads": 1}
    sheet = np.asarray(zoo.contact_sheet("linear", images=3, columns=2, **settings)).astype(int)
    split = zoo.create("datasets", "folder", root=options["data.root"], size=12).train
    cutting, places = Cutting(zoo.create("augmentations", "crop"), 0, (12, 12)), torch.tensor([0, 3, 6])
    images = torch.empty(3, 3, 12, 12, dtype=torch.uint8)
    for column in range(3):
        if column:
            split.read_parts_into(images, places, cutting(column - 1, places))
        else:
            split.read_into(images, places)
        left = column * 100 + (8 if column else 0)
        for row, image in enumerate(images.permute(0, 2, 3, 1).numpy()):
            assert np.abs(sheet[row * 100 : row * 100 + 96 : 8, left : left + 96 : 8] - image).max() <= 1

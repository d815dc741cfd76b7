"""Images are read for an exported file as they are for a run, without torch."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import zoo
from zoo.errors import DamagedError, UsageError
from zoo.sharing.export_facts import ExportedFacts, facts_from_json, without_places
from zoo.sharing.export_reading import pixels_of

FACTS = ExportedFacts(("a", "b"), 3, (24, 18), "stretch", "bilinear", {})


def picture(path: Path, size: tuple[int, int], orientation: int = 1, mode: str = "RGB") -> Path:
    """Write smooth colours, of this width and height, with a note of how the camera was held."""
    width, height = size
    ramp = np.add.outer(np.linspace(0, 120, height), np.linspace(0, 100, width))
    pixels = np.stack([ramp, 220 - ramp, ramp / 2], axis=2).astype(np.uint8)
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(pixels).convert(mode).save(path, exif=exif)
    return path


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "P"])
def test_an_image_that_has_the_size_gives_the_same_bits(tmp_path: Path, channels: int, mode: str):
    """In grey and in colour, from whatever a PNG holds."""
    path = picture(tmp_path / "a.png", (18, 24), mode=mode)
    own = zoo.read_image(path, channels=channels, size=(24, 18)).numpy()
    assert np.array_equal(pixels_of(path, dataclasses.replace(FACTS, channels=channels)), own)


@pytest.mark.parametrize("fit", ["stretch", "pad", "crop"])
@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("how", ["bilinear", "bicubic"])
def test_a_resized_image_is_off_by_one_of_255_at_most(tmp_path: Path, fit: str, orientation: int, how: str):
    """Turned, padded and cropped as zoo does it."""
    path = picture(tmp_path / "a.png", (60, 41), orientation)
    facts = dataclasses.replace(FACTS, fit=fit, interpolation=how)
    own = zoo.read_image(path, channels=3, size=(24, 18), interpolation=how, fit=fit).numpy().astype(int)
    assert np.abs(pixels_of(path, facts) - own).max() <= 1


def test_reading_imports_no_torch(tmp_path: Path):
    """Where a file is used, torch need not be installed."""
    path = picture(tmp_path / "a.png", (60, 41))
    code = (
        "import sys; from pathlib import Path; from zoo.sharing.export_reading import pixels_of; "
        "from zoo.sharing.export_facts import ExportedFacts; "
        f"pixels_of(Path({str(path)!r}), ExportedFacts(('a',), 3, (24, 18), 'pad', 'bilinear', {{}})); "
        "assert 'torch' not in sys.modules"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_machines_paths_are_left_out():
    """They name its owner and lead nowhere elsewhere; a relative one stays."""
    told = {"data": {"name": "folder", "root": "/home/ada/photos", "other": "C:\\photos"}, "model": {"path": "~/w"}}
    assert without_places(told) == {"data": {"name": "folder"}, "model": {}}
    assert without_places({"root": "photos", "sizes": [1, "/x"], "p": 0.5}) == {
        "root": "photos",
        "sizes": [1],
        "p": 0.5,
    }


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        (None, UsageError, "it.onnx was not written by 'zoo export'"),
        ('{"schema": 2}', UsageError, "it.onnx was written by a newer zoo, in schema 2"),
        ('{"schema": 1}', DamagedError, "it.onnx lacks or misstates what 'zoo export' writes: KeyError"),
        ("[]", DamagedError, "it.onnx lacks or misstates"),
        ("nothing", DamagedError, "it.onnx lacks or misstates"),
    ],
)
def test_a_file_that_tells_nothing_right_is_refused(text: str | None, error: type[Exception], message: str):
    """Another program's, a newer zoo's, or a changed one."""
    with pytest.raises(error, match=message):
        facts_from_json(text, "it.onnx")

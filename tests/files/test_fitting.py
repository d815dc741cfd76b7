"""Pictures of one aspect as inputs of another."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps
from torchvision.transforms.v2 import functional

import zoo
from zoo.files import pixels
from zoo.files.fitting import FITS, PADDING, Box, narrowed, placement
from zoo.files.images import read_opened

SIDES = st.integers(1, 3000)
SIZES = st.tuples(SIDES, SIDES)


@given(SIZES, SIZES, st.sampled_from(FITS))
def test_a_part_lies_within_the_picture_and_within_the_input(whole: tuple[int, int], size: tuple[int, int], fit: str):
    """In its middle, up to a pixel; all of the picture is used, or all of the input is filled, or both."""
    place = placement(whole, size, fit)
    for first, length, outer in zip(
        (place.top, place.left, place.row, place.column), (*place.part, *place.inner), (*whole, *size), strict=True
    ):
        assert first >= 0
        assert length >= 1
        assert 0 <= outer - length - 2 * first <= 1
    assert place.part == whole or fit == "crop"
    assert place.inner == size or fit == "pad"


@given(SIZES, SIZES, st.sampled_from(("pad", "crop")))
def test_the_aspect_is_kept_to_a_pixel(whole: tuple[int, int], size: tuple[int, int], fit: str):
    """One side is as long as can be, and the other differs from what it should be by half a pixel at most."""
    place = placement(whole, size, fit)
    found, bounds, shape = (place.part, whole, size) if fit == "crop" else (place.inner, size, whole)
    scale = min(bounds[0] / shape[0], bounds[1] / shape[1])
    for length, side in zip(found, shape, strict=True):
        assert abs(length - max(1.0, scale * side)) <= 0.5 + 1e-6


@st.composite
def boxes(draw: st.DrawFn) -> Box:
    """Parts of at least a hundredth of a side, within the input."""
    (top, height), (left, width) = (
        (draw(st.floats(0, 1)) * (1 - share), share) for share in (draw(st.floats(0.01, 1)), draw(st.floats(0.01, 1)))
    )
    return Box(top, left, height, width)


@given(SIZES, SIZES, st.sampled_from(FITS), boxes())
def test_a_box_is_cut_from_what_the_input_shows(whole: tuple[int, int], size: tuple[int, int], fit: str, box: Box):
    """Within that part of the picture, of at least a pixel, and about there; it fills the input but for padding."""
    outer = placement(whole, size, fit)
    place = narrowed(outer, size, box)
    if place is None:
        assert fit == "pad"
        return
    for first, length, begin, all_of_it, row, inner, offset, shown, share, start, side in zip(
        (place.top, place.left),
        place.part,
        (outer.top, outer.left),
        outer.part,
        (outer.row, outer.column),
        outer.inner,
        (place.row, place.column),
        place.inner,
        (box.height, box.width),
        (box.top, box.left),
        size,
        strict=True,
    ):
        assert begin <= first < first + length <= begin + all_of_it
        assert 0 <= offset < offset + shown <= side
        low = (max(start * side, row) - row) * all_of_it / inner
        high = (min((start + share) * side, row + inner) - row) * all_of_it / inner
        assert abs(first - begin - low) <= 1 + 1e-6
        assert abs(first - begin + length - high) <= 1.5 + 1e-6
        assert fit == "pad" or (offset, shown) == (0, side)


@given(SIZES, SIZES, st.sampled_from(FITS))
def test_the_whole_as_a_box_is_the_whole(whole: tuple[int, int], size: tuple[int, int], fit: str):
    """The picture is laid into the input as without a box."""
    place = placement(whole, size, fit)
    assert narrowed(place, size, Box(0.0, 0.0, 1.0, 1.0)) == place


@pytest.fixture
def wide(tmp_path: Path) -> Path:
    """A picture of 20 x 60: red, green and blue squares, side by side."""
    picture = Image.new("RGB", (60, 20), (255, 0, 0))
    picture.paste((0, 255, 0), (20, 0, 40, 20))
    picture.paste((0, 0, 255), (40, 0, 60, 20))
    picture.save(tmp_path / "wide.png")
    return tmp_path / "wide.png"


def test_a_wide_picture_is_cropped_to_its_middle(wide: Path):
    """Which is green."""
    pixels = zoo.read_image(wide, channels=3, size=(10, 10), fit="crop")
    assert torch.equal(pixels, torch.tensor([0, 255, 0], dtype=torch.uint8).view(3, 1, 1).expand(3, 10, 10))


def test_a_wide_picture_is_padded_above_and_below(wide: Path):
    """With grey, all colours between."""
    pixels = zoo.read_image(wide, channels=3, size=(12, 12), fit="pad")
    assert (pixels[:, :4] == PADDING).all()
    assert (pixels[:, 8:] == PADDING).all()
    assert pixels[:, 4:8, 0].unique(dim=1).flatten().tolist() == [255, 0, 0]
    assert pixels[:, 4:8, 11].unique(dim=1).flatten().tolist() == [0, 0, 255]


@pytest.mark.parametrize("fit", FITS)
def test_a_picture_that_is_turned_by_its_note_is_fitted_upright(wide: Path, fit: str):
    """It becomes what the same pixels become where they are stored upright."""
    stored = Image.open(wide).transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise
    stored.save(wide.with_name("turned.png"), exif=exif)
    turned, upright = (
        zoo.read_image(path, channels=3, size=(9, 12), fit=fit) for path in (wide.with_name("turned.png"), wide)
    )
    assert (turned.int() - upright.int()).abs().max() <= 1


def test_a_picture_of_the_inputs_aspect_is_the_same_in_every_way(tmp_path: Path):
    """Nothing is to be stretched, padded or cropped."""
    Image.effect_noise((40, 30), 80).save(tmp_path / "noise.png")
    ways = [zoo.read_image(tmp_path / "noise.png", channels=1, size=(15, 20), fit=fit) for fit in FITS]
    assert torch.equal(ways[0], ways[1])
    assert torch.equal(ways[0], ways[2])


def test_another_way_is_one_line(wide: Path):
    """With those that there are."""
    with pytest.raises(zoo.UsageError, match="fit must be one of stretch, pad, crop, not 'letterbox'"):
        zoo.read_image(wide, channels=3, size=(4, 4), fit="letterbox")


def part(path: Path, box: Box, size: tuple[int, int] = (8, 8), fit: str = "stretch") -> torch.Tensor:
    with path.open("rb") as file:
        return read_opened(file, str(path), 3, size, fit=fit, box=box)


def test_a_part_is_cut_at_whole_pixels_and_resized_once(tmp_path: Path):
    """What Pillow's crop and torch's resizing give; the picture's other pixels count for nothing."""
    Image.effect_noise((50, 40), 90).convert("RGB").save(tmp_path / "noise.png")
    pixels = zoo.read_image(tmp_path / "noise.png", channels=3)
    expected = functional.resize(pixels[:, 10:30, 5:30], [8, 8], antialias=True)
    assert torch.equal(part(tmp_path / "noise.png", Box(0.25, 0.1, 0.5, 0.5)), expected)


def test_a_part_keeps_the_detail_that_the_whole_would_lose(tmp_path: Path):
    """Stripes of two pixels in a picture ten times the input: grey in the whole, black and white in a tenth of it."""
    picture = torch.zeros(80, 80, dtype=torch.uint8)
    picture[:, torch.arange(80) // 2 % 2 == 1] = 255
    Image.fromarray(picture.numpy()).save(tmp_path / "stripes.png")
    assert part(tmp_path / "stripes.png", Box(0, 0, 1, 1)).int().sub(127).abs().max() < 40
    assert part(tmp_path / "stripes.png", Box(0.5, 0.5, 0.1, 0.1)).unique().tolist() == [0, 255]


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("fit", FITS)
def test_a_part_is_of_the_upright_picture(tmp_path: Path, orientation: int, fit: str):
    """However it is stored."""
    noise = Image.effect_noise((24, 36), 90).convert("RGB")
    exif = Image.Exif()
    exif[0x0112] = orientation
    noise.save(tmp_path / "stored.png", exif=exif)
    ImageOps.exif_transpose(Image.open(tmp_path / "stored.png")).save(tmp_path / "upright.png")
    box = Box(0.1, 0.4, 0.5, 0.6)
    assert torch.equal(part(tmp_path / "stored.png", box, fit=fit), part(tmp_path / "upright.png", box, fit=fit))


def test_a_part_of_a_padded_picture_has_its_share_of_grey(wide: Path):
    """A picture of 20 x 60 takes the middle third of the input: of its upper half two thirds are grey."""
    upper = part(wide, Box(0.0, 0.0, 0.5, 1.0), (12, 12), "pad")
    assert (upper[:, :8] == PADDING).all()
    assert upper[:, 8:, 0].unique(dim=1).flatten().tolist() == [255, 0, 0]
    assert (part(wide, Box(0.0, 0.0, 0.3, 1.0), (12, 12), "pad") == PADDING).all()


def test_a_part_of_a_cropped_picture_is_of_its_middle(wide: Path):
    """Which is green."""
    found = part(wide, Box(0.0, 0.0, 1.0, 0.2), (4, 4), "crop")
    assert torch.equal(found, torch.tensor([0, 255, 0], dtype=torch.uint8).view(3, 1, 1).expand(3, 4, 4))


@pytest.mark.parametrize(
    ("box", "decoded"),
    [
        (Box(0.0, 0.0, 1.0, 1.0), (80, 120)),
        (Box(0.0, 0.5, 0.5, 0.5), (160, 240)),
        (Box(0.2, 0.1, 0.26, 0.3), (320, 480)),
        (Box(0.2, 0.1, 0.24, 0.9), (640, 960)),
    ],
)
@pytest.mark.parametrize("orientation", [1, 6])
def test_a_photograph_is_decoded_as_large_as_the_part_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, box: Box, decoded: tuple[int, int], orientation: int
):
    """At an eighth, a quarter, a half or whole: the part has at least the input's pixels along both sides."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = (640, 960) if orientation == 6 else (960, 640)
    Image.new("RGB", stored).save(tmp_path / "photo.jpg", exif=exif)
    seen = []
    monkeypatch.setattr(pixels, "resized_upright", lambda found, *_: seen.append(tuple(found.shape[1:])) or found)
    part(tmp_path / "photo.jpg", box, (80, 120) if box.height == 1.0 else (80, 80))
    assert seen == [decoded if orientation == 1 else decoded[::-1]]

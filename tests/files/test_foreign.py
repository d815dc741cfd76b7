"""What files are that zoo does not read, in all the ways in which they begin."""

from __future__ import annotations

import itertools
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import zoo
from zoo.files import folders
from zoo.files.fitting import placement
from zoo.files.folders import files_of
from zoo.files.formats import FORMATS, foreign
from zoo.files.images import MAX_PIXELS, _how, _pixels, check_wanted, decoding

HEIC, AVIF = "a HEIC picture", "an AVIF picture"


def box(brand: bytes, minor: bytes = bytes(4), *others: bytes) -> bytes:
    """Return the beginning of an ISO container: its length, its kind, the major brand, its version, other brands."""
    return b"\0\0\0\x20ftyp" + brand + minor + b"".join(others)


@pytest.mark.parametrize("brand", [b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"])
def test_every_brand_of_heic_is_known(brand: bytes) -> None:
    """As the major one, and as the first or the last of the others."""
    assert foreign(box(brand)) == HEIC
    assert foreign(box(b"xxxx", bytes(4), brand, b"yyyy")) == HEIC
    assert foreign(box(b"xxxx", bytes(4), b"yyyy", brand)) == HEIC


@pytest.mark.parametrize("brand", [b"avif", b"avis"])
def test_avif_goes_before_heic(brand: bytes) -> None:
    """Its containers state the general brands, too."""
    assert foreign(box(brand)) == AVIF
    assert foreign(box(b"mif1", bytes(4), b"heic", brand)) == AVIF


def test_a_version_is_no_brand() -> None:
    """The four bytes behind the major brand are a number, whatever they spell."""
    assert foreign(box(b"isom", b"heic")) is None
    assert foreign(b"heic" + bytes(30)) is None
    assert foreign(b"\0\0\0\x20skip" + b"heic") is None


@pytest.mark.parametrize(
    ("start", "what"),
    [
        (b"\0\0\0\x0cjP  \r\n\x87\n", "a JPEG 2000 picture"),
        (b"\xff\x4f\xff\x51", "a JPEG 2000 picture"),
        (b"\xff\x0a", "a JPEG XL picture"),
        (b"\0\0\0\x0cJXL \r\n\x87\n", "a JPEG XL picture"),
        (b"8BPS", "a Photoshop document"),
        (b"%PDF-", "a PDF document"),
        (b"\0\0\1\0", "an icon"),
        (b"<svg", "an SVG drawing"),
        (b"<?xml", "an SVG drawing"),
    ],
)
def test_a_signature_counts_at_the_beginning_and_whole(start: bytes, what: str) -> None:
    """Whatever follows; a byte less, or one before it, is something else. Space before a drawing is none of it."""
    assert foreign(start) == foreign(start + b"more") == what
    assert foreign(start[:-1]) is None
    assert foreign(b"x" + start) is None
    assert (foreign(b"\xef\xbb\xbf \r\n\t" + start) == what) is (what == "an SVG drawing")


@given(st.binary(max_size=64))
def test_any_beginning_has_one_name_or_none(start: bytes) -> None:
    """Too short ones among them."""
    assert foreign(start) in (
        None,
        HEIC,
        AVIF,
        *(f"a {what}" for what in ("JPEG 2000 picture", "JPEG XL picture")),
    ) or (foreign(start) in ("a Photoshop document", "a PDF document", "an icon", "an SVG drawing"))


def test_only_the_formats_that_are_told_are_read() -> None:
    """None that starts another program, or reads from elsewhere."""
    assert set(FORMATS) <= {"PNG", "JPEG", "BMP", "GIF", "PPM", "TIFF", "WEBP", "AVIF"}
    assert not {"EPS", "PSD", "ICO"} & set(FORMATS)


@pytest.mark.parametrize(
    ("name", "what", "cure"),
    [
        ("a/b.heic", HEIC, ", as with 'magick b.heic b.jpg'"),
        ("b.avif", AVIF, ", as with 'magick b.avif b.jpg', or upgrade Pillow"),
        ("b\n.heic", HEIC, ""),
        ("b\n.avif", AVIF, ", or upgrade Pillow"),
        ("b.tar.heic", HEIC, ", as with 'magick b.tar.heic b.tar.jpg'"),
    ],
)
def test_the_cure_can_be_typed(name: str, what: str, cure: str) -> None:
    """Where the name can."""
    assert _how(Path(name), what) == cure


@pytest.mark.parametrize(
    ("size", "scale", "pixels"),
    [((8, 8), 8, 1), ((9, 8), 8, 2), ((9, 9), 8, 4), ((1, 1), 8, 1), ((7, 5), 1, 35), ((16, 17), 2, 72)],
)
def test_sides_are_rounded_up_where_a_decoder_leaves_pixels_out(size: tuple[int, int], scale: int, pixels: int) -> None:
    """As libjpeg does."""
    assert _pixels(size, scale) == pixels


@pytest.mark.parametrize(
    ("channels", "size", "fit", "message"),
    [
        (2, None, "stretch", "an image is read with 1 channel (grey) or 3 (colour), not 2"),
        (0, None, "stretch", "an image is read with 1 channel (grey) or 3 (colour), not 0"),
        (3, (0, 4), "stretch", "an image cannot be resized to (0, 4): height and width must be at least 1"),
        (3, (4, -1), "stretch", "an image cannot be resized to (4, -1): height and width must be at least 1"),
        (1, (4, 4), "Crop", "fit must be one of stretch, pad, crop, not 'Crop'"),
    ],
)
def test_what_cannot_be_wanted_is_told_before_a_file_is_opened(
    tmp_path: Path, channels: int, size: tuple[int, int] | None, fit: str, message: str
) -> None:
    """The file is missing, and that is not what is told."""
    for check in (
        lambda: check_wanted(channels, size, fit),
        lambda: zoo.read_image(tmp_path / "none", channels=channels, size=size, fit=fit),
    ):
        with pytest.raises(zoo.UsageError) as caught:
            check()
        assert str(caught.value) == message


def test_the_smallest_wish_is_fine() -> None:
    """One pixel, in grey and in colour."""
    for channels in (1, 3):
        check_wanted(channels, (1, 1), "pad")
        check_wanted(channels, None)


@pytest.mark.parametrize(
    ("raised", "kind", "message"),
    [
        (ValueError("odd\n  thing"), zoo.DamagedError, "'x' is a damaged image: odd thing"),
        (IndexError(), zoo.DamagedError, "'x' is a damaged image: IndexError"),
        (MemoryError(), zoo.ZooError, "not enough memory to decode 'x'"),
        (zoo.UsageError("as it is"), zoo.UsageError, "as it is"),
    ],
)
def test_whatever_a_decoder_raises_is_told_with_the_files_name(
    raised: Exception, kind: type[zoo.ZooError], message: str
) -> None:
    """A full memory is no damage: exit code 1, not 4."""
    with pytest.raises(zoo.ZooError) as caught, decoding("x"):
        raise raised
    assert (type(caught.value), str(caught.value)) == (kind, message)


def test_an_interruption_passes_a_decoder() -> None:
    """Ctrl-C is no fault of the image."""
    with pytest.raises(KeyboardInterrupt), decoding("x"):
        raise KeyboardInterrupt


def test_a_bomb_is_told_with_the_limit() -> None:
    """In pixels, as a person reads numbers."""
    from PIL import Image

    with pytest.raises(zoo.DamagedError) as caught, decoding("x"):
        raise Image.DecompressionBombError("of 10**10 pixels")
    assert str(caught.value) == (
        f"'x' has far too many pixels, more than the {MAX_PIXELS:,} that zoo decodes. Make it smaller first."
    )


@pytest.mark.parametrize(
    ("whole", "size", "fit", "placed"),
    [
        ((20, 60), (10, 10), "stretch", (0, 0, (20, 60), (10, 10), 0, 0)),
        ((20, 60), (10, 10), "crop", (0, 20, (20, 20), (10, 10), 0, 0)),
        ((60, 20), (10, 10), "crop", (20, 0, (20, 20), (10, 10), 0, 0)),
        ((20, 60), (12, 12), "pad", (0, 0, (20, 60), (4, 12), 4, 0)),
        ((60, 20), (12, 12), "pad", (0, 0, (60, 20), (12, 4), 0, 4)),
        ((1, 1000), (8, 8), "pad", (0, 0, (1, 1000), (1, 8), 3, 0)),
        ((1000, 1), (8, 8), "pad", (0, 0, (1000, 1), (8, 1), 0, 3)),
        ((5, 5), (3, 7), "crop", (1, 0, (2, 5), (3, 7), 0, 0)),
        ((3, 7), (3, 7), "pad", (0, 0, (3, 7), (3, 7), 0, 0)),
    ],
)
def test_a_picture_is_placed_so(whole: tuple[int, int], size: tuple[int, int], fit: str, placed: tuple) -> None:
    """Worked out by hand: which part, resized to what, and where it lies."""
    assert tuple(placement(whole, size, fit)) == placed


paths = st.lists(
    st.lists(st.sampled_from(["a", "B", "b2", "c.png", "Z"]), min_size=1, max_size=3).map("/".join),
    unique=True,
    min_size=1,
    max_size=6,
)


@settings(max_examples=25)
@given(paths, st.randoms(use_true_random=False))
def test_files_come_in_one_order_whatever_the_disk_gives(
    tmp_path_factory: pytest.TempPathFactory, names: list[str], random: object
) -> None:
    """A folder's own before those of its folders, each sorted by name, however `os.scandir` lists them."""
    root = tmp_path_factory.mktemp("files")
    made = []
    for name in names:
        path = root / name
        if not any(parent.is_file() for parent in path.parents) and not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"")
            made.append(path)
    scandir = os.scandir

    class Shuffled:
        def __init__(self, path: str) -> None:
            with scandir(path) as entries:
                found = list(entries)
            random.shuffle(found)
            self.entries = iter(found)

        def __iter__(self):
            return self.entries

        def __next__(self):
            return next(self.entries)

        def __enter__(self):
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def close(self) -> None:
            pass

    plain = list(files_of(root))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "scandir", Shuffled)
        assert list(files_of(root)) == plain
    assert sorted(plain) == sorted(made)
    for one, other in itertools.pairwise(plain):
        if one.parent == other.parent:
            assert one.name < other.name


def test_a_link_to_another_folder_is_followed_and_a_dead_one_is_listed(tmp_path: Path) -> None:
    """Large sets are kept on other disks; whoever opens a dead link says that nothing is there."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "x.png").write_bytes(b"")
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "linked").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "set" / "dead.png").symlink_to(tmp_path / "gone.png")
    found = [path.relative_to(tmp_path / "set").as_posix() for path in files_of(tmp_path / "set")]
    assert found == ["dead.png", "linked/x.png"]


def test_two_links_to_one_folder_are_looked_through_once(tmp_path: Path) -> None:
    """Under the first name: an image that counts twice would be in both splits."""
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x.png").write_bytes(b"")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    assert [path.relative_to(tmp_path).as_posix() for path in files_of(tmp_path)] == ["a/x.png"]


@pytest.mark.parametrize("name", ["lost+found", "LOST+FOUND", "#recycle", "$RECYCLE.BIN", "@eaDir", "__MACOSX", ".git"])
def test_litter_is_known_in_any_case(tmp_path: Path, name: str) -> None:
    """With all that is below it."""
    (tmp_path / name / "deep").mkdir(parents=True)
    (tmp_path / name / "deep" / "x.png").write_bytes(b"")
    with pytest.raises(zoo.UsageError) as caught:
        list(files_of(tmp_path))
    assert str(caught.value) == f"the folder {str(tmp_path)!r} has no files; those that begin with a dot are left out"
    assert folders._is_litter(name)
    assert not folders._is_litter(f"{name.strip('.')}s")


def test_a_folder_that_cannot_be_read_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its images would be missing without a word."""
    (tmp_path / "closed").mkdir()
    (tmp_path / "open.png").write_bytes(b"")
    scandir = os.scandir

    def refusing(path: str) -> object:
        if Path(path).name == "closed":
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)
    with pytest.raises(zoo.UsageError) as caught:
        list(files_of(tmp_path))
    assert str(caught.value) == f"cannot read the folder {str(tmp_path / 'closed')!r}: Permission denied"

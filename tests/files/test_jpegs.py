"""The fast decoder of JPEGs: found without its package, equal to it, and missed by nobody."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from PIL import Image

from zoo.files import jpegs
from zoo.files.jpegs import COLOUR, GREY, decoder


def encoded(mode: str, size: tuple[int, int] = (30, 20)) -> torch.Tensor:
    """Return a JPEG's bytes."""
    file = io.BytesIO()
    Image.effect_noise(size, 60).convert(mode).save(file, "JPEG")
    return torch.frombuffer(bytearray(file.getvalue()), dtype=torch.uint8)


@pytest.mark.parametrize(("mode", "given", "named"), [("L", GREY, "GRAY"), ("RGB", COLOUR, "RGB")])
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_operator_gives_the_bits_of_torchvisions_function(mode, given, named):
    """In grey and in colour, by its numbers for them."""
    from torchvision.io import ImageReadMode, decode_jpeg

    decode, data = decoder(), encoded(mode)
    assert decode is not None
    assert given == ImageReadMode[named].value
    assert torch.equal(decode(data, given), decode_jpeg(data, mode=ImageReadMode[named]))


def test_what_is_no_jpeg_is_told():
    """As an error that can be caught."""
    decode = decoder()
    assert decode is not None
    with pytest.raises(RuntimeError):
        decode(torch.zeros(40, dtype=torch.uint8), COLOUR)


@pytest.mark.parametrize("found", [None, "empty", "odd"])
def test_without_the_operator_the_package_is_asked_and_then_nobody(monkeypatch, tmp_path, found):
    """No torchvision, one without the library, or with one that cannot be loaded: there is none, and no error."""
    asked = []

    def absent(name: str) -> None:
        asked.append(name)
        raise ImportError(name)

    class Spec:
        submodule_search_locations = (str(tmp_path),)

    if found == "odd":
        (tmp_path / "image.so").write_bytes(b"no library")
    monkeypatch.setattr(jpegs, "_operator", lambda: None)
    monkeypatch.setattr(jpegs, "find_spec", lambda _: Spec if found else None)
    monkeypatch.setattr(jpegs, "import_module", absent)
    assert decoder.__wrapped__() is None
    assert asked == ["torchvision.io"]


@pytest.mark.slow
def test_a_jpeg_is_read_without_the_package(tmp_path: Path):
    """Nor its models, nor torch's compiler, which they import; the package still works when it comes later."""
    Image.effect_noise((30, 20), 60).convert("RGB").save(tmp_path / "a.jpg")
    script = """
import sys, torch, zoo
from zoo.files import pixels
found = []
decode = pixels.decode_plain_jpeg
pixels.decode_plain_jpeg = lambda *given: found.append(decode(*given)) or found[-1]
zoo.read_image(sys.argv[1], channels=3)
assert found[0] is not None
assert not {"torchvision", "torch._dynamo"} & set(sys.modules)
import torchvision
assert torch.equal(torchvision.io.decode_image(sys.argv[1]), found[0])
assert torchvision.ops.nms(torch.tensor([[0.0, 0, 1, 1]]), torch.ones(1), 0.5).tolist() == [0]
"""
    command = [sys.executable, "-W", "ignore", "-c", script, str(tmp_path / "a.jpg")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr

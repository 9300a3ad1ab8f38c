"""Fashion-MNIST: articles of clothing, 28 x 28, grey; the bundled subset and the full set."""

import hashlib
from pathlib import Path

import numpy as np

from weightspace.data.archive import ArchiveError, read_npz
from weightspace.data.idx import read_idx
from weightspace.data.image_set import ImageSet, official_files, official_set

__all__ = ["content_digest", "load_bundled_fashion_mnist", "load_fashion_mnist"]

BUNDLED = Path(__file__).parent / "bundled" / "fashion_mnist.npz"
BUNDLED_SHA256 = "7993ef6491d3717b7916ad3be183cd268c47c0464942c302403cc18552864304"
N_TRAIN = 60_000  # the object_id of the first official test image
CLASSES = (
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
)


def load_bundled_fashion_mnist() -> ImageSet:
    """Load the subset in the package: 500 training and 100 test images of each class.

    Raises:
        ArchiveError: if the file in the package is damaged.

    Reference: Xiao, Rasul and Vollgraf 2017, Fashion-MNIST: a Novel Image Dataset for
        Benchmarking Machine Learning Algorithms.
    """
    arrays = read_npz(BUNDLED, ("images", "labels", "object_ids"))
    if (digest := content_digest(arrays)) != BUNDLED_SHA256:
        raise ArchiveError(
            f"{BUNDLED.name} in the package is damaged: content sha256 {digest}, expected "
            f"{BUNDLED_SHA256}; install the package again"
        )
    official_split = np.where(arrays["object_ids"] < N_TRAIN, "train", "test")
    return ImageSet(
        "fashion_mnist_subset", **arrays, official_split=official_split, classes=CLASSES
    )


def load_fashion_mnist(directory: Path) -> ImageSet:
    """Load the full set, 60,000 training and 10,000 test images, from four IDX files.

    Raises:
        FileNotFoundError: if one of the files is not in `directory`.
        ChecksumError: if one of the files has another content than the published one.

    Reference: Xiao, Rasul and Vollgraf 2017, Fashion-MNIST: a Novel Image Dataset for
        Benchmarking Machine Learning Algorithms.
    """
    train_images, train_labels, test_images, test_labels = map(
        read_idx, official_files("fashion_mnist", directory)
    )
    return official_set(
        "fashion_mnist", (train_images, train_labels), (test_images, test_labels), CLASSES
    )


def content_digest(arrays: dict[str, np.ndarray]) -> str:
    """The SHA-256 digest of named arrays: names, types, shapes and numbers."""
    digest = hashlib.sha256()
    for name, array in arrays.items():
        digest.update(f"{name} {array.dtype.str} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()

"""Sets of labelled images: the bundled subset of Fashion-MNIST and the full set."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from weightspace.data.archive import ArchiveError, read_npz
from weightspace.data.checksums import verify
from weightspace.data.idx import read_idx
from weightspace.data.sources import FILES

__all__ = [
    "IMAGE_SETS",
    "ImageSet",
    "load_bundled_fashion_mnist",
    "load_fashion_mnist",
    "load_images",
    "needs_directory",
    "read_idx",
]

BUNDLED = Path(__file__).parent / "bundled" / "fashion_mnist.npz"
BUNDLED_SHA256 = "7993ef6491d3717b7916ad3be183cd268c47c0464942c302403cc18552864304"
FASHION_MNIST_TRAIN = 60_000  # object_id of the first official test image
FASHION_MNIST_CLASSES = (
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


@dataclass(frozen=True)
class ImageSet:
    """Labelled images of one size.

    Attributes:
        name: the key in `IMAGE_SETS`.
        images: uint8, `(n, height, width)` or `(n, height, width, 3)`.
        labels: the class of each image, int64, `(n,)`.
        object_ids: the index in the official set, training images first, int64, `(n,)`.
        official_split: "train" or "test", `(n,)`.
        classes: the name of each class.
    """

    name: str
    images: np.ndarray
    labels: np.ndarray
    object_ids: np.ndarray
    official_split: np.ndarray
    classes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.labels)


def load_images(name: str, directory: Path | None = None) -> ImageSet:
    """Load a set by its name in `IMAGE_SETS`.

    Args:
        name: the key in `IMAGE_SETS`.
        directory: where `weightspace.data.sources.fetch` put the files; bundled sets need none.

    Raises:
        ValueError: if the name is unknown, a directory is missing, or a file is damaged.
        FileNotFoundError: if a file is missing.
    """
    if name not in IMAGE_SETS:
        raise ValueError(f"unknown image set {name!r}; the sets are {', '.join(IMAGE_SETS)}")
    if not needs_directory(name):
        return IMAGE_SETS[name]()
    if directory is None:
        raise ValueError(f"image set {name!r} needs the directory its files were fetched into")
    return IMAGE_SETS[name](directory)


def needs_directory(name: str) -> bool:
    """Whether a set is read from a directory that `weightspace.data.sources.fetch` filled."""
    return name in FILES


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
    return _fashion_mnist("fashion_mnist_subset", **arrays)


def load_fashion_mnist(directory: Path) -> ImageSet:
    """Load the full set, 60,000 training and 10,000 test images, from four IDX files.

    Raises:
        FileNotFoundError: if one of the files is not in `directory`.
        ChecksumError: if one of the files has another content than the published one.

    Reference: Xiao, Rasul and Vollgraf 2017, Fashion-MNIST: a Novel Image Dataset for
        Benchmarking Machine Learning Algorithms.
    """
    parts = {}
    for file in FILES["fashion_mnist"]:
        path = Path(directory) / file.name
        if not path.is_file():
            raise FileNotFoundError(
                f"{path} is missing; fetch('fashion_mnist', directory) of "
                "weightspace.data.sources gets it, or put the decompressed file there by hand"
            )
        verify(path, file, str(path.parent))
        parts[file.name] = read_idx(path)
    images = [parts[f"{part}-images-idx3-ubyte"] for part in ("train", "t10k")]
    labels = [parts[f"{part}-labels-idx1-ubyte"] for part in ("train", "t10k")]
    return _fashion_mnist(
        "fashion_mnist",
        images=np.concatenate(images),
        labels=np.concatenate(labels).astype(np.int64),
        object_ids=np.arange(sum(map(len, labels))),
    )


def content_digest(arrays: dict[str, np.ndarray]) -> str:
    """The SHA-256 digest of named arrays: names, types, shapes and numbers."""
    digest = hashlib.sha256()
    for name, array in arrays.items():
        digest.update(f"{name} {array.dtype.str} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def _fashion_mnist(
    name: str, images: np.ndarray, labels: np.ndarray, object_ids: np.ndarray
) -> ImageSet:
    """A set of Fashion-MNIST images; the official split follows from the object_ids."""
    official_split = np.where(object_ids < FASHION_MNIST_TRAIN, "train", "test")
    return ImageSet(name, images, labels, object_ids, official_split, FASHION_MNIST_CLASSES)


IMAGE_SETS: dict[str, Callable[..., ImageSet]] = {
    "fashion_mnist_subset": load_bundled_fashion_mnist,
    "fashion_mnist": load_fashion_mnist,
}

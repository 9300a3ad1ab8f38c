"""CIFAR-10: photographs of animals and vehicles, 32 x 32, in colour."""

from pathlib import Path

import numpy as np

from weightspace.data.image_set import ImageSet, official_files, official_set

__all__ = ["load_cifar10", "read_batch"]

CLASSES = (
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
)
_SHAPE = (3, 32, 32)
_RECORD = 1 + 3 * 32 * 32  # bytes


def load_cifar10(directory: Path) -> ImageSet:
    """Load the full set, 50,000 training and 10,000 test images, from the six binary batches.

    Raises:
        FileNotFoundError: if one of the files is not in `directory`.
        ChecksumError: if one of the files has another content than the published one.

    Reference: Krizhevsky 2009, Learning Multiple Layers of Features from Tiny Images.
    """
    *train, test = map(read_batch, official_files("cifar10", directory))
    images, labels = (np.concatenate(parts) for parts in zip(*train, strict=True))
    return official_set("cifar10", (images, labels), test, CLASSES)


def read_batch(path: Path | str) -> tuple[np.ndarray, np.ndarray]:
    """Read a batch of the official binary version.

    A record is the label, then the red, the green and the blue values of the image, each row
    by row; one byte each.

    Returns:
        The images, uint8, `(n, 32, 32, 3)`, and the labels, uint8, `(n,)`.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the file does not hold whole records.
    """
    content = np.fromfile(path, dtype=np.uint8)
    if len(content) % _RECORD:
        raise ValueError(
            f"{path} holds {len(content)} bytes; a CIFAR-10 batch is made of records of "
            f"{_RECORD} bytes: the file is truncated or damaged, fetch it again"
        )
    records = content.reshape(-1, _RECORD)
    images = records[:, 1:].reshape(-1, *_SHAPE).transpose(0, 2, 3, 1)
    return np.ascontiguousarray(images), records[:, 0].copy()

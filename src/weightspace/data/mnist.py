"""MNIST: handwritten digits, 28 x 28, grey."""

from pathlib import Path

from weightspace.data.idx import read_idx
from weightspace.data.image_set import ImageSet, official_files, official_set

__all__ = ["load_mnist"]

CLASSES = tuple("0123456789")


def load_mnist(directory: Path) -> ImageSet:
    """Load the full set, 60,000 training and 10,000 test images, from four IDX files.

    The classes differ in size: 5,421 to 6,742 training and 892 to 1,135 test images.

    Raises:
        FileNotFoundError: if one of the files is not in `directory`.
        ChecksumError: if one of the files has another content than the published one.

    Reference: LeCun, Bottou, Bengio and Haffner 1998, Gradient-based learning applied to
        document recognition.
    """
    train_images, train_labels, test_images, test_labels = map(
        read_idx, official_files("mnist", directory)
    )
    return official_set("mnist", (train_images, train_labels), (test_images, test_labels), CLASSES)

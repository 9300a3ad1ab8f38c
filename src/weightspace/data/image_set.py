"""Labelled images, and the official sets among them."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from weightspace.data.checksums import verify
from weightspace.data.files import FILES

__all__ = ["ImageSet", "official_files", "official_set"]


@dataclass(frozen=True)
class ImageSet:
    """Labelled images of one size.

    Attributes:
        name: the key in `weightspace.data.images.IMAGE_SETS`.
        images: uint8, `(n, height, width)` or `(n, height, width, 3)`.
        labels: the class of each image, int64, `(n,)`.
        object_ids: the index in the whole set, training images first, int64, `(n,)`.
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


def official_files(name: str, directory: Path) -> list[Path]:
    """Find the files of an official set, in the order of `FILES`, and verify their content.

    Raises:
        FileNotFoundError: if one of the files is not in `directory`.
        ChecksumError: if one of the files has another content than the published one.
    """
    paths = [Path(directory) / file.name for file in FILES[name]]
    for file, path in zip(FILES[name], paths, strict=True):
        if not path.is_file():
            raise FileNotFoundError(
                f"{path} is missing: delete the mark {Path(directory)}.complete, which says that "
                "it was fetched, and run snakemake again, or put the decompressed file there by "
                "hand"
            )
        verify(path, file, str(path.parent))
    return paths


def official_set(
    name: str,
    train: tuple[np.ndarray, np.ndarray],
    test: tuple[np.ndarray, np.ndarray],
    classes: tuple[str, ...],
) -> ImageSet:
    """A whole official set, from the images and the labels of its two splits."""
    images, labels = (np.concatenate(parts) for parts in zip(train, test, strict=True))
    return ImageSet(
        name=name,
        images=images,
        labels=labels.astype(np.int64),
        object_ids=np.arange(len(labels)),
        official_split=np.repeat(["train", "test"], [len(train[1]), len(test[1])]),
        classes=classes,
    )

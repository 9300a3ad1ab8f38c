"""The objects of a study: chosen images with their labels and splits."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from weightspace.data.archive import read_npz, write_npz

__all__ = ["Objects", "read_objects", "write_objects"]


@dataclass(frozen=True)
class Objects:
    """The objects of a study, in the order of their object_ids.

    Attributes:
        dataset: the image set they were chosen from.
        images: uint8, `(n, height, width)` or `(n, height, width, 3)`.
        labels: the class of each object, int64, `(n,)`.
        object_ids: the index in the official set, int64, `(n,)`.
        splits: "train", "val" or "test", `(n,)`.
        classes: the name of each class.

    Raises:
        ValueError: if the lengths differ or an object occurs twice.
    """

    dataset: str
    images: np.ndarray
    labels: np.ndarray
    object_ids: np.ndarray
    splits: np.ndarray
    classes: tuple[str, ...]

    def __post_init__(self) -> None:
        lengths = {name: len(getattr(self, name)) for name in ("images", *_COLUMNS)}
        if len(set(lengths.values())) > 1:
            raise ValueError(f"Objects needs one entry per object everywhere; got {lengths}")
        ids, counts = np.unique(self.object_ids, return_counts=True)
        if (twice := ids[counts > 1]).size:
            raise ValueError(
                f"Objects needs every object once; object_id {twice[0]} is there "
                f"{counts.max()} times"
            )

    def __len__(self) -> int:
        return len(self.object_ids)


_COLUMNS = ("labels", "object_ids", "splits")


def write_objects(path: Path, objects: Objects) -> None:
    """Write objects to an .npz file in one step; equal objects give equal bytes."""
    write_npz(
        Path(path),
        {
            "dataset": np.array(objects.dataset),
            "images": objects.images,
            "labels": objects.labels,
            "object_ids": objects.object_ids,
            "splits": objects.splits,
            "classes": np.array(objects.classes),
        },
    )


def read_objects(path: Path) -> Objects:
    """Read what `write_objects` wrote.

    Raises:
        FileNotFoundError: if there is no such file.
        ArchiveError: if the file is damaged or something else.
    """
    arrays = read_npz(Path(path), ("dataset", "images", *_COLUMNS, "classes"))
    dataset, classes = str(arrays.pop("dataset")), arrays.pop("classes")
    return Objects(dataset=dataset, classes=tuple(str(c) for c in classes), **arrays)

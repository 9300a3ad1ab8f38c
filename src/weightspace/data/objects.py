"""The images of a study, with their labels and splits."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from weightspace.data.archive import write_npz
from weightspace.data.study_objects import StudyObjects, read_columns_and

__all__ = ["Objects", "read_objects", "write_objects"]


@dataclass(frozen=True, kw_only=True)
class Objects(StudyObjects):
    """The images of a study, in the order of their object_ids; see `StudyObjects`.

    Attributes:
        images: uint8, `(n, height, width)` or `(n, height, width, 3)`.

    Raises:
        ValueError: if the lengths differ or an object occurs twice.
    """

    images: np.ndarray

    @classmethod
    def _per_object(cls) -> tuple[str, ...]:
        return (*super()._per_object(), "images")


def write_objects(path: Path, objects: Objects) -> None:
    """Write objects to an .npz file in one step; equal objects give equal bytes."""
    write_npz(Path(path), {**objects.columns(), "images": objects.images})


def read_objects(path: Path) -> Objects:
    """Read what `write_objects` wrote.

    Raises:
        FileNotFoundError: if there is no such file.
        ArchiveError: if the file is damaged or something else.
    """
    return Objects(**read_columns_and(("images",), Path(path)))

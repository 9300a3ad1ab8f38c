"""What is known of the objects of a study, be they images or shapes."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from weightspace.data.archive import read_npz

__all__ = ["StudyObjects", "read_columns_and", "read_study_objects"]


@dataclass(frozen=True, kw_only=True)
class StudyObjects:
    """The objects of a study, in the order of their object_ids.

    Attributes:
        dataset: the set they were chosen from.
        labels: the class of each object, int64, `(n,)`.
        object_ids: the number of each in the whole set, int64, `(n,)`.
        splits: "train", "val" or "test", `(n,)`.
        classes: the name of each class.

    Raises:
        ValueError: if the lengths differ or an object occurs twice.
    """

    dataset: str
    labels: np.ndarray
    object_ids: np.ndarray
    splits: np.ndarray
    classes: tuple[str, ...]

    def __post_init__(self) -> None:
        lengths = {name: len(getattr(self, name)) for name in self._per_object()}
        if len(set(lengths.values())) > 1:
            raise ValueError(
                f"{type(self).__name__} needs one entry per object everywhere; got {lengths}"
            )
        ids, counts = np.unique(self.object_ids, return_counts=True)
        if (twice := ids[counts > 1]).size:
            raise ValueError(
                f"{type(self).__name__} needs every object once; object_id {twice[0]} is there "
                f"{counts.max()} times"
            )

    def __len__(self) -> int:
        return len(self.object_ids)

    @classmethod
    def _per_object(cls) -> tuple[str, ...]:
        """The attributes that have one entry per object."""
        return ("labels", "object_ids", "splits")

    def columns(self) -> dict[str, np.ndarray]:
        """The arrays of a file that `read_study_objects` reads."""
        return {
            "dataset": np.array(self.dataset),
            "labels": self.labels,
            "object_ids": self.object_ids,
            "splits": self.splits,
            "classes": np.array(self.classes, dtype=str),
        }


def read_study_objects(path: Path) -> StudyObjects:
    """Read what is known of the objects in a file of images or of shapes, without these.

    Raises:
        FileNotFoundError: if there is no such file.
        ArchiveError: if the file is damaged or something else.
    """
    return StudyObjects(**read_columns_and((), Path(path)))


def read_columns_and(names: tuple[str, ...], path: Path) -> dict[str, Any]:
    """Read the attributes of `StudyObjects` and some more arrays of a file.

    Raises:
        FileNotFoundError: if there is no such file.
        ArchiveError: if the file is damaged or something else.
    """
    arrays = read_npz(path, (*(field.name for field in fields(StudyObjects)), *names))
    dataset, classes = str(arrays.pop("dataset")), tuple(map(str, arrays.pop("classes")))
    return {"dataset": dataset, "classes": classes, **arrays}

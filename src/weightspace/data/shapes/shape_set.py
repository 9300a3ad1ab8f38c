"""Labelled meshes that are read when they are asked for."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from weightspace.data.shapes.mesh import Mesh

__all__ = ["ShapeSet"]


@dataclass(frozen=True)
class ShapeSet:
    """Labelled meshes of any size.

    Attributes:
        name: the key in `weightspace.data.shapes.shape_sets.SHAPE_SETS`.
        labels: the class of each object, int64, `(n,)`.
        object_ids: the number of each object in the whole set, int64, `(n,)`.
        official_split: "train", "test" and perhaps "val", `(n,)`.
        classes: the name of each class.
        titles: the name of the file of each object, relative to the set.
        load: reads the mesh of entry i as it is in the file; raises `MeshError` (or another
            `ValueError` or `OSError`) if it cannot be read.

    Raises:
        ValueError: if the lengths differ or a label has no class.
    """

    name: str
    labels: np.ndarray
    object_ids: np.ndarray
    official_split: np.ndarray
    classes: tuple[str, ...]
    titles: tuple[str, ...]
    load: Callable[[int], Mesh]

    def __post_init__(self) -> None:
        columns = ("labels", "object_ids", "official_split", "titles")
        lengths = {name: len(getattr(self, name)) for name in columns}
        if len(set(lengths.values())) > 1:
            raise ValueError(f"ShapeSet needs one entry per object everywhere; got {lengths}")
        if len(self.labels) and not 0 <= self.labels.min() <= self.labels.max() < len(self.classes):
            raise ValueError(
                f"ShapeSet has labels from {self.labels.min()} to {self.labels.max()}; with "
                f"{len(self.classes)} classes they must be from 0 to {len(self.classes) - 1}"
            )

    def __len__(self) -> int:
        return len(self.labels)

"""The points of one split as tensors on one device, for the baselines on raw objects."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32
from torch import Tensor

from weightspace.data.shapes.points import ShapePoints
from weightspace.data.study_objects import StudyObjects
from weightspace.dataset.examples import Dataset

__all__ = ["PointDataset", "load_point_datasets"]

KINDS = ("points", "queries")


@dataclass(frozen=True, kw_only=True)
class PointDataset(Dataset):
    """The points of shapes with their labels; a shape has one set of them, its view 0.

    Attributes:
        points: `(n, points, 3)` on the surfaces, or `(n, points, 4)` in space with the occupancy
            as the fourth number: 1 inside, -1 outside.
    """

    points: Float32[Tensor, "n points channels"]

    @property
    def inputs(self) -> Float32[Tensor, "n points channels"]:
        """The points."""
        return self.points

    @property
    def input_settings(self) -> dict[str, Any]:
        """How many numbers a point has."""
        return {"point_channels": self.points.shape[2]}


def load_point_datasets(
    parts: Iterable[ShapePoints], objects: StudyObjects, *, kind: str
) -> dict[str, PointDataset]:
    """Make the points of the objects of a study one dataset per split, on the CPU.

    A shape has as many points of either kind: the smaller of the numbers of its surface points
    and of its queries, from the front of both lists, which are in random order. Objects that
    were skipped when the study's objects were chosen are not in `objects`.

    Args:
        parts: of which each object of `objects` is in exactly one. They are taken one by one, so
            that a generator need not hold them all.
        objects: the objects of the study.
        kind: "points" on the surfaces, or "queries" with their occupancy.

    Raises:
        ValueError: if an object is in no part or in two, a part has an object that is not of
            `objects` or another number of points, or the kind is unknown.
    """
    if kind not in KINDS:
        raise ValueError(f"kind is {kind!r}; it must be one of {', '.join(KINDS)}")
    read = [(part.object_ids, _points(part, kind)) for part in parts]
    found = np.concatenate([ids for ids, _ in read]) if read else np.empty(0, dtype=np.int64)
    _require_each_once(found, objects.object_ids)
    numbers = {points.shape[1] for _, points in read}
    if len(numbers) > 1:
        raise ValueError(
            f"the parts have {' and '.join(map(str, sorted(numbers)))} points of each object; "
            "they must have one number: sample all parts again with the same settings"
        )
    row_of = {object_id: row for row, object_id in enumerate(found.tolist())}
    rows = [row_of[object_id] for object_id in objects.object_ids.tolist()]
    points = np.concatenate([points for _, points in read])[rows]
    return {
        split: _dataset(points, objects, objects.splits == split)
        for split in dict.fromkeys(objects.splits.tolist())
    }


def _points(part: ShapePoints, kind: str) -> np.ndarray:
    """The points of one part, `(n, points, 3 or 4)`, apart from the rest of it."""
    n = min(part.surface.shape[1], part.queries.shape[1])
    if kind == "points":
        return part.surface[:, :n].astype(np.float32)  # a copy
    occupancy = np.where(part.distances[:, :n, None] < 0, 1, -1)
    return np.concatenate([part.queries[:, :n], occupancy], axis=2, dtype=np.float32)


def _require_each_once(found: np.ndarray, wanted: np.ndarray) -> None:
    """Check that the objects found are those wanted, each once."""
    ids, counts = np.unique(found, return_counts=True)
    for problem, wrong in (
        ("are in no part", np.setdiff1d(wanted, ids)),
        ("are in the parts more than once", ids[counts > 1]),
        ("are not objects of the study", np.setdiff1d(ids, wanted)),
    ):
        if len(wrong):
            raise ValueError(
                f"{len(wrong)} objects {problem}, e.g. object_id {wrong[0]}; give all parts of "
                "the points of this study, each once"
            )


def _dataset(points: np.ndarray, objects: StudyObjects, rows: np.ndarray) -> PointDataset:
    object_ids = torch.from_numpy(objects.object_ids[rows]).long()
    return PointDataset(
        points=torch.from_numpy(points[rows]),
        labels=torch.from_numpy(objects.labels[rows]).long(),
        object_ids=object_ids,
        views=torch.zeros_like(object_ids),
        n_classes=len(objects.classes),
    )

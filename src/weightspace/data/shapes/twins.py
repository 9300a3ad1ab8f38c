"""Shapes that look the same: which of a set to keep."""

from collections.abc import Sequence

import numpy as np
import torch

from weightspace.data.shapes.distance import Surface
from weightspace.data.shapes.mesh import Mesh
from weightspace.data.shapes.sampling import sample_surface

__all__ = ["surface_distance", "without_twins"]

_SAME = 0.015  # mean distance of the surfaces of twins, in radii of the unit ball
_POINTS = 256  # on each surface
_EXTENT = 0.15  # twins have bounding boxes that differ by less, in every direction


class _Shape:
    """A surface with points on it."""

    def __init__(self, mesh: Mesh) -> None:
        self.surface = Surface(mesh)
        self.extent = np.ptp(mesh.vertices, axis=0)
        self.points = sample_surface(mesh, _POINTS, generator=torch.Generator().manual_seed(0))

    def alike(self, other: "_Shape") -> bool:
        """Whether two surfaces are those of twins."""
        differs = float(abs(self.extent - other.extent).max())
        return differs < _EXTENT and self.distance(other) <= _SAME

    def distance(self, other: "_Shape") -> float:
        """The mean distance of the points on each from the other."""
        there = other.surface.distance(self.points).mean()
        return float(self.surface.distance(other.points).mean() + there) / 2


def without_twins(meshes: Sequence[Mesh | None], labels: np.ndarray) -> np.ndarray:
    """Leave out what looks like an earlier one of its class.

    The meshes are visited in order, and one is left out if the surface of one that is kept and
    of the same class is within a mean distance of 0.015 of its own (`surface_distance`), which
    is less than one pixel of a picture of it with 128 x 128.

    Args:
        meshes: each in the unit ball; None for one that cannot be compared, which is kept.
        labels: the class of each, `(n,)`.

    Returns:
        The indices of those that are kept, ascending, int64.
    """
    kept: list[int] = []
    surfaces: dict[int, list[_Shape]] = {label: [] for label in np.unique(labels).tolist()}
    for i, (mesh, label) in enumerate(zip(meshes, labels.tolist(), strict=True)):
        if mesh is not None:
            surface = _Shape(mesh)
            if any(surface.alike(other) for other in surfaces[label]):
                continue
            surfaces[label].append(surface)
        kept.append(i)
    return np.array(kept, dtype=np.int64)


def surface_distance(a: Mesh, b: Mesh) -> float:
    """The mean distance from points on one surface to the other, both ways.

    From 256 points on each, drawn evenly by area and always the same; the distances are exact.
    """
    return _Shape(a).distance(_Shape(b))

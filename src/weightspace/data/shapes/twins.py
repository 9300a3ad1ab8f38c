"""Shapes that look the same: which of a set to keep."""

from collections.abc import Sequence
from itertools import permutations, product

import numpy as np
import torch

from weightspace.data.shapes.distance import Surface
from weightspace.data.shapes.mesh import Mesh
from weightspace.data.shapes.sampling import sample_surface

__all__ = ["lookalikes", "surface_distance", "without_twins"]

_SAME = 0.015  # mean distance of the surfaces of twins, in radii of the unit ball
_POINTS = 256  # on each surface
_EXTENT = 0.15  # twins have bounding boxes that differ by less, in every direction
# Positions are compared at few points first: (points, the mean distance up to which to go on).
_STAGES = ((6, 3 * _SAME), (40, 2 * _SAME))
# The 48 positions of a cube: turned by right angles, and mirrored.
_POSITIONS = np.array(
    [
        np.diag(signs) @ np.eye(3)[list(order)]
        for order in permutations(range(3))
        for signs in product((1.0, -1.0), repeat=3)
    ]
)


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

    def alike_somehow(self, other: "_Shape") -> bool:
        """Whether one turned by right angles, perhaps mirrored, is a twin of the other."""
        if abs(np.sort(self.extent) - np.sort(other.extent)).max() >= _EXTENT:
            return False
        positions = _POSITIONS
        for n, most in _STAGES:
            placed = (self.points[:n] @ positions).reshape(-1, 3)
            apart = other.surface.distance(placed).reshape(len(positions), n).mean(1)
            positions = positions[apart <= most]
        for position in positions:
            there = other.surface.distance(self.points @ position).mean()
            back = self.surface.distance(other.points @ position.T).mean()
            if (there + back) / 2 <= _SAME:
                return True
        return False

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


def lookalikes(meshes: Sequence[Mesh | None], labels: np.ndarray) -> np.ndarray:
    """Find what would be twins if one of the two were turned by right angles or mirrored.

    Such as the left and the right half of a pair.

    Args:
        meshes: each in the unit ball; None for one that cannot be compared.
        labels: the class of each, `(n,)`; only meshes of one class are compared.

    Returns:
        The pairs (i, j) with i > j, int64, `(pairs, 2)`.
    """
    shapes = [None if mesh is None else _Shape(mesh) for mesh in meshes]
    pairs = [
        (i, j)
        for i, shape in enumerate(shapes)
        for j, other in enumerate(shapes[:i])
        if labels[i] == labels[j] and shape and other and shape.alike_somehow(other)
    ]
    return np.array(pairs, dtype=np.int64).reshape(-1, 2)


def surface_distance(a: Mesh, b: Mesh) -> float:
    """The mean distance from points on one surface to the other, both ways.

    From 256 points on each, drawn evenly by area and always the same; the distances are exact.
    """
    return _Shape(a).distance(_Shape(b))

"""Polygons cut into triangles."""

from collections.abc import Sequence

import numpy as np

__all__ = ["fans"]


def fans(polygons: Sequence[Sequence[int]] | np.ndarray) -> np.ndarray:
    """Cut each polygon into the triangles between its first corner and its other edges.

    The boundary and the winding stay as they are, so flat polygons keep their winding number
    even where they are not convex. Points and lines, with fewer than three corners, give none.

    Args:
        polygons: the corners of each, as numbers of vertices; an array if all have as many.

    Returns:
        The triangles, in the order of the polygons, int64, `(f, 3)`.
    """
    if isinstance(polygons, np.ndarray) and polygons.ndim == 2:
        corners = [[0, i, i + 1] for i in range(1, polygons.shape[1] - 1)]
        return polygons[:, np.array(corners, dtype=np.int64)].reshape(-1, 3).astype(np.int64)
    triangles = [
        (polygon[0], polygon[i], polygon[i + 1])
        for polygon in polygons
        for i in range(1, len(polygon) - 1)
    ]
    return np.array(triangles, dtype=np.int64).reshape(-1, 3)

"""Points of all shapes of a job, with their signed distances."""

from collections.abc import Callable

import numpy as np

from weightspace.data.shapes.chosen import ShapeObjects
from weightspace.data.shapes.distance import signed_distance
from weightspace.data.shapes.points import ShapePoints
from weightspace.data.shapes.sampling import sample_queries, sample_surface
from weightspace.rng import stream

__all__ = ["sample_shapes"]


def sample_shapes(
    shapes: ShapeObjects,
    *,
    queries: int,
    surface: int,
    near: float,
    spread: float,
    seed: int,
    progress: Callable[[int, int], None] | None = None,
) -> ShapePoints:
    """Sample objects; each from its own streams (seed, "points", object, kind of points).

    So an object gets the same points in any sharding of the work, and more queries leave its
    surface points as they are. The distances are those of the queries as they are stored.

    Args:
        shapes: objects of a study.
        queries: the number of query points of each object.
        surface: the number of surface points of each object.
        near: the share of queries near the surface.
        spread: the standard deviation of their offset from it.
        seed: of the points; a study takes that of the choice of its objects.
        progress: called with the number of objects done and in all.

    Returns:
        The points, one entry per object.

    Raises:
        ValueError: as `sample_queries`.
    """
    shape = (len(shapes), queries)
    points = ShapePoints(
        object_ids=shapes.object_ids,
        queries=np.empty((*shape, 3), dtype=np.float32),
        distances=np.empty(shape, dtype=np.float32),
        surface=np.empty((len(shapes), surface, 3), dtype=np.float32),
    )
    for i, (mesh, object_id) in enumerate(zip(shapes.meshes, shapes.object_ids, strict=True)):
        name = ("points", int(object_id))
        points.queries[i] = sample_queries(
            mesh, queries, near=near, spread=spread, generator=stream(seed, *name, "queries")
        )
        points.distances[i] = signed_distance(mesh, points.queries[i])
        points.surface[i] = sample_surface(mesh, surface, generator=stream(seed, *name, "surface"))
        if progress is not None:
            progress(i + 1, len(shapes))
    return points

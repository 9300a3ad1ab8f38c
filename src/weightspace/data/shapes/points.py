"""The points of shapes: where they are described, how far the surface is, and points on it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from weightspace.data.archive import read_npz, write_npz

__all__ = ["ShapePoints", "read_points", "shape_signal", "write_points"]


@dataclass(frozen=True)
class ShapePoints:
    """Points of some objects, in the unit of their meshes (the unit ball).

    Attributes:
        object_ids: the objects, int64, `(n,)`.
        queries: points near the surface and in the cube, in random order, float32, `(n, p, 3)`.
        distances: the signed distance at the queries, negative inside, float32, `(n, p)`.
        surface: points on the surface, float32, `(n, s, 3)`.

    Raises:
        ValueError: if the shapes do not fit together.
    """

    object_ids: np.ndarray
    queries: np.ndarray
    distances: np.ndarray
    surface: np.ndarray

    def __post_init__(self) -> None:
        shapes = {name: getattr(self, name).shape for name in _ARRAYS}
        n, points = len(self.object_ids), self.queries.shape[1:2]
        fits = {
            "object_ids": (n,),
            "queries": (n, *points, 3),
            "distances": (n, *points),
            "surface": (n, *self.surface.shape[1:2], 3),
        }
        if shapes != fits:
            raise ValueError(
                "ShapePoints needs object_ids (n,), queries (n, p, 3), distances (n, p) and "
                f"surface (n, s, 3); got {shapes}"
            )

    def __len__(self) -> int:
        return len(self.object_ids)


_ARRAYS = ("object_ids", "queries", "distances", "surface")


def shape_signal(
    distances: np.ndarray, *, kind: Literal["sdf", "occupancy"], truncation: float
) -> Float[Tensor, "n points 1"]:
    """Signed distances d as a signal in [0, 1] that is above 1/2 inside.

    "sdf" is clamp(1/2 - d / (2 truncation), 0, 1): linear in the distance up to `truncation`,
    flat beyond. "occupancy" is 1 inside (d < 0) and 0 elsewhere.

    Args:
        distances: negative inside, `(n, p)`.
        kind: "sdf" or "occupancy".
        truncation: the distance at which "sdf" becomes flat, in the unit of `distances`;
            "occupancy" has no use for it.

    Returns:
        float32.

    Raises:
        ValueError: if the kind is unknown or `truncation` is not positive.
    """
    d = torch.from_numpy(np.asarray(distances, dtype=np.float32))[..., None]
    if kind == "occupancy":
        return (d < 0).float()
    if kind != "sdf":
        raise ValueError(f'the kind of signal is "{kind}"; it must be "sdf" or "occupancy"')
    if not truncation > 0:
        raise ValueError(f"truncation is {truncation}; it must be positive")
    return (0.5 - d / (2 * truncation)).clamp(0, 1)


def write_points(path: Path, points: ShapePoints) -> None:
    """Write points to an .npz file in one step; equal points give equal bytes."""
    write_npz(Path(path), {name: getattr(points, name) for name in _ARRAYS})


def read_points(path: Path) -> ShapePoints:
    """Read what `write_points` wrote.

    Raises:
        FileNotFoundError: if there is no such file.
        ArchiveError: if the file is damaged or something else.
    """
    return ShapePoints(**read_npz(Path(path), _ARRAYS))

"""Signals: what the networks of objects are to show, and at which points."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from weightspace.data.coordinates import grid
from weightspace.data.shapes.points import ShapePoints, shape_signal

__all__ = ["Signals", "image_signals", "shape_signals"]


@dataclass(frozen=True)
class Signals:
    """The functions of some objects, each known at points.

    Attributes:
        values: in [0, 1], float32, `(n, points, d_out)`.
        coords: the points, `(points, d_in)` for all objects or `(n, points, d_in)`.
        description: of the points and values, for the header of the fitted networks; JSON.
        points_per_step: how many of the points a step of a fit sees; None for all of them.
    """

    values: Tensor
    coords: Tensor
    description: dict[str, Any]
    points_per_step: int | None = None


def image_signals(images: np.ndarray) -> Signals:
    """Images as functions on the grid of their pixels, `weightspace.data.coordinates.grid`.

    Args:
        images: uint8, `(n, height, width)` or `(n, height, width, 3)`.

    Returns:
        One output for grey images, three for colours.
    """
    n, height, width, *channels = images.shape
    flat = images.reshape(n, height * width, *(channels or [1]))
    return Signals(
        torch.from_numpy(flat.astype(np.float32)) / 255,
        grid((height, width)),
        {"shape": [height, width], "range": [-1.0, 1.0], "order": "C", "axes": "ij"},
    )


def shape_signals(
    points: ShapePoints,
    *,
    signal: Literal["sdf", "occupancy"],
    truncation: float,
    near: float,
    spread: float,
    per_step: int | None = None,
) -> Signals:
    """Shapes as functions on the cube [-1, 1]^3 that are above 1/2 inside; see `shape_signal`.

    Args:
        points: of the objects.
        signal: "sdf" or "occupancy".
        truncation: the distance at which "sdf" becomes flat.
        near: the share of the points that was sampled near the surface, for the description.
        spread: the standard deviation of their offset from it, for the description.
        per_step: how many of the points a step of a fit sees; None for all of them.
    """
    return Signals(
        shape_signal(points.distances, kind=signal, truncation=truncation),
        torch.from_numpy(points.queries),
        {
            "signal": signal,
            "truncation": truncation if signal == "sdf" else None,
            "level": 0.5,
            "inside": "above",
            "range": [-1.0, 1.0],
            "points": points.queries.shape[1],
            "near": near,
            "spread": spread,
        },
        per_step,
    )

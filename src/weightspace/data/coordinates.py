"""The coordinates at which a signal is known."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["grid"]


def grid(shape: Sequence[int]) -> Float[Tensor, "points d"]:
    """The grid of pixel centres: each axis runs from -1 to 1 in equal steps.

    The first coordinate goes along the first array axis (rows, downwards). Points come in C
    order, so `image.reshape(-1)[i]` is the pixel at `grid(image.shape)[i]`.

    Args:
        shape: the number of points on each axis.

    Returns:
        The coordinates, float32, without unit.

    Raises:
        ValueError: if there is no axis, or an axis of fewer than two points.
    """
    if not shape or min(shape) < 2:
        raise ValueError(f"shape {tuple(shape)} needs at least one axis, of two points or more")
    axes = [torch.linspace(-1, 1, n) for n in shape]
    return torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1).reshape(-1, len(axes))

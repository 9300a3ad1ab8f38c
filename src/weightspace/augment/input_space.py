"""Augmentations of what a network represents: it is rotated, scaled or translated, exactly.

Each draws one A or t per network and gives the network of x -> f(A x + t); see
`weightspace.symmetry.input_transform`.

Reference: Shamsian et al. 2024 (input-space augmentations; the defaults are those of the
published code, whose translation also moves deeper biases, which is wrong).
"""

from dataclasses import dataclass
from math import inf, radians
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from weightspace.symmetry.input_transform import transform_inputs
from weightspace.weights import Weights

__all__ = ["Rotate", "Scale", "Translate"]

AXES = {"x": 0, "y": 1, "z": 2}


@dataclass(frozen=True)
class Rotate:
    """Rotate the inputs about the origin by phi ~ U(-max_angle, max_angle).

    With two inputs the rotation is in their plane. With three it is about an axis: a uniformly
    random direction, or the fixed one named by `axis`.

    Attributes:
        max_angle: in degrees, in [0, 180]; 0 is the identity.
        axis: of networks with three inputs: x, y or z (the first, second or third input);
            None draws one.

    Raises:
        ValueError: if the angle is out of its range; when called, if the networks have neither
            two nor three inputs, or two and an axis is named.
    """

    max_angle: float = 30.0
    axis: Literal["x", "y", "z"] | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.max_angle <= 180:
            raise ValueError(
                f"Rotate max_angle is {self.max_angle}; it must be in [0, 180], in degrees"
            )

    def __call__(self, w: Weights, *, generator: torch.Generator) -> Weights:
        """Return rotated networks; one angle, and one random axis, per network."""
        d_in = w.layer_layout[0]
        if d_in not in (2, 3) or (d_in == 2 and self.axis is not None):
            raise ValueError(
                f"Rotate with axis {self.axis} was given networks with {d_in} inputs; it needs "
                f"3 inputs, or 2 and axis None"
            )
        limit = radians(self.max_angle)
        angle = _uniform(w, (), -limit, limit, generator)
        matrix = rotation_2d(angle) if d_in == 2 else rotation_3d(self._axes(w, generator), angle)
        return transform_inputs(w, matrix, angle.new_zeros(len(w), d_in))

    def _axes(self, w: Weights, generator: torch.Generator) -> Float[Tensor, "batch 3"]:
        """The unit vector that each network is rotated about."""
        if self.axis is None:
            normal = torch.randn(len(w), 3, generator=generator, device=w.device, dtype=w.dtype)
            return normal / normal.norm(dim=1, keepdim=True)
        return torch.eye(3, device=w.device, dtype=w.dtype)[AXES[self.axis]].expand(len(w), 3)


@dataclass(frozen=True)
class Scale:
    """Multiply the inputs by c ~ U(low, high).

    Attributes:
        low: the least factor, positive.
        high: the greatest factor; low = high = 1 is the identity.

    Raises:
        ValueError: if the factors are not 0 < low <= high.
    """

    low: float = 0.8
    high: float = 1.2

    def __post_init__(self) -> None:
        if not 0 < self.low <= self.high < inf:
            raise ValueError(
                f"Scale low is {self.low} and high {self.high}; they must be 0 < low <= high"
            )

    def __call__(self, w: Weights, *, generator: torch.Generator) -> Weights:
        """Return networks of scaled inputs; one factor per network."""
        d_in = w.layer_layout[0]
        factor = _uniform(w, (), self.low, self.high, generator)
        matrix = factor[:, None, None] * torch.eye(d_in, device=w.device, dtype=w.dtype)
        return transform_inputs(w, matrix, factor.new_zeros(len(w), d_in))


@dataclass(frozen=True)
class Translate:
    """Add t to the inputs, with t_i ~ U(-max_shift, max_shift) for each coordinate.

    Attributes:
        max_shift: in the units of the inputs, at least 0; 0 is the identity.

    Raises:
        ValueError: if the shift is negative.
    """

    max_shift: float = 0.25

    def __post_init__(self) -> None:
        if not 0 <= self.max_shift < inf:
            raise ValueError(f"Translate max_shift is {self.max_shift}; it must be at least 0")

    def __call__(self, w: Weights, *, generator: torch.Generator) -> Weights:
        """Return networks of translated inputs; one shift per network."""
        d_in = w.layer_layout[0]
        shift = _uniform(w, (d_in,), -self.max_shift, self.max_shift, generator)
        identity = torch.eye(d_in, device=w.device, dtype=w.dtype)
        return transform_inputs(w, identity.expand(len(w), d_in, d_in), shift)


def rotation_2d(angle: Float[Tensor, " batch"]) -> Float[Tensor, "batch 2 2"]:
    """The rotations of the plane by `angle`, in radians."""
    cos, sin = angle.cos(), angle.sin()
    return torch.stack([torch.stack([cos, -sin], 1), torch.stack([sin, cos], 1)], 1)


def rotation_3d(
    axis: Float[Tensor, "batch 3"], angle: Float[Tensor, " batch"]
) -> Float[Tensor, "batch 3 3"]:
    """The rotations about unit vectors: I + sin(angle) K + (1 - cos(angle)) K^2.

    K is the matrix of the cross product with `axis` (Rodrigues' formula); `angle` is in radians.
    """
    identity = torch.eye(3, device=axis.device, dtype=axis.dtype).expand(len(axis), 3, 3)
    cross = torch.linalg.cross(axis[:, None, :], identity, dim=2).mT  # column i: axis x e_i
    sin, cos = angle.sin()[:, None, None], angle.cos()[:, None, None]
    return identity + sin * cross + (1 - cos) * (cross @ cross)


def _uniform(
    w: Weights, shape: tuple[int, ...], low: float, high: float, generator: torch.Generator
) -> Float[Tensor, "batch *shape"]:
    """Numbers from U(low, high) for each network."""
    uniform = torch.rand(len(w), *shape, generator=generator, device=w.device, dtype=w.dtype)
    return low + (high - low) * uniform

"""Augmentations that add noise to the weights, so change the function a little."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from weightspace.weights import Weights

__all__ = ["GaussianNoise"]


@dataclass(frozen=True)
class GaussianNoise:
    """Add independent Gaussian noise to every entry: x <- x + N(0, (scale std)^2).

    std is the population standard deviation over the entries of that tensor (one weight
    matrix or one bias vector) of that network, so noise is in proportion to what it is added
    to, network by network. A tensor of a single entry has std 0 and gets none.

    Attributes:
        scale: the deviation of the noise in units of std, at least 0; 0 is the identity.

    Raises:
        ValueError: if the scale is negative.

    Reference: Shamsian et al. 2024 (the default is that of the published code).
    """

    scale: float = 0.32

    def __post_init__(self) -> None:
        if not self.scale >= 0:
            raise ValueError(f"GaussianNoise scale is {self.scale}; it must be at least 0")

    def __call__(self, w: Weights, *, generator: torch.Generator) -> Weights:
        """Return noisy networks; one draw per network and entry."""

        def add(x: Float[Tensor, "batch *shape"]) -> Float[Tensor, "batch *shape"]:
            std = x.flatten(1).std(1, correction=0).view(-1, *[1] * (x.ndim - 1))
            noise = torch.randn(x.shape, generator=generator, device=x.device, dtype=x.dtype)
            return x + self.scale * std * noise

        return w.map(add)

"""Fourier features of single numbers."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

__all__ = ["FourierEmbedding"]


class FourierEmbedding(nn.Module):
    """x -> W [sin(f x), cos(f x)] + b, with frequencies f drawn once from N(0, 1).

    The frequencies are a buffer and not learned. Standardised weights have deviation 1, so
    the features vary over a deviation or more: they tell large from small weights and hardly
    see differences far below a deviation.

    Args:
        width: the channels that come out.
        frequencies: how many frequencies to draw.

    Reference: Tancik et al. 2020, Fourier Features Let Networks Learn High Frequency Functions.
    """

    frequencies: Tensor

    def __init__(self, width: int, *, frequencies: int = 128) -> None:
        super().__init__()
        self.register_buffer("frequencies", torch.randn(frequencies))
        self.linear = nn.Linear(2 * frequencies, width)

    def forward(self, x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape width"]:
        """Return the embedding of every number in `x`."""
        angles = x[..., None] * self.frequencies
        return self.linear(torch.cat([angles.sin(), angles.cos()], dim=-1))

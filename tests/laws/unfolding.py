"""Folded features back to networks, so that the laws of networks can judge them."""

from collections.abc import Sequence

from weightspace.models.folding import Folded
from weightspace.weights import Weights


def unfold(x: Folded, layer_layout: Sequence[int]) -> Weights:
    """The networks, with one channel axis, whose folded form is `x`: undoes `fold`."""
    d_in, d_out = layer_layout[0], layer_layout[-1]
    c = x.scalars.shape[1] // d_out
    vectors = list(x.vectors)
    vectors[-1], last = vectors[-1].tensor_split([-d_out * c], dim=-1)
    vectors[0], first = vectors[0].tensor_split([-d_in * c], dim=-1)
    first = first.unflatten(-1, (d_in, c))  # (batch, n, d_0, c)
    last = last.unflatten(-1, (d_out, c)).transpose(1, 2)  # (batch, d_L, n, c)
    output_bias = x.scalars.unflatten(-1, (d_out, c))
    return Weights((first, *x.matrices, last), (*vectors, output_bias))

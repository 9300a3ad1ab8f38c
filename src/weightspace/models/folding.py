"""Folding: the axes that no symmetry permutes become channels of the hidden neurons."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from weightspace.weights import Weights

__all__ = ["Channels", "Folded", "fold", "folded_channels"]


@dataclass(frozen=True)
class Folded:
    """Features of a batch of networks, over their H hidden layers of n_1, ..., n_H neurons only.

    The input axis d_0 and the output axis d_L are never permuted, so the first and the last
    weights need no axis for them: one kind of matrix, one kind of vector and scalars remain.

    Attributes:
        matrices: one `(batch, n[h+1], n[h], channels)` per pair of neighbouring hidden layers; none
            where only their means are of use and these are given.
        vectors: one `(batch, n[h], channels_h)` per hidden layer.
        scalars: `(batch, channels)`, what belongs to the network as a whole.
        means: the mean of every row and of every column of each matrix, where what made the
            matrices has found them on the way; None where they are yet to be computed.
    """

    matrices: tuple[Tensor, ...]
    vectors: tuple[Tensor, ...]
    scalars: Tensor
    means: tuple[tuple[Tensor, Tensor], ...] | None = None


@dataclass(frozen=True)
class Channels:
    """The number of channels of every matrix, of each vector, and of the scalars."""

    matrix: int
    vectors: tuple[int, ...]
    scalars: int


def folded_channels(layer_layout: Sequence[int], channels: int = 1) -> Channels:
    """Return the channels of the folded form of networks with `channels` per weight.

    Raises:
        ValueError: if there is no hidden layer.
    """
    _require_hidden_layer(layer_layout)
    vectors = [channels] * (len(layer_layout) - 2)  # the hidden biases
    vectors[0] += layer_layout[0] * channels  # the input weights
    vectors[-1] += layer_layout[-1] * channels  # the output weights
    return Channels(channels, tuple(vectors), layer_layout[-1] * channels)


def fold(w: Weights) -> Folded:
    """Fold: the input and output weights join the hidden biases, the output bias is the scalars.

    Args:
        w: networks with at most one channel axis; none counts as one channel.

    Raises:
        ValueError: if there is no hidden layer, or more than one channel axis.
    """
    _require_hidden_layer(w.layer_layout)
    if len(w.channels) > 1:
        raise ValueError(f"fold takes weights with at most one channel axis; got {w.channels}")
    if not w.channels:
        w = w.map(lambda x: x.unsqueeze(-1))
    first, *matrices, last = w.weights  # (batch, n, d_0, c), ..., (batch, d_L, n, c)
    *vectors, output_bias = w.biases
    vectors[0] = torch.cat([vectors[0], first.flatten(2)], dim=-1)
    vectors[-1] = torch.cat([vectors[-1], last.transpose(1, 2).flatten(2)], dim=-1)
    return Folded(tuple(matrices), tuple(vectors), output_bias.flatten(1))


def _require_hidden_layer(layer_layout: Sequence[int]) -> None:
    if len(layer_layout) < 3 or min(layer_layout) < 1:
        raise ValueError(
            f"layer_layout {tuple(layer_layout)} has no hidden layer, or an empty layer; "
            f"folding needs at least three positive widths, such as (2, 32, 1)"
        )

"""A network as a graph: its neurons are the nodes, its weights the edges."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from weightspace.models.fourier import FourierEmbedding
from weightspace.weights import Weights

__all__ = ["EdgeBlock", "GraphEmbedding", "dense_edges", "layer_slices"]


@dataclass(frozen=True)
class EdgeBlock:
    """The features of the edges between some nodes; where no block lies they are zero.

    Attributes:
        rows: the nodes that receive, among the rows that are looked at.
        columns: the nodes that send.
        features: `(batch, rows, columns, d_edge)`; `[:, i, j]` belongs to the edge from j to i,
            as the entries of a weight matrix do.
    """

    rows: slice
    columns: slice
    features: Tensor


def layer_slices(layer_layout: Sequence[int]) -> list[slice]:
    """Where the neurons of each layer lie among all nodes, input neurons first."""
    ends = [0, *accumulate(layer_layout)]
    return [slice(a, b) for a, b in pairwise(ends)]


def dense_edges(blocks: Sequence[EdgeBlock], n: int) -> Float[Tensor, "batch n n d_edge"]:
    """Return all edge features of a graph of `n` nodes, given one block per layer, in order."""
    rows = [
        F.pad(b.features, (0, 0, b.columns.start, n - b.columns.stop)) for b in blocks
    ]  # (batch, rows, n, d_edge)
    inputs = rows[0].new_zeros(len(rows[0]), blocks[0].rows.start, *rows[0].shape[2:])
    return torch.cat([inputs, *rows], dim=1)


class GraphEmbedding(nn.Module):
    """Nodes carry the bias and say what kind of neuron they are; edges carry the weight.

    A neuron of the inputs or outputs has a position of its own, since no symmetry moves it; the
    neurons of a hidden layer share one, so that they may come in any order.

    Args:
        layer_layout: the widths (d_0, ..., d_L) of the networks.
        d_node: the channels of a node.
        d_edge: the channels of an edge.
    """

    kinds: Tensor

    def __init__(self, layer_layout: Sequence[int], d_node: int, d_edge: int) -> None:
        super().__init__()
        first, *hidden, last = layer_layout
        self.slices = layer_slices(layer_layout)
        self.bias = FourierEmbedding(d_node)
        self.weight = FourierEmbedding(d_edge)
        self.positions = nn.Parameter(torch.randn(first + len(hidden) + last, d_node))
        kinds = [*range(first), *(first + h for h, n in enumerate(hidden) for _ in range(n))]
        kinds += range(first + len(hidden), len(self.positions))
        self.register_buffer("kinds", torch.tensor(kinds), persistent=False)

    def forward(self, w: Weights) -> tuple[Float[Tensor, "batch n d_node"], list[EdgeBlock]]:
        """Return the nodes, and the edges of each layer."""
        no_bias = w.biases[0].new_zeros(len(w), self.slices[0].stop)
        nodes = self.bias(torch.cat([no_bias, *w.biases], dim=1)) + self.positions[self.kinds]
        edges = [
            EdgeBlock(rows, columns, self.weight(x))
            for (columns, rows), x in zip(pairwise(self.slices), w.weights, strict=True)
        ]
        return nodes, edges

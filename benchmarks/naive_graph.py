"""The relational graph transformer as it is written down: dense tensors and plain autograd.

Every pair of nodes has an edge, zero where there is no weight, and every layer updates all nodes
and all edges. The names of the parameters are those of `weightspace.models.graph_transformer`, so
that one state serves both. Written after Kofinas et al. 2024, Graph Neural Networks for Learning
Equivariant Representations of Neural Networks, and Diao and Loynd 2023, Relational Attention.
"""

from itertools import pairwise

import torch
from torch import Tensor, nn

from weightspace.models.fourier import FourierEmbedding
from weightspace.models.graph import layer_slices
from weightspace.weights import Weights


class Embedding(nn.Module):
    """Biases become nodes, weights become edges."""

    def __init__(self, layout: tuple[int, ...], d_node: int, d_edge: int) -> None:
        super().__init__()
        first, *hidden, last = layout
        self.slices = layer_slices(layout)
        self.bias, self.weight = FourierEmbedding(d_node), FourierEmbedding(d_edge)
        self.positions = nn.Parameter(torch.randn(first + len(hidden) + last, d_node))
        sizes = torch.tensor([1] * first + hidden + [1] * last)
        kinds = torch.arange(len(sizes)).repeat_interleave(sizes)
        self.register_buffer("kinds", kinds, persistent=False)

    def forward(self, w: Weights) -> tuple[Tensor, Tensor]:
        """Nodes (batch, n, d_node) and edges (batch, n, n, d_edge)."""
        no_bias = w.biases[0].new_zeros(len(w), self.slices[0].stop)
        nodes = self.bias(torch.cat([no_bias, *w.biases], dim=1)) + self.positions[self.kinds]
        n = nodes.shape[1]
        edges = nodes.new_zeros(len(w), n, n, self.weight.linear.out_features)
        for (columns, rows), x in zip(pairwise(self.slices), w.weights, strict=True):
            edges[:, rows, columns] = self.weight(x)
        return nodes, edges


class Attention(nn.Module):
    """Queries, keys and values of every pair, then the softmax over the senders."""

    def __init__(self, d_node: int, d_edge: int, d: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value = (nn.Linear(d_node, d) for _ in range(3))
        self.edge = nn.Linear(d_edge, 4 * d, bias=False)
        self.out = nn.Linear(d, d_node)

    def forward(self, x: Tensor, e: Tensor) -> Tensor:
        """What every node gets."""
        of_q, of_k, scale, shift = self.edge(e).chunk(4, dim=-1)
        q = self.query(x)[:, :, None] + of_q
        k = self.key(x)[:, None] + of_k
        v = self.value(x)[:, None] * (1 + scale) + shift
        q, k, v = (t.unflatten(-1, (self.heads, -1)) for t in (q, k, v))
        a = ((q * k).sum(-1) / q.shape[-1] ** 0.5).softmax(dim=2)  # (batch, n, n, heads)
        return self.out((a[..., None] * v).sum(2).flatten(2))


class Nodes(nn.Module):
    """Attention and an MLP, each followed by a sum and a norm."""

    def __init__(self, d_node: int, d_edge: int, d: int, heads: int, hidden: int, p: float) -> None:
        super().__init__()
        self.attention = Attention(d_node, d_edge, d, heads)
        self.mlp = _mlp(d_node, hidden)
        self.norms = nn.ModuleList(nn.LayerNorm(d_node) for _ in range(2))
        self.dropout = nn.Dropout(p)

    def forward(self, x: Tensor, e: Tensor) -> Tensor:
        """All nodes of the next layer."""
        x = self.norms[0](x + self.dropout(self.attention(x, e)))
        return self.norms[1](x + self.dropout(self.mlp(x)))


class Edges(nn.Module):
    """An MLP on both nodes and both edges of a pair, then one on the edge alone."""

    def __init__(self, d_node: int, d_edge: int, hidden: int, p: float) -> None:
        super().__init__()
        self.row = nn.Linear(d_node, hidden)
        self.column = nn.Linear(d_node, hidden, bias=False)
        self.pair = nn.Linear(2 * d_edge, hidden, bias=False)
        self.out = nn.Linear(hidden, d_edge)
        self.mlp = _mlp(d_edge, hidden)
        self.norms = nn.ModuleList(nn.LayerNorm(d_edge) for _ in range(2))
        self.dropout = nn.Dropout(p)

    def forward(self, x: Tensor, e: Tensor) -> Tensor:
        """All edges of the next layer."""
        both = self.pair(torch.cat([e, e.transpose(1, 2)], dim=-1))
        seen = (self.row(x)[:, :, None] + self.column(x)[:, None] + both).relu()
        e = self.norms[0](e + self.dropout(self.out(seen)))
        return self.norms[1](e + self.dropout(self.mlp(e)))


class NaiveGraphTransformer(nn.Module):
    """`weightspace.models.graph_transformer.GraphTransformer` with its default widths."""

    def __init__(
        self, *, layer_layout: tuple[int, ...], d_out: int, depth: int = 4, dropout: float = 0.2
    ) -> None:
        super().__init__()
        self.n_outputs = layer_layout[-1]
        self.embedding = Embedding(layer_layout, 64, 32)
        self.nodes = nn.ModuleList(Nodes(64, 32, 128, 8, 128, dropout) for _ in range(depth))
        self.edges = nn.ModuleList(Edges(64, 32, 64, dropout) for _ in range(depth - 1))
        sizes = (64 * self.n_outputs, 128, 128, d_out)
        hidden = [m for a, b in pairwise(sizes) for m in (nn.Linear(a, b), nn.ReLU())]
        self.head = nn.Sequential(*hidden[:-1])

    def forward(self, w: Weights) -> Tensor:
        """The outputs, one row per network."""
        x, e = self.embedding(w)
        for i, update in enumerate(self.nodes):
            x = update(x, e)
            if i < len(self.edges):
                e = self.edges[i](x, e)
        return self.head(x[:, -self.n_outputs :].flatten(1))


def _mlp(width: int, hidden: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(width, hidden), nn.ReLU(), nn.Linear(hidden, width))

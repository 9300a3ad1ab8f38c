"""One layer of the relational transformer: nodes attend, then edges look at their ends."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from weightspace.models.graph import EdgeBlock
from weightspace.models.matrix_update import update_matrix
from weightspace.models.relational_attention import RelationalAttention

__all__ = ["EdgeUpdate", "NodeUpdate"]


class NodeUpdate(nn.Module):
    """x <- norm(x + attention), then x <- norm(x + MLP(x)), with dropout on both sums.

    Args:
        d_node: the channels of a node.
        d_edge: the channels of an edge.
        d_attention: the channels of queries, keys and values, over all heads.
        heads: the number of heads.
        hidden: the hidden neurons of the MLP.
        dropout: the share of entries that each sum drops in training.

    Reference: Diao and Loynd 2023, Relational Attention, section 3.1.
    """

    def __init__(
        self, *, d_node: int, d_edge: int, d_attention: int, heads: int, hidden: int, dropout: float
    ) -> None:
        super().__init__()
        self.attention = RelationalAttention(d_node, d_edge, d_attention, heads)
        self.mlp = _mlp(d_node, hidden)
        self.norms = nn.ModuleList(nn.LayerNorm(d_node) for _ in range(2))
        self.dropout = nn.Dropout(dropout)

    def forward(
        self,
        receiving: Float[Tensor, "batch rows d_node"],
        nodes: Float[Tensor, "batch n d_node"],
        edges: Sequence[EdgeBlock],
    ) -> Float[Tensor, "batch rows d_node"]:
        """Return the `receiving` nodes after they have attended to `nodes` through `edges`."""
        attended = self.attention(receiving, nodes, edges)
        x = self.norms[0](receiving + self.dropout(attended))
        return self.norms[1](x + self.dropout(self.mlp(x)))


class EdgeUpdate(nn.Module):
    """e_ij <- norm(e_ij + MLP(x_i, x_j, e_ij, e_ji)), then e_ij <- norm(e_ij + MLP(e_ij)).

    This differs from the published model: there dropout acts on every channel of a change by
    itself; here one draw per edge keeps or drops all channels of its change, in both sums and
    on every device. Each entry is dropped as often, but the entries of an edge together.
    Random numbers for every channel of every pair would cost as much on a CPU as the rest of
    the update. Dropout of nodes is per channel, as published.

    Args:
        d_node: the channels of a node.
        d_edge: the channels of an edge.
        hidden: the hidden neurons of both MLPs.
        dropout: the share of edges whose whole change each sum drops in training.

    Reference: Diao and Loynd 2023, Relational Attention, section 3.2.
    """

    def __init__(self, *, d_node: int, d_edge: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.row = nn.Linear(d_node, hidden)
        self.column = nn.Linear(d_node, hidden, bias=False)
        self.pair = nn.Linear(2 * d_edge, hidden, bias=False)
        self.out = nn.Linear(hidden, d_edge)
        self.mlp = _mlp(d_edge, hidden)
        self.norms = nn.ModuleList(nn.LayerNorm(d_edge) for _ in range(2))
        self.dropout = nn.Dropout(dropout)

    def forward(
        self,
        nodes: Float[Tensor, "batch n d_node"],
        edges: Float[Tensor, "batch n n d_edge"],
        rows: slice,
    ) -> Float[Tensor, "batch rows n d_edge"]:
        """Return the edges into the nodes `rows` after they have looked at both ends."""
        e = edges[:, rows]
        pairs = torch.cat([e, edges[:, :, rows].transpose(1, 2)], dim=-1)
        seen = update_matrix(
            pairs, self.pair.weight.t(), self.row(nodes[:, rows]), self.column(nodes), relu=True
        )
        e = self.norms[0](e + self._drop(self.out(seen)))
        return self.norms[1](e + self._drop(self.mlp(e)))

    def _drop(self, change: Tensor) -> Tensor:
        if not self.training or not self.dropout.p:
            return change
        return change * self.dropout(torch.ones_like(change[..., :1]))


def _mlp(width: int, hidden: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(width, hidden), nn.ReLU(), nn.Linear(hidden, width))

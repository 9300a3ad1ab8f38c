"""Attention between all nodes of a graph, whose queries, keys and values see the edge as well."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from weightspace.models.edge_attention import edge_scores, edge_values
from weightspace.models.graph import EdgeBlock

__all__ = ["RelationalAttention"]


class RelationalAttention(nn.Module):
    """Node i attends to every node j through the edge e_ij.

        q_ij = Q x_i + Q' e_ij        k_ij = K x_j + K' e_ij
        v_ij = (V x_j) * (1 + S e_ij) + T e_ij
        y_i  = O sum_j softmax_j(q_ij . k_ij / sqrt(d / heads)) v_ij

    with the softmax of each head over its own part of the d channels. The product with S e_ij
    lets one layer compute W x, as the networks themselves do.

    Args:
        d_node: the channels of a node.
        d_edge: the channels of an edge.
        d_attention: the channels d of queries, keys and values, over all heads.
        heads: the number of heads.

    Reference: Diao and Loynd 2023, Relational Attention, section 3.1; the product is that of
        Kofinas et al. 2024, Graph Neural Networks for Learning Equivariant Representations of
        Neural Networks, section 3.
    """

    def __init__(self, d_node: int, d_edge: int, d_attention: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(d_node, d_attention)
        self.key = nn.Linear(d_node, d_attention)
        self.value = nn.Linear(d_node, d_attention)
        self.edge = nn.Linear(d_edge, 4 * d_attention, bias=False)
        self.out = nn.Linear(d_attention, d_node)

    def forward(
        self,
        receiving: Float[Tensor, "batch rows d_node"],
        nodes: Float[Tensor, "batch n d_node"],
        edges: Sequence[EdgeBlock],
    ) -> Float[Tensor, "batch rows d_node"]:
        """Return what each of the `receiving` nodes gets from all `nodes`.

        Args:
            receiving: the nodes that attend.
            nodes: the nodes that are attended to.
            edges: the edges between them; outside these blocks edges are zero.
        """
        to_q, to_k, scale, shift = self.edge.weight.chunk(4)  # (d, d_edge) each
        norm = (len(to_q) / self.heads) ** -0.5
        q, to_q = self.query(receiving) * norm, to_q * norm
        k, v = self.key(nodes), self.value(nodes)
        qh, kh, vh, shift = (
            x.unflatten(d, (self.heads, -1)) for x, d in ((q, 2), (k, 2), (v, 2), (shift, 0))
        )
        # b: batch, r: rows, n: nodes, h: heads, c: channels of a head, e: channels of an edge
        scores = torch.einsum("brhc,bnhc->brhn", qh, kh)
        for block in edges:
            i, j = block.rows, block.columns
            scores[:, i, :, j] = edge_scores(
                q[:, i], k[:, j], block.features, to_q, to_k, self.heads
            )
        a = scores.softmax(-1)
        y = torch.einsum("brhn,bnhc->brhc", a, vh).flatten(2)
        for block in edges:
            i, j = block.rows, block.columns
            scaled, mean = edge_values(a[:, i, :, j], v[:, j], block.features, scale)
            y[:, i] += scaled + torch.einsum("brhe,hce->brhc", mean, shift).flatten(2)
        return self.out(y)

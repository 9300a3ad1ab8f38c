"""The relational graph transformer: attention between all neurons, through all weights."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from weightspace.dataset.statistics import Statistics
from weightspace.models.checks import (
    require_at_least,
    require_dropout,
    require_layout,
    require_multiple,
    require_positive,
)
from weightspace.models.graph import EdgeBlock, GraphEmbedding, dense_edges
from weightspace.models.probes import ProbeFeatures
from weightspace.models.relational_layer import EdgeUpdate, NodeUpdate
from weightspace.weights import Weights

__all__ = ["GraphTransformer"]

_ALL = slice(None)


class GraphTransformer(nn.Module):
    """Layers that update all nodes and all edges of the network's graph; outputs are read.

    Only the output neurons of the last layer are read, so of the last layer only these are
    computed, and of the last edges only those into them: the result is the same. Before the
    first update the pairs of neurons without a weight are zero, and left out as well.

    Args:
        layer_layout: the widths (d_0, ..., d_L) of the networks that it reads.
        d_out: the number of outputs.
        depth: the number of layers, at least 2: edges reach the outputs in two steps.
        heads: the heads of the attention.
        d_node: the channels of a node.
        d_edge: the channels of an edge.
        d_attention: the channels of queries, keys and values, over all heads.
        node_hidden: the hidden neurons of the MLPs on nodes, and of the read-out.
        edge_hidden: the hidden neurons of the MLPs on edges.
        dropout: the share that is dropped of each change of nodes and edges in training.
        probes: evaluate the networks at that many learned points, as further node features.
        statistics: for probes: those by which the networks are standardised.
        omega_0: for probes: the frequency of the SIRENs.
        output_offset: for probes: the constant added to their outputs.

    Raises:
        ValueError: if a setting is out of range, or the probes lack what they need.

    Reference: Kofinas et al. 2024, Graph Neural Networks for Learning Equivariant
        Representations of Neural Networks, after Diao and Loynd 2023, Relational Attention.
    """

    def __init__(
        self,
        *,
        layer_layout: tuple[int, ...],
        d_out: int,
        depth: int = 4,
        heads: int = 8,
        d_node: int = 64,
        d_edge: int = 32,
        d_attention: int = 128,
        node_hidden: int = 128,
        edge_hidden: int = 64,
        dropout: float = 0.2,
        probes: int = 0,
        statistics: Statistics | None = None,
        omega_0: float | None = None,
        output_offset: float | None = None,
    ) -> None:
        super().__init__()
        require_positive(d_out=d_out, heads=heads, d_node=d_node, d_edge=d_edge)
        require_positive(d_attention=d_attention, node_hidden=node_hidden, edge_hidden=edge_hidden)
        require_at_least(2, depth=depth)
        require_at_least(0, probes=probes)
        require_dropout(dropout)
        require_multiple("d_attention", d_attention, "heads", heads)
        self.layer_layout = tuple(layer_layout)
        self.embedding = GraphEmbedding(self.layer_layout, d_node, d_edge)
        self.outputs = self.embedding.slices[-1]
        self.probes = None
        if probes:
            self.probes = ProbeFeatures(
                self.layer_layout,
                probes=probes,
                d_node=d_node,
                statistics=statistics,
                omega_0=omega_0,
                output_offset=output_offset,
            )
        self.nodes = nn.ModuleList(
            NodeUpdate(
                d_node=d_node,
                d_edge=d_edge,
                d_attention=d_attention,
                heads=heads,
                hidden=node_hidden,
                dropout=dropout,
            )
            for _ in range(depth)
        )
        self.edges = nn.ModuleList(
            EdgeUpdate(d_node=d_node, d_edge=d_edge, hidden=edge_hidden, dropout=dropout)
            for _ in range(depth - 1)
        )
        self.head = nn.Sequential(
            nn.Linear(self.layer_layout[-1] * d_node, node_hidden),
            nn.ReLU(),
            nn.Linear(node_hidden, node_hidden),
            nn.ReLU(),
            nn.Linear(node_hidden, d_out),
        )

    def features(
        self, w: Weights, rows: slice = _ALL
    ) -> tuple[Float[Tensor, "batch n d_node"], Float[Tensor, "batch rows n d_edge"]]:
        """Return all nodes, and the edges into the nodes `rows`, before the last layer."""
        nodes, blocks = self.embedding(w)
        if self.probes is not None:
            inputs, neurons = nodes.tensor_split([self.layer_layout[0]], dim=1)
            nodes = torch.cat([inputs, neurons + self.probes(w)], dim=1)
        edges = dense_edges(blocks, nodes.shape[1])
        for i, update in enumerate(self.edges):
            nodes = self.nodes[i](nodes, nodes, blocks)
            edges = update(nodes, edges, rows if i == len(self.edges) - 1 else _ALL)
            blocks = [EdgeBlock(_ALL, _ALL, edges)]
        return nodes, edges

    def forward(self, w: Weights) -> Float[Tensor, "batch d_out"]:
        """Return the outputs, one row per network; hidden neurons may come in any order.

        Raises:
            ValueError: if the networks have another layout.
        """
        require_layout(w, self.layer_layout)
        nodes, edges = self.features(w, self.outputs)
        outputs = self.nodes[-1](nodes[:, self.outputs], nodes, [EdgeBlock(_ALL, _ALL, edges)])
        return self.head(outputs.flatten(1))

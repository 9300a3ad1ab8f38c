"""A plain transformer on the rows of the weight matrices: attention without the symmetry."""

from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from weightspace.models.checks import (
    require_dropout,
    require_layout,
    require_multiple,
    require_positive,
)
from weightspace.weights import Weights

__all__ = ["RowTransformer"]

# The first serves CPUs. Left out are those that do not repeat bit by bit on a GPU in float32.
_ATTENTION = [SDPBackend.FLASH_ATTENTION, SDPBackend.MATH]


class RowTransformer(nn.Module):
    """One token per neuron: its incoming weights and its bias; a transformer; the mean token.

    The entries of a row are read by one linear map per layer, whose own bias tells the layers
    apart, and every row has a position of its own. Both know in which order the hidden neurons
    are listed, so unlike the graph transformer this is no function of the network alone.

    Args:
        layer_layout: the widths (d_0, ..., d_L) of the networks that it reads.
        d_out: the number of outputs.
        depth: the number of layers.
        heads: the heads of the attention.
        width: the channels of a token.
        hidden: the hidden neurons of the MLP of each layer.
        dropout: the share of entries that each layer drops in training.

    Raises:
        ValueError: if a setting is out of range.

    Reference: Vaswani et al. 2017, Attention Is All You Need, with the normalisation before
        each block.
    """

    def __init__(
        self,
        *,
        layer_layout: tuple[int, ...],
        d_out: int,
        depth: int = 4,
        heads: int = 4,
        width: int = 64,
        hidden: int = 128,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        require_positive(d_out=d_out, depth=depth, heads=heads, width=width, hidden=hidden)
        require_multiple("width", width, "heads", heads)
        require_dropout(dropout)
        self.layer_layout = tuple(layer_layout)
        self.rows = nn.ModuleList(
            nn.Linear(n_in + 1, width) for n_in, _ in pairwise(self.layer_layout)
        )
        self.positions = nn.Parameter(torch.randn(sum(self.layer_layout[1:]), width) / 2)
        layer = nn.TransformerEncoderLayer(
            width, heads, hidden, dropout, batch_first=True, norm_first=True
        )
        self.encoder = nn.TransformerEncoder(
            layer, depth, nn.LayerNorm(width), enable_nested_tensor=False
        )
        for p in self.encoder.parameters():
            # The library copies one layer: without this all layers would start equal.
            if p.ndim > 1:
                nn.init.xavier_uniform_(p)
        self.head = nn.Linear(width, d_out)

    def forward(self, w: Weights) -> Float[Tensor, "batch d_out"]:
        """Return the outputs, one row per network.

        Raises:
            ValueError: if the networks have another layout.
        """
        require_layout(w, self.layer_layout)
        rows = [
            torch.cat([x, b[..., None]], dim=-1) for x, b in zip(w.weights, w.biases, strict=True)
        ]
        tokens = torch.cat([f(x) for f, x in zip(self.rows, rows, strict=True)], dim=1)
        with sdpa_kernel(_ATTENTION):
            return self.head(self.encoder(tokens + self.positions).mean(1))

"""DWSNet as it is written down: one module for every pair of an input and an output tensor.

A network has 2 L tensors, so a layer has 4 L^2 blocks. Each block pools its input over the hidden
axes that its output does not share, in every way that an equivariant map can, maps the channels,
broadcasts, and the blocks of one output are added. Input and output neurons are never permuted:
their axes count as channels. Written after Navon et al. 2023, Equivariant Architectures for
Learning in Deep Weight Spaces, section 4.
"""

from itertools import combinations, pairwise

import torch
from torch import Tensor, nn

from weightspace.weights import Weights

# A tensor of features is (batch, *hidden axes, channels); `axes` are the layers of these axes.


class Block(nn.Module):
    """All equivariant maps from one tensor to one other, one linear map each."""

    def __init__(self, axes_in: tuple[int, ...], axes_out: tuple[int, ...], c_in: int, c_out: int):
        super().__init__()
        self.axes_in, self.axes_out = axes_in, axes_out
        shared = [a for a in axes_in if a in axes_out]
        self.kept = [s for k in range(len(shared) + 1) for s in combinations(shared, k)]
        self.maps = nn.ModuleList(nn.Linear(c_in, c_out, bias=False) for _ in self.kept)

    def forward(self, x: Tensor) -> Tensor:
        """Something that broadcasts to the output."""
        total = torch.zeros(())
        for kept, linear in zip(self.kept, self.maps, strict=True):
            pooled = [d for d, a in enumerate(self.axes_in, start=1) if a not in kept]
            y = linear(x.mean(pooled) if pooled else x)  # (batch, *kept, c_out)
            for d, a in enumerate(self.axes_out, start=1):
                y = y if a in kept else y.unsqueeze(d)
            total = total + y
        return total


class Layer(nn.Module):
    """Every output is the sum of its blocks and a bias."""

    def __init__(self, axes: list[tuple[int, ...]], c_in: list[int], c_out: list[int]) -> None:
        super().__init__()
        inputs, outputs = list(zip(axes, c_in, strict=True)), zip(axes, c_out, strict=True)
        self.blocks = nn.ModuleList(
            nn.ModuleList(Block(a, b, c, d) for a, c in inputs) for b, d in outputs
        )
        self.biases = nn.ParameterList(torch.zeros(c) for c in c_out)

    def forward(self, tensors: list[Tensor]) -> list[Tensor]:
        """The tensors of the next layer."""
        return [
            sum((block(x) for block, x in zip(blocks, tensors, strict=True)), start=bias)
            for blocks, bias in zip(self.blocks, self.biases, strict=True)
        ]


def hidden_axes(n_layers: int) -> list[tuple[int, ...]]:
    """The hidden layers of the axes of all weights, then of all biases."""
    hidden = range(1, n_layers)
    weights = [tuple(a for a in (l + 1, l) if a in hidden) for l in range(n_layers)]
    return weights + [tuple(a for a in (l + 1,) if a in hidden) for l in range(n_layers)]


def to_tensors(w: Weights) -> list[Tensor]:
    """The weights, then the biases, with the axes of inputs and outputs moved into channels."""
    first, *middle, last = w.weights
    weights = [first, *(x.unsqueeze(-1) for x in middle), last.transpose(1, 2)]
    return [*weights, *(b.unsqueeze(-1) for b in w.biases[:-1]), w.biases[-1]]


class NaiveDWS(nn.Module):
    """`weightspace.models.dws.DWSNet` at equal width; its last layer has matrices as well.

    Hidden weights have 16 channels. First weights and biases share the 32 channels of a neuron of
    the first hidden layer, last weights and biases those of the last one; the outputs have 64.
    """

    def __init__(
        self,
        *,
        layer_layout: tuple[int, ...],
        d_out: int,
        depth: int = 3,
        batch_norm: bool = False,
    ) -> None:
        super().__init__()
        n = len(layer_layout) - 1
        raw = [layer_layout[0], *[1] * (n - 2), layer_layout[-1], *[1] * (n - 1), layer_layout[-1]]
        width = [16, *[16] * (n - 2), 16, *[16] * (n - 1), 64]
        self.layers = nn.ModuleList(
            Layer(hidden_axes(n), a, b) for a, b in pairwise([raw, *[width] * depth])
        )
        self.norms = nn.ModuleList(
            nn.ModuleList(nn.BatchNorm1d(c) for c in width) for _ in range((depth - 1) * batch_norm)
        )
        pooled = sum(width)
        self.head = nn.Sequential(
            nn.BatchNorm1d(pooled), nn.Linear(pooled, 128), nn.ReLU(), nn.Linear(128, d_out)
        )

    def forward(self, w: Weights) -> Tensor:
        """The outputs, one row per network."""
        tensors = to_tensors(w)
        for i, layer in enumerate(self.layers):
            tensors = layer(tensors)
            if i < len(self.norms):
                pairs = zip(self.norms[i], tensors, strict=True)  # pyright: ignore
                tensors = [norm(x.flatten(0, -2)).view(x.shape) for norm, x in pairs]
            tensors = [x.relu() for x in tensors]
        pooled = [x.mean(tuple(range(1, x.ndim - 1))) if x.ndim > 2 else x for x in tensors]
        return self.head(torch.cat(pooled, dim=-1))

"""DWSNet: a network on weights that does not see in which order hidden neurons are listed."""

from itertools import pairwise

from jaxtyping import Float
from torch import Tensor, nn

from weightspace.models.checks import (
    require_dropout,
    require_layout,
    require_one_of,
    require_positive,
)
from weightspace.models.equivariant_linear import REDUCTIONS, EquivariantLinear, contexts
from weightspace.models.folded_norm import FoldedNorm
from weightspace.models.folding import Channels, Folded, fold, folded_channels
from weightspace.weights import Weights

__all__ = ["DWSNet"]


class DWSNet(nn.Module):
    """Equivariant layers with ReLU, then an invariant read-out.

    A hidden matrix costs `width` times what a hidden vector costs per channel, so vectors and
    scalars have their own, larger number of channels, and the last layer, which only feeds the
    read-out, has no matrices. The pooled features are nearly the same for all networks, so a
    batch normalisation spreads them before the read-out.

    Args:
        layer_layout: the widths (d_0, ..., d_L) of the networks that it reads.
        d_out: the number of outputs.
        channels: the channels of every hidden-hidden weight.
        depth: the number of equivariant layers.
        reduce: how contexts and the read-out reduce an axis: "mean" or "max".
        neuron_channels: the channels of every hidden neuron.
        network_channels: the channels of the scalars.
        head_width: the hidden neurons of the read-out.
        batch_norm: normalise each channel between two layers, over all networks of the batch
            and all their neurons, so that the order of the neurons plays no role.
        dropout: the share of the pooled features and of the read-out's neurons that training drops.

    Raises:
        ValueError: if a setting is out of range or the networks have no hidden layer.

    Reference: Navon et al. 2023, Equivariant Architectures for Learning in Deep Weight Spaces.
    """

    def __init__(
        self,
        *,
        layer_layout: tuple[int, ...],
        d_out: int,
        channels: int = 16,
        depth: int = 3,
        reduce: str = "mean",
        neuron_channels: int = 32,
        network_channels: int = 64,
        head_width: int = 128,
        batch_norm: bool = False,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        require_positive(d_out=d_out, channels=channels, depth=depth, head_width=head_width)
        require_positive(neuron_channels=neuron_channels, network_channels=network_channels)
        require_one_of("reduce", reduce, REDUCTIONS)
        require_dropout(dropout)
        self.layer_layout = tuple(layer_layout)
        self.reduce = reduce
        raw = folded_channels(self.layer_layout)
        hidden = Channels(channels, (neuron_channels,) * len(raw.vectors), network_channels)
        last = Channels(0, hidden.vectors, hidden.scalars)
        sizes = [raw, *[hidden] * (depth - 1), last]
        self.layers = nn.ModuleList(
            EquivariantLinear(a, b, reduce=reduce) for a, b in pairwise(sizes)
        )
        self.norms = nn.ModuleList(FoldedNorm(hidden) for _ in range((depth - 1) * batch_norm))
        n_pooled = last.scalars + sum(last.vectors)
        self.head = nn.Sequential(
            nn.BatchNorm1d(n_pooled),
            nn.Dropout(dropout),
            nn.Linear(n_pooled, head_width),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(head_width, d_out),
        )

    def features(self, w: Weights) -> Folded:
        """Return the equivariant features of the last layer."""
        x = fold(w)
        *layers, last = self.layers
        for i, layer in enumerate(layers):
            if self.norms:
                only_means = layer is layers[-1] and self.reduce == "mean"
                x = layer(x, norm=self.norms[i], only_means=only_means)
            else:
                x = layer(x, relu=True)
        return last(x, relu=True)

    def forward(self, w: Weights) -> Float[Tensor, "batch d_out"]:
        """Return the outputs, one row per network; hidden neurons may come in any order.

        Raises:
            ValueError: if the networks have another layout.
        """
        require_layout(w, self.layer_layout)
        _, pooled = contexts(self.features(w), self.reduce)
        return self.head(pooled)

"""Batch normalisation of the features inside an equivariant model."""

from torch import Tensor, nn

from weightspace.models.folding import Channels, Folded

__all__ = ["FoldedNorm"]


class FoldedNorm(nn.Module):
    """Normalise every channel of every matrix, vector and of the scalars; then a ReLU.

    The mean and the deviation of a channel are over all networks and all neurons, so this
    commutes with permutations of the neurons.

    Args:
        channels: those of the features.
    """

    def __init__(self, channels: Channels) -> None:
        super().__init__()
        n_matrices = len(channels.vectors) - 1 if channels.matrix else 0
        self.matrices = nn.ModuleList(nn.BatchNorm1d(channels.matrix) for _ in range(n_matrices))
        self.vectors = nn.ModuleList(nn.BatchNorm1d(c) for c in channels.vectors)
        self.scalars = nn.BatchNorm1d(channels.scalars)

    def forward(self, x: Folded) -> Folded:
        """Return the normalised features, after a ReLU."""
        return Folded(
            tuple(_norm(f, m) for f, m in zip(self.matrices, x.matrices, strict=True)),
            tuple(_norm(f, v) for f, v in zip(self.vectors, x.vectors, strict=True)),
            _norm(self.scalars, x.scalars),
        )


def _norm(norm: nn.Module, x: Tensor) -> Tensor:
    flat = x.reshape(-1, x.shape[-1])  # (batch and neurons, channels)
    return norm(flat).relu().view(x.shape)

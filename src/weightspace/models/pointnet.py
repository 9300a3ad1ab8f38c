"""Baselines on raw data: a network on a set of points of a shape, in whatever order."""

from itertools import pairwise
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor, nn

from weightspace.models.checks import require_dropout, require_points, require_positive

__all__ = ["PointNet", "PointNetOccupancy"]


class PointNet(nn.Module):
    """The same MLP on every point, the maximum over the points, then an MLP on the maxima.

    It reads points of the surface. Every layer but the last has batch norm, over all points of
    the batch where it acts on points, and ReLU. There is no alignment network.

    Args:
        point_channels: the numbers of each point that it reads.
        d_out: the number of outputs.
        width: the channels of the layers on points.
        depth: the number of layers on points.
        features: the channels of the last of them, of which the maximum is taken.
        head_width: the hidden neurons of the MLP on the maxima.
        dropout: the share of them that a training step leaves out.

    Raises:
        ValueError: if a setting is out of range or the points have other channels.

    Reference: Qi et al. 2017, PointNet: Deep Learning on Point Sets for 3D Classification and
    Segmentation.
    """

    reads: ClassVar[tuple[str, ...]] = ("x", "y", "z")

    def __init__(
        self,
        *,
        point_channels: int,
        d_out: int,
        width: int = 64,
        depth: int = 3,
        features: int = 256,
        head_width: int = 128,
        dropout: float = 0.3,
    ) -> None:
        super().__init__()
        require_positive(d_out=d_out, width=width, depth=depth, features=features)
        require_positive(head_width=head_width)
        require_dropout(dropout)
        if point_channels != len(self.reads):
            raise ValueError(
                f"{type(self).__name__} reads points of {len(self.reads)} numbers "
                f"({', '.join(self.reads)}); the dataset has points of {point_channels}. Choose "
                f"the model or the points: pointnet reads x, y, z; pointnet_occupancy also "
                f"occupancy"
            )
        self.point_channels = point_channels
        widths = (point_channels, *[width] * (depth - 1), features)
        self.shared = nn.Sequential(*(_layer(a, b) for a, b in pairwise(widths)))
        self.head = nn.Sequential(
            _layer(features, head_width), nn.Dropout(dropout), nn.Linear(head_width, d_out)
        )

    def forward(self, x: Float[Tensor, "batch points channels"]) -> Float[Tensor, "batch d_out"]:
        """Return the outputs, one row per set of points; their number and order may be any.

        Raises:
            ValueError: if there is no point, or the points have other channels.
        """
        require_points(x, self.point_channels)
        each = self.shared(x.flatten(0, 1)).unflatten(0, x.shape[:2])  # (batch, points, features)
        # Not max: the gradient of amax repeats exactly on every device.
        return self.head(each.amax(dim=1))


class PointNetOccupancy(PointNet):
    """`PointNet` on points of the space around a shape, each with +1 inside it and -1 outside.

    It is given what an INR is fitted to, as it is.
    """

    reads: ClassVar[tuple[str, ...]] = ("x", "y", "z", "occupancy")


def _layer(n_in: int, n_out: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(n_in, n_out, bias=False), nn.BatchNorm1d(n_out), nn.ReLU())

"""What the neurons of a network do at some learned input points."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from weightspace.dataset.statistics import Statistics
from weightspace.weights import Weights

__all__ = ["ProbeFeatures", "activations", "unstandardise"]


def activations(
    w: Weights, coords: Float[Tensor, "points d_in"], *, omega_0: float, output_offset: float
) -> Float[Tensor, "batch neurons points"]:
    """Return the value of every hidden and output neuron of SIRENs at some points.

    Args:
        w: raw networks.
        coords: the points, the same for all networks.
        omega_0: the frequency of every sine.
        output_offset: a constant added to every output.
    """
    x = coords.t().expand(len(w), -1, -1)  # (batch, neurons, points)
    *hidden, (weight, last) = zip(w.weights, w.biases, strict=True)
    found = []
    for above, bias in hidden:
        x = torch.sin(omega_0 * torch.baddbmm(bias[..., None], above, x))
        found.append(x)
    outputs = torch.baddbmm(last[..., None], weight, x) + output_offset
    return torch.cat([*found, outputs], dim=1)


def unstandardise(w: Weights, statistics: Statistics) -> Weights:
    """Return x std + mean, tensor by tensor: undoes `standardise`."""
    n = len(w.weights)
    tensors = [x * s + m for x, m, s in zip(w, statistics.mean, statistics.std, strict=True)]
    return Weights(tuple(tensors[:n]), tuple(tensors[n:]))


class ProbeFeatures(nn.Module):
    """Node features from the values of all neurons at learned points in [-1, 1]^d_in.

    The networks come standardised, so it is told by which statistics, and the constants of the
    SIRENs, to evaluate them as they were.

    Args:
        layer_layout: the widths (d_0, ..., d_L) of the networks.
        probes: how many points.
        d_node: the channels of a node.
        statistics: those by which the networks are standardised.
        omega_0: the frequency of every sine.
        output_offset: a constant added to every output.

    Raises:
        ValueError: if statistics or a constant is missing.

    Reference: Kofinas et al. 2024, Graph Neural Networks for Learning Equivariant
        Representations of Neural Networks, section 3.
    """

    def __init__(
        self,
        layer_layout: Sequence[int],
        *,
        probes: int,
        d_node: int,
        statistics: Statistics | None,
        omega_0: float | None,
        output_offset: float | None,
    ) -> None:
        super().__init__()
        given = {"statistics": statistics, "omega_0": omega_0, "output_offset": output_offset}
        missing = [name for name, value in given.items() if value is None]
        if statistics is None or omega_0 is None or output_offset is None:
            raise ValueError(
                f"probes is {probes}, but {', '.join(missing)} is None; probes evaluate the raw "
                f"networks, so give statistics, omega_0 and output_offset of the dataset"
            )
        self.statistics = statistics
        self.omega_0, self.output_offset = omega_0, output_offset
        self.points = nn.Parameter(2 * torch.rand(probes, layer_layout[0]) - 1)
        self.linear = nn.Linear(probes, d_node, bias=False)

    def forward(self, w: Weights) -> Float[Tensor, "batch neurons d_node"]:
        """Return the features of every hidden and output neuron of standardised networks."""
        # The sines multiply by omega_0 what autocast would round to three digits.
        with torch.autocast(w.device.type, enabled=False):
            values = activations(
                unstandardise(w, self.statistics),
                self.points,
                omega_0=self.omega_0,
                output_offset=self.output_offset,
            )
        return self.linear(values)

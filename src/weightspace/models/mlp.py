"""The baseline that knows no symmetry: a multilayer perceptron on the flattened weights."""

from itertools import pairwise

from jaxtyping import Float
from torch import Tensor, nn

from weightspace.models.checks import require_layout, require_positive
from weightspace.weights import Weights

__all__ = ["WeightMLP"]


class WeightMLP(nn.Module):
    """Flatten the weights and biases, then `depth` hidden layers of ReLU.

    Args:
        layer_layout: the widths (d_0, ..., d_L) of the networks that it reads.
        d_out: the number of outputs.
        width: the neurons of each hidden layer.
        depth: the number of hidden layers.

    Raises:
        ValueError: if a setting is not a positive whole number.
    """

    def __init__(
        self, *, layer_layout: tuple[int, ...], d_out: int, width: int = 256, depth: int = 2
    ) -> None:
        super().__init__()
        require_positive(d_out=d_out, width=width, depth=depth)
        self.layer_layout = tuple(layer_layout)
        n_parameters = sum((n_in + 1) * n_out for n_in, n_out in pairwise(layer_layout))
        widths = (n_parameters, *[width] * depth)
        hidden = [m for a, b in pairwise(widths) for m in (nn.Linear(a, b), nn.ReLU())]
        self.layers = nn.Sequential(*hidden, nn.Linear(width, d_out))

    def forward(self, w: Weights) -> Float[Tensor, "batch d_out"]:
        """Return the outputs, one row per network.

        Raises:
            ValueError: if the networks have another layout.
        """
        require_layout(w, self.layer_layout)
        return self.layers(w.flatten())

"""Augmentations that set entries to zero, at random or because they are small."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from weightspace.weights import Weights

__all__ = ["Dropout", "QuantileDropout"]


@dataclass(frozen=True)
class Dropout:
    """Zero every entry with a given probability and divide the kept ones by 1 - probability.

    The mean of every entry over the draws is the entry itself.

    Attributes:
        probability: of each entry, in [0, 1); 0 is the identity.

    Raises:
        ValueError: if the probability is not in [0, 1).

    Reference: Shamsian et al. 2024.
    """

    probability: float = 0.1

    def __post_init__(self) -> None:
        if not 0 <= self.probability < 1:
            raise ValueError(f"Dropout probability is {self.probability}; it must be in [0, 1)")

    def __call__(self, w: Weights, *, generator: torch.Generator) -> Weights:
        """Return thinned networks; one draw per network and entry."""

        def thin(x: Float[Tensor, "batch *shape"]) -> Float[Tensor, "batch *shape"]:
            kept = torch.rand(x.shape, generator=generator, device=x.device) >= self.probability
            return torch.where(kept, x / (1 - self.probability), 0)

        return w.map(thin)


@dataclass(frozen=True)
class QuantileDropout:
    """Zero the entries of smallest absolute value: those below the q-quantile, q ~ U(0, max).

    The quantile is that of the absolute values of all entries of the network, weights and
    biases together, with linear interpolation. The kept entries stay as they are.

    Attributes:
        max_quantile: the greatest q, in [0, 1]; 0 is the identity.

    Raises:
        ValueError: if the quantile is not in [0, 1].

    Reference: Shamsian et al. 2024.
    """

    max_quantile: float = 0.1

    def __post_init__(self) -> None:
        if not 0 <= self.max_quantile <= 1:
            raise ValueError(
                f"QuantileDropout max_quantile is {self.max_quantile}; it must be in [0, 1]"
            )

    def __call__(self, w: Weights, *, generator: torch.Generator) -> Weights:
        """Return thinned networks; one q per network."""
        uniform = torch.rand(len(w), generator=generator, device=w.device, dtype=w.dtype)
        threshold = quantiles(w.flatten().abs(), self.max_quantile * uniform)

        def thin(x: Float[Tensor, "batch *shape"]) -> Float[Tensor, "batch *shape"]:
            return torch.where(x.abs() < threshold.view(-1, *[1] * (x.ndim - 1)), 0, x)

        return w.map(thin)


def quantiles(
    x: Float[Tensor, "batch entries"], q: Float[Tensor, " batch"]
) -> Float[Tensor, " batch"]:
    """The q-quantile of each row, q in [0, 1], interpolated between the two nearest entries."""
    ascending = x.sort(1).values
    position = q * (x.shape[1] - 1)
    below = position.floor().long()
    above = (below + 1).clamp(max=x.shape[1] - 1)
    lower, upper = (ascending.gather(1, i[:, None])[:, 0] for i in (below, above))
    return lower + (position - below) * (upper - lower)

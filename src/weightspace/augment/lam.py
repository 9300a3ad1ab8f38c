"""The distribution of lam, the share that a network keeps of itself when it is mixed."""

from dataclasses import dataclass
from math import inf

import torch
from jaxtyping import Float
from scipy.special import betaincinv
from torch import Tensor

from weightspace.weights import Weights

__all__ = ["Lam"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Lam:
    """The settings of lam = low + (high - low) Beta(alpha, beta), among those of what mixes.

    Attributes:
        low: the least lam, in [0, 1].
        high: the greatest lam, in [0, 1]; low = high = 1 is the identity.
        alpha: the first parameter of the Beta distribution, positive; alpha = beta = 1 is
            uniform.
        beta: the second parameter of the Beta distribution, positive.

    Raises:
        ValueError: if not 0 <= low <= high <= 1, or alpha or beta is not positive and finite.
    """

    low: float = 0.0
    high: float = 1.0
    alpha: float = 1.0
    beta: float = 1.0

    def __post_init__(self) -> None:
        name = type(self).__name__
        if not 0 <= self.low <= self.high <= 1:
            raise ValueError(
                f"{name} low is {self.low} and high {self.high}; they bound lam, the share a "
                f"network keeps of itself, so they must be 0 <= low <= high <= 1"
            )
        for key, value in (("alpha", self.alpha), ("beta", self.beta)):
            if not 0 < value < inf:
                raise ValueError(
                    f"{name} {key} is {value}; the parameters of a Beta distribution must be "
                    f"positive and finite"
                )

    def draw_lam(self, w: Weights, *, generator: torch.Generator) -> Float[Tensor, " batch"]:
        """One lam for each network of `w`.

        Other than uniform numbers come from the inverse of the distribution function, computed
        on the CPU, so that the same generator gives the same lam whatever SciPy draws by itself.
        """
        uniform_only = self.alpha == self.beta == 1
        dtype = w.dtype if uniform_only else torch.float64
        share = torch.rand(len(w), generator=generator, device=w.device, dtype=dtype)
        if not uniform_only:
            inverse = betaincinv(self.alpha, self.beta, share.cpu().numpy())
            share = torch.from_numpy(inverse).to(w.device, w.dtype)
        return self.low + (self.high - self.low) * share

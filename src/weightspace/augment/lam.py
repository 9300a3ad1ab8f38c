"""The distribution of lam, the share that a network keeps of itself when it is mixed."""

from math import inf
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from scipy.special import betaincinv
from torch import Tensor

from weightspace.weights import Weights

__all__ = ["LamSettings", "check_lam", "draw_lam"]


@runtime_checkable
class LamSettings(Protocol):
    """What has the settings of lam = low + (high - low) Beta(alpha, beta) among its own."""

    @property
    def low(self) -> float:
        """The least lam, in [0, 1]."""
        ...

    @property
    def high(self) -> float:
        """The greatest lam, in [0, 1]; low = high = 1 is the identity."""
        ...

    @property
    def alpha(self) -> float:
        """The first parameter of the Beta distribution, positive; alpha = beta = 1 is uniform."""
        ...

    @property
    def beta(self) -> float:
        """The second parameter of the Beta distribution, positive."""
        ...


def check_lam(settings: LamSettings) -> None:
    """Refuse a distribution that does not exist.

    Raises:
        ValueError: if not 0 <= low <= high <= 1, or alpha or beta is not positive and finite.
    """
    name = type(settings).__name__
    if not 0 <= settings.low <= settings.high <= 1:
        raise ValueError(
            f"{name} low is {settings.low} and high {settings.high}; they bound lam, the share a "
            f"network keeps of itself, so they must be 0 <= low <= high <= 1"
        )
    for key, value in (("alpha", settings.alpha), ("beta", settings.beta)):
        if not 0 < value < inf:
            raise ValueError(
                f"{name} {key} is {value}; the parameters of a Beta distribution must be positive "
                f"and finite"
            )


def draw_lam(
    settings: LamSettings, w: Weights, *, generator: torch.Generator
) -> Float[Tensor, " batch"]:
    """One lam = low + (high - low) Beta(alpha, beta) for each network of `w`.

    Other than uniform numbers come from the inverse of the distribution function, computed on
    the CPU, so that the same generator gives the same lam whatever SciPy draws by itself.
    """
    uniform_only = settings.alpha == settings.beta == 1
    dtype = w.dtype if uniform_only else torch.float64
    share = torch.rand(len(w), generator=generator, device=w.device, dtype=dtype)
    if not uniform_only:
        inverse = betaincinv(settings.alpha, settings.beta, share.cpu().numpy())
        share = torch.from_numpy(inverse).to(w.device, w.dtype)
    return settings.low + (settings.high - settings.low) * share

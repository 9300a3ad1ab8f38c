"""How good a fit is: the peak signal-to-noise ratio, and back."""

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["mse_of_psnr", "psnr"]


def psnr(mse: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """The peak signal-to-noise ratio -10 log10(mse) of signals in [0, 1].

    Args:
        mse: mean squared errors.

    Returns:
        Decibels, at most 120, where the error drowns in the rounding of float32; NaN where
        `mse` is NaN.
    """
    return -10 * torch.log10(mse.clamp_min(1e-12))


def mse_of_psnr(decibels: float) -> float:
    """The mean squared error 10^(-psnr / 10) of signals in [0, 1]; the inverse of `psnr`."""
    return 10 ** (-decibels / 10)

"""The sinusoidal representation network (SIREN): its initialisation and its forward pass."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor

from weightspace.weights import Weights

__all__ = ["init_siren", "siren"]


def init_siren(
    layer_layout: Sequence[int],
    *,
    omega_0: float,
    generator: torch.Generator,
    batch_size: int = 1,
) -> Weights:
    """Draw initial weights: the first layer from U(-1/d_0, 1/d_0), later ones wider.

    Layers l > 0 are drawn from U(-c, c) with c = sqrt(6 / d_l) / omega_0; biases are zero.

    Args:
        layer_layout: the widths (d_0, ..., d_L).
        omega_0: the frequency of every sine.
        generator: the source of the numbers; the result lies on its device.
        batch_size: how many networks to draw.

    Returns:
        `batch_size` float32 networks.

    Raises:
        ValueError: if a width or omega_0 is not positive, or there are fewer than two widths.

    Reference: Sitzmann et al. 2020, Implicit Neural Representations with Periodic
        Activation Functions, section 3.2.
    """
    if len(layer_layout) < 2 or min(layer_layout) < 1:
        raise ValueError(
            f"layer_layout {tuple(layer_layout)} needs at least two widths, all positive"
        )
    if not omega_0 > 0:
        raise ValueError(f"omega_0 is {omega_0}; it must be positive")
    weights, biases = [], []
    for l, (n_in, n_out) in enumerate(pairwise(layer_layout)):
        bound = 1 / n_in if l == 0 else (6 / n_in) ** 0.5 / omega_0
        shape, device = (batch_size, n_out, n_in), generator.device
        uniform = torch.rand(shape, generator=generator, device=device)
        weights.append((2 * uniform - 1) * bound)
        biases.append(torch.zeros(shape[:2], device=device))
    return Weights(tuple(weights), tuple(biases))


def siren(
    w: Weights,
    coords: Float[Tensor, "*batch points d_in"],
    *,
    omega_0: float,
    output_offset: float = 0.0,
) -> Float[Tensor, "batch points d_out"]:
    """Evaluate a batch of SIRENs: x <- sin(omega_0 (W x + b)) per hidden layer, then W x + b.

    Args:
        w: the networks.
        coords: the points, shared by all networks `(points, d_in)` or one set per network
            `(batch, points, d_in)`.
        omega_0: the frequency of every sine.
        output_offset: a constant added to every output.

    Returns:
        The outputs at the points, one row of points per network.

    Reference: Sitzmann et al. 2020, eq. 1 and section 3.2.
    """
    x = coords.expand(len(w), *coords.shape[-2:])
    last = len(w.weights) - 1
    for l, (weight, bias) in enumerate(zip(w.weights, w.biases, strict=True)):
        x = torch.baddbmm(bias[:, None, :], x, weight.transpose(1, 2))
        if l < last:
            x = torch.sin(omega_0 * x)
    return x + output_offset

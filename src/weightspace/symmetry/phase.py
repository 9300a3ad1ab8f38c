"""Shifting hidden neurons by half turns: a symmetry of networks with sine activations."""

from collections.abc import Sequence
from math import pi

from jaxtyping import Int
from torch import Tensor

from weightspace.symmetry.permutation import check_elements
from weightspace.symmetry.sign import scale_columns
from weightspace.weights import Weights

__all__ = ["shift_phases"]


def shift_phases(w: Weights, ks: Sequence[Int[Tensor, "batch _"]], *, omega_0: float) -> Weights:
    """Shift the phase of hidden neurons by k half turns and undo it in the outgoing column.

    b_h <- b_h + k pi / omega_0, and the outgoing column is multiplied by (-1)^k. The function
    stays the same, since sin(x + k pi) = (-1)^k sin(x).

    Args:
        w: SIRENs.
        ks: one `(batch, n)` integer tensor per hidden layer.
        omega_0: the frequency of every sine of `w`.

    Returns:
        New networks.

    Raises:
        ValueError: if number or shapes of `ks` do not fit, or omega_0 is not positive.
    """
    check_elements(w, ks, "ks")
    if not omega_0 > 0:
        raise ValueError(f"omega_0 is {omega_0}; it must be positive, the frequency of the sines")
    weights, biases = list(w.weights), list(w.biases)
    for h, k in enumerate(ks):
        bias = biases[h]
        shift = k.to(bias.dtype) * (pi / omega_0)
        biases[h] = bias + shift.view(*k.shape, *[1] * (bias.ndim - 2))
        weights[h + 1] = scale_columns(weights[h + 1], (1 - 2 * (k % 2)).to(bias.dtype))
    return Weights(tuple(weights), tuple(biases))

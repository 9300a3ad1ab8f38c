"""Moving the inputs of a network by its first layer: f becomes f(A x + t), exactly."""

import torch
from jaxtyping import Float
from torch import Tensor

from weightspace.weights import Weights

__all__ = ["transform_inputs"]


def transform_inputs(
    w: Weights, matrix: Float[Tensor, "batch d_in d_in"], shift: Float[Tensor, "batch d_in"]
) -> Weights:
    """The networks of x -> f(A x + t): W_1 <- W_1 A and b_1 <- b_1 + W_1 t.

    This holds for every activation, as the first layer is affine in x. No other layer is
    touched: what reaches it is already the moved value.

    Args:
        w: the networks, or features of one layout (channel axes are carried along).
        matrix: one A per network.
        shift: one t per network, in the units of the inputs.

    Returns:
        New networks.

    Raises:
        ValueError: if the shapes of `matrix` or `shift` do not fit the layout.
    """
    batch, d_in = len(w), w.layer_layout[0]
    given = tuple(matrix.shape), tuple(shift.shape)
    needed = (batch, d_in, d_in), (batch, d_in)
    if given != needed:
        raise ValueError(
            f"matrix and shift have shapes {given[0]} and {given[1]}; {batch} networks of "
            f"layer_layout {w.layer_layout} need {needed[0]} and {needed[1]}: one of each per "
            f"network"
        )
    weight, bias = w.weights[0], w.biases[0]
    # b: network, o: neuron, i and j: inputs; the channels come last.
    moved = torch.einsum("boi...,bij->boj...", weight, matrix.to(weight.dtype))
    moved_bias = bias + torch.einsum("boi...,bi->bo...", weight, shift.to(weight.dtype))
    return Weights((moved, *w.weights[1:]), (moved_bias, *w.biases[1:]))

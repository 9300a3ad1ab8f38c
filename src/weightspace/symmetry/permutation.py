"""Relabelling the hidden neurons of a network: the symmetry every multilayer perceptron has."""

from collections.abc import Sequence

import torch
from jaxtyping import Int, Shaped
from torch import Tensor

from weightspace.weights import Weights

__all__ = ["check_elements", "invert_perms", "permute"]

Perms = Sequence[Int[Tensor, "batch _"]]


def permute(w: Weights, perms: Perms) -> Weights:
    """Relabel hidden neurons: neuron i of the result is neuron perms[h][i] of `w`.

    With P_h the permutation matrix of hidden layer h (P_0 and P_L are identities):
    W_l <- P_l W_l P_{l-1}^T and b_l <- P_l b_l. The function of the network stays the same.

    Args:
        w: the networks, or features of one layout (channel axes are carried along).
        perms: one `(batch, n)` index tensor per hidden layer, whose rows are permutations
            of 0..n-1; this is not checked.

    Returns:
        New networks.

    Raises:
        ValueError: if number or shapes of `perms` do not fit the layout.
    """
    check_elements(w, perms, "perms")
    none: list[Tensor | None] = [None]
    rows, columns = [*perms, *none], [*none, *perms]
    return Weights(
        tuple(
            _take_columns(_take_rows(x, p), q)
            for x, p, q in zip(w.weights, rows, columns, strict=True)
        ),
        tuple(_take_rows(x, p) for x, p in zip(w.biases, rows, strict=True)),
    )


def invert_perms(perms: Perms) -> tuple[Tensor, ...]:
    """The permutations that undo `perms`."""
    return tuple(p.argsort(1) for p in perms)


def check_elements(w: Weights, elements: Sequence[Tensor], name: str) -> None:
    """Refuse group elements that are not one `(batch, n)` tensor per hidden layer of `w`.

    Raises:
        ValueError: naming what was given and what the layout needs.
    """
    given = [tuple(x.shape) for x in elements]
    needed = [(len(w), n) for n in w.layer_layout[1:-1]]
    if given != needed:
        raise ValueError(
            f"{name} have shapes {given}; {len(w)} networks of layer_layout {w.layer_layout} "
            f"need {needed}: one (batch, n) tensor per hidden layer"
        )


def _take_rows(
    x: Shaped[Tensor, "batch out *rest"], index: Int[Tensor, "batch out"] | None
) -> Shaped[Tensor, "batch out *rest"]:
    """The rows of each network in the order of its `index`."""
    if index is None:
        return x
    batch, n = index.shape
    starts = n * torch.arange(batch, device=x.device)[:, None]
    return x.flatten(0, 1).index_select(0, (starts + index).flatten()).view(x.shape)


def _take_columns(
    x: Shaped[Tensor, "batch out in *rest"], index: Int[Tensor, "batch in"] | None
) -> Shaped[Tensor, "batch out in *rest"]:
    """The columns of each network in the order of its `index`."""
    if index is None:
        return x
    index = index.view(len(x), 1, x.shape[2], *[1] * (x.ndim - 3))
    return x.gather(2, index.expand(x.shape))

"""Negating hidden neurons: a symmetry of networks whose activation is odd, as the sine is."""

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor

from weightspace.symmetry.permutation import check_elements
from weightspace.weights import Weights

__all__ = ["flip_signs", "scale_columns"]


def flip_signs(w: Weights, signs: Sequence[Float[Tensor, "batch _"]]) -> Weights:
    """Negate hidden neurons: incoming row, bias and outgoing column of those with sign -1.

    With S_h = diag(signs[h]) (S_0 and S_L are identities): W_l <- S_l W_l S_{l-1} and
    b_l <- S_l b_l. The function stays the same, since sin(-x) = -sin(x).

    Args:
        w: the networks, or features of one layout (channel axes are carried along).
        signs: one `(batch, n)` tensor of +1 and -1 per hidden layer.

    Returns:
        New networks.

    Raises:
        ValueError: if number or shapes of `signs` do not fit the layout.
    """
    check_elements(w, signs, "signs")
    weights, biases = list(w.weights), list(w.biases)
    for h, sign in enumerate(signs):
        weights[h] = scale_rows(weights[h], sign)
        biases[h] = scale_rows(biases[h], sign)
        weights[h + 1] = scale_columns(weights[h + 1], sign)
    return Weights(tuple(weights), tuple(biases))


def scale_rows(
    x: Float[Tensor, "batch out *rest"], factors: Float[Tensor, "batch out"]
) -> Float[Tensor, "batch out *rest"]:
    """Multiply every row of each network by its factor."""
    return x * factors.to(x.dtype).view(*factors.shape, *[1] * (x.ndim - 2))


def scale_columns(
    x: Float[Tensor, "batch out in *rest"], factors: Float[Tensor, "batch in"]
) -> Float[Tensor, "batch out in *rest"]:
    """Multiply every column of each network by its factor."""
    return x * factors.to(x.dtype).view(len(x), 1, x.shape[2], *[1] * (x.ndim - 3))

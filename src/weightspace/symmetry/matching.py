"""Weight matching: the permutations, and signs, that bring networks closest to others."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from weightspace.symmetry.assignment import match_pairs
from weightspace.symmetry.permutation import invert_perms, permute
from weightspace.symmetry.sign import flip_signs
from weightspace.threads import numba_threads, thread_count
from weightspace.weights import Weights

__all__ = ["Matching", "apply_matching", "invert_matching", "match"]


@dataclass(frozen=True)
class Matching:
    """One group element per network: permute by `perms`, then flip by `signs`.

    Attributes:
        perms: one `(batch, n)` index tensor per hidden layer.
        signs: one `(batch, n)` tensor of +1 and -1 per hidden layer, in the new order.
    """

    perms: tuple[Tensor, ...]
    signs: tuple[Tensor, ...]


def apply_matching(b: Weights, matching: Matching) -> Weights:
    """Bring `b` to the networks it was matched to; its function stays the same."""
    return flip_signs(permute(b, matching.perms), matching.signs)


def invert_matching(matching: Matching) -> Matching:
    """The matching that undoes `matching`: if one brings b to a, it brings a to b."""
    perms = invert_perms(matching.perms)
    signs = tuple(s.gather(1, p) for s, p in zip(matching.signs, perms, strict=True))
    return Matching(perms, signs)


def match(a: Weights, b: Weights, *, signed: bool, sweeps: int = 20) -> Matching:
    """Find the hidden-neuron permutations, and signs, that bring `b` closest to `a`.

    Maximises <a, g b> over the group elements g, the inner product over all weights and
    biases; as g b has the norm of b, this minimises the squared distance |a - g b|^2.
    Coordinate descent: with the other hidden layers held, the best element of one hidden
    layer solves a linear assignment on the similarity of the neurons,
    A[i, j] = <incoming row i of a, j of b> + <biases> + <outgoing column i of a, j of b>.
    A negated neuron negates its row of A, so with signs the assignment is solved on |A| and
    the signs are those of the chosen entries. Hidden layers are taken in order, first to
    last, in every sweep; a layer of a pair is solved again only when a neighbouring layer
    has moved, so a pair is done when none is left.

    The objective never decreases. With one hidden layer the result is the global optimum;
    with more it is a local one, from the starting point of the given order and signs.
    The work is done in float64 on the CPU, on as many threads as torch has, whatever the device
    of the networks; the result for a pair depends on nothing but the pair.

    Args:
        a: the raw networks to be matched to.
        b: as many raw networks of the same layout, the ones to move; pair i is a[i], b[i].
        signed: also search over signs; right for odd activations such as the sine.
        sweeps: the most passes over the hidden layers.

    Returns:
        The element for each pair, on the device of `b`; `apply_matching(b, ...)` applies it.

    Raises:
        ValueError: if the batches differ in layout or size, or hold channels, NaN, infinity or
            numbers whose squares overflow.

    Reference: Ainsworth et al. 2023, Git Re-Basin, section 3.2 and algorithm 1 (the signs
        and the order of the layers are ours).
    """
    _check_pairs(a, b)
    layout = a.layer_layout
    orders = torch.empty(len(a), len(layout), max(layout), dtype=torch.int64)
    flips = torch.empty(orders.shape, dtype=torch.float64)
    squares = torch.empty(len(a), 2, dtype=torch.float64)
    with numba_threads(thread_count()):
        match_pairs(
            _rows(a),
            _rows(b),
            np.array(layout),
            _starts(layout),
            signed,
            sweeps,
            *(x.numpy() for x in (orders, flips, squares)),
        )
    _check_finite(squares)
    hidden = range(1, len(layout) - 1)
    return Matching(
        tuple(orders[:, l, : layout[l]].contiguous().to(b.device) for l in hidden),
        tuple(flips[:, l, : layout[l]].contiguous().to(b.device, b.dtype) for l in hidden),
    )


def _rows(w: Weights) -> np.ndarray:
    """One row per network, on the CPU, of a number type that is compiled."""
    x = w.flatten().detach().cpu()
    return (x if x.dtype == torch.float32 else x.double()).numpy()


def _starts(layout: tuple[int, ...]) -> np.ndarray:
    """Where the weights (row 0) and the biases (row 1) of each layer start in a flat network."""
    outs = np.array(layout[1:])
    sizes = np.concatenate([outs * np.array(layout[:-1]), outs])
    return (sizes.cumsum() - sizes).reshape(2, -1)


def _check_pairs(a: Weights, b: Weights) -> None:
    if a.layer_layout != b.layer_layout or len(a) != len(b):
        raise ValueError(
            f"match was given {len(a)} networks of layer_layout {a.layer_layout} and {len(b)} of "
            f"{b.layer_layout}; it needs as many networks of the same layout on both sides"
        )
    for name, w in (("a", a), ("b", b)):
        if w.channels:
            raise ValueError(
                f"match needs raw networks; {name} has channel axes of shape {w.channels}"
            )


def _check_finite(squares: Float[Tensor, "batch 2"]) -> None:
    """Refuse networks whose squared norms are not finite."""
    for name, square in zip("ab", squares.unbind(1), strict=True):
        bad = ~square.isfinite()
        if bad.any():
            raise ValueError(
                f"match needs finite weights; networks {bad.nonzero()[:, 0].tolist()[:10]} of "
                f"{name} hold NaN, infinity or numbers too large to square: leave them out"
            )

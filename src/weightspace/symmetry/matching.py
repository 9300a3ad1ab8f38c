"""Weight matching: the permutations, and signs, that bring networks closest to others."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from weightspace.symmetry.permutation import invert_perms, permute
from weightspace.symmetry.sign import flip_signs
from weightspace.weights import Weights

__all__ = ["Matching", "apply_matching", "invert_matching", "match"]

# A gain below this share of the objective is rounding, and following it could go in circles.
ROUNDING = 1e-12


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
    The work is done in float64 on the CPU, whatever the device of the networks.

    Args:
        a: the raw networks to be matched to.
        b: as many raw networks of the same layout, the ones to move; pair i is a[i], b[i].
        signed: also search over signs; right for odd activations such as the sine.
        sweeps: the most passes over the hidden layers.

    Returns:
        The element for each pair, on the device of `b`; `apply_matching(b, ...)` applies it.

    Raises:
        ValueError: if the batches differ in layout or size, or hold channels, NaN or infinity.

    Reference: Ainsworth et al. 2023, Git Re-Basin, section 3.2 and algorithm 1 (the signs
        and the order of the layers are ours).
    """
    _check_pairs(a, b)
    fixed, moved = (w.map(_own_copy) for w in (a, b))
    widths = b.layer_layout[1:-1]
    perms = tuple(torch.arange(n).repeat(len(b), 1) for n in widths)
    signs = tuple(torch.ones(len(b), n, dtype=torch.float64) for n in widths)
    stale = torch.ones(len(widths), len(b), dtype=torch.bool)  # to be solved (again)
    for _ in range(sweeps):
        for h in range(len(widths)):
            pairs = stale[h].nonzero()[:, 0]
            if not len(pairs):
                continue
            pairs, perm, sign = _move_layer(moved, fixed, h, pairs, signed)
            perms[h][pairs] = perms[h][pairs].gather(1, perm)
            signs[h][pairs] = signs[h][pairs].gather(1, perm) * sign
            stale[h] = False
            stale[max(h - 1, 0) : h, pairs] = True
            stale[h + 1 : h + 2, pairs] = True
        if not stale.any():
            break
    return Matching(
        tuple(p.to(b.device) for p in perms), tuple(s.to(b.device, b.dtype) for s in signs)
    )


def _own_copy(x: Tensor) -> Tensor:
    """A copy in float64 on the CPU, to be written into and shared with NumPy."""
    return x.detach().to("cpu", torch.float64, copy=True)


def _move_layer(
    moved: Weights, fixed: Weights, h: int, pairs: Int[Tensor, " pairs"], signed: bool
) -> tuple[Int[Tensor, " gained"], Int[Tensor, "gained n"], Float[Tensor, "gained n"]]:
    """Move hidden layer h of the pairs that gain by it, in place; return which, and how."""
    around = _around(moved, h, pairs)
    perm, sign, better = _assign(_similarity(_around(fixed, h, pairs), around), signed)
    pairs, perm, sign = pairs[better], perm[better], sign[better]
    _put(moved, h, pairs, flip_signs(permute(around[better], (perm,)), (sign,)))
    return pairs, perm, sign


def _around(w: Weights, h: int, pairs: Int[Tensor, " pairs"]) -> Weights:
    """The layers into and out of hidden layer h as networks of one hidden layer."""
    return Weights(
        tuple(x[pairs] for x in w.weights[h : h + 2]),
        tuple(x[pairs] for x in w.biases[h : h + 2]),
    )


def _put(w: Weights, h: int, pairs: Int[Tensor, " pairs"], around: Weights) -> None:
    """Write the layers around hidden layer h back into `w`, the inverse of `_around`."""
    for x, part in zip(w.weights[h : h + 2], around.weights, strict=True):
        x[pairs] = part
    w.biases[h][pairs] = around.biases[0]


def _similarity(a: Weights, b: Weights) -> Float[Tensor, "batch n n"]:
    """Inner products of the hidden neurons: incoming row, bias and outgoing column."""
    biases = a.biases[0][:, :, None] * b.biases[0][:, None, :]
    incoming = torch.baddbmm(biases, a.weights[0], b.weights[0].mT)
    return torch.baddbmm(incoming, a.weights[1].mT, b.weights[1])


def _assign(
    similarity: Float[Tensor, "batch n n"], signed: bool
) -> tuple[Int[Tensor, "batch n"], Float[Tensor, "batch n"], Bool[Tensor, " batch"]]:
    """The best element for each pair, and whether it is better than staying put."""
    cost = similarity.abs().neg() if signed else -similarity
    perm = torch.from_numpy(np.stack([linear_sum_assignment(c)[1] for c in cost.numpy()]))
    chosen = similarity.gather(2, perm[:, :, None])[:, :, 0]
    sign = torch.where(chosen < 0, -1.0, 1.0) if signed else torch.ones(())
    sign = sign.to(chosen.dtype).expand_as(chosen)
    now = similarity.diagonal(dim1=1, dim2=2)
    gain = (chosen * sign - now).sum(1)
    return perm, sign, gain > ROUNDING * now.abs().sum(1)


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
        bad = ~w.flatten().isfinite().all(1)
        if bad.any():
            raise ValueError(
                f"match needs finite weights; networks {bad.nonzero()[:, 0].tolist()[:10]} of "
                f"{name} hold NaN or infinity: leave them out"
            )

"""Random pairs of training networks, and the ways to bring the second one to the first."""

from collections.abc import Mapping

import numpy as np
import torch
from jaxtyping import Int64

from weightspace.augment.exact import Permutation
from weightspace.symmetry.matching import apply_matching, invert_matching, match
from weightspace.weights import Weights

__all__ = ["ALIGNMENTS", "PAIR_KINDS", "align_partners", "draw_pairs"]

PAIR_KINDS = {
    "same_class": "different objects, same class",
    "other_class": "different classes",
    "views": "views of one object",
}
"""The kinds of pairs of networks, with words for people."""

ALIGNMENTS = {
    "none": "none",
    "randomised": "randomised",
    "permutation": "permutation",
    "signed": "permutation + sign",
    "reference_permutation": "reference, permutation",
    "reference_signed": "reference, permutation + sign",
}
"""The kinds of alignment of the second network of a pair, with words for people."""


def draw_pairs(
    columns: Mapping[str, np.ndarray], kind: str, n: int, *, generator: torch.Generator
) -> Int64[np.ndarray, "pairs 2"]:
    """Draw pairs of networks of the training split, each with a partner drawn at random.

    No network is first in two pairs before every one that can be has been first in one.

    Args:
        columns: object_id, label and split of every network of a dataset.
        kind: of `PAIR_KINDS`.
        n: how many pairs.
        generator: on the CPU.

    Returns:
        The rows of the first and of the second network; no pair where there is none of the kind.
    """
    train = np.flatnonzero(columns["split"] == "train")
    objects, labels = (columns[name][train] for name in ("object_id", "label"))
    of_object, of_label = _group_sizes(objects), _group_sizes(labels)
    n_partners = {
        "same_class": of_label - of_object,
        "other_class": len(train) - of_label,
        "views": of_object - 1,
    }[kind]
    can_be_first = np.flatnonzero(n_partners > 0)
    if not len(can_be_first):
        return np.empty((0, 2), np.int64)
    rounds = -(-n // len(can_be_first))
    order = [torch.randperm(len(can_be_first), generator=generator) for _ in range(rounds)]
    pairs = []
    for first in can_be_first[torch.cat(order)[:n].numpy()]:
        same_object, same_label = objects == objects[first], labels == labels[first]
        partners = {
            "same_class": same_label & ~same_object,
            "other_class": ~same_label,
            "views": same_object & (np.arange(len(train)) != first),
        }[kind]
        chosen = torch.randint(int(partners.sum()), (), generator=generator)
        pairs.append((train[first], train[np.flatnonzero(partners)[chosen]]))
    return np.array(pairs, np.int64)


def align_partners(
    a: Weights, b: Weights, reference: Weights, *, sweeps: int = 20, generator: torch.Generator
) -> dict[str, Weights]:
    """Bring each network of `b` to that of `a` in each of the ways of `ALIGNMENTS`.

    Alignment through a reference r: with g_a bringing a to r and g_b bringing b to r, the
    partner is g_a^-1 g_b b. It stands to a as g_b b stands to g_a a, since g_a moves both.

    Args:
        a: networks, which stay.
        b: as many partners; their functions stay the same in each way.
        reference: one network.
        sweeps: the most sweeps of a matching.
        generator: of the random permutations of "randomised".

    Returns:
        The moved partners, by the name of the way.
    """
    partners = {"none": b, "randomised": Permutation()(b, generator=generator)}
    for name, signed in (("permutation", False), ("signed", True)):
        partners[name] = apply_matching(b, match(a, b, signed=signed, sweeps=sweeps))
    fixed = reference.map(lambda x: x.expand(len(a), *x.shape[1:]))
    for name, signed in (("reference_permutation", False), ("reference_signed", True)):
        to_reference = apply_matching(b, match(fixed, b, signed=signed, sweeps=sweeps))
        of_first = match(fixed, a, signed=signed, sweeps=sweeps)
        partners[name] = apply_matching(to_reference, invert_matching(of_first))
    return partners


def _group_sizes(x: np.ndarray) -> np.ndarray:
    """For each entry, how many entries are equal to it."""
    _, inverse, counts = np.unique(x, return_inverse=True, return_counts=True)
    return counts[inverse]

"""The networks of a set, read file by file into one array for each tensor."""

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import torch

from weightspace.dataset.interchange.listing import InterchangeError, Label, Listing
from weightspace.dataset.interchange.state_dict import read_network
from weightspace.weights import Weights

__all__ = ["read_networks"]


def read_networks(
    listing: Listing, progress: Callable[[int, int], None] | None = None
) -> tuple[Weights, list[Label | None]]:
    """Read all files of a set.

    Args:
        listing: the set.
        progress: called with the number of files read and in all.

    Returns:
        The networks as they lie in the files, float32, and the labels in the files.

    Raises:
        InterchangeError: if a file cannot be read, has other shapes than the first one, or
            numbers that are not finite.
    """
    n = len(listing.paths)
    labels: list[Label | None] = []
    w: Weights | None = None
    for i, path in enumerate(listing.paths):
        network = read_network(listing.root / path)
        w = _empty(n, network.layer_layout) if w is None else w
        if network.layer_layout != w.layer_layout:
            raise InterchangeError(
                f"{listing.root / path} has the widths {network.layer_layout}, but "
                f"{listing.paths[0]} has {w.layer_layout}: a set has networks of one layout, "
                f"import the others as a set of their own"
            )
        for whole, x in zip(w, (*network.weights, *network.biases), strict=True):
            whole[i] = x
        labels.append(network.label)
        if progress is not None:
            progress(i + 1, n)
    assert w is not None, "a listing has at least one network"
    _check_finite(listing, w)
    return w, labels


def _empty(n: int, layout: tuple[int, ...]) -> Weights:
    return Weights(
        tuple(torch.empty(n, n_out, n_in) for n_in, n_out in pairwise(layout)),
        tuple(torch.empty(n, n_out) for n_out in layout[1:]),
    )


def _check_finite(listing: Listing, w: Weights) -> None:
    finite = np.ones(len(w), dtype=bool)
    for x in w:
        finite &= x.isfinite().flatten(1).all(1).numpy()
    if not finite.all():
        raise InterchangeError(
            f"{listing.root / listing.paths[int((~finite).argmax())]} holds NaN or infinity, as "
            f"do {int((~finite).sum())} of {len(w)} files: take them out of the list"
        )

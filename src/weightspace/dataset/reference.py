"""All networks of a dataset brought to one fixed reference network, by weight matching."""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import torch

from weightspace.dataset.statistics import tensor_statistics
from weightspace.inr_set import InrSet
from weightspace.symmetry.matching import apply_matching, match
from weightspace.weights import Weights

__all__ = ["align_to_reference", "reference_row"]

# Networks per matching job: enough for batched products, few enough to stay in the cache.
CHUNK = 256


def align_to_reference(
    inrs: InrSet,
    *,
    signed: bool,
    reference: int | None = None,
    sweeps: int = 20,
    threads: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> InrSet:
    """Match every network of every split to one network of the set, its function unchanged.

    Two networks that were both brought to the reference are aligned to one another, though
    less well than by a matching of their own; in return each network is matched once and not
    once per partner. The networks of validation and test are aligned too. A matching uses no
    label and no other network than the reference, which is of the training split, so nothing
    of validation or test reaches the training. A cell that trains on fewer objects than the
    split has usually does not train on the reference; its networks are aligned to it all the
    same.

    Args:
        inrs: a dataset of several splits, not yet aligned.
        signed: match by permutations and signs, not by permutations alone.
        reference: the row of the network to be matched to; None takes `reference_row`.
        sweeps: the most sweeps of the matching.
        threads: how many matching jobs run at the same time.
        progress: called with the number of networks done and in all.

    Returns:
        The same networks in the same order with the same columns and failures, and the means
        and deviations of its own tensors. Its header's config says what was done, under
        "reference": the object_id and view of the reference, and whether it was signed.

    Raises:
        ValueError: if the set is aligned already, or there is no such network.
    """
    if "reference" in inrs.header.config:
        raise ValueError(
            f"the networks are aligned already, to {inrs.header.config['reference']}; "
            f"give the dataset as it was assembled"
        )
    row = reference_row(inrs.columns) if reference is None else reference
    if not 0 <= row < len(inrs.weights):
        raise ValueError(f"reference is row {row}; there are {len(inrs.weights)} networks")
    weights = _aligned(inrs.weights, row, signed, sweeps, threads, progress)
    chosen = {
        "object_id": int(inrs.columns["object_id"][row]),
        "view": int(inrs.columns["view"][row]),
        "signed": signed,
    }
    header = replace(inrs.header, config={**inrs.header.config, "reference": chosen})
    statistics = {
        split: _with_moments(values, weights, np.flatnonzero(inrs.columns["split"] == split))
        for split, values in (inrs.statistics or {}).items()
    }
    return replace(inrs, header=header, weights=weights, statistics=statistics or None)


def reference_row(columns: Mapping[str, np.ndarray]) -> int:
    """The row of the reference: of the training split the lowest object_id, and its first view.

    Raises:
        ValueError: if there is no training network.
    """
    train = np.flatnonzero(columns["split"] == "train")
    if not len(train):
        raise ValueError("the reference is a training network; the split 'train' has none")
    return int(train[np.lexsort((columns["view"][train], columns["object_id"][train]))[0]])


def _aligned(
    w: Weights,
    row: int,
    signed: bool,
    sweeps: int,
    threads: int,
    progress: Callable[[int, int], None] | None,
) -> Weights:
    """The networks brought to network `row`, chunk by chunk into one new batch."""
    reference, aligned = w[row : row + 1], w.map(torch.empty_like)

    def bring(start: int) -> Weights:
        own = w[start : start + CHUNK]
        fixed = reference.map(lambda x: x.expand(len(own), *x.shape[1:]))
        return apply_matching(own, match(fixed, own, signed=signed, sweeps=sweeps))

    starts = range(0, len(w), CHUNK)
    with ThreadPoolExecutor(threads) as executor:
        for start, part in zip(starts, executor.map(bring, starts), strict=True):
            for whole, x in zip(aligned, part, strict=True):
                whole[start : start + CHUNK] = x
            if progress is not None:
                progress(start + len(part), len(w))
    return aligned


def _with_moments(
    values: Mapping[str, np.ndarray], w: Weights, rows: np.ndarray
) -> dict[str, np.ndarray]:
    """The statistics of a split with the means and deviations of its networks as they are now."""
    moments = tensor_statistics(w, torch.from_numpy(rows))
    return {**values, "mean": np.array(moments.mean), "std": np.array(moments.std)}

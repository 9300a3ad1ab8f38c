"""The learning rate over the course of training."""

import math

__all__ = ["warmup_cosine"]


def warmup_cosine(update: int, *, updates: int, warmup: int) -> float:
    """The share of the peak learning rate: a linear rise, then half a cosine towards zero.

    (u + 1) / warmup for u < warmup, then (1 + cos(pi (u - warmup) / (updates - warmup))) / 2.

    Args:
        update: the update u, counted from 0.
        updates: the number of updates of the whole training.
        warmup: the number of updates of the rise; 0 starts at the peak.

    Returns:
        A factor in (0, 1].

    Raises:
        ValueError: unless 0 <= update < updates and 0 <= warmup <= updates.

    Reference: Loshchilov and Hutter 2017, SGDR, eq. 5, with one period.
    """
    if not 0 <= update < updates:
        raise ValueError(f"update is {update}; it must lie in [0, updates) = [0, {updates})")
    if not 0 <= warmup <= updates:
        raise ValueError(f"warmup is {warmup}; it must lie in [0, updates] = [0, {updates}]")
    if update < warmup:
        return (update + 1) / warmup
    return (1 + math.cos(math.pi * (update - warmup) / (updates - warmup))) / 2

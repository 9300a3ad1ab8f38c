"""The division of a study's objects into jobs."""

import numpy as np

__all__ = ["shard_rows"]


def shard_rows(n: int, shard: int, n_shards: int) -> np.ndarray:
    """Return the positions of the objects of a shard: the `shard`-th part of n, all near equal.

    Raises:
        ValueError: if there is no such shard, or an object too few for each to have one.
    """
    if not 0 <= shard < n_shards:
        raise ValueError(f"shard is {shard}; {n_shards} shards are numbered 0 to {n_shards - 1}")
    if n < n_shards:
        raise ValueError(
            f"{n} objects cannot fill {n_shards} shards (were so many skipped?); raise "
            "fit.shard_size, or ask for as many objects as there are"
        )
    return np.arange(n * shard // n_shards, n * (shard + 1) // n_shards)

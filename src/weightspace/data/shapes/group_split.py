"""Splits by group: what shares a group shares a split."""

from collections import Counter
from collections.abc import Sequence
from hashlib import blake2b

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

__all__ = ["group_split", "joined"]

# Where the shares of the splits end, in the order of the hashes.
_ENDS = {"train": 0.7, "val": 0.8, "test": 1.0}


def group_split(labels: np.ndarray, groups: Sequence[str]) -> np.ndarray:
    """Put whole groups into training, validation and test: about 70, 10 and 20 % of each class.

    A group belongs to the class that most of its objects have, the first one of several. The
    groups of a class stand in the order of a hash of their names, which has nothing to do with
    what they are. Each goes where the middle of its objects lies: to training in the first 70 %
    of the objects of that class, to validation in the next 10 %, else to the test.

    Args:
        labels: the class of each object, `(n,)`.
        groups: the name of the group of each object.

    Returns:
        "train", "val" or "test" for each object, `(n,)`; the same for all of a group.
    """
    sizes, classes = Counter(groups), _classes(labels, groups)
    split = {}
    for label in sorted(set(classes.values())):
        members = sorted((g for g in sizes if classes[g] == label), key=_hash)
        total, before = sum(sizes[g] for g in members), 0
        for group in members:
            middle = (before + sizes[group] / 2) / total
            split[group] = next(name for name, end in _ENDS.items() if middle < end)
            before += sizes[group]
    return np.array([split[group] for group in groups])


def joined(groups: Sequence[str], pairs: np.ndarray) -> list[str]:
    """Make one group of the groups that pairs of objects connect.

    Args:
        groups: the name of the group of each object, n of them.
        pairs: the indices of two objects each, `(pairs, 2)`.

    Returns:
        The name of the group of each object: the first, in order of names, of those joined.
    """
    names, index = np.unique(groups, return_inverse=True)
    edges = index[pairs].reshape(-1, 2)
    links = coo_array((np.ones(len(edges)), edges.T), shape=(len(names), len(names)))
    _, component = connected_components(links, directed=False)
    first = [names[component == k][0] for k in range(component.max(initial=-1) + 1)]
    return [str(first[component[i]]) for i in index]


def _classes(labels: np.ndarray, groups: Sequence[str]) -> dict[str, int]:
    """The class of each group."""
    counts = Counter(zip(groups, labels.tolist(), strict=True))
    best = {}
    for (group, label), _ in sorted(counts.items(), key=lambda item: (-item[1], item[0][1])):
        best.setdefault(group, label)
    return best


def _hash(group: str) -> bytes:
    """A number of the group's name, spread evenly."""
    return blake2b(group.encode(), digest_size=16).digest()

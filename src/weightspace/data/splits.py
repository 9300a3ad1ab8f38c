"""Splits by object: stratified, seeded and nested."""

from typing import Literal

import numpy as np

__all__ = ["in_order", "stratified_split"]

_OFFICIAL = ("train", "test", "val")  # the order is part of the seeds


def stratified_split(
    labels: np.ndarray,
    official_split: np.ndarray,
    *,
    train: int,
    val: int,
    test: int,
    seed: int,
    balance: Literal["equal", "proportional"] = "equal",
) -> dict[str, np.ndarray]:
    """Choose training, validation and test objects, stratified by class.

    Every class is shuffled once under `seed`. An "equal" selection of n objects goes round the
    classes, so that their counts differ by at most one. Training takes each class of the
    official training split from the front, validation takes it from the back; so a smaller
    selection is a prefix of a larger one, and neither depends on the size of the other.

    A "proportional" selection has the classes as they are in the set, and can be all of it.
    There the i-th of the N objects of a class, from 0, has the rank (i + 1/2) / N; training
    takes the lowest ranks of all classes, validation the highest.

    A set with an official validation split gives its validation objects from there alone, from
    the front or the lowest ranks like the others.

    Args:
        labels: the class of each object, `(n,)`.
        official_split: "train", "test" and perhaps "val" for each object, `(n,)`.
        train: how many objects of the official training split to train on.
        val: how many objects to validate on: of the official validation split, or other ones
            of the official training split if there is none.
        test: how many objects of the official test split to test on.
        seed: the seed of the shuffles, not negative.
        balance: "equal" or "proportional".

    Returns:
        Under "train", "val" and "test" the positions in `labels` of the objects chosen.

    Raises:
        ValueError: if a class, or the set, has fewer objects than are asked, a count is
            negative, or official_split has other names.
    """
    _check_arguments(labels, official_split, train=train, val=val, test=test)
    asked = {"train": {"train": train, "val": val}, "test": {"test": test}}
    own_val = "val" in official_split
    if own_val:
        asked = {"train": {"train": train}, "val": {"val": val}, "test": {"test": test}}
    pools = {name: _shuffled_classes(labels, official_split, name, seed) for name in asked}
    if balance == "proportional":
        for name, pool in pools.items():
            _check_total(pool, name, asked[name])
        order = {name: _by_rank(pool) for name, pool in pools.items()}
        for_val = order["val"] if own_val else order["train"][::-1]
        return {"train": order["train"][:train], "val": for_val[:val], "test": order["test"][:test]}
    for name, pool in pools.items():
        _check_enough(pool, np.unique(labels), name, asked[name])
    backwards = [positions[::-1] for positions in pools["train"]]
    return {
        "train": _round_robin(pools["train"], train),
        "val": _round_robin(pools["val"] if own_val else backwards, val),
        "test": _round_robin(pools["test"], test),
    }


def _shuffled_classes(
    labels: np.ndarray, official_split: np.ndarray, official: str, seed: int
) -> list[np.ndarray]:
    """The positions of every class within one official split, in seeded order."""
    place = _OFFICIAL.index(official)
    return [
        np.random.default_rng((seed, place, c)).permutation(
            np.flatnonzero((labels == label) & (official_split == official))
        )
        for c, label in enumerate(np.unique(labels))
    ]


def _counts(n: int, n_classes: int) -> list[int]:
    """How many of `n` objects each class gives; the first ones give the remainder."""
    return [n // n_classes + (c < n % n_classes) for c in range(n_classes)]


def _round_robin(classes: list[np.ndarray], n: int) -> np.ndarray:
    """The first `n` positions, one of each class in turn."""
    counts = _counts(n, len(classes))
    chosen = [positions[:k] for positions, k in zip(classes, counts, strict=True)]
    turn = np.concatenate([np.arange(k) for k in counts])
    return np.concatenate(chosen)[np.argsort(turn, kind="stable")]


def _by_rank(classes: list[np.ndarray]) -> np.ndarray:
    """All positions; every part from the front or the back has the classes in proportion."""
    ranks = [(np.arange(len(positions)) + 0.5) / len(positions) for positions in classes]
    return np.concatenate(classes)[np.argsort(np.concatenate(ranks), kind="stable")]


def in_order(
    chosen: dict[str, np.ndarray], object_ids: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Put what `stratified_split` chose into one list, sorted by object_id.

    Args:
        chosen: the positions of each split.
        object_ids: of all objects, `(n,)`.

    Returns:
        The positions, and the split of each.
    """
    positions = np.concatenate(list(chosen.values()))
    splits = np.repeat(list(chosen), [len(p) for p in chosen.values()])
    order = np.argsort(object_ids[positions])
    return positions[order], splits[order]


def _check_arguments(
    labels: np.ndarray, official_split: np.ndarray, *, train: int, val: int, test: int
) -> None:
    """Refuse arrays that do not fit together, and negative counts."""
    if labels.ndim != 1 or labels.shape != official_split.shape or not len(labels):
        raise ValueError(
            f"labels {labels.shape} and official_split {official_split.shape} "
            "must be one-dimensional, of one length and not empty"
        )
    if others := sorted(set(official_split) - set(_OFFICIAL)):
        raise ValueError(
            f"official_split has {', '.join(map(repr, map(str, others)))}; it must be 'train', "
            "'test' or 'val' for each object"
        )
    for name, n in (("train", train), ("val", val), ("test", test)):
        if n < 0:
            raise ValueError(f"{name} is {n}; it must not be negative")


def _check_enough(
    classes: list[np.ndarray], names: np.ndarray, official: str, asked: dict[str, int]
) -> None:
    """Refuse to choose more objects of a class than there are."""
    n_classes = len(classes)
    needed = np.sum([_counts(n, n_classes) for n in asked.values()], axis=0)
    available = np.array([len(positions) for positions in classes])
    if (short := np.flatnonzero(needed > available)).size:
        wish = " + ".join(f"{name} {n}" for name, n in asked.items())
        lacks = ", ".join(
            f"class {names[c]}: {needed[c]} asked, {available[c]} there" for c in short
        )
        raise ValueError(
            f"too many objects asked of the official {official} split ({wish}, balanced over "
            f"{n_classes} classes): {lacks}; ask for fewer or use a larger set"
        )


def _check_total(classes: list[np.ndarray], official: str, asked: dict[str, int]) -> None:
    """Refuse to choose more objects than there are."""
    needed, available = sum(asked.values()), sum(map(len, classes))
    if needed > available:
        wish = " + ".join(f"{name} {n}" for name, n in asked.items())
        raise ValueError(
            f"too many objects asked of the official {official} split ({wish}): {needed} asked, "
            f"{available} there; ask for fewer or use a larger set"
        )

"""Splits by object: stratified, seeded and nested."""

from typing import Literal

import numpy as np

__all__ = ["stratified_split"]


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

    Args:
        labels: the class of each object, `(n,)`.
        official_split: "train" or "test" for each object, `(n,)`.
        train: how many objects of the official training split to train on.
        val: how many other objects of the official training split to validate on.
        test: how many objects of the official test split to test on.
        seed: the seed of the shuffles, not negative.
        balance: "equal" or "proportional".

    Returns:
        Under "train", "val" and "test" the positions in `labels` of the objects chosen.

    Raises:
        ValueError: if a class, or the set, has fewer objects than are asked, or a count is
            negative.
    """
    _check_arguments(labels, official_split, train=train, val=val, test=test)
    names = np.unique(labels)
    learn = _shuffled_classes(labels, official_split, "train", seed)
    final = _shuffled_classes(labels, official_split, "test", seed)
    if balance == "proportional":
        _check_total(learn, "train", {"train": train, "val": val})
        _check_total(final, "test", {"test": test})
        order = _by_rank(learn)
        return {"train": order[:train], "val": order[::-1][:val], "test": _by_rank(final)[:test]}
    _check_enough(learn, names, "train", {"train": train, "val": val})
    _check_enough(final, names, "test", {"test": test})
    return {
        "train": _round_robin(learn, train),
        "val": _round_robin([positions[::-1] for positions in learn], val),
        "test": _round_robin(final, test),
    }


def _shuffled_classes(
    labels: np.ndarray, official_split: np.ndarray, official: str, seed: int
) -> list[np.ndarray]:
    """The positions of every class within one official split, in seeded order."""
    place = ("train", "test").index(official)
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


def _check_arguments(
    labels: np.ndarray, official_split: np.ndarray, *, train: int, val: int, test: int
) -> None:
    """Refuse arrays that do not fit together, and negative counts."""
    if labels.ndim != 1 or labels.shape != official_split.shape or not len(labels):
        raise ValueError(
            f"labels {labels.shape} and official_split {official_split.shape} "
            "must be one-dimensional, of one length and not empty"
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

"""Splits that keep groups together."""

from collections import Counter

import numpy as np

from weightspace.data.shapes.group_split import group_split, joined

rng = np.random.default_rng(0)
LABELS = np.repeat([0, 1, 2], [200, 60, 100])
GROUPS = [f"{label}-{rng.integers(0, 150)}" for label in LABELS[:-20]] + ["shared"] * 20


def shares(labels, split):
    counts = Counter(zip(labels.tolist(), split.tolist(), strict=True))
    return {
        (label, name): counts[label, name] / (labels == label).sum()
        for label in set(labels.tolist())
        for name in ("train", "val", "test")
    }


def test_a_group_is_in_one_split_across_classes():
    labels = LABELS.copy()
    labels[[-1, -2, -3]] = [0, 1, 1]
    split = group_split(labels, GROUPS)
    seen = {}
    for group, name in zip(GROUPS, split, strict=True):
        assert seen.setdefault(group, name) == name
    assert set(split) == {"train", "val", "test"}


def test_the_shares_of_every_class_come_close():
    for (label, name), share in shares(
        LABELS[:-20], group_split(LABELS[:-20], GROUPS[:-20])
    ).items():
        wanted = {"train": 0.7, "val": 0.1, "test": 0.2}[name]
        assert abs(share - wanted) <= 0.05, (label, name)


def test_groups_of_one_object_come_as_close_as_can_be():
    split = group_split(np.zeros(50, dtype=np.int64), [str(i) for i in range(50)])
    assert Counter(split.tolist()) == {"train": 35, "val": 5, "test": 10}


def test_the_order_of_the_objects_does_not_matter():
    order = rng.permutation(len(LABELS))
    split = group_split(LABELS, GROUPS)
    shuffled = group_split(LABELS[order], [GROUPS[i] for i in order])
    np.testing.assert_array_equal(shuffled, split[order])


def test_the_names_decide_and_not_their_order():
    names = [str(i) for i in range(1000)]
    split = group_split(np.zeros(1000, dtype=np.int64), names)
    places = np.flatnonzero(split == "test")
    assert abs(places.mean() - 500) < 50
    assert len(np.unique(np.diff(places))) > 5


def test_other_classes_change_nothing():
    alone = group_split(
        LABELS[LABELS == 1], [g for g, c in zip(GROUPS, LABELS, strict=True) if c == 1]
    )
    np.testing.assert_array_equal(group_split(LABELS, GROUPS)[LABELS == 1], alone)


def test_groups_that_pairs_connect_become_one():
    groups = ["d", "a", "b", "c", "a", "e"]
    pairs = np.array([[0, 2], [3, 2]])  # d - b - c
    assert joined(groups, pairs) == ["b", "a", "b", "b", "a", "e"]
    assert joined(groups, pairs[:0]) == groups

"""Laws of the splits, and known-bad splits that they must catch."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weightspace.data.splits import stratified_split

SETS = ("train", "val", "test")


@st.composite
def pools(draw, *, own_val=False):
    """Labels and official splits with at least `least` objects of each class in each split."""
    n_classes, least = draw(st.integers(1, 5)), draw(st.integers(1, 8))
    extra = draw(st.lists(st.tuples(st.integers(0, n_classes - 1), st.booleans()), max_size=30))
    rows = [(c, t) for c in range(n_classes) for t in (False, True) for _ in range(least)] + extra
    if own_val:
        rows += [(c, None) for c in range(n_classes) for _ in range(least)]
    rows = draw(st.permutations(rows))
    labels = np.array([c for c, _ in rows])
    official = np.array([{False: "train", True: "test", None: "val"}[t] for _, t in rows])
    room = least * n_classes
    if own_val:
        train, val, test = (draw(st.integers(0, room)) for _ in SETS)
        return labels, official, {"train": train, "val": val, "test": test}
    train = draw(st.integers(0, room // 2))
    val = draw(st.integers(0, (least - -(-train // n_classes)) * n_classes))
    return labels, official, {"train": train, "val": val, "test": draw(st.integers(0, room))}


def faults(split, labels, official, sizes, seed):
    """The laws that `split` breaks on one pool."""
    chosen = split(labels, official, **sizes, seed=seed)
    everything = np.concatenate([chosen[name] for name in SETS])
    broken = set()
    if len(np.unique(everything)) != len(everything):
        broken.add("separates an object")
    if any(len(chosen[name]) != sizes[name] for name in SETS):
        broken.add("size")
    home = {"train": "train", "val": "val" if "val" in official else "train", "test": "test"}
    if any((official[chosen[name]] != home[name]).any() for name in SETS):
        broken.add("official split")
    for name in SETS:
        counts = [(labels[chosen[name]] == c).sum() for c in np.unique(labels)]
        if max(counts) - min(counts) > 1:
            broken.add("balance")
    again = split(labels, official, **sizes, seed=seed)
    if any((again[name] != chosen[name]).any() for name in SETS):
        broken.add("determinism")
    for name in SETS:
        fewer = split(labels, official, **{**sizes, name: sizes[name] // 2}, seed=seed)
        if not np.array_equal(fewer[name], chosen[name][: sizes[name] // 2]):
            broken.add("nesting")
        others = [other for other in SETS if other != name]
        if any(not np.array_equal(fewer[other], chosen[other]) for other in others):
            broken.add("independence")
    return broken


@settings(max_examples=100, deadline=None)
@given(pools() | pools(own_val=True), st.integers(0, 2**32))
def test_no_law_is_broken(pool, seed):
    assert faults(stratified_split, *pool, seed) == set()


def overlapping(labels, official, *, train, val, test, seed):
    chosen = stratified_split(labels, official, train=train, val=0, test=test, seed=seed)
    more = stratified_split(labels, official, train=val, val=0, test=0, seed=seed)
    return {**chosen, "val": more["train"]}


def ignores_the_official_split(labels, official, *, train, val, test, seed):
    order = np.random.default_rng(seed).permutation(len(labels))
    return dict(zip(SETS, np.split(order[: train + val + test], [train, train + val]), strict=True))


def unbalanced(labels, official, *, train, val, test, seed):
    order = np.random.default_rng(seed).permutation(np.flatnonzero(official == "train"))
    final = np.random.default_rng(seed).permutation(np.flatnonzero(official == "test"))
    return {"train": order[:train], "val": order[::-1][:val], "test": final[:test]}


def not_nested(labels, official, *, train, val, test, seed):
    return stratified_split(
        labels, official, train=train, val=val, test=test, seed=seed + train + val + test
    )


def unseeded(labels, official, *, train, val, test, seed):
    seed = int(np.random.default_rng().integers(2**32))
    return stratified_split(labels, official, train=train, val=val, test=test, seed=seed)


def one_short(labels, official, *, train, val, test, seed):
    return stratified_split(labels, official, train=train, val=val - 1, test=test, seed=seed)


def ignores_the_validation_split(labels, official, *, train, val, test, seed):
    merged = np.where(official == "val", "train", official)
    return stratified_split(labels, merged, train=train, val=val, test=test, seed=seed)


@pytest.mark.parametrize("balance", ["equal", "proportional"])
def test_an_official_validation_split_changes_nothing_else(balance):
    labels = np.arange(400) % 4
    official = np.where(np.arange(400) < 300, "train", "test")
    with_val = np.where((np.arange(400) >= 240) & (official == "train"), "val", official)
    sizes = {"train": 40, "val": 20, "test": 20}
    chosen = stratified_split(labels, with_val, **sizes, seed=5, balance=balance)
    assert set(with_val[chosen["val"]]) == {"val"} and set(with_val[chosen["train"]]) == {"train"}
    assert np.bincount(labels[chosen["val"]]).tolist() == [5] * 4
    fewer = np.flatnonzero(with_val != "val")
    without = stratified_split(
        labels[fewer], official[fewer], **{**sizes, "val": 0}, seed=5, balance=balance
    )
    for name in ("train", "test"):
        np.testing.assert_array_equal(chosen[name], fewer[without[name]])
    everything = stratified_split(
        labels, with_val, train=240, val=60, test=100, seed=5, balance=balance
    )
    assert sorted(np.concatenate(list(everything.values()))) == list(range(400))
    assert "official split" in faults(ignores_the_validation_split, labels, with_val, sizes, 5)


def test_the_classes_are_shuffled_in_every_split_on_their_own():
    labels, official = np.zeros(90, int), np.repeat(["train", "test", "val"], 30)
    chosen = stratified_split(labels, official, train=30, val=30, test=30, seed=0)
    starts = {"train": 0, "test": 30, "val": 60}
    orders = {tuple(chosen[name] - start) for name, start in starts.items()}
    assert len(orders) == 3 and tuple(range(30)) not in orders


@pytest.mark.parametrize(
    ("bad", "law"),
    [
        (overlapping, "separates an object"),
        (ignores_the_official_split, "official split"),
        (unbalanced, "balance"),
        (not_nested, "nesting"),
        (not_nested, "independence"),
        (unseeded, "determinism"),
        (one_short, "size"),
    ],
)
def test_the_laws_have_teeth(bad, law):
    labels = np.arange(400) % 4
    official = np.where(np.arange(400) < 300, "train", "test")
    sizes = {"train": 40, "val": 20, "test": 20}
    assert faults(stratified_split, labels, official, sizes, 5) == set()
    assert law in faults(bad, labels, official, sizes, 5)


def test_seeds_choose_differently():
    labels = np.arange(400) % 4
    official = np.where(np.arange(400) < 300, "train", "test")
    sizes = {"train": 40, "val": 20, "test": 20}
    first, second = (stratified_split(labels, official, **sizes, seed=s) for s in (0, 1))
    assert all(set(first[name]) != set(second[name]) for name in SETS)


def test_too_many_objects_are_refused_with_the_numbers_of_the_class():
    labels = np.array([0] * 9 + [7] * 3)
    official = np.repeat("train", 12)
    with pytest.raises(ValueError, match=r"train 6 \+ val 2.*class 7: 4 asked, 3 there"):
        stratified_split(labels, official, train=6, val=2, test=0, seed=0)
    with pytest.raises(ValueError, match=r"official test split.*class 0: 1 asked, 0 there"):
        stratified_split(labels, official, train=0, val=0, test=1, seed=0)


def test_too_many_objects_of_the_validation_split_are_refused():
    labels, official = np.array([0, 1] * 6), np.repeat(["train", "val", "test"], [6, 4, 2])
    sizes = {"train": 6, "val": 5, "test": 2}
    with pytest.raises(
        ValueError, match=r"official val split \(val 5, .*class 0: 3 asked, 2 there"
    ):
        stratified_split(labels, official, **sizes, seed=0)
    with pytest.raises(ValueError, match=r"official val split \(val 5\): 5 asked, 4 there"):
        stratified_split(labels, official, **sizes, seed=0, balance="proportional")
    with pytest.raises(ValueError, match=r"official train split \(train 8, "):
        stratified_split(labels, official, train=8, val=0, test=0, seed=0)


def test_every_object_can_be_used():
    labels = np.arange(12) % 3
    split = stratified_split(labels, np.repeat("train", 12), train=9, val=3, test=0, seed=0)
    assert sorted(np.concatenate([split["train"], split["val"]])) == list(range(12))


def proportions(labels, official, seed=0, **sizes):
    return stratified_split(labels, official, **sizes, seed=seed, balance="proportional")


@st.composite
def uneven_pools(draw):
    """Labels and splits of classes of any size, and counts up to all there is."""
    sizes = draw(
        st.lists(st.tuples(st.integers(1, 40), st.integers(1, 20)), min_size=1, max_size=6)
    )
    rows = [(c, t) for c, n in enumerate(sizes) for t in (False, True) for _ in range(n[t])]
    rows = draw(st.permutations(rows))
    labels = np.array([c for c, _ in rows])
    official = np.where([t for _, t in rows], "test", "train")
    n_train, n_test = (sum(n[t] for n in sizes) for t in (False, True))
    train = draw(st.integers(0, n_train))
    val, test = draw(st.integers(0, n_train - train)), draw(st.integers(0, n_test))
    return labels, official, {"train": train, "val": val, "test": test}


@settings(max_examples=100, deadline=None)
@given(uneven_pools(), st.integers(0, 2**32))
def test_proportional_splits_break_no_law_but_equality(pool, seed):
    labels, official, sizes = pool

    def split(labels, official, *, seed, **sizes):
        return proportions(labels, official, seed, **sizes)

    assert faults(split, *pool, seed) <= {"balance"}
    chosen = proportions(labels, official, seed, **sizes)
    for name, home in (("train", "train"), ("val", "train"), ("test", "test")):
        pooled = np.bincount(labels[official == home])
        share = pooled / pooled.sum()
        counts = np.bincount(labels[chosen[name]], minlength=len(share))
        slack = 0.5 + share * len(share) / 2
        assert (abs(counts - sizes[name] * share) <= slack + 1e-9).all()


def test_proportional_counts_follow_the_set_where_equal_ones_do_not():
    labels = np.repeat([0, 1], [900, 100])
    chosen = proportions(labels, np.repeat("train", 1000), train=500, val=100, test=0)
    assert np.bincount(labels[chosen["train"]]).tolist() == [450, 50]
    assert np.bincount(labels[chosen["val"]]).tolist() == [90, 10]


def test_all_of_an_uneven_set_can_be_used():
    labels, official = np.repeat([0, 1, 2], [7, 4, 2]), np.repeat("train", 13)
    chosen = proportions(labels, official, train=9, val=4, test=0)
    assert sorted(np.concatenate([chosen["train"], chosen["val"]])) == list(range(13))
    with pytest.raises(ValueError, match=r"train 10 \+ val 4\): 14 asked, 13 there"):
        proportions(labels, official, train=10, val=4, test=0)


def test_equal_splits_are_what_they_always_were():
    # Studies are reproducible: the same seed chooses the same objects in every version.
    labels = np.arange(40) % 4
    official = np.where(np.arange(40) < 28, "train", "test")
    split = stratified_split(labels, official, train=6, val=5, test=5, seed=3)
    assert split["train"].tolist() == [20, 17, 10, 23, 24, 13]
    assert split["val"].tolist() == [0, 21, 2, 7, 12]
    assert split["test"].tolist() == [28, 29, 30, 35, 32]


def test_nonsense_is_refused():
    labels, official = np.zeros(4, int), np.repeat("train", 4)
    with pytest.raises(ValueError, match="val is -1"):
        stratified_split(labels, official, train=1, val=-1, test=0, seed=0)
    with pytest.raises(ValueError, match="official_split has 'dev', 'valid'; it must be 'train'"):
        strange = np.array(["train", "test", "valid", "dev"])
        stratified_split(labels, strange, train=1, val=0, test=0, seed=0)
    with pytest.raises(ValueError, match="of one length"):
        stratified_split(labels, official[:3], train=1, val=0, test=0, seed=0)

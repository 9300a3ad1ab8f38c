"""A dataset is read per split and selected by views and objects, balanced and nested."""

import dataclasses

import numpy as np
import pytest
import torch
from strategies import random_networks

from weightspace.dataset.inr_dataset import InrDataset, load_inr_dataset


def dataset(n_objects=12, n_views=3, n_classes=3, shuffle=0):
    """Objects 100, 101, ... with labels 0, 1, 2, 0, ...; the rows in any order."""
    n = n_objects * n_views
    rows = torch.arange(n)
    if shuffle:
        rows = torch.randperm(n, generator=torch.Generator().manual_seed(shuffle))
    ids = rows // n_views
    weights = random_networks((2, 3, 1), n, dtype=torch.float32)[rows]
    return InrDataset(
        weights=weights,
        labels=ids % n_classes,
        object_ids=100 + ids,
        views=rows % n_views,
        n_classes=n_classes,
        omega_0=30.0,
        output_offset=0.5,
    )


def members(d):
    return set(zip(d.object_ids.tolist(), d.views.tolist(), strict=True))


def test_a_file_is_read_per_split(study):
    path = study.write("a.h5", sorted(study.entries), failed=[(3, 1)])
    splits = load_inr_dataset(path)
    assert {name: len(d) for name, d in splits.items()} == {"train": 11, "val": 2, "test": 4}
    for name, d in splits.items():
        assert d.n_classes == 2
        assert (d.omega_0, d.output_offset) == (30.0, 0.5)
        for row in range(len(d)):
            object_id, view = int(d.object_ids[row]), int(d.views[row])
            at = study.object_ids.tolist().index(object_id)
            assert study.splits[at] == name
            assert study.labels[at] == d.labels[row]
            expected = study.network(object_id, view).flatten()
            assert torch.equal(d.weights[row : row + 1].flatten(), expected)


def test_a_split_without_networks_is_not_there(study):
    e = study.entries
    path = study.write("a.h5", e, failed=[(12, 0), (31, 0)])
    assert set(load_inr_dataset(path)) == {"train", "test"}


def test_index_mask_and_slice_agree():
    d = dataset()
    chosen = d[torch.tensor([1, 3, 5])]
    mask = torch.zeros(len(d), dtype=torch.bool)
    mask[[1, 3, 5]] = True
    for other in (d[mask], d[1:6:2]):
        assert torch.equal(chosen.weights.flatten(), other.weights.flatten())
        assert members(chosen) == members(other)
    assert len(chosen) == 3
    assert (chosen.n_classes, chosen.omega_0, chosen.output_offset) == (3, 30.0, 0.5)


def test_everything_moves_to_a_device():
    moved = dataset().to("meta")
    tensors = (moved.labels, moved.object_ids, moved.views, *moved.weights)
    assert {x.device.type for x in tensors} == {"meta"}


def test_lengths_must_agree():
    d, columns = dataset(), ("labels", "object_ids", "views")
    with pytest.raises(ValueError, match="labels has 2 entries; 36 examples need 36"):
        dataclasses.replace(d, **{k: getattr(d, k)[:2] for k in columns})


def test_views_are_the_first_ones_in_their_order():
    d = dataset(shuffle=3)
    two = d.select(views=2)
    assert members(two) == {(i, v) for i, v in members(d) if v < 2}
    kept = d.views < 2
    assert torch.equal(two.object_ids, d.object_ids[kept])
    assert torch.equal(two.weights.flatten(), d.weights.flatten()[kept])


def test_nothing_asked_is_everything():
    d = dataset()
    assert members(d.select()) == members(d)


@pytest.mark.parametrize("seed", [0, 1, 17])
def test_objects_are_balanced_nested_and_whole(seed):
    d, smaller = dataset(12, 3, 3, shuffle=5), set()
    for k in range(1, 13):
        chosen = d.select(objects=k, seed=seed)
        ids = set(chosen.object_ids.tolist())
        assert len(ids) == k
        assert smaller < ids
        assert len(chosen) == 3 * k  # with all views
        counts = np.bincount([i % 3 for i in ids], minlength=3)
        assert counts.max() - counts.min() <= 1
        smaller = ids


def test_unequal_classes_fill_up():
    d = dataset(9, 1, 3)
    d = d[(d.labels != 2) | (d.object_ids == 102)]  # one object of class 2 among seven
    labels = d.select(objects=6).labels
    assert sorted(torch.bincount(labels).tolist()) == [1, 2, 3]


def test_the_choice_follows_the_seed_and_nothing_else():
    d = dataset(30, 2, 3)
    chosen = members(d.select(objects=9, seed=1))
    state = torch.random.get_rng_state()
    assert members(dataset(30, 2, 3, shuffle=9).select(objects=9, seed=1)) == chosen
    assert torch.equal(torch.random.get_rng_state(), state)
    assert members(d.select(objects=9, seed=2)) != chosen


def test_the_objects_do_not_depend_on_the_views():
    d = dataset(30, 3, 3)
    one, three = d.select(views=1, objects=9), d.select(views=3, objects=9)
    assert set(one.object_ids.tolist()) == set(three.object_ids.tolist())
    assert len(three) == 3 * len(one)


def test_the_order_of_two_objects_does_not_depend_on_the_others():
    # Where all fits of an object failed, the images and the networks choose the same objects.
    def order(d):
        nested = [set(d.select(objects=k).object_ids.tolist()) for k in range(1, 30)]
        return [(b - a).pop() for a, b in zip([set(), *nested], nested, strict=False)]

    d = dataset(30, 1, 3)
    before = order(d)
    lost = before[4]
    after = order(d[d.object_ids != lost])
    for label in range(3):
        expected = [i for i in before if (i - 100) % 3 == label and i != lost]
        assert [i for i in after if (i - 100) % 3 == label][: len(expected)] == expected


def test_what_a_model_must_know_of_the_networks():
    assert dataset().input_settings == {
        "layer_layout": (2, 3, 1),
        "omega_0": 30.0,
        "output_offset": 0.5,
    }


def test_selecting_changes_nothing():
    d = dataset()
    before = [x.clone() for x in (d.labels, d.object_ids, d.views, d.weights.flatten())]
    d.select(views=2, objects=5, seed=3)
    for x, y in zip(before, (d.labels, d.object_ids, d.views, d.weights.flatten()), strict=True):
        assert torch.equal(x, y)


@pytest.mark.parametrize(
    ("asked", "match"),
    [
        ({"views": 4}, "4 views were asked for; this dataset has 3: ask for 1 to 3"),
        ({"views": 0}, "0 views were asked for"),
        ({"objects": 13}, "13 objects were asked for; this dataset has 12"),
        ({"objects": 0}, "0 objects were asked for"),
    ],
)
def test_more_than_there_is(asked, match):
    with pytest.raises(ValueError, match=match):
        dataset().select(**asked)


def test_an_empty_dataset_has_nothing_to_select():
    with pytest.raises(ValueError, match="this dataset has 0"):
        dataset()[:0].select(views=1)
    with pytest.raises(ValueError, match="this dataset has 0"):
        dataset()[:0].select(objects=1)

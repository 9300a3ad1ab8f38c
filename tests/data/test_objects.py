import dataclasses

import numpy as np
import pytest
import torch

from weightspace.data.archive import ArchiveError
from weightspace.data.coordinates import grid
from weightspace.data.image_set import ImageSet
from weightspace.data.objects import (
    Objects,
    read_objects,
    write_objects,
)
from weightspace.data.selection import select_objects
from weightspace.data.signals import image_signals

SIZES = {"train": 12, "val": 6, "test": 6}


def image_set(channels=(), n=60):
    rng = np.random.default_rng(0)
    ids = rng.permutation(np.concatenate([np.arange(n), 60_000 + np.arange(n // 2)]))
    return ImageSet(
        name="toy",
        images=rng.integers(0, 256, (len(ids), 4, 3, *channels), dtype=np.uint8),
        labels=ids % 3,
        object_ids=ids,
        official_split=np.where(ids < 60_000, "train", "test"),
        classes=("a", "b", "c"),
    )


def test_objects_are_sorted_rows_of_the_set():
    whole = image_set()
    objects = select_objects(whole, **SIZES, seed=0)
    assert (np.diff(objects.object_ids) > 0).all()
    for i, object_id in enumerate(objects.object_ids):
        (row,) = np.flatnonzero(whole.object_ids == object_id)
        np.testing.assert_array_equal(objects.images[i], whole.images[row])
        assert objects.labels[i] == whole.labels[row]
        assert (objects.splits[i] == "test") == (whole.official_split[row] == "test")
    names, counts = np.unique(objects.splits, return_counts=True)
    assert dict(zip(names, counts, strict=True)) == SIZES
    assert objects.classes == whole.classes


def test_a_smaller_experiment_is_a_part_of_a_larger_one():
    small = select_objects(image_set(), **{**SIZES, "train": 7}, seed=0)
    large = select_objects(image_set(), **SIZES, seed=0)
    for name in SIZES:
        inner = set(small.object_ids[small.splits == name])
        outer = set(large.object_ids[large.splits == name])
        assert inner <= outer
        assert (inner == outer) == (name != "train")


def test_too_many_objects_are_refused():
    with pytest.raises(ValueError, match="class 0: 22 asked, 20 there"):
        select_objects(image_set(), train=60, val=6, test=0, seed=0)


@pytest.mark.parametrize("channels", [(), (3,)])
def test_signals_lie_on_the_grid(channels):
    whole = image_set(channels)
    pictures = np.zeros_like(whole.images)
    pictures[:, 2, 1] = 255  # row 2 of 4, column 1 of 3
    whole = dataclasses.replace(whole, images=pictures)
    values = image_signals(select_objects(whole, **SIZES, seed=0).images).values
    assert values.shape == (24, 12, *(channels or (1,)))
    assert values.dtype == torch.float32
    lit = values[..., 0] == 1
    assert (lit.sum(1) == 1).all() and (values[..., 0][~lit] == 0).all()
    coords = grid((4, 3))[lit.int().argmax(1)]
    torch.testing.assert_close(coords, torch.tensor([1 / 3, 0.0]).expand(24, 2))


def test_colours_keep_their_order():
    objects = select_objects(image_set((3,)), **SIZES, seed=0)
    expected = objects.images[5, 3, 2] / 255
    np.testing.assert_allclose(
        image_signals(objects.images).values[5, 3 * 3 + 2], expected, rtol=1e-6
    )


@pytest.mark.parametrize("channels", [(), (3,)])
def test_objects_come_back(tmp_path, channels):
    objects = select_objects(image_set(channels), **SIZES, seed=0)
    write_objects(tmp_path / "objects.npz", objects)
    back = read_objects(tmp_path / "objects.npz")
    for field in dataclasses.fields(Objects):
        ours, theirs = getattr(objects, field.name), getattr(back, field.name)
        assert type(ours) is type(theirs)
        np.testing.assert_array_equal(ours, theirs)


def test_equal_objects_give_equal_bytes(tmp_path):
    for name in ("a.npz", "b.npz"):
        write_objects(tmp_path / name, select_objects(image_set(), **SIZES, seed=0))
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    write_objects(tmp_path / "c.npz", select_objects(image_set(), **SIZES, seed=1))
    assert (tmp_path / "a.npz").read_bytes() != (tmp_path / "c.npz").read_bytes()


def test_a_damaged_file_is_refused(tmp_path):
    path = tmp_path / "objects.npz"
    write_objects(path, select_objects(image_set(), **SIZES, seed=0))
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ArchiveError, match=r"objects\.npz is damaged"):
        read_objects(path)


def test_inconsistent_objects_are_refused():
    objects = select_objects(image_set(), **SIZES, seed=0)
    with pytest.raises(ValueError, match="one entry per object"):
        dataclasses.replace(objects, labels=objects.labels[1:])
    twice = objects.object_ids.copy()
    twice[3] = twice[4]
    with pytest.raises(ValueError, match=f"object_id {twice[4]} is there 2 times"):
        dataclasses.replace(objects, object_ids=twice)

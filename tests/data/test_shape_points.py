import dataclasses

import numpy as np
import pytest
import torch
import trimesh

from laws import assert_no_global_randomness
from weightspace.data.archive import ArchiveError, write_npz
from weightspace.data.shapes.chosen import ShapeObjects
from weightspace.data.shapes.distance import signed_distance
from weightspace.data.shapes.mesh import Mesh
from weightspace.data.shapes.points import (
    ShapePoints,
    read_points,
    shape_signal,
    write_points,
)
from weightspace.data.shapes.sampled_shapes import sample_shapes

SETTINGS = {"queries": 40, "surface": 30, "near": 0.75, "spread": 0.05, "seed": 3}
ARRAYS = [field.name for field in dataclasses.fields(ShapePoints)]


def shapes():
    """Five boxes."""
    sizes = np.random.default_rng(0).uniform(0.3, 1, (5, 3))
    meshes = [trimesh.creation.box(size) for size in sizes]
    return ShapeObjects(
        dataset="boxes",
        meshes=tuple(Mesh(np.array(m.vertices), np.array(m.faces, dtype=np.int64)) for m in meshes),
        labels=np.array([0, 1, 0, 1, 0]),
        object_ids=np.array([4, 7, 8, 30, 31]),
        splits=np.array(["train", "train", "train", "val", "test"]),
        classes=("flat", "tall"),
        titles=("a", "b", "c", "d", "e"),
        skipped=(),
    )


def chosen(rows):
    boxes, rows = shapes(), np.array(rows, dtype=np.int64)
    return dataclasses.replace(
        boxes,
        meshes=tuple(boxes.meshes[i] for i in rows),
        titles=tuple(boxes.titles[i] for i in rows),
        **{name: getattr(boxes, name)[rows] for name in ("labels", "object_ids", "splits")},
    )


def sampled(rows=range(5), **changes):
    return sample_shapes(chosen(rows), **(SETTINGS | changes))


def assert_equal(a, b, names=ARRAYS):
    for name in names:
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name), err_msg=name)


def part(points, rows):
    return ShapePoints(**{name: getattr(points, name)[rows] for name in ARRAYS})


def test_the_points_belong_to_their_shapes():
    points, boxes = sampled(), shapes()
    assert len(points) == 5
    assert {name: getattr(points, name).dtype for name in ARRAYS} == {
        "object_ids": np.int64,
        "queries": np.float32,
        "distances": np.float32,
        "surface": np.float32,
    }
    np.testing.assert_array_equal(points.object_ids, boxes.object_ids)
    assert points.surface.shape == (5, 30, 3) and points.queries.shape == (5, 40, 3)
    for i, mesh in enumerate(boxes.meshes):
        # The distance of the point that is stored, not of the one before it was rounded.
        exact = signed_distance(mesh, points.queries[i].astype(np.float64))
        np.testing.assert_array_equal(points.distances[i], exact.astype(np.float32))
        assert abs(signed_distance(mesh, points.surface[i])).max() < 1e-6
        assert abs(signed_distance(mesh, points.surface[i - 1])).max() > 1e-2


def test_an_object_has_the_same_points_in_any_shard():
    whole = sampled()
    for rows in ([3], [4, 1], [2, 4, 0]):
        assert_equal(sampled(rows), part(whole, rows))
    assert len(sampled([])) == 0
    # ... and whatever it is called.
    renamed = dataclasses.replace(shapes(), titles=tuple("vwxyz"))
    assert_equal(sample_shapes(renamed, **SETTINGS), whole)


def test_points_depend_on_the_seed_and_on_the_object():
    one, other = sampled(), sampled(seed=4)
    boxes = shapes()
    equal = dataclasses.replace(boxes, meshes=boxes.meshes[:1] * 5)
    twins = sample_shapes(equal, **SETTINGS)
    for name in ("queries", "surface"):
        a, b, c = (getattr(x, name) for x in (one, other, twins))
        assert (a != b).any(-1).all()
        assert (c[1] != c[2]).any(-1).all()


def test_more_queries_leave_the_surface_points():
    assert_equal(sampled(queries=50, near=0.1), sampled(), ["object_ids", "surface"])
    assert_equal(sampled(surface=7), sampled(), ["queries", "distances"])


def test_no_global_generator_is_used():
    assert_no_global_randomness(lambda: sampled([1, 2]).queries)


def test_progress_counts_objects():
    calls = []
    sampled([0, 3], progress=lambda *numbers: calls.append(numbers))
    assert calls == [(1, 2), (2, 2)]


def test_a_signal_is_above_one_half_inside():
    d = np.array([[-0.3, -0.1, -0.05, 0, 0.02, 0.1, 0.5]], dtype=np.float32)
    sdf = shape_signal(d, kind="sdf", truncation=0.1)
    expected = torch.tensor([[1, 1, 0.75, 0.5, 0.4, 0, 0]])[..., None]
    torch.testing.assert_close(sdf, expected)
    assert sdf.dtype == torch.float32
    assert shape_signal(d, kind="sdf", truncation=0.2)[0, 1, 0] == 0.75
    occupancy = shape_signal(d, kind="occupancy", truncation=0.1)
    torch.testing.assert_close(occupancy, torch.tensor([[1.0, 1, 1, 0, 0, 0, 0]])[..., None])


def test_a_signal_leaves_the_distances():
    d = np.array([[-0.3, 0.2]], dtype=np.float32)
    for kind in ("sdf", "occupancy"):
        shape_signal(d, kind=kind, truncation=0.1).zero_()
        np.testing.assert_array_equal(d, np.array([[-0.3, 0.2]], dtype=np.float32))


def test_a_bad_truncation_is_refused():
    for truncation in (0.0, -1.0, float("nan")):
        with pytest.raises(ValueError, match="truncation is"):
            shape_signal(np.zeros((1, 2)), kind="sdf", truncation=truncation)


def test_points_come_back_from_their_file(tmp_path):
    points = sampled()
    write_points(tmp_path / "a.npz", points)
    write_points(tmp_path / "b.npz", sampled())
    found = read_points(tmp_path / "a.npz")
    assert_equal(found, points)
    assert [getattr(found, name).dtype for name in ARRAYS] == [
        getattr(points, name).dtype for name in ARRAYS
    ]
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_another_file_is_refused(tmp_path):
    write_npz(tmp_path / "other.npz", {"object_ids": np.zeros(2)})
    with pytest.raises(ArchiveError, match="lacks an array"):
        read_points(tmp_path / "other.npz")


@pytest.mark.parametrize("name", ARRAYS)
def test_arrays_that_do_not_fit_together_are_refused(name):
    arrays = {field: getattr(sampled(), field) for field in ARRAYS}
    with pytest.raises(ValueError, match="ShapePoints needs"):
        ShapePoints(**arrays | {name: arrays[name][1:]})
    if name != "object_ids":
        with pytest.raises(ValueError, match="ShapePoints needs"):
            ShapePoints(**arrays | {name: arrays[name][..., :2]})

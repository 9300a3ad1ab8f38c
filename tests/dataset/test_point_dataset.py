"""The points of a study are read per split, every object once, with their occupancy or without."""

import numpy as np
import pytest
import torch

from weightspace.data.objects import Objects, write_objects
from weightspace.data.shapes.chosen import ShapeObjects, write_shapes
from weightspace.data.shapes.mesh import Mesh
from weightspace.data.shapes.points import ShapePoints, write_points
from weightspace.dataset.load import load_datasets
from weightspace.dataset.point_dataset import PointDataset, load_point_datasets
from weightspace.dataset.statistics import standardise, tensor_statistics

IDS = np.array([3, 5, 8, 70, 71, 90])
SPLITS = np.array(["train", "val", "train", "test", "train", "test"])
N_QUERIES, N_SURFACE = 30, 12


@pytest.fixture
def shapes():
    """Six objects in no order of their splits; a seventh was skipped."""
    corners = Mesh(np.eye(3), np.array([[0, 1, 2]]))
    return ShapeObjects(
        dataset="solids",
        meshes=(corners,) * 6,
        labels=np.array([0, 1, 2, 0, 1, 2]),
        object_ids=IDS,
        splits=SPLITS,
        classes=("ball", "box", "rod"),
        titles=tuple(f"{i}.off" for i in IDS),
        skipped=("7.off: empty",),
    )


def points_of(ids, *, queries=N_QUERIES, surface=N_SURFACE):
    """Points that are a function of the object: their first coordinate shows its id."""
    drawn = [np.random.default_rng(int(i)).uniform(-1, 1, (3, queries + surface)) for i in ids]
    drawn = np.array(drawn, dtype=np.float32).reshape(len(ids), queries + surface, 3)
    drawn[..., 0] = np.array(ids, dtype=np.float32)[:, None] / 100
    return ShapePoints(
        object_ids=np.array(ids, dtype=np.int64),
        queries=drawn[:, :queries],
        distances=drawn[:, :queries, 1] - 0.2,
        surface=drawn[:, queries:],
    )


@pytest.fixture
def parts():
    """Two parts, whose objects are in no order; the third has none."""
    return [points_of([71, 3, 90]), points_of([5, 70, 8]), points_of([])]


@pytest.mark.parametrize("kind", ["points", "queries"])
def test_every_object_has_its_points_and_label(shapes, parts, kind):
    splits = load_point_datasets(iter(parts), shapes, kind=kind)
    assert {name: len(d) for name, d in splits.items()} == {"train": 3, "val": 1, "test": 2}
    for name, d in splits.items():
        rows = np.flatnonzero(name == SPLITS)
        assert d.object_ids.tolist() == IDS[rows].tolist()
        assert d.labels.tolist() == shapes.labels[rows].tolist()
        assert d.views.tolist() == [0] * len(rows)
        assert d.n_classes == 3
        assert d.inputs is d.points and d.points.dtype == torch.float32
        assert d.input_settings == {"point_channels": 3 if kind == "points" else 4}
        own = points_of(d.object_ids.tolist())
        expected = own.surface if kind == "points" else own.queries[:, :N_SURFACE]
        assert np.array_equal(d.points[..., :3].numpy(), expected)


def test_the_fourth_number_is_the_occupancy(shapes, parts):
    for d in load_point_datasets(parts, shapes, kind="queries").values():
        for point in d.points.reshape(-1, 4).tolist():
            assert point[3] == (1.0 if point[1] < 0.2 else -1.0)
        assert set(d.points[..., 3].unique().tolist()) == {-1.0, 1.0}


@pytest.mark.parametrize(("queries", "surface"), [(30, 12), (8, 12)])
@pytest.mark.parametrize("kind", ["points", "queries"])
def test_both_kinds_have_the_same_number_of_points(shapes, kind, queries, surface):
    part = points_of(IDS, queries=queries, surface=surface)
    d = load_point_datasets([part], shapes, kind=kind)["train"]
    n = min(queries, surface)
    assert d.points.shape[:2] == (3, n)
    rows = np.flatnonzero(SPLITS == "train")
    source = part.surface if kind == "points" else part.queries
    assert np.array_equal(d.points[..., :3].numpy(), source[rows, :n])


def test_a_dataset_does_not_hold_what_it_does_not_need(shapes, parts):
    # A view of a part would keep all of its queries in memory, or share what is changed.
    before = [part.surface.copy() for part in parts]
    d = load_point_datasets(parts, shapes, kind="points")["train"]
    assert d.points.untyped_storage().nbytes() == d.points.numel() * 4
    d.points.zero_()
    assert all(np.array_equal(p.surface, b) for p, b in zip(parts, before, strict=True))


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        ([[71, 3, 90], [5, 8]], "1 objects are in no part, e.g. object_id 70"),
        ([], "6 objects are in no part, e.g. object_id 3"),
        ([[71, 3, 90], [5, 70, 8, 3]], "1 objects are in the parts more than once, .* 3;"),
        ([[71, 3, 90], [5, 70, 8, 4]], "1 objects are not objects of the study, .* 4; give all"),
    ],
)
def test_every_object_is_in_exactly_one_part(shapes, ids, message):
    with pytest.raises(ValueError, match=message):
        load_point_datasets([points_of(part) for part in ids], shapes, kind="points")


def test_parts_of_other_settings_are_refused(shapes):
    parts = [points_of([71, 3, 90]), points_of([5, 70, 8], surface=11)]
    with pytest.raises(ValueError, match="parts have 11 and 12 points of each object"):
        load_point_datasets(parts, shapes, kind="points")


def test_points_are_selected_as_networks_are(shapes, parts):
    d = load_point_datasets(parts, shapes, kind="points")["train"]
    two = d.select(objects=2, views=1)
    assert len(two) == 2
    for points, object_id in zip(two.points, two.object_ids.tolist(), strict=True):
        assert np.array_equal(points.numpy(), points_of([object_id]).surface[0])
    with pytest.raises(ValueError, match="2 views were asked for; this dataset has 1"):
        d.select(views=2)


def test_one_mean_and_one_deviation_for_all_coordinates():
    # So that a rotation of all shapes is a rotation of what the model reads.
    generator = torch.Generator().manual_seed(0)
    ids = torch.arange(20)
    d = PointDataset(
        points=torch.randn(20, 9, 3, generator=generator) * torch.tensor([1.0, 2.0, 3.0]) + 5,
        labels=ids % 2,
        object_ids=ids,
        views=torch.zeros_like(ids),
        n_classes=2,
    )
    statistics = tensor_statistics(d.inputs)
    flat = d.points.double()
    found = (*statistics.mean, *statistics.std)
    assert found == pytest.approx((flat.mean().item(), flat.std(correction=0).item()))
    expected = (flat[:7] - flat.mean()) / flat.std(correction=0)
    torch.testing.assert_close(standardise(d.points[:7], statistics).double(), expected)


# -- from files ------------------------------------------------------------------------------


@pytest.fixture
def files(tmp_path, shapes, parts):
    write_shapes(tmp_path / "objects.npz", shapes)
    for i, part in enumerate(parts):
        write_points(tmp_path / f"part_{i}.npz", part)
    paths = [str(tmp_path / f"part_{i}.npz") for i in range(len(parts))]
    return {"objects": str(tmp_path / "objects.npz"), "points": paths}


@pytest.mark.parametrize("kind", ["points", "queries"])
def test_files_give_what_they_were_written_from(files, shapes, parts, kind):
    read, made = load_datasets(kind, files), load_point_datasets(parts, shapes, kind=kind)
    assert read.keys() == made.keys()
    for name, d in read.items():
        assert torch.equal(d.inputs, made[name].points)
        assert torch.equal(d.object_ids, made[name].object_ids)


def test_the_inputs_of_a_cell_name_the_kind_of_dataset(files, study, tmp_path):
    objects = Objects(
        dataset="pictures",
        images=np.zeros((6, 5, 4), dtype=np.uint8),
        labels=np.arange(6) % 3,
        object_ids=IDS,
        splits=SPLITS,
        classes=("a", "b", "c"),
    )
    write_objects(tmp_path / "pictures.npz", objects)
    inrs = study.write("inrs.h5", study.entries)
    pixels = load_datasets("pixels", {"objects": str(tmp_path / "pictures.npz")})
    assert pixels["train"].input_settings == {"image_shape": (5, 4, 1)}
    weights = load_datasets("weights", {"inrs": str(inrs)}, keep=lambda c: c["view"] == 0)
    assert weights["train"].input_settings["layer_layout"] == (2, 3, 2)
    assert set(weights["train"].views.tolist()) == {0}
    with pytest.raises(ValueError, match="kind is 'voxels'; it must be one of points, queries"):
        load_datasets("voxels", files)

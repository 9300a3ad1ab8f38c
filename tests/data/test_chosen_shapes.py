import dataclasses

import numpy as np
import pytest

from weightspace.data.archive import ArchiveError, read_npz, write_npz
from weightspace.data.shapes import chosen
from weightspace.data.shapes.chosen import (
    ShapeObjects,
    read_shapes,
    write_shapes,
)
from weightspace.data.shapes.mesh import Mesh, MeshError
from weightspace.data.shapes.shape_set import ShapeSet
from weightspace.data.unpack import UnpackError

SIZES = {"train": 12, "val": 6, "test": 6}
FACES = np.array([[0, 2, 1], [0, 1, 3], [1, 2, 3], [0, 3, 2], [0, 0, 1]])


@pytest.fixture
def select(tmp_path):
    """Select shapes, and read what was written."""

    def run(whole, **settings):
        chosen.select_shapes(tmp_path / "selected.npz", whole, **settings)
        return read_shapes(tmp_path / "selected.npz")

    return run


def tetrahedron(i):
    """A mesh that tells which one it is, with a degenerate face and an unused vertex."""
    vertices = np.random.default_rng(i).normal(size=(5 + i % 3, 3))
    return Mesh(10 * vertices + i, FACES)


def bad(i):
    raise MeshError("not finite: 1 of 4 vertices are NaN or infinite")


def shape_set(load=tetrahedron, n=60, val=0):
    """A set in mixed order: `n` training objects, of which `val` are for validation."""
    ids = np.random.default_rng(0).permutation(n + n // 2)
    return ShapeSet(
        name="toy",
        labels=ids % 3,
        object_ids=ids,
        official_split=np.where(ids >= n, "test", np.where(ids >= n - val, "val", "train")),
        classes=("a", "b", "c"),
        titles=tuple(f"{i}.off" for i in ids),
        load=lambda position: load(int(ids[position])),
    )


def failing(*object_ids, by=bad):
    return lambda i: by(i) if i in object_ids else tetrahedron(i)


def same(ours, theirs):
    for field in dataclasses.fields(ShapeObjects):
        a, b = getattr(ours, field.name), getattr(theirs, field.name)
        assert type(a) is type(b)
        if field.name == "meshes":
            for one, other in zip(a, b, strict=True):
                np.testing.assert_array_equal(one.vertices, other.vertices)
                np.testing.assert_array_equal(one.faces, other.faces)
        else:
            np.testing.assert_array_equal(a, b)


def test_shapes_are_sorted_rows_of_the_set_in_the_unit_ball(select):
    whole = shape_set()
    shapes = select(whole, **SIZES, seed=0)
    assert (np.diff(shapes.object_ids) > 0).all()
    for i, object_id in enumerate(shapes.object_ids):
        (row,) = np.flatnonzero(whole.object_ids == object_id)
        assert shapes.labels[i] == whole.labels[row]
        assert shapes.titles[i] == whole.titles[row] == f"{object_id}.off"
        assert (shapes.splits[i] == "test") == (whole.official_split[row] == "test")
        used = tetrahedron(object_id).vertices[:4]
        mesh = shapes.meshes[i]
        assert len(mesh.vertices) == 4 and mesh.closed
        assert {frozenset(face) for face in mesh.faces.tolist()} == set(map(frozenset, FACES[:4]))
        a, b, c = mesh.triangles.transpose(1, 0, 2)
        assert (a * np.cross(b, c)).sum() > 0  # turned, if it was inside out
        moved = used - (used.min(0) + used.max(0)) / 2
        moved /= np.linalg.norm(moved, axis=1).max()
        np.testing.assert_allclose(mesh.vertices, moved, atol=1e-6)
    names, counts = np.unique(shapes.splits, return_counts=True)
    assert dict(zip(names, counts, strict=True)) == SIZES
    assert shapes.classes == whole.classes and shapes.skipped == ()


def test_an_official_validation_split_is_used(select):
    shapes = select(shape_set(val=12), **SIZES, seed=0)
    assert set(shapes.object_ids[shapes.splits == "val"]) <= set(range(48, 60))
    assert set(shapes.object_ids[shapes.splits == "train"]) <= set(range(48))


def test_bad_meshes_are_skipped_and_listed_and_change_no_other(select):
    whole = select(shape_set(), **SIZES, seed=0)
    lost = whole.object_ids[[1, 5]]
    shapes = select(shape_set(failing(*lost)), **SIZES, seed=0)
    assert shapes.skipped == tuple(
        f"{i}.off: not finite: 1 of 4 vertices are NaN or infinite" for i in lost
    )
    assert shapes.object_ids.tolist() == [i for i in whole.object_ids if i not in lost]
    kept = np.flatnonzero(~np.isin(whole.object_ids, lost))
    for mesh, k in zip(shapes.meshes, kept, strict=True):
        np.testing.assert_array_equal(mesh.vertices, whole.meshes[k].vertices)
    assert shapes.titles == tuple(whole.titles[k] for k in kept)


def flat(i):
    return Mesh(np.zeros((3, 3)), FACES[:1])


def hollow(i):
    return Mesh(np.zeros((0, 3)), FACES[:0])


def refused(i):
    raise ValueError("cannot read this part")


@pytest.mark.parametrize(
    ("by", "reason"),
    [(flat, "no area: "), (hollow, "empty: "), (refused, "cannot read this part")],
)
def test_meshes_are_checked_whatever_the_reader_says(by, reason, select):
    (first, *_) = select(shape_set(), **SIZES, seed=0).object_ids
    shapes = select(shape_set(failing(first, by=by)), **SIZES, seed=0)
    assert len(shapes.skipped) == 1 and shapes.skipped[0].startswith(f"{first}.off: {reason}")


def test_a_split_of_bad_meshes_alone_is_refused(select):
    with pytest.raises(ValueError, match=r"no mesh of a in test and 2 more .* of toy") as caught:
        select(shape_set(failing(*range(60, 90))), **SIZES, seed=0)
    assert len(str(caught.value).splitlines()) == 1 + 5 + 1
    assert ".off: not finite" in str(caught.value) and "and 1 more" in str(caught.value)
    with pytest.raises(ValueError, match="no mesh of a in test and 8 more"):
        select(shape_set(bad), **SIZES, seed=0)


def test_a_class_of_bad_meshes_alone_is_refused(select):
    whole = shape_set()
    lost = [int(i) for i in whole.object_ids if i % 3 == 1]
    with pytest.raises(ValueError, match="no mesh of b in test and 2 more"):
        select(shape_set(failing(*lost)), **SIZES, seed=0)


def two_sided(i):
    """Walls with both sides as faces: the winding number is 0 everywhere."""
    mesh = tetrahedron(i)
    return Mesh(mesh.vertices, np.vstack([FACES[:4], FACES[:4, ::-1]]))


def test_a_mesh_that_encloses_nothing_is_skipped(select):
    first, *_ = select(shape_set(), **SIZES, seed=0).object_ids
    for by in (two_sided, lambda i: Mesh(tetrahedron(i).vertices, FACES[:1])):
        (reason,) = select(shape_set(failing(first, by=by)), **SIZES, seed=0).skipped
        assert reason.startswith(f"{first}.off: no inside: none of 512 points")


def test_a_split_that_nothing_is_asked_of_may_be_empty(select):
    shapes = select(shape_set(), train=3, val=0, test=0, seed=0)
    assert shapes.splits.tolist() == ["train"] * 3


def test_a_damaged_archive_or_disk_is_no_bad_mesh(select):
    def damaged(i):
        raise UnpackError("the zip archive is damaged")

    def gone(i):
        raise FileNotFoundError("mesh.off")

    for fault, error in ((damaged, UnpackError), (gone, FileNotFoundError)):
        with pytest.raises(error):
            select(shape_set(fault), **SIZES, seed=0)


def test_too_many_objects_are_refused(select):
    with pytest.raises(ValueError, match="class 0: 22 asked, 20 there"):
        select(shape_set(), train=60, val=6, test=0, seed=0)


def test_progress_is_told(select):
    calls = []
    whole = shape_set(failing(*range(5)))
    select(whole, train=3, val=3, test=3, seed=0, progress=lambda *c: calls.append(c))
    assert calls == [(i, 9) for i in range(1, 10)]


def test_shapes_come_back_as_they_were(tmp_path, select):
    lost = select(shape_set(), **SIZES, seed=0).object_ids[2]
    for load in (tetrahedron, failing(lost)):
        shapes = select(shape_set(load), **SIZES, seed=0)
        write_shapes(tmp_path / "shapes.npz", shapes)
        same(shapes, read_shapes(tmp_path / "shapes.npz"))


def test_rows_can_be_read_alone(tmp_path, select):
    whole = select(shape_set(), **SIZES, seed=0)
    write_shapes(tmp_path / "shapes.npz", whole)
    for rows in ([5, 2], np.array([0]), []):
        part = read_shapes(tmp_path / "shapes.npz", rows)
        assert part.titles == tuple(whole.titles[i] for i in rows)
        assert part.object_ids.tolist() == [whole.object_ids[i] for i in rows]
        for mesh, i in zip(part.meshes, rows, strict=True):
            np.testing.assert_array_equal(mesh.vertices, whole.meshes[i].vertices)


def test_nothing_is_written_where_the_choice_is_refused(tmp_path, select):
    with pytest.raises(ValueError, match="no mesh of"):
        select(shape_set(bad), **SIZES, seed=0)
    assert list(tmp_path.iterdir()) == []


def test_no_shapes_come_back(tmp_path, select):
    shapes = select(shape_set(), train=0, val=0, test=0, seed=0)
    write_shapes(tmp_path / "shapes.npz", shapes)
    assert len(read_shapes(tmp_path / "shapes.npz")) == 0


def test_equal_shapes_give_equal_bytes(tmp_path, select):
    for name, seed in (("a.npz", 0), ("b.npz", 0), ("c.npz", 1)):
        write_shapes(tmp_path / name, select(shape_set(), **SIZES, seed=seed))
    a, b, c = ((tmp_path / name).read_bytes() for name in ("a.npz", "b.npz", "c.npz"))
    assert a == b != c


def test_damaged_files_are_refused(tmp_path, select):
    path = tmp_path / "shapes.npz"
    write_shapes(path, select(shape_set(), **SIZES, seed=0))
    whole = path.read_bytes()
    path.write_bytes(whole[:-100])
    with pytest.raises(ArchiveError, match=r"shapes\.npz is damaged"):
        read_shapes(path)
    path.write_bytes(whole)
    arrays = read_npz(path, tuple(np.load(path).files))
    for lost in ("skipped", "faces_3"):
        write_npz(path, {name: array for name, array in arrays.items() if name != lost})
        with pytest.raises(ArchiveError, match=f"lacks an array: {lost}"):
            read_shapes(path)


def test_inconsistent_shapes_are_refused(select):
    shapes = select(shape_set(), **SIZES, seed=0)
    with pytest.raises(ValueError, match="one entry per object"):
        dataclasses.replace(shapes, titles=shapes.titles[1:])
    twice = shapes.object_ids.copy()
    twice[3] = twice[4]
    with pytest.raises(ValueError, match=f"object_id {twice[4]} is there 2 times"):
        dataclasses.replace(shapes, object_ids=twice)


def test_inconsistent_sets_are_refused():
    whole = shape_set()
    with pytest.raises(ValueError, match="one entry per object everywhere"):
        dataclasses.replace(whole, labels=whole.labels[1:])
    with pytest.raises(ValueError, match="labels from 0 to 2; with 2 classes"):
        dataclasses.replace(whole, classes=("a", "b"))

"""Folders of meshes that the tests write."""

import numpy as np
import pytest

from weightspace.data.folder_listing import FolderError, folder_state
from weightspace.data.shapes.chosen import read_shapes, select_shapes
from weightspace.data.shapes.mesh import MeshError
from weightspace.data.shapes.mesh_folder import MESHES, load_mesh_folder
from weightspace.data.shapes.shape_sets import SHAPE_SETS, load_shape_set

OFF = "OFF\n4 2 0\n0 0 0\n{x} 0 0\n0 1 0\n0 0 1\n3 0 2 1\n3 0 1 3\n"


def write(root, *names, content=OFF):
    """Write a mesh for each name; the length of an edge tells which."""
    for i, name in enumerate(names):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content.format(x=i + 1))


def many(root, n=10, classes=("vase", "bowl")):
    write(root, *(f"{c}/{i:02}.off" for c in classes for i in range(n)))


def test_a_folder_becomes_a_set(tmp_path):
    many(tmp_path)
    found = load_mesh_folder(tmp_path)
    assert found.name == "mesh_folder" and found.classes == ("bowl", "vase")
    assert found.labels.tolist() == [0] * 10 + [1] * 10
    assert found.object_ids.tolist() == list(range(20))
    assert found.titles[:2] == ("bowl/00.off", "bowl/01.off") and found.titles[19] == "vase/09.off"
    # `write` began with vase: the length of an edge tells which mesh it is.
    edges = [found.load(i).vertices[1, 0] for i in range(20)]
    assert edges == [*range(11, 21), *range(1, 11)]


def test_a_fifth_of_every_class_is_the_test(tmp_path):
    many(tmp_path)
    found = load_mesh_folder(tmp_path)
    for label in (0, 1):
        assert (found.official_split[found.labels == label] == "test").sum() == 2


def test_official_splits_are_kept_and_training_comes_first(tmp_path):
    write(tmp_path, "test/a/1.off", "test/b/1.off", "train/a/2.off", "train/b/1.off")
    found = load_mesh_folder(tmp_path)
    assert found.official_split.tolist() == ["train"] * 2 + ["test"] * 2
    assert found.titles == ("train/a/2.off", "train/b/1.off", "test/a/1.off", "test/b/1.off")
    assert [found.load(i).vertices[1, 0] for i in range(4)] == [3, 4, 1, 2]


def test_all_formats_count_and_other_files_do_not(tmp_path):
    many(tmp_path, n=2)
    obj = "v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n"
    write(tmp_path, "bowl/x.OBJ", content=obj)
    write(tmp_path, "bowl/x.mtl", "bowl/._00.off", "bowl/x.png", "notes.txt", content="?")
    found = load_mesh_folder(tmp_path)
    assert len(found) == 5
    assert len(found.load(found.titles.index("bowl/x.OBJ")).faces) == 1


CASES = {
    "one class": (
        lambda root: many(root, classes=("vase",)),
        "subfolder per class, two classes or more; it has only vase",
    ),
    "pictures": (
        lambda root: write(root, "a/1.png", "a/2.png", "b/1.png"),
        r"classes without a mesh: a, b \(files that are no meshes or hidden: 2 \.png\); add meshes",
    ),
    "one mesh": (
        lambda root: write(root, "a/1.off", "b/1.off", "b/2.off"),
        "class a in .* has one mesh; it needs two",
    ),
    "a mesh outside": (
        lambda root: write(root, "a/1.off", "b/1.off", "x.stl"),
        r"meshes in the wrong place: x\.stl; every mesh must lie directly",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_folder_that_lies_otherwise_is_refused(tmp_path, case):
    make, message = CASES[case]
    make(tmp_path)
    with pytest.raises(FolderError, match=message):
        load_mesh_folder(tmp_path)


def test_a_broken_mesh_is_known_by_name_and_the_others_are_used(tmp_path):
    many(tmp_path, n=5)
    write(tmp_path, "bowl/02.off", content="OFF\n4 2 0\n0 0 0\n")
    found = load_mesh_folder(tmp_path)
    with pytest.raises(MeshError, match="truncated"):
        found.load(2)
    sizes = {name: int((found.official_split == name).sum()) for name in ("train", "test")}
    select_shapes(tmp_path / "shapes.npz", found, **sizes, val=0, seed=0, balance="proportional")
    shapes = read_shapes(tmp_path / "shapes.npz")
    assert len(shapes) == 9 and 2 not in shapes.object_ids
    (reason,) = shapes.skipped
    assert reason.startswith("bowl/02.off: truncated: its header states 4 vertices and 2 faces")


def test_the_state_changes_with_the_meshes_alone(tmp_path):
    many(tmp_path, n=2)
    before = folder_state(tmp_path, MESHES)
    write(tmp_path, "bowl/photo.png", content="?")
    assert folder_state(tmp_path, MESHES) == before != folder_state(tmp_path)
    write(tmp_path, "bowl/new.off")
    assert folder_state(tmp_path, MESHES) != before


def test_sets_are_loaded_by_name(tmp_path):
    many(tmp_path)
    by_name = load_shape_set("mesh_folder", tmp_path)
    np.testing.assert_array_equal(by_name.labels, load_mesh_folder(tmp_path).labels)
    with pytest.raises(ValueError, match=r"unknown set of shapes 'teapots'; the sets are .*mesh_f"):
        load_shape_set("teapots", tmp_path)
    assert all(callable(load) for load in SHAPE_SETS.values())

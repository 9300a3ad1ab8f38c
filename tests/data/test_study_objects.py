"""What is known of the objects of a study, read alike from images and from shapes."""

import dataclasses

import numpy as np
import pytest
import trimesh

from weightspace.data.archive import ArchiveError
from weightspace.data.objects import Objects, read_objects, write_objects
from weightspace.data.shapes.chosen import ShapeObjects, read_shapes, write_shapes
from weightspace.data.shapes.mesh import Mesh
from weightspace.data.study_objects import StudyObjects, read_study_objects

FACTS = {
    "dataset": "things",
    "labels": np.array([1, 0, 2, 0]),
    "object_ids": np.array([2, 5, 2**47, 2**47 + 1]),
    "splits": np.array(["train", "train", "val", "test"]),
    "classes": ("größer", "Minifig Headwear", "c"),
}


def images():
    pictures = np.random.default_rng(0).integers(0, 256, (4, 3, 2), dtype=np.uint8)
    return Objects(images=pictures, **FACTS)


def shapes():
    cube = trimesh.creation.box((1, 1, 1))
    mesh = Mesh(np.array(cube.vertices), np.array(cube.faces, dtype=np.int64))
    return ShapeObjects(
        meshes=(mesh,) * 4, titles=("a", "b", "c", "d"), skipped=("e: empty",), **FACTS
    )


@pytest.fixture
def paths(tmp_path):
    write_objects(tmp_path / "images.npz", images())
    write_shapes(tmp_path / "shapes.npz", shapes())
    return {"images": tmp_path / "images.npz", "shapes": tmp_path / "shapes.npz"}


@pytest.mark.parametrize("kind", ["images", "shapes"])
def test_the_same_is_read_from_images_and_from_shapes(paths, kind):
    found = read_study_objects(paths[kind])
    assert type(found) is StudyObjects
    assert len(found) == 4
    for field in dataclasses.fields(found):
        value, expected = getattr(found, field.name), FACTS[field.name]
        assert type(value) is type(expected)
        np.testing.assert_array_equal(value, expected)
        if isinstance(expected, np.ndarray):
            assert value.dtype == expected.dtype


def test_what_is_read_with_the_objects_is_the_same(paths):
    for found in (read_objects(paths["images"]), read_shapes(paths["shapes"])):
        alone = read_study_objects(paths["images"]).columns()
        for name, column in found.columns().items():
            np.testing.assert_array_equal(column, alone[name])


def test_one_kind_is_not_read_as_the_other(paths):
    with pytest.raises(ArchiveError, match="titles"):
        read_shapes(paths["images"])
    with pytest.raises(ArchiveError, match="images"):
        read_objects(paths["shapes"])


def test_a_damaged_file_is_refused_without_its_objects(paths, tmp_path):
    whole = paths["shapes"].read_bytes()
    paths["shapes"].write_bytes(whole[:-100])
    with pytest.raises(ArchiveError, match=r"shapes\.npz is damaged"):
        read_study_objects(paths["shapes"])
    with pytest.raises(FileNotFoundError):
        read_study_objects(tmp_path / "none.npz")


@pytest.mark.parametrize("make", [images, shapes])
def test_facts_that_do_not_fit_together_are_refused(make):
    objects = make()
    name = type(objects).__name__
    for column in ("labels", "splits", "object_ids"):
        with pytest.raises(ValueError, match=f"{name} needs one entry per object everywhere"):
            dataclasses.replace(objects, **{column: getattr(objects, column)[:3]})
    with pytest.raises(ValueError, match="object_id 5 is there 2 times"):
        dataclasses.replace(objects, object_ids=np.array([2, 5, 5, 6]))

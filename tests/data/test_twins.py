"""Which of the shapes that look the same are kept."""

import numpy as np
import pytest
import trimesh

from laws import assert_no_global_randomness
from weightspace.data.shapes.mesh import Mesh, normalised
from weightspace.data.shapes.twins import lookalikes, surface_distance, without_twins


def mesh_of(shape):
    return Mesh(np.array(shape.vertices, dtype=np.float64), np.array(shape.faces, dtype=np.int64))


def box(*sides):
    return mesh_of(trimesh.creation.box(sides))


SHAPES = {
    "brick": box(1, 0.5, 0.7),
    "plate": box(1, 0.5, 0.2),
    "ball": mesh_of(trimesh.creation.icosphere(2)),
    "ring": mesh_of(trimesh.creation.torus(1.0, 0.3, major_sections=24, minor_sections=12)),
}


def subdivided(mesh):
    return mesh_of(trimesh.Trimesh(mesh.vertices, mesh.faces, process=False).subdivide())


def noisy(mesh):
    fine, rng = subdivided(subdivided(mesh)), np.random.default_rng(0)
    return Mesh(fine.vertices + rng.normal(scale=0.004, size=fine.vertices.shape), fine.faces)


def shuffled(mesh):
    order = np.random.default_rng(0).permutation(len(mesh.vertices))
    return Mesh(mesh.vertices[order], np.argsort(order)[mesh.faces][::-1])


CHANGES = {
    "copy": lambda mesh: mesh,
    "other triangles": subdivided,
    "other order": shuffled,
    "scaled and moved": lambda mesh: Mesh(40 * mesh.vertices - [3, 0, 900], mesh.faces),
    "a little noise": noisy,
}


def kept(meshes, labels=None):
    meshes = [None if mesh is None else normalised(mesh) for mesh in meshes]
    labels = np.zeros(len(meshes), dtype=np.int64) if labels is None else np.array(labels)
    found = without_twins(meshes, labels)
    assert found.dtype == np.int64
    return found.tolist()


@pytest.mark.parametrize("change", CHANGES)
def test_what_looks_like_an_earlier_one_is_left_out(change):
    changed = [CHANGES[change](mesh) for mesh in SHAPES.values()]
    assert kept([*SHAPES.values(), *changed]) == [0, 1, 2, 3]
    assert kept([*changed, *SHAPES.values()]) == [0, 1, 2, 3]


def test_a_twin_of_another_class_is_kept():
    brick = SHAPES["brick"]
    assert kept([brick, brick, brick, brick], [0, 3, 0, 3]) == [0, 1]


def test_what_cannot_be_compared_is_kept():
    assert kept([None, SHAPES["ball"], None, SHAPES["ball"]]) == [0, 1, 2]
    assert kept([]) == []


def test_only_those_that_are_kept_leave_others_out():
    cubes = [box(side, side, side) for side in (1.0, 1.024, 1.048)]  # 0.012 between two surfaces
    labels = np.zeros(3, dtype=np.int64)
    assert without_twins(cubes[:2], labels[:2]).tolist() == [0]
    assert without_twins(cubes[1:], labels[1:]).tolist() == [0]
    assert without_twins(cubes, labels).tolist() == [0, 2]


def test_a_thin_part_that_sticks_out_makes_a_difference():
    brick, needle = box(1, 0.8, 0.9), trimesh.creation.box((0.2, 0.004, 0.004))
    needle.apply_translation((0.6, 0, 0))
    stung = Mesh(
        np.concatenate([brick.vertices, needle.vertices]),
        np.concatenate([brick.faces, np.array(needle.faces) + len(brick.vertices)]),
    )
    assert surface_distance(brick, stung) < 0.01  # of the mean alone nothing is seen
    assert without_twins([brick, stung], np.zeros(2, dtype=np.int64)).tolist() == [0, 1]


PAIRS = {
    "a slightly larger box": (box(1, 0.5, 0.7), box(1.06, 0.56, 0.76)),
    "half of a box": (box(1, 1, 1), box(0.5, 1, 1)),
    "a plate and a ball": (SHAPES["plate"], SHAPES["ball"]),
}


@pytest.mark.parametrize("pair", PAIRS)
def test_the_distance_is_that_of_many_points_and_all_triangles(pair):
    a, b = PAIRS[pair]
    one_way = []
    for here, there in ((a, b), (b, a)):
        shape = trimesh.Trimesh(here.vertices, here.faces, process=False)
        points, _ = trimesh.sample.sample_surface(shape, 2000, seed=1)
        nearest = np.full(len(points), np.inf)
        for triangle in there.triangles:
            closest = trimesh.triangles.closest_point(
                np.tile(triangle, (len(points), 1, 1)), points
            )
            nearest = np.minimum(nearest, np.linalg.norm(closest - points, axis=1))
        one_way.append(nearest)
    expected = np.mean(one_way)
    error = np.sqrt(sum(np.var(nearest) / 256 for nearest in one_way)) / 2  # of 256 points each
    assert 0 < error < 0.15 * expected
    assert surface_distance(a, b) == pytest.approx(expected, abs=3 * error)


def test_the_distance_is_symmetric_and_zero_of_a_shape_itself():
    meshes = list(SHAPES.values())
    for a in meshes:
        assert surface_distance(a, a) < 1e-12
        assert surface_distance(a, subdivided(a)) < 1e-12
        for b in meshes:
            assert surface_distance(a, b) == surface_distance(b, a)
            assert a is b or surface_distance(a, b) > 0.05


def test_the_choice_draws_from_no_global_generator():
    assert_no_global_randomness(lambda: np.array(kept([*SHAPES.values(), SHAPES["ball"]])))


def test_a_mirrored_or_turned_one_looks_alike_and_is_no_twin():
    corner = mesh_of(
        trimesh.util.concatenate(
            [
                trimesh.creation.box(bounds=[[0, 0, 0], [1, 0.3, 0.2]]),
                trimesh.creation.box(bounds=[[0, 0, 0], [0.3, 0.8, 0.5]]),
            ]
        )
    )
    mirrored = Mesh(corner.vertices * [-1, 1, 1], corner.faces[:, ::-1].copy())
    turned = Mesh(corner.vertices[:, [1, 2, 0]].copy(), corner.faces)
    meshes = [normalised(m) for m in (corner, mirrored, SHAPES["ball"], turned)]
    assert kept(meshes) == [0, 1, 2, 3]
    assert lookalikes(meshes, np.zeros(4)).tolist() == [[1, 0], [3, 0], [3, 1]]
    assert lookalikes(meshes, np.array([0, 1, 0, 1])).tolist() == [[3, 1]]
    assert lookalikes([None, *meshes[:1]], np.zeros(2)).shape == (0, 2)

"""Laws of meshes: what is refused, what is dropped, and where the rest is put."""

import numpy as np
import pytest
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st

from weightspace.data.shapes.mesh import Mesh, MeshError, checked, normalised, outward

TETRAHEDRON = np.array([[0, 2, 1], [0, 1, 3], [1, 2, 3], [0, 3, 2]])


def mesh(vertices, faces):
    return Mesh(
        np.array(vertices, dtype=np.float64).reshape(-1, 3),
        np.array(faces, dtype=np.int64).reshape(-1, 3),
    )


def tetrahedron():
    return mesh([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]], TETRAHEDRON)


@st.composite
def meshes(draw):
    """Meshes with area, of any size and place, with repeated and unused vertices."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    n = draw(st.integers(4, 30))
    stretch = 10.0 ** draw(st.integers(-3, 3))
    vertices = stretch * (rng.normal(size=(n, 3)) + rng.normal(size=3))
    faces = np.concatenate([TETRAHEDRON, rng.integers(0, n, (draw(st.integers(0, 40)), 3))])
    return Mesh(vertices, faces)


def test_a_good_mesh_stays_as_it_is():
    found = checked(tetrahedron())
    np.testing.assert_array_equal(found.vertices, tetrahedron().vertices)
    np.testing.assert_array_equal(found.faces, tetrahedron().faces)


@settings(max_examples=100, deadline=None)
@given(meshes())
def test_checked_drops_what_has_no_area_and_nothing_else(given_mesh):
    found = checked(given_mesh)
    triangles = given_mesh.triangles
    area = np.linalg.norm(
        np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0]), axis=1
    )
    # The same triangles, in the same order and with the same first corner.
    np.testing.assert_array_equal(found.triangles, triangles[area > 0])
    assert set(np.unique(found.faces)) == set(range(len(found.vertices)))
    again = checked(found)
    np.testing.assert_array_equal(again.vertices, found.vertices)
    np.testing.assert_array_equal(again.faces, found.faces)


@pytest.mark.parametrize("scale", [1e-200, 1e-9, 1.0, 1e9, 1e200])
@pytest.mark.parametrize("third", [[2.0, 4.0, 6.0], [0.3, 0.6, 0.9], [1.0, 2.0, 3.0]])
def test_faces_on_a_line_are_dropped_at_every_scale(scale, third):
    corners = scale * np.array([[0, 0, 0], [1, 2, 3], third, [0, 0, 1]])
    found = checked(mesh(corners, [[0, 1, 2], [0, 1, 3]]))
    np.testing.assert_array_equal(found.triangles, corners[[[0, 1, 3]]])


def test_thin_faces_are_kept():
    assert len(checked(mesh([[0, 0, 0], [1, 0, 0], [0.5, 1e-9, 0]], [[0, 1, 2]])).faces) == 1


BAD = {
    "empty: it has 0 vertices and 0 faces": ([], []),
    "empty: it has 1 vertices and 0 faces": ([[0, 0, 0]], []),
    "not finite: 1 of 3 vertices": ([[0, 0, 0], [1, np.nan, 0], [0, 1, 0]], [[0, 1, 2]]),
    "not finite: 2 of 3 vertices": ([[0, 0, -np.inf], [1, np.inf, 0], [0, 1, 0]], [[0, 1, 2]]),
    "faces point outside: 1 of 2 faces name a vertex other than 0 to 2": (
        [[0, 0, 0], [1, 0, 0], [0, 1, 0]],
        [[0, 1, 2], [0, 1, 3]],
    ),
    "faces point outside: 1 of 1": ([[0, 0, 0], [1, 0, 0], [0, 1, 0]], [[0, 1, -1]]),
    "no area: all of the 2 faces": ([[0, 0, 0], [1, 0, 0], [2, 0, 0]], [[0, 1, 2], [0, 1, 1]]),
}


@pytest.mark.parametrize("message", BAD)
def test_bad_meshes_are_refused_with_the_reason(message):
    with pytest.raises(MeshError, match=f"^{message}"):
        checked(mesh(*BAD[message]))


def test_arrays_of_other_shapes_and_types_are_refused():
    good = tetrahedron()
    with pytest.raises(MeshError, match=r"vertices of a mesh is float64 \(4, 2\)"):
        Mesh(good.vertices[:, :2], good.faces)
    with pytest.raises(MeshError, match=r"faces of a mesh is int32 \(4, 3\); it must be int64"):
        Mesh(good.vertices, good.faces.astype(np.int32))


def faults(normalise, given_mesh, scale, shift):
    """The laws that a way to normalise breaks on one mesh."""
    found = normalise(given_mesh)
    broken = set()
    norms = np.linalg.norm(found.vertices, axis=1)
    if abs(norms.max() - 1) > 1e-12:
        broken.add("unit ball")
    if abs(found.vertices.min(0) + found.vertices.max(0)).max() > 1e-12:
        broken.add("centre")
    if abs(normalise(found).vertices - found.vertices).max() > 1e-12:
        broken.add("idempotence")
    moved = Mesh(scale * given_mesh.vertices + shift, given_mesh.faces)
    if abs(normalise(moved).vertices - found.vertices).max() > 1e-9:
        broken.add("invariance")
    # All edges are the old ones times one positive number: neither turned nor mirrored.
    old, new = (np.ptp(m.vertices, axis=0) for m in (given_mesh, found))
    ratio = new.max() / old.max()
    edges = [np.diff(m.triangles, axis=1) for m in (given_mesh, found)]
    if abs(edges[1] - ratio * edges[0]).max() > 1e-9:
        broken.add("similarity")
    if not np.array_equal(found.faces, given_mesh.faces):
        broken.add("faces")
    return broken


@settings(max_examples=100, deadline=None)
@given(meshes(), st.floats(1e-3, 1e3), st.lists(st.floats(-100, 100), min_size=3, max_size=3))
def test_normalised_breaks_no_law(given_mesh, scale, shift):
    shift = np.array(shift) * abs(given_mesh.vertices).max() * scale
    assert faults(normalised, given_mesh, scale, shift) == set()


def by_the_mean(m):
    moved = m.vertices - m.vertices.mean(0)
    return Mesh(moved / np.linalg.norm(moved, axis=1).max(), m.faces)


def into_the_cube(m):
    centre = (m.vertices.min(0) + m.vertices.max(0)) / 2
    return Mesh((m.vertices - centre) / abs(m.vertices - centre).max(), m.faces)


def each_axis(m):
    low, high = m.vertices.min(0), m.vertices.max(0)
    return Mesh((2 * m.vertices - low - high) / (high - low) / np.sqrt(3), m.faces)


def without_moving(m):
    return Mesh(m.vertices / np.linalg.norm(m.vertices, axis=1).max(), m.faces)


@pytest.mark.parametrize(
    ("bad", "law"),
    [
        (by_the_mean, "centre"),
        (into_the_cube, "unit ball"),
        (each_axis, "similarity"),
        (without_moving, "invariance"),
        (lambda m: m, "invariance"),
    ],
)
def test_the_laws_have_teeth(bad, law):
    box = np.array([[0, 0, 0], [4, 0, 0], [0, 2, 0], [0, 0, 1.5], [0.1, 0.1, 0.1]])
    given_mesh = mesh(box, TETRAHEDRON)
    assert faults(normalised, given_mesh, 3.0, np.ones(3)) == set()
    assert law in faults(bad, given_mesh, 3.0, np.ones(3))


@pytest.mark.parametrize("scale", [1e-200, 1e200])
def test_any_size_can_be_normalised(scale):
    tall = normalised(Mesh(scale * tetrahedron().vertices, tetrahedron().faces))
    np.testing.assert_allclose(tall.vertices, normalised(tetrahedron()).vertices, rtol=1e-12)


def test_nothing_and_a_point_cannot_be_normalised():
    with pytest.raises(MeshError, match=r"^empty"):
        normalised(mesh([], []))
    with pytest.raises(MeshError, match=r"^no area"):
        normalised(mesh([[1, 2, 3]] * 3, [[0, 1, 2]]))


def test_neither_writes_into_its_argument():
    given_mesh = mesh([[0, 0, 0], [1, 0, 0], [0, 1, 0], [9, 9, 9]], [[0, 1, 2], [0, 0, 1]])
    before = given_mesh.vertices.copy(), given_mesh.faces.copy()
    found = normalised(checked(given_mesh))
    found.vertices[:] = 7
    np.testing.assert_array_equal(given_mesh.vertices, before[0])
    np.testing.assert_array_equal(given_mesh.faces, before[1])


def test_closed_says_what_trimesh_says():
    create = trimesh.creation
    for solid in (create.box(), create.icosphere(2), create.annulus(1, 2, 1)):
        whole = Mesh(np.array(solid.vertices), np.array(solid.faces))
        assert whole.closed and solid.is_watertight
        assert not Mesh(whole.vertices, whole.faces[1:]).closed  # a hole
        third = np.vstack([whole.faces, whole.faces[:1]])  # face at some edges
        assert not Mesh(whole.vertices, third).closed


def test_closed_takes_vertices_at_one_place_for_one():
    solid = trimesh.creation.icosphere(1)
    apart = np.array(solid.triangles).reshape(-1, 3)  # as in an STL file
    assert Mesh(apart, np.arange(len(apart)).reshape(-1, 3)).closed


def test_outward_turns_closed_meshes_alone():
    solid = trimesh.creation.box()
    whole = Mesh(np.array(solid.vertices) + 5, np.array(solid.faces))
    turned = Mesh(whole.vertices, whole.faces[:, ::-1].copy())
    np.testing.assert_array_equal(outward(whole).faces, whole.faces)
    np.testing.assert_array_equal(outward(turned).faces, whole.faces)
    lid_off = Mesh(turned.vertices, turned.faces[2:])
    np.testing.assert_array_equal(outward(lid_off).faces, lid_off.faces)

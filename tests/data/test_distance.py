import igl
import numpy as np
import pytest
import trimesh

from weightspace.data.shapes.distance import inside, signed_distance
from weightspace.data.shapes.mesh import Mesh, MeshError

HALF = np.array([0.6, 0.4, 0.5])


def mesh_of(shape):
    return Mesh(np.array(shape.vertices, dtype=np.float64), np.array(shape.faces, dtype=np.int64))


def box(*, lid=True):
    mesh = mesh_of(trimesh.creation.box(2 * HALF))
    on_top = (mesh.triangles[:, :, 2] > HALF[2] - 1e-9).all(1)
    return mesh if lid else Mesh(mesh.vertices, mesh.faces[~on_top])


def bowl():
    """The lower part of a sphere, in 2,500 triangles."""
    mesh = mesh_of(trimesh.creation.icosphere(4, 0.8))
    return Mesh(mesh.vertices, mesh.faces[(mesh.triangles[:, :, 2] < 0.1).all(1)])


def cube_points(n, seed=0):
    return np.random.default_rng(seed).uniform(-1, 1, (n, 3))


def box_distance(points):
    """The signed distance to the closed box."""
    beyond = abs(points) - HALF
    return np.linalg.norm(beyond.clip(0), axis=1) + beyond.max(1).clip(max=0)


def open_box_distance(points):
    """The unsigned distance to the five rectangles of the box without its lid."""
    sides = [(axis, end) for axis in range(3) for end in (-1, 1)]
    distances = []
    for axis, end in sides[:-1]:  # the last one is the lid
        low, high = -HALF.copy(), HALF.copy()
        low[axis] = high[axis] = end * HALF[axis]
        distances.append(np.linalg.norm(points - points.clip(low, high), axis=1))
    return np.min(distances, axis=0)


def winding_number(mesh, points):
    """The sum of the solid angles of the triangles over 4 pi (Van Oosterom, Strackee 1983)."""
    a, b, c = (mesh.triangles[None, :, i] - points[:, None] for i in range(3))
    la, lb, lc = (np.linalg.norm(x, axis=-1) for x in (a, b, c))
    above = (a * np.cross(b, c)).sum(-1)
    below = la * lb * lc + (a * b).sum(-1) * lc + (b * c).sum(-1) * la + (c * a).sum(-1) * lb
    return np.arctan2(above, below).sum(1) / (2 * np.pi)


def d_times_one_minus_two_w(mesh, points):
    """What igl.signed_distance returns for the type fast_winding_number."""
    distance = np.sqrt(igl.point_mesh_squared_distance(points, mesh.vertices, mesh.faces)[0])
    return distance * (1 - 2 * igl.fast_winding_number(mesh.vertices, mesh.faces, points))


def assert_is_signed_distance(found, magnitude, within):
    """`found` is `magnitude`, negative at the points `within`."""
    assert within.any() and not within.all()
    np.testing.assert_allclose(found, np.where(within, -magnitude, magnitude), rtol=0, atol=1e-5)


def test_of_a_box():
    points = cube_points(2000)
    expected = box_distance(points)
    found = signed_distance(box(), points)
    assert found.dtype == np.float64
    assert_is_signed_distance(found, abs(expected), expected < 0)


def test_of_an_open_box():
    points, mesh = cube_points(2000), box(lid=False)
    magnitude, w = open_box_distance(points), winding_number(mesh, points)
    assert ((w > 0.1) & (w < 0.9)).mean() > 0.1  # or the mesh is as good as closed
    assert_is_signed_distance(signed_distance(mesh, points), magnitude, w > 0.5)


def test_an_open_box_refuses_the_weighted_distance():
    points, mesh = cube_points(2000), box(lid=False)
    weighted = d_times_one_minus_two_w(mesh, points)
    magnitude, within = open_box_distance(points), winding_number(mesh, points) > 0.5
    # It has the signs and still is wrong for a good part of the points.
    assert ((weighted < 0) == within).all()
    assert (abs(abs(weighted) - magnitude) > 1e-2).mean() > 0.1
    with pytest.raises(AssertionError):
        assert_is_signed_distance(weighted, magnitude, within)
    # On a closed mesh it is right to the accuracy of its winding number.
    closed = d_times_one_minus_two_w(box(), points)
    np.testing.assert_allclose(closed, box_distance(points), atol=2e-3)


def test_of_a_sphere():
    sphere, points = mesh_of(trimesh.creation.icosphere(4, 0.8)), cube_points(2000)
    a, b, c = sphere.triangles.transpose(1, 0, 2)
    normal = np.cross(b - a, c - a)
    planes = (a * normal).sum(1) / np.linalg.norm(normal, axis=1)
    sag = 0.8 - planes.min()  # how deep the facets lie under the sphere
    assert sag < 2e-3
    excess = signed_distance(sphere, points) - (np.linalg.norm(points, axis=1) - 0.8)
    assert excess.min() > -1e-9 and excess.max() < sag + 1e-9


@pytest.mark.parametrize("mesh", [box(lid=False), bowl()], ids=["open box", "bowl"])
def test_inside_is_exact_at_the_level(mesh):
    # Points a hair to either side of w = 1/2, found by bisection along vertical lines.
    low = np.array([[x, y, -0.3] for x in np.linspace(-0.2, 0.2, 9) for y in (-0.1, 0, 0.1)])
    high = low + np.array([0, 0, 1.2])
    for _ in range(30):
        middle = (low + high) / 2
        over = (winding_number(mesh, middle) > 0.5)[:, None]
        low, high = np.where(over, middle, low), np.where(over, high, middle)
    hair = np.array([0, 0, 1e-6])
    assert inside(mesh, low - hair).all()
    assert not inside(mesh, high + hair).any()


def test_the_fast_winding_number_alone_is_not_exact_at_the_level():
    mesh, points = bowl(), cube_points(20_000)
    fast = igl.fast_winding_number(mesh.vertices, mesh.faces, points)
    exact = igl.winding_number(mesh.vertices, mesh.faces, points)
    assert ((fast > 0.5) != (exact > 0.5)).any()
    np.testing.assert_array_equal(inside(mesh, points), exact > 0.5)
    # The band that is decided exactly is far wider than the error.
    assert 1e-4 < abs(fast - exact).max() < 0.05 / 5


def test_a_soup_has_the_winding_number_of_its_triangles():
    rng = np.random.default_rng(0)
    soup = Mesh(rng.normal(0, 0.4, (150, 3)), np.arange(150).reshape(50, 3))
    points = cube_points(500)
    within = winding_number(soup, points) > 0.5
    assert_is_signed_distance(
        signed_distance(soup, points), abs(signed_distance(soup, points)), within
    )
    one_by_one = [signed_distance(Mesh(soup.vertices, face[None]), points) for face in soup.faces]
    np.testing.assert_allclose(
        abs(signed_distance(soup, points)), np.abs(one_by_one).min(0), atol=1e-12
    )


@pytest.mark.parametrize("mesh", [box(), box(lid=False)], ids=["closed", "open"])
def test_any_array_of_points(mesh):
    wide = cube_points(80).repeat(2, axis=0).repeat(2, axis=1)
    points = np.ascontiguousarray(wide[::2, ::2])
    expected = signed_distance(mesh, points)
    np.testing.assert_array_equal(signed_distance(mesh, wide[::2, ::2]), expected)
    np.testing.assert_array_equal(signed_distance(mesh, np.asfortranarray(points)), expected)
    np.testing.assert_allclose(
        signed_distance(mesh, points.astype(np.float32)), expected, atol=1e-6
    )
    rows = [signed_distance(mesh, points[i : i + 1]) for i in range(len(points))]
    np.testing.assert_array_equal(np.concatenate(rows), expected)
    nothing = signed_distance(mesh, np.zeros((0, 3)))
    assert nothing.shape == (0,) and nothing.dtype == np.float64
    assert inside(mesh, np.zeros((0, 3))).dtype == bool


def test_points_stay_as_they_are():
    points = cube_points(10)
    kept = points.copy()
    points.setflags(write=False)
    signed_distance(box(), points)
    np.testing.assert_array_equal(points, kept)


def test_what_has_no_distance_is_refused():
    for points in (np.zeros(3), np.zeros((4, 2))):
        with pytest.raises(ValueError, match=r"must be \(points, 3\)"):
            signed_distance(box(), points)
    with pytest.raises(ValueError, match="1 of 2 points are NaN"):
        signed_distance(box(), np.array([[0, 0, 0], [0, np.nan, 0]]))
    with pytest.raises(MeshError, match="empty"):
        signed_distance(Mesh(np.zeros((3, 3)), np.zeros((0, 3), dtype=np.int64)), np.zeros((1, 3)))

import math

import numpy as np
import pytest
import torch
import trimesh

from weightspace.data.shapes.distance import inside, signed_distance
from weightspace.data.shapes.mesh import Mesh, MeshError
from weightspace.fit.shape_quality import chamfer, iou, level_set
from weightspace.rng import stream
from weightspace.weights import Weights, cat

CONSTANTS = {"omega_0": 10.0, "output_offset": 0.5}
RATES = torch.tensor([3.0, 2.5, 2.0])
CENTRE = torch.tensor([0.1, -0.2, 0.05])
LEVEL = 2.2


def blob():
    """1/2 + cos 3(x - x0) + cos 2.5(y - y0) + cos 2(z - z0) - 2.2 as a SIREN 3-4-1."""
    omega_0 = CONSTANTS["omega_0"]
    weight, bias = torch.zeros(1, 4, 3), torch.zeros(1, 4)
    weight[0, :3] = torch.diag(RATES) / omega_0
    bias[0, :3] = (math.pi / 2 - RATES * CENTRE) / omega_0
    out = torch.tensor([[[1.0, 1, 1, 0]]])
    return Weights((weight, out), (bias, torch.tensor([[-LEVEL]])))


def blob_values(points):
    """The same function without a network."""
    moved = torch.as_tensor(points.copy(), dtype=torch.float64) - CENTRE.double()
    return 0.5 + (RATES.double() * moved).cos().sum(-1) - LEVEL


def half_space(start):
    """A SIREN 3-4-1 that is above 1/2 where x > start, in the cube."""
    weight, bias = torch.zeros(1, 4, 3), torch.zeros(1, 4)
    weight[0, 2, 0] = 1 / CONSTANTS["omega_0"]
    bias[0, 2] = -start / CONSTANTS["omega_0"]
    return Weights((weight, torch.tensor([[[0.0, 0, 1, 0]]])), (bias, torch.zeros(1, 1)))


def constant(value):
    """A SIREN 3-4-1 of one value, before the offset."""
    weights = (torch.zeros(1, 4, 3), torch.zeros(1, 1, 4))
    return Weights(weights, (torch.zeros(1, 4), torch.tensor([[value]])))


def mesh_of(shape):
    return Mesh(np.array(shape.vertices, dtype=np.float64), np.array(shape.faces, dtype=np.int64))


def sphere(radius):
    return mesh_of(trimesh.creation.icosphere(4, radius))


def box(*, low=(-0.5,) * 3, high=(0.5,) * 3):
    return mesh_of(trimesh.creation.box(bounds=[low, high]))


def rectangle(width, height):
    corners = [[0, 0, 0], [width, 0, 0], [width, height, 0], [0, height, 0]]
    return Mesh(np.array(corners, dtype=np.float64), np.array([[0, 1, 2], [0, 2, 3]]))


def volume(mesh):
    """Positive where faces are counter-clockwise from outside."""
    a, b, c = mesh.triangles.transpose(1, 0, 2)
    return (a * np.cross(b, c)).sum() / 6


def test_the_level_set_is_where_the_network_is_one_half():
    surface = level_set(blob(), **CONSTANTS, resolution=40)
    assert abs(blob_values(surface.vertices) - 0.5).max() < 0.01
    # Each axis has a rate and a centre of its own, so none can be taken for another.
    reach = math.acos(LEVEL - 2) / RATES
    np.testing.assert_allclose(surface.vertices.min(0), CENTRE - reach, atol=0.01)
    np.testing.assert_allclose(surface.vertices.max(0), CENTRE + reach, atol=0.01)


def test_the_level_set_faces_outward():
    surface = level_set(blob(), **CONSTANTS, resolution=40)
    points = 2 * torch.rand(4000, 3, generator=stream(0), dtype=torch.float64) - 1
    within = (blob_values(points.numpy()) > 0.5).numpy()
    assert volume(surface) == pytest.approx(8 * within.mean(), abs=0.05)
    clear = abs(signed_distance(surface, points.numpy())) > 0.01
    np.testing.assert_array_equal(inside(surface, points.numpy())[clear], within[clear])
    # Closed: every directed edge has its opposite.
    edges = np.concatenate([surface.faces[:, [i, (i + 1) % 3]] for i in range(3)])
    assert set(map(tuple, edges)) == set(map(tuple, edges[:, ::-1]))


def test_a_level_set_that_leaves_the_cube_is_open():
    plane = level_set(half_space(0.25), **CONSTANTS, resolution=9)
    np.testing.assert_allclose(plane.vertices[:, 0], 0.25, atol=1e-3)
    a, b, c = plane.triangles.transpose(1, 0, 2)
    assert np.cross(b - a, c - a)[:, 0].sum() / 2 == pytest.approx(-4)  # outside is x < 0.25


@pytest.mark.parametrize("value", [-1.0, 1.0, float("nan")])
def test_no_level_set(value):
    assert level_set(constant(value), **CONSTANTS, resolution=5) is None


def test_iou_of_a_box_and_half_spaces():
    # A box of volume 1 and half spaces that have a half and a quarter of it.
    networks = cat([half_space(0.0), half_space(0.25), constant(-1.0), constant(1.0)])
    found = iou(networks, box(), **CONSTANTS, points=40_000, generator=stream(0))
    expected = torch.tensor([0.5 / 4.5, 0.25 / 3.75, 0, 1 / 8])
    torch.testing.assert_close(found, expected, rtol=0, atol=0.01)


def test_iou_of_overlapping_boxes():
    # The level set of a half space is no box, but within the cube it is one: [0, 1] x [-1, 1]^2.
    shifted = box(low=(-0.5, -1, -1), high=(0.5, 1, 1))
    found = iou(half_space(0.0), shifted, **CONSTANTS, points=40_000, generator=stream(0))
    assert found.item() == pytest.approx(1 / 3, abs=0.01)


def test_iou_of_a_network_and_its_level_set():
    surface = level_set(blob(), **CONSTANTS, resolution=60)
    settings = {**CONSTANTS, "points": 20_000, "generator": stream(0)}
    assert iou(blob(), surface, **settings).item() > 0.99
    mirrored = Mesh(surface.vertices[:, ::-1].copy(), surface.faces[:, ::-1].copy())
    assert iou(blob(), mirrored, **settings).item() < 0.9


def test_iou_does_not_depend_on_the_other_networks():
    networks = cat([blob(), half_space(0.1), half_space(0.25)])
    draw = {**CONSTANTS, "points": 1000}
    together = iou(networks, box(), **draw, generator=stream(0))
    alone = [iou(networks[i : i + 1], box(), **draw, generator=stream(0)) for i in range(3)]
    torch.testing.assert_close(together, torch.cat(alone), rtol=0, atol=0.005)


def test_iou_of_nothing_with_nothing_is_unknown():
    found = iou(constant(-1.0), rectangle(1, 1), **CONSTANTS, points=100, generator=stream(0))
    assert found.isnan().all()


def test_chamfer_of_spheres_is_the_difference_of_their_radii():
    found = chamfer(sphere(0.8), sphere(0.7), points=20_000, generator=stream(0))
    assert found == pytest.approx(0.1, abs=0.003)


def test_chamfer_counts_both_directions():
    # From the whole to its half: 0 for one half, 1/4 on average for the other; back: 0.
    whole, half = rectangle(1, 1), rectangle(0.5, 1)
    found = [
        chamfer(a, b, points=10_000, generator=stream(0)) for a, b in ((whole, half), (half, whole))
    ]
    assert found == pytest.approx([0.125 / 2] * 2, abs=0.006)


def test_chamfer_of_equal_surfaces_is_zero_however_they_are_cut():
    square = rectangle(1, 1)
    fine = mesh_of(trimesh.Trimesh(square.vertices, square.faces).subdivide())
    assert chamfer(square, fine, points=400, generator=stream(0)) < 1e-12


def test_what_is_no_network_of_a_shape_is_refused():
    picture = Weights((torch.zeros(1, 1, 2),), (torch.zeros(1, 1),))
    with pytest.raises(ValueError, match="3 inputs and 1 output"):
        level_set(picture, **CONSTANTS, resolution=4)
    with pytest.raises(ValueError, match="takes one network; got 2"):
        level_set(cat([blob(), blob()]), **CONSTANTS, resolution=4)
    with pytest.raises(ValueError, match="3 inputs and 1 output"):
        iou(picture, box(), **CONSTANTS, points=4, generator=stream(0))
    with pytest.raises(MeshError, match="no area"):
        chamfer(box(), rectangle(1, 0), points=4, generator=stream(0))

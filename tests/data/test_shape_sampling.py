import numpy as np
import pytest
from scipy.stats import chi2, kstest

from laws import assert_pure
from weightspace.data.shapes.distance import signed_distance
from weightspace.data.shapes.mesh import Mesh, MeshError
from weightspace.data.shapes.sampling import sample_cube, sample_queries, sample_surface
from weightspace.rng import stream

# Three triangles in space with areas of about 1 : 9 : 20, and one without area.
PATCHES = Mesh(
    np.array(
        [
            *([0.0, 0, 0], [0.2, 0, 0.1], [0, 0.2, 0.1]),
            *([0.5, 0, 0.3], [0.5, 0.6, 0], [0.5, 0, 0.9]),
            *([-0.9, -0.9, 0], [0.1, -0.9, 0.2], [-0.5, -0.1, 0.1]),
        ]
    ),
    np.array([[0, 1, 2], [0, 1, 1], [3, 4, 5], [6, 7, 8]]),
)


def cells(mesh, points):
    """The face of each point, and which quarter of it: three corners or the middle."""
    cell = np.full(len(points), -1)
    for i, (a, b, c) in enumerate(mesh.triangles):
        sides = np.stack([b - a, c - a], axis=1)
        if np.linalg.matrix_rank(sides) < 2:
            continue
        uv, *_ = np.linalg.lstsq(sides, (points - a).T, rcond=None)
        shares = np.stack([1 - uv.sum(0), *uv], axis=1)
        on = abs(sides @ uv - (points - a).T).max(0) < 1e-9
        on &= (shares > -1e-9).all(1)
        quarter = np.where(shares.max(1) > 0.5, shares.argmax(1), 3)
        cell[on] = 4 * i + quarter[on]
    return cell


def assert_uniform_over_area(mesh, points):
    """Pearson's test over the quarters of the faces, at one in a million."""
    a, b, c = mesh.triangles.transpose(1, 0, 2)
    area = np.linalg.norm(np.cross(b - a, c - a), axis=1)
    expected = np.repeat(area / area.sum(), 4) / 4 * len(points)
    cell = cells(mesh, points)
    assert (cell >= 0).all(), "a point lies on no face"
    counts = np.bincount(cell, minlength=len(expected))
    assert not counts[expected == 0].any()
    real = expected > 0
    statistic = ((counts - expected)[real] ** 2 / expected[real]).sum()
    assert statistic < chi2.isf(1e-6, real.sum() - 1)


def test_surface_points_are_uniform_over_the_area():
    points = sample_surface(PATCHES, 20_000, generator=stream(0, "surface"))
    assert points.shape == (20_000, 3) and points.dtype == np.float64
    assert_uniform_over_area(PATCHES, points)


def test_uniform_over_the_area_has_teeth():
    rng = np.random.default_rng(0)
    proper = PATCHES.triangles[[0, 2, 3]]
    area = np.linalg.norm(np.cross(*(proper[:, i] - proper[:, 0] for i in (1, 2))), axis=1)

    def points(faces, shares):
        return np.einsum("nc,ncx->nx", shares, proper[faces])

    by_area = rng.choice(3, 20_000, p=area / area.sum())
    by_number = rng.integers(3, size=20_000)
    uniform = rng.dirichlet(np.ones(3), 20_000)
    crowded = rng.uniform(size=(20_000, 3))
    crowded /= crowded.sum(1, keepdims=True)
    assert_uniform_over_area(PATCHES, points(by_area, uniform))
    for wrong in (points(by_number, uniform), points(by_area, crowded)):
        with pytest.raises(AssertionError):
            assert_uniform_over_area(PATCHES, wrong)


def test_cube_points_are_uniform():
    points = sample_cube(5000, generator=stream(0, "cube"))
    for axis in range(3):
        assert kstest((points[:, axis] + 1) / 2, "uniform").pvalue > 1e-4
    assert abs(np.corrcoef(points.T) - np.eye(3)).max() < 0.05


def test_queries_are_near_and_everywhere():
    draw = {"near": 0.7, "spread": 0.0, "generator": stream(0, "queries")}
    queries = sample_queries(PATCHES, 4001, **draw)
    on_surface = abs(signed_distance(PATCHES, queries)) < 1e-9
    assert queries.shape == (4001, 3)
    assert on_surface.sum() == round(0.7 * 4001)
    assert_uniform_over_area(PATCHES, queries[on_surface])
    assert kstest((queries[~on_surface] + 1).ravel() / 2, "uniform").pvalue > 1e-4


def test_any_slice_of_the_queries_is_a_sample():
    queries = sample_queries(PATCHES, 4000, near=0.5, spread=0.0, generator=stream(0, "queries"))
    on_surface = abs(signed_distance(PATCHES, queries)) < 1e-9
    shares = on_surface.reshape(8, 500).mean(1)
    assert 0.4 < shares.min() < shares.max() < 0.6


def test_the_offset_is_normal_in_every_coordinate():
    settings = {"near": 1.0, "generator": stream(0, "queries")}
    state = settings["generator"].get_state()
    on_surface = sample_queries(PATCHES, 4000, spread=0.0, **settings)
    settings["generator"].set_state(state)
    offset = sample_queries(PATCHES, 4000, spread=0.03, **settings) - on_surface
    for axis in range(3):
        assert kstest(offset[:, axis] / 0.03, "norm").pvalue > 1e-4
    assert abs(np.corrcoef(offset.T) - np.eye(3)).max() < 0.06


@pytest.mark.parametrize(
    "draw",
    [
        lambda *, generator: sample_surface(PATCHES, 50, generator=generator),
        lambda *, generator: sample_cube(50, generator=generator),
        lambda *, generator: sample_queries(PATCHES, 50, near=0.5, spread=0.1, generator=generator),
    ],
    ids=["surface", "cube", "queries"],
)
def test_points_come_from_the_generator_alone(draw):
    assert_pure(draw)
    one, other = draw(generator=stream(1)), draw(generator=stream(2))
    assert (one != other).any(1).all()


def test_no_points():
    assert sample_surface(PATCHES, 0, generator=stream(0)).shape == (0, 3)
    assert sample_queries(PATCHES, 0, near=0.5, spread=0.1, generator=stream(0)).shape == (0, 3)


def test_bad_settings_are_refused():
    for near in (-0.1, 1.1, float("nan")):
        with pytest.raises(ValueError, match="near is"):
            sample_queries(PATCHES, 10, near=near, spread=0.1, generator=stream(0))
    for spread in (-0.1, float("nan")):
        with pytest.raises(ValueError, match="spread is"):
            sample_queries(PATCHES, 10, near=0.5, spread=spread, generator=stream(0))
    for faces in ([[0, 1, 1]], np.zeros((0, 3))):
        flat = Mesh(PATCHES.vertices, np.array(faces, dtype=np.int64))
        with pytest.raises(MeshError, match="no area"):
            sample_surface(flat, 10, generator=stream(0))

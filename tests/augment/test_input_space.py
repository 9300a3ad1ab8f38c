"""What rotate, scale and translate draw: read off the first layer, and held to their ranges."""

from math import degrees, pi

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation
from scipy.stats import kstest, uniform
from strategies import random_networks
from torch import Tensor

from laws import assert_close, assert_identical
from weightspace.augment.input_space import Rotate, Scale, Translate, rotation_2d, rotation_3d
from weightspace.rng import stream
from weightspace.weights import Weights

N = 800


def networks(d_in: int) -> Weights:
    return random_networks((d_in, 5, 4, 1), N)


def matrices(w: Weights, moved: Weights) -> Tensor:
    """The A of each network, from W_1 A."""
    return torch.linalg.lstsq(w.weights[0], moved.weights[0]).solution


def assert_uniform(values: Tensor, low: float, high: float) -> None:
    assert values.min() >= low
    assert values.max() <= high
    assert kstest(values.numpy(), uniform(low, high - low).cdf).pvalue > 0.01


def test_a_quarter_turn_takes_the_first_input_to_the_second() -> None:
    angle = torch.tensor([pi / 2], dtype=torch.float64)
    x, y = torch.eye(2, dtype=torch.float64)
    assert_close(rotation_2d(angle)[0] @ x + 1, y + 1)
    assert_close(rotation_2d(angle)[0] @ y + 1, 1 - x)


def test_rotations_about_axes_are_those_of_scipy() -> None:
    g = torch.Generator().manual_seed(0)
    axis = torch.randn(50, 3, generator=g, dtype=torch.float64)
    axis = axis / axis.norm(dim=1, keepdim=True)
    angle = torch.linspace(-pi, pi, 50, dtype=torch.float64)
    expected = Rotation.from_rotvec((axis * angle[:, None]).numpy()).as_matrix()
    assert_close(rotation_3d(axis, angle), torch.from_numpy(expected))


@pytest.mark.parametrize("max_angle", [30.0, 170.0])
def test_angles_in_the_plane_are_uniform(max_angle: float) -> None:
    w = networks(2)
    found = matrices(w, Rotate(max_angle)(w, generator=stream(0, "test")))
    angle = torch.atan2(found[:, 1, 0], found[:, 0, 0])
    assert_close(found, rotation_2d(angle))
    assert_uniform(angle * 180 / pi, -max_angle, max_angle)


def rotation_vectors(max_angle: float, axis: str | None = None) -> np.ndarray:
    """Axis times angle in degrees, for each network."""
    w = networks(3)
    found = matrices(w, Rotate(max_angle, axis=axis)(w, generator=stream(0, "test")))
    assert_close(found @ found.mT, torch.eye(3).double().expand(N, 3, 3))
    assert_close(torch.linalg.det(found), torch.ones(N).double())
    return Rotation.from_matrix(found.numpy()).as_rotvec(degrees=True)


def test_rotations_in_space_are_about_every_axis_alike_by_a_uniform_angle() -> None:
    vectors = rotation_vectors(40.0)
    angle = np.linalg.norm(vectors, axis=1)
    assert_uniform(torch.from_numpy(angle), 0, 40)
    # Of a uniform direction every coordinate is uniform in -1..1.
    for component in (vectors / angle[:, None]).T:
        assert_uniform(torch.from_numpy(component), -1, 1)


@pytest.mark.parametrize(("axis", "i"), [("x", 0), ("y", 1), ("z", 2)])
def test_a_named_axis_stays_where_it_is(axis: str, i: int) -> None:
    vectors = rotation_vectors(40.0, axis)
    assert abs(np.delete(vectors, i, axis=1)).max() < degrees(1e-6)
    assert_uniform(torch.from_numpy(vectors[:, i].copy()), -40, 40)


@pytest.mark.parametrize("d_in", [1, 2, 3])
def test_factors_are_uniform_and_the_same_for_every_input(d_in: int) -> None:
    w = networks(d_in)
    moved = Scale(0.5, 2.5)(w, generator=stream(0, "test"))
    ratio = moved.weights[0] / w.weights[0]
    factor = ratio[:, 0, 0]
    assert_close(ratio, factor[:, None, None].expand_as(ratio))
    assert_uniform(factor, 0.5, 2.5)
    assert_identical(moved.biases, w.biases)


@pytest.mark.parametrize("d_in", [1, 2, 3])
def test_shifts_are_uniform_in_every_input_apart(d_in: int) -> None:
    w = networks(d_in)
    moved = Translate(0.4)(w, generator=stream(0, "test"))
    change = moved.biases[0] - w.biases[0]
    shift = torch.linalg.lstsq(w.weights[0], change[..., None]).solution[..., 0]
    assert_identical(moved.weights, w.weights)
    for one in shift.T:
        assert_uniform(one, -0.4, 0.4)
    if d_in > 1:
        assert abs(torch.corrcoef(shift.T)[0, 1]) < 4 / N**0.5


def test_the_defaults_are_those_of_the_published_code() -> None:
    assert (Rotate().max_angle, Rotate().axis) == (30.0, None)
    assert (Scale().low, Scale().high) == (0.8, 1.2)
    assert Translate().max_shift == 0.25


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Rotate(-1.0), "max_angle is -1.0"),
        (lambda: Rotate(180.5), "max_angle is 180.5"),
        (lambda: Rotate(float("nan")), "max_angle"),
        (lambda: Scale(0.0), "low is 0.0 and high 1.2"),
        (lambda: Scale(1.5), "low is 1.5 and high 1.2"),
        (lambda: Scale(1.0, float("inf")), "high inf"),
        (lambda: Translate(-0.1), "max_shift is -0.1"),
    ],
)
def test_impossible_settings_are_refused(make, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(("d_in", "axis"), [(1, None), (4, None), (2, "z"), (1, "x")])
def test_what_can_not_be_rotated_is_refused(d_in: int, axis: str | None) -> None:
    with pytest.raises(ValueError, match=f"axis {axis} was given networks with {d_in} inputs"):
        Rotate(axis=axis)(random_networks((d_in, 4, 1)), generator=stream(0, "test"))

"""What the networks are to show: images on their grids, shapes at their points."""

import json

import numpy as np
import pytest
import torch

from weightspace.data.shapes.points import ShapePoints
from weightspace.data.signals import image_signals, shape_signals

DISTANCES = [-0.5, -0.1, -0.05, -0.025, 0.0, 0.05, 0.1, 0.5]
SETTINGS = {"truncation": 0.1, "near": 0.8, "spread": 0.03}


def points():
    """Two shapes at eight points of their own."""
    rng = np.random.default_rng(0)
    return ShapePoints(
        object_ids=np.array([3, 5]),
        queries=rng.uniform(-1, 1, (2, 8, 3)).astype(np.float32),
        distances=np.array([DISTANCES, DISTANCES[::-1]], dtype=np.float32),
        surface=rng.uniform(-1, 1, (2, 4, 3)).astype(np.float32),
    )


def test_the_pixels_of_an_image_go_row_by_row():
    image = np.array([[[0, 51, 102], [153, 204, 255]]], dtype=np.uint8)
    signals = image_signals(image)
    assert signals.values.shape == (1, 6, 1)
    np.testing.assert_allclose(signals.values[0, :, 0], [0, 0.2, 0.4, 0.6, 0.8, 1], rtol=1e-6)
    rows_and_columns = [[-1, -1], [-1, 0], [-1, 1], [1, -1], [1, 0], [1, 1]]
    torch.testing.assert_close(signals.coords, torch.tensor(rows_and_columns, dtype=torch.float32))
    assert signals.points_per_step is None


def test_each_colour_is_an_output():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (2, 3, 4, 3), dtype=np.uint8)
    values = image_signals(images).values
    for channel in range(3):
        grey = image_signals(images[..., channel])
        assert torch.equal(values[..., channel : channel + 1], grey.values)


def test_a_signed_distance_falls_from_one_to_zero_through_the_surface():
    signals = shape_signals(points(), signal="sdf", **SETTINGS)
    expected = torch.tensor([1, 1, 0.75, 0.625, 0.5, 0.25, 0, 0])
    torch.testing.assert_close(signals.values[0, :, 0], expected)
    torch.testing.assert_close(signals.values[1, :, 0], expected.flip(0))
    assert signals.values.shape == (2, 8, 1) and signals.values.dtype == torch.float32


def test_an_occupancy_is_one_inside_alone():
    values = shape_signals(points(), signal="occupancy", **SETTINGS).values
    assert values[0, :, 0].tolist() == [1, 1, 1, 1, 0, 0, 0, 0]
    assert values[1, :, 0].tolist() == [0, 0, 0, 0, 1, 1, 1, 1]


def test_each_shape_has_its_own_points():
    mine = points()
    signals = shape_signals(mine, signal="sdf", per_step=4, **SETTINGS)
    np.testing.assert_array_equal(signals.coords, mine.queries)
    assert signals.points_per_step == 4
    assert shape_signals(mine, signal="sdf", **SETTINGS).points_per_step is None


@pytest.mark.parametrize("signal", ["sdf", "occupancy"])
def test_the_description_says_where_the_inside_is(signal):
    mine = points()
    signals = shape_signals(mine, signal=signal, **SETTINGS)
    described = signals.description
    above = signals.values[..., 0].numpy() > described["level"]
    assert described["inside"] == "above"
    np.testing.assert_array_equal(above, mine.distances < 0)
    assert described["points"] == 8
    assert described["truncation"] == {"sdf": 0.1, "occupancy": None}[signal]


def test_the_descriptions_can_be_written_as_they_are():
    image = image_signals(np.zeros((1, 2, 3), dtype=np.uint8)).description
    shape = shape_signals(points(), signal="sdf", **SETTINGS).description
    for description in (image, shape):
        assert json.loads(json.dumps(description)) == description
    assert image["shape"] == [2, 3]

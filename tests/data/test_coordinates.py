import itertools

import pytest
import torch

from weightspace.data.coordinates import grid


@pytest.mark.parametrize("shape", [(4,), (3, 5), (2, 3, 4)])
def test_grid_equals_a_naive_loop(shape):
    expected = [
        [-1 + 2 * i / (n - 1) for i, n in zip(index, shape, strict=True)]
        for index in itertools.product(*map(range, shape))
    ]
    torch.testing.assert_close(grid(shape), torch.tensor(expected))


def test_grid_goes_from_corner_to_corner():
    coords = grid((28, 28))
    assert coords[0].tolist() == [-1, -1]
    assert coords[27].tolist() == [-1, 1]  # the end of the first row
    assert coords[-1].tolist() == [1, 1]


@pytest.mark.parametrize("shape", [(), (1, 28), (0,)])
def test_degenerate_grids_are_refused(shape):
    with pytest.raises(ValueError, match="two points or more"):
        grid(shape)

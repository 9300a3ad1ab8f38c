"""Datasets small enough to train on in milliseconds, as fixtures that make them."""

from itertools import pairwise

import pytest
import torch

from weightspace.dataset.image_dataset import ImageDataset
from weightspace.dataset.inr_dataset import InrDataset
from weightspace.dataset.point_dataset import PointDataset
from weightspace.weights import Weights

LAYOUT = (2, 3, 2)


def make_inrs(objects, *, views=1, seed=0, first_id=0, n_classes=2):
    """INRs whose class shows in their last biases; the rest of them is noise."""
    g = torch.Generator().manual_seed(seed)
    n = objects * views
    labels = (torch.arange(objects) % n_classes).repeat_interleave(views)
    weights = [torch.randn(n, o, i, generator=g) for i, o in pairwise(LAYOUT)]
    biases = [torch.randn(n, o, generator=g) for o in LAYOUT[1:]]
    biases[-1] = 0.3 * biases[-1] + 2.0 * labels[:, None]
    return InrDataset(
        weights=Weights(tuple(weights), tuple(biases)),
        labels=labels,
        object_ids=torch.arange(first_id, first_id + objects).repeat_interleave(views),
        views=torch.arange(views).repeat(objects),
        n_classes=n_classes,
        omega_0=30.0,
        output_offset=0.5,
    )


def make_images(objects, *, seed=0, first_id=0, shape=(8, 8, 1)):
    """Images of two classes: the upper or the lower half is brighter; the rest is noise."""
    g = torch.Generator().manual_seed(seed)
    labels = torch.arange(objects) % 2
    images = torch.randint(0, 100, (objects, *shape), generator=g)
    half = shape[0] // 2
    images[labels == 0, :half] += 80
    images[labels == 1, half:] += 80
    ids = torch.arange(first_id, first_id + objects)
    return ImageDataset(
        images=images.to(torch.uint8),
        labels=labels,
        object_ids=ids,
        views=torch.zeros_like(ids),
        n_classes=2,
    )


def make_points(objects, *, seed=0, first_id=0, channels=3):
    """Sets of points in a ball of two classes: the ball is long in x or in y.

    With four channels they fill the cube and say whether they are in it.
    """
    g = torch.Generator().manual_seed(seed)
    labels = torch.arange(objects) % 2
    points = 2 * torch.rand(objects, 100, 3, generator=g) - 1
    axes = torch.tensor([[1.0, 0.5, 0.7], [0.5, 1.0, 0.7]])[labels][:, None]
    if channels == 3:
        points = points / points.norm(dim=2, keepdim=True) * axes
    else:
        inside = (points / axes).norm(dim=2, keepdim=True) < 1
        points = torch.cat([points, torch.where(inside, 1.0, -1.0)], dim=2)
    ids = torch.arange(first_id, first_id + objects)
    return PointDataset(
        points=points,
        labels=labels,
        object_ids=ids,
        views=torch.zeros_like(ids),
        n_classes=2,
    )


@pytest.fixture
def inrs():
    return make_inrs


@pytest.fixture
def images():
    return make_images


@pytest.fixture
def points():
    return make_points


@pytest.fixture
def splits():
    """The three splits, with more views than a cell of the tests uses."""
    return {
        "train": make_inrs(16, views=4, seed=1),
        "val": make_inrs(8, views=2, seed=2, first_id=100),
        "test": make_inrs(6, views=2, seed=3, first_id=200),
    }


@pytest.fixture
def pictures():
    """The three splits of images."""
    return {
        "train": make_images(16, seed=1),
        "val": make_images(8, seed=2, first_id=100),
        "test": make_images(6, seed=3, first_id=200),
    }

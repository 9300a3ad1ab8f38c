"""The images of a study are read per split, all objects, as pixels."""

import numpy as np
import pytest
import torch

from weightspace.data.objects import Objects, write_objects
from weightspace.dataset.image_dataset import ImageDataset, load_image_dataset
from weightspace.dataset.statistics import standardise, tensor_statistics


def objects(shape):
    """Six objects in no order of their splits, with random pixels."""
    return Objects(
        dataset="pictures",
        images=np.random.default_rng(0).integers(0, 256, (6, *shape)).astype(np.uint8),
        labels=np.array([0, 1, 2, 0, 1, 2]),
        object_ids=np.array([3, 5, 8, 60000, 60001, 60004]),
        splits=np.array(["train", "val", "train", "test", "train", "test"]),
        classes=("shoe", "shirt", "bag"),
    )


@pytest.mark.parametrize("shape", [(5, 4), (5, 4, 3)])
def test_a_file_is_read_per_split(tmp_path, shape):
    written = objects(shape)
    write_objects(tmp_path / "objects.npz", written)
    splits = load_image_dataset(tmp_path / "objects.npz")
    assert {name: len(d) for name, d in splits.items()} == {"train": 3, "val": 1, "test": 2}
    for name, d in splits.items():
        rows = np.flatnonzero(written.splits == name)
        assert d.object_ids.tolist() == written.object_ids[rows].tolist()
        assert d.labels.tolist() == written.labels[rows].tolist()
        assert d.views.tolist() == [0] * len(rows)
        assert d.n_classes == 3
        assert d.input_settings == {"image_shape": (5, 4, *(shape[2:] or (1,)))}
        assert np.array_equal(d.images.numpy().reshape(-1, *shape), written.images[rows])


@pytest.fixture
def dataset():
    generator = torch.Generator().manual_seed(0)
    ids = torch.arange(20)
    return ImageDataset(
        images=torch.randint(0, 256, (20, 5, 4, 3), generator=generator).to(torch.uint8),
        labels=ids % 2,
        object_ids=100 + ids,
        views=torch.zeros_like(ids),
        n_classes=2,
    )


def test_images_are_selected_as_networks_are(dataset):
    four = dataset.select(objects=4)
    assert sorted(four.labels.tolist()) == [0, 0, 1, 1]
    for i in range(4):
        row = int(four.object_ids[i]) - 100
        assert torch.equal(four.images[i], dataset.images[row])
    assert torch.equal(dataset.select(views=1).images, dataset.images)
    with pytest.raises(ValueError, match="2 views were asked for; this dataset has 1"):
        dataset.select(views=2)


def test_one_mean_and_one_deviation_for_all_pixels(dataset):
    statistics = tensor_statistics(dataset.images)
    pixels = dataset.images.numpy().astype(np.float64)
    assert np.allclose((*statistics.mean, *statistics.std), (pixels.mean(), pixels.std()))
    standardised = standardise(dataset.images[:7], statistics)
    assert standardised.dtype == torch.float32
    expected = (pixels[:7] - pixels.mean()) / pixels.std()
    assert np.allclose(standardised.numpy(), expected, atol=1e-5)


def test_statistics_of_networks_do_not_fit_images(dataset):
    statistics = tensor_statistics(dataset.images)
    twice = type(statistics)(statistics.mean * 2, statistics.std * 2)
    with pytest.raises(ValueError, match="2 means and 2 deviations; raw data need 1 of each"):
        standardise(dataset.images, twice)

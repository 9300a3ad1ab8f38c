"""The real thing: Fashion-MNIST from its Debian package."""

import shutil

import numpy as np
import pytest

from weightspace.data import sources
from weightspace.data.cut_bundled import cut
from weightspace.data.debian import DebianPackage
from weightspace.data.fashion_mnist import load_bundled_fashion_mnist
from weightspace.data.images import load_images

pytestmark = [
    pytest.mark.network,
    pytest.mark.skipif(shutil.which("apt-get") is None, reason="needs apt-get"),
]


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    places = [s for s in sources.SOURCES["fashion_mnist"] if isinstance(s, DebianPackage)]
    assert places
    target = tmp_path_factory.mktemp("fashion_mnist")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sources.SOURCES, "fashion_mnist", tuple(places))
        sources.fetch("fashion_mnist", target)
    return target


def test_nothing_but_the_four_files_is_left(directory):
    names = {file.name for file in sources.FILES["fashion_mnist"]}
    assert {path.name for path in directory.iterdir()} == names


def test_the_full_set_has_its_published_counts(directory):
    full = load_images("fashion_mnist", directory)  # verifies the four checksums
    assert full.images.shape == (70_000, 28, 28)
    assert np.bincount(full.labels[:60_000]).tolist() == [6000] * 10
    assert np.bincount(full.labels[60_000:]).tolist() == [1000] * 10
    assert (full.official_split[:60_000] == "train").all()
    assert (full.official_split[60_000:] == "test").all()
    assert full.images[:60_000].mean() / 255 == pytest.approx(0.2860, abs=1e-4)
    assert full.labels[:5].tolist() == [9, 0, 0, 3, 0]


def test_the_bundled_subset_equals_the_official_images(directory):
    full, subset = load_images("fashion_mnist", directory), load_bundled_fashion_mnist()
    np.testing.assert_array_equal(full.object_ids[subset.object_ids], subset.object_ids)
    np.testing.assert_array_equal(full.images[subset.object_ids], subset.images)
    np.testing.assert_array_equal(full.labels[subset.object_ids], subset.labels)
    np.testing.assert_array_equal(full.official_split[subset.object_ids], subset.official_split)
    assert full.classes == subset.classes


def test_cutting_again_gives_the_bundled_subset(directory):
    subset = load_bundled_fashion_mnist()
    for name, array in cut(directory).items():
        np.testing.assert_array_equal(array, getattr(subset, name), strict=True)

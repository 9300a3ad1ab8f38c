import shutil
from pathlib import Path

import numpy as np
import pytest

import weightspace.data
from weightspace.data import images
from weightspace.data.archive import ArchiveError, read_npz, write_npz
from weightspace.data.checksums import ChecksumError
from weightspace.data.images import IMAGE_SETS, load_bundled_fashion_mnist, load_images
from weightspace.data.sources import FILES, SOURCES

BUNDLED = Path(weightspace.data.__file__).parent / "bundled"


def test_the_bundled_subset_is_balanced_and_typed():
    subset = load_bundled_fashion_mnist()
    assert subset.name == "fashion_mnist_subset"
    assert subset.images.shape == (6000, 28, 28)
    assert subset.images.dtype == np.uint8
    assert subset.labels.dtype == subset.object_ids.dtype == np.int64
    assert len(subset.classes) == 10
    for official, n in (("train", 500), ("test", 100)):
        counts = np.bincount(subset.labels[subset.official_split == official])
        assert counts.tolist() == [n] * 10


def test_the_bundled_object_ids_are_official_indices():
    subset = load_bundled_fashion_mnist()
    ids, test = subset.object_ids, subset.official_split == "test"
    assert (np.diff(ids) > 0).all()
    assert (ids[test] >= 60_000).all() and ids.max() < 70_000
    assert (ids[~test] < 60_000).all() and ids.min() >= 0


def test_no_bundled_image_occurs_twice_or_is_empty():
    flat = load_bundled_fashion_mnist().images.reshape(6000, -1)
    assert (flat.max(axis=1) > 100).all()
    assert len(np.unique(flat, axis=0)) == 6000


def test_the_bundle_is_small_and_licensed():
    assert (BUNDLED / "fashion_mnist.npz").stat().st_size < 3_000_000
    licence = (BUNDLED / "LICENSE.fashion_mnist").read_text()
    assert "Copyright (c) 2017 Zalando SE" in licence
    assert "Permission is hereby granted, free of charge" in licence


@pytest.mark.parametrize("damage", ["pixel", "label", "bytes"])
def test_a_damaged_bundle_is_refused(tmp_path, monkeypatch, damage):
    path = tmp_path / "fashion_mnist.npz"
    shutil.copy(images.BUNDLED, path)
    if damage == "bytes":
        path.write_bytes(path.read_bytes()[:-5000])
    else:
        arrays = read_npz(path, ("images", "labels", "object_ids"))
        arrays["images" if damage == "pixel" else "labels"].flat[7] += 1
        write_npz(path, arrays)
    monkeypatch.setattr(images, "BUNDLED", path)
    with pytest.raises(ArchiveError, match=r"fashion_mnist\.npz.* is damaged"):
        load_bundled_fashion_mnist()


def test_sets_are_loaded_by_name(tmp_path):
    assert len(load_images("fashion_mnist_subset")) == 6000
    assert len(load_images("fashion_mnist_subset", tmp_path)) == 6000
    with pytest.raises(ValueError, match="unknown image set 'mnist'; the sets are fashion_mnist"):
        load_images("mnist")
    with pytest.raises(ValueError, match="needs the directory"):
        load_images("fashion_mnist")


def test_every_fetched_set_has_files_and_sources():
    assert set(FILES) == set(SOURCES) <= set(IMAGE_SETS)


def test_a_missing_file_of_the_full_set_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"train-images-idx3-ubyte is missing; fetch"):
        load_images("fashion_mnist", tmp_path)


def test_a_wrong_file_of_the_full_set_is_refused(tmp_path):
    for file in FILES["fashion_mnist"]:
        (tmp_path / file.name).write_bytes(b"\0\0\x08\x01\0\0\0\0")
    with pytest.raises(ChecksumError, match=r"train-images.*expected 47040016 bytes, got 8 bytes"):
        load_images("fashion_mnist", tmp_path)

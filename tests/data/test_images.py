import hashlib
import shutil
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

import weightspace.data
from weightspace.config.data import BUNDLED, SHAPES, DatasetConfig, download_name
from weightspace.data import fashion_mnist
from weightspace.data.archive import ArchiveError, read_npz, write_npz
from weightspace.data.checksums import ChecksumError, DataFile
from weightspace.data.fashion_mnist import load_bundled_fashion_mnist
from weightspace.data.files import FILES
from weightspace.data.images import IMAGE_SETS, load_images
from weightspace.data.shapes.shape_files import SHAPE_FILES
from weightspace.data.shapes.shape_sets import SHAPE_SETS
from weightspace.data.sources import SOURCES
from weightspace.provenance import dependencies

BUNDLED_FILES = Path(weightspace.data.__file__).parent / "bundled"


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
    assert (BUNDLED_FILES / "fashion_mnist.npz").stat().st_size < 3_000_000
    licence = (BUNDLED_FILES / "LICENSE.fashion_mnist").read_text()
    assert "Copyright (c) 2017 Zalando SE" in licence
    assert "Permission is hereby granted, free of charge" in licence


@pytest.mark.parametrize("damage", ["pixel", "label", "bytes"])
def test_a_damaged_bundle_is_refused(tmp_path, monkeypatch, damage):
    path = tmp_path / "fashion_mnist.npz"
    shutil.copy(fashion_mnist.BUNDLED, path)
    if damage == "bytes":
        path.write_bytes(path.read_bytes()[:-5000])
    else:
        arrays = read_npz(path, ("images", "labels", "object_ids"))
        arrays["images" if damage == "pixel" else "labels"].flat[7] += 1
        write_npz(path, arrays)
    monkeypatch.setattr(fashion_mnist, "BUNDLED", path)
    with pytest.raises(ArchiveError, match=r"fashion_mnist\.npz.* is damaged"):
        load_bundled_fashion_mnist()


def test_sets_are_loaded_by_name(tmp_path):
    assert len(load_images("fashion_mnist_subset")) == 6000
    assert len(load_images("fashion_mnist_subset", tmp_path)) == 6000
    with pytest.raises(ValueError, match="unknown image set 'mnits'; the sets are fashion_mnist"):
        load_images("mnits")
    for name in set(IMAGE_SETS) - set(BUNDLED):
        with pytest.raises(ValueError, match=f"'{name}' needs the directory"):
            load_images(name)


def test_only_a_folder_is_resized(tmp_path):
    for name in set(IMAGE_SETS) - {"folder"}:
        with pytest.raises(ValueError, match="has its own size and channels"):
            load_images(name, tmp_path, size=(8, 8), channels=1)
    for given in ({"size": (8, 8)}, {"channels": 3}, {}):
        with pytest.raises(ValueError, match="a folder needs size and channels"):
            load_images("folder", tmp_path, **given)


def test_choosing_objects_does_not_depend_on_how_files_are_fetched():
    """Else an edited timeout of a download would choose the objects, and fit them, again."""
    scripts = Path(__file__).parents[2] / "workflow/scripts"
    clients = {"sources", "web", "debian", "npm", "commands", "tarball", "unpack"}
    found = {path.stem for path in dependencies(scripts / "objects.py")}
    assert found >= {"images", "image_set", "files", "checksums"}
    assert not found & (clients | {"cifar10_pictures"})
    assert {path.stem for path in dependencies(scripts / "download.py")} >= clients
    shapes = {path.stem for path in dependencies(scripts / "shape_objects.py")}
    assert shapes >= {"shape_set", "ldraw", "modelnet", "mesh_folder", "zip_folder"}
    assert not shapes & (clients - {"unpack"} | {"ldraw_archive", "shape_files"})


def test_every_fetched_set_has_files_and_sources():
    assert {*FILES, *SHAPE_FILES} == set(SOURCES)
    assert not FILES.keys() & SHAPE_FILES.keys()
    assert set(FILES) <= set(IMAGE_SETS)
    for name, places in SOURCES.items():
        n = 1 if name.startswith("modelnet") else 2  # no other place of ModelNet is known
        assert len(places) >= n, f"{name} needs a source besides the official one"


def test_the_sets_of_the_config_are_those_of_the_package():
    sources = get_args(DatasetConfig.model_fields["source"].annotation)
    assert set(SHAPES) == set(SHAPE_SETS)
    assert sorted(sources) == sorted([*IMAGE_SETS, *SHAPE_SETS, "inrs"])
    assert {download_name(source) for source in sources} == {*SOURCES, None}


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_of_a_full_set_is_named(tmp_path, name):
    first = FILES[name][0].name
    advice = rf"{first} is missing: delete the mark {tmp_path}\.complete.* run snakemake again"
    with pytest.raises(FileNotFoundError, match=advice):
        load_images(name, tmp_path)


@pytest.mark.parametrize("name", FILES)
def test_a_wrong_file_of_a_full_set_is_refused(tmp_path, name):
    for file in FILES[name]:
        (tmp_path / file.name).write_bytes(b"\0\0\x08\x01\0\0\0\0")
    first = FILES[name][0]
    with pytest.raises(ChecksumError, match=rf"{first.name}.*expected {first.size} bytes, got 8"):
        load_images(name, tmp_path)


def idx(array):
    return bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes() + array.tobytes()


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist"])
def test_idx_files_become_a_set(tmp_path, monkeypatch, name):
    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 256, (n, 28, 28), dtype=np.uint8) for n in (7, 4)]
    labels = [rng.integers(0, 10, n, dtype=np.uint8) for n in (7, 4)]
    contents = [idx(a) for pair in zip(pictures, labels, strict=True) for a in pair]
    files = []
    for file, content in zip(FILES[name], contents, strict=True):
        (tmp_path / file.name).write_bytes(content)
        files.append(DataFile(file.name, hashlib.md5(content).hexdigest(), len(content)))
    monkeypatch.setitem(FILES, name, tuple(files))
    full = load_images(name, tmp_path)
    assert full.name == name
    np.testing.assert_array_equal(full.images, np.concatenate(pictures))
    np.testing.assert_array_equal(full.labels, np.concatenate(labels))
    assert full.labels.dtype == full.object_ids.dtype == np.int64
    assert full.object_ids.tolist() == list(range(11))
    assert full.official_split.tolist() == ["train"] * 7 + ["test"] * 4
    assert len(full.classes) == 10

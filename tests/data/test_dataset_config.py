"""The section of a dataset: what a source needs, and how many objects it has."""

import pytest
from pydantic import ValidationError

from weightspace.config.data import CLASS_SIZES, DatasetConfig

COUNTS = {"train": 20, "val": 10, "test": 10, "seed": 0}
FOLDER = {"source": "folder", "path": "pictures", "size": [32, 48], "channels": 3}


def check(**settings):
    counts = {} if settings["source"] == "inrs" else COUNTS  # networks have their splits
    return DatasetConfig.model_validate({**counts, **settings})


def refused(**settings):
    with pytest.raises(ValidationError) as caught:
        check(**settings)
    return str(caught.value)


def test_sources_have_their_published_totals():
    totals = {n: [sum(s["training"]), sum(s["test"])] for n, s in CLASS_SIZES.items()}
    assert totals.pop("cifar10") == [50_000, 10_000]
    assert totals.pop("fashion_mnist_subset") == [5_000, 1_000]
    assert totals.pop("modelnet10") == [3_991, 908]
    assert set(map(tuple, totals.values())) == {(60_000, 10_000)}


@pytest.mark.parametrize(
    "settings",
    [
        *({"source": name} for name in CLASS_SIZES),
        FOLDER,
        {**FOLDER, "train": 2, "val": 1, "test": 1},  # the classes are not known here
        {"source": "inrs", "path": "inrs.h5"},
        {"source": "mesh_folder", "path": "meshes"},
        {"source": "mesh_folder", "path": "meshes", "train": 2, "val": 1, "test": 1},
        {"source": "ldraw10", "train": 5},
        {"source": "modelnet40"},
        {"source": "modelnet10", "train": 960, "val": 100, "test": 500},
        {
            "source": "modelnet10",
            "train": 3_500,
            "val": 491,
            "test": 908,
            "balance": "proportional",
        },
        {"source": "fashion_mnist", "train": 55_000, "val": 5_000, "test": 10_000},
        {"source": "cifar10", "train": 45_000, "val": 5_000, "test": 10_000},
        {"source": "mnist", "train": 49_000, "val": 5_210, "test": 8_920},
        {
            "source": "mnist",
            "train": 55_000,
            "val": 5_000,
            "test": 10_000,
            "balance": "proportional",
        },
    ],
)
def test_what_there_is_can_be_asked(settings):
    found = check(**settings)
    assert {key: getattr(found, key) for key in settings} == settings


@pytest.mark.parametrize("missing", ["path", "size", "channels"])
def test_a_folder_needs_its_keys(missing):
    settings = {key: value for key, value in FOLDER.items() if key != missing}
    message = refused(**settings)
    assert f"source folder needs the keys path, size, channels; {missing} is missing" in message


def test_a_path_may_begin_at_home(monkeypatch):
    monkeypatch.setenv("HOME", "/home/of/ours")
    assert check(**{**FOLDER, "path": "~/x"}).path == "/home/of/ours/x"
    assert check(**{**FOLDER, "path": "./x~"}).path == "./x~"


@pytest.mark.parametrize(("key", "value"), [("path", "x"), ("size", [8, 8]), ("channels", 1)])
def test_an_official_set_has_no_such_keys(key, value):
    message = refused(source="mnist", **{key: value})
    assert f"{key} is a key of source folder" in message and "take it out for mnist" in message


def test_networks_need_a_path_and_no_size():
    assert "source inrs needs the keys path; path is missing" in refused(source="inrs")
    assert "size is a key of source folder alone" in refused(
        source="inrs", path="a.h5", size=[8, 8]
    )


def test_meshes_need_a_path_and_no_size():
    assert "source mesh_folder needs the keys path; path is missing" in refused(
        source="mesh_folder"
    )
    for key, value in (("size", [8, 8]), ("channels", 1)):
        message = refused(source="mesh_folder", path="meshes", **{key: value})
        assert f"{key} is a key of source folder alone; take it out for mesh_folder" in message
    for source in ("ldraw10", "modelnet40"):
        message = refused(source=source, path="meshes")
        assert "path is a key of source folder and mesh_folder and inrs alone" in message


@pytest.mark.parametrize("key", ["train", "val", "test"])
def test_pictures_are_counted_and_networks_are_not(key):
    assert f"{key} chooses objects" in refused(source="inrs", path="a.h5", **{key: 20})
    assert f"{key}: this key is missing" in refused(source="mnist", **{key: None})


@pytest.mark.parametrize(
    "change",
    [
        {"size": [32]},
        {"size": [32, 1]},
        {"size": "32x32"},
        {"channels": 2},
        {"path": ""},
        {"source": "imagenet"},
        {"balance": "even"},
        {"val": 0},
        {"shape": [8, 8]},
    ],
)
def test_nonsense_is_refused(change):
    assert next(iter(change)) in refused(**{**FOLDER, **change})


@pytest.mark.parametrize("name", ["train", "val", "test"])
def test_every_class_needs_an_object(name):
    assert "greater than or equal to 10, one object of each class (given: 9)" in refused(
        source="mnist", **{name: 9}
    )


def test_too_many_pictures_are_refused_with_the_numbers_of_the_class():
    message = refused(source="cifar10", train=45_001, val=5_000)
    assert "5000 training pictures of class 0; train 45001 + val 5000 needs 4501 + 500" in message
    assert "balance" not in message.split("[")[0]
    message = refused(source="mnist", test=10_000)
    assert "mnist has 892 test pictures of class 5; test 10000 needs 1000" in message
    assert "or set balance: proportional" in message
    message = refused(source="mnist", train=55_001, val=5_000, balance="proportional")
    assert "60000 training pictures; train 55001 + val 5000 needs 60001" in message


def test_too_many_shapes_are_refused_alike():
    message = refused(source="modelnet10", train=1_000, val=70)
    assert "106 training shapes of class 0; train 1000 + val 70 needs 100 + 7" in message
    assert "or set balance: proportional" in message
    message = refused(source="modelnet10", test=909, balance="proportional")
    assert "modelnet10 has 908 test shapes; test 909 needs 909" in message

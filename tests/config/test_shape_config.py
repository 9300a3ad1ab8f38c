"""Studies of 3D shapes: their points, what their models read, and what is refused."""

import copy
import inspect
from pathlib import Path
from typing import get_args

import pytest
import yaml
from snakemake.utils import update_config

from weightspace.config.checks import RAW_INPUTS
from weightspace.config.data import SHAPES, DatasetConfig, PointsConfig, download_name
from weightspace.config.study import ConfigError, load_config
from weightspace.data.shapes.sampled_shapes import sample_shapes
from weightspace.data.signals import shape_signals
from weightspace.models import PIXEL_MODELS

ROOT = Path(__file__).parents[2]
DEFAULT = yaml.safe_load((ROOT / "config.yaml").read_text())
COUNTS = {"train": 100, "val": 20, "test": 30}
CHANGES = """
study: parts_and_pictures
datasets:
  parts: {source: ldraw10, train: 100, val: 20, test: 30, seed: 7, points: {surface: 256}}
  spare: {source: mesh_folder, path: meshes, train: 100, val: 20, test: 30}
  theirs: {source: inrs, path: theirs.h5}
models:
  pointnet: {kind: pointnet, lr: 0.001, weight_decay: 0.1}
  of_queries: {kind: pointnet_occupancy, lr: 0.001, weight_decay: 0.1}
"""
BLOCKS = [
    {"datasets": ["parts", "fashion_mnist"], "models": ["dws"], "schemes": ["none"]},
    {"datasets": ["parts"], "models": ["pointnet", "of_queries"], "schemes": ["none"]},
    {"datasets": ["fashion_mnist"], "models": ["pixel_cnn"], "schemes": ["none"]},
]


def study(**blocks):
    """A study of parts and pictures, with these blocks of experiments."""
    raw = copy.deepcopy(DEFAULT)
    update_config(raw, yaml.safe_load(CHANGES))
    raw["experiments"] = blocks or {"gap": copy.deepcopy(BLOCKS)}
    return raw


def refused(raw):
    with pytest.raises(ConfigError) as caught:
        load_config(raw)
    return str(caught.value)


@pytest.mark.parametrize("source", SHAPES)
def test_shapes_get_the_points_that_are_not_stated(source):
    own = {"path": "meshes"} if source == "mesh_folder" else {}
    for stated in (None, {}, {"signal": "occupancy", "per_step": None}):
        found = DatasetConfig.model_validate(
            {"source": source, "points": stated, **own, **COUNTS}
        ).points
        assert found == PointsConfig(**(stated or {}))
    assert DatasetConfig(source=source, **own, **COUNTS).points == PointsConfig()


def test_the_points_are_recorded_with_the_results():
    raw = study()
    del raw["datasets"]["parts"]["points"]
    data = load_config(raw).resolve("parts-dws-none-1views")["data"]
    assert data["points"] == PointsConfig().model_dump()
    assert load_config(study()).resolve("parts-dws-none-1views")["data"]["points"]["surface"] == 256


@pytest.mark.parametrize(
    "dataset",
    [
        *({"source": name} for name in ("fashion_mnist", "mnist", "cifar10")),
        {"source": "folder", "path": "pictures", "size": [8, 8], "channels": 1},
        {"source": "inrs", "path": "theirs.h5", **dict.fromkeys(COUNTS)},
    ],
)
def test_pictures_and_networks_have_no_points(dataset):
    assert DatasetConfig.model_validate({**COUNTS, **dataset}).points is None
    raw = study()
    raw["datasets"]["spare"] = {**COUNTS, **dataset, "points": {}}
    expected = "datasets.spare.points: points is a key of shapes alone; take it out for "
    assert expected + dataset["source"] in refused(raw)


BAD_POINTS = {
    "unknown signal": ({"signal": "sfd"}, ["points.signal", "did you mean 'sdf'"]),
    "unknown key": ({"query": 9}, ["points", "unknown key 'query'", "did you mean 'queries'"]),
    "a share above one": ({"near": 1.5}, ["points.near", "given: 1.5"]),
    "no spread": ({"spread": 0.0}, ["points.spread", "greater than 0"]),
    "no truncation": ({"truncation": 0.0}, ["points.truncation", "greater than 0"]),
    "no points": ({"queries": 0}, ["points.queries", "given: 0"]),
    "text": ({"surface": "256"}, ["points.surface", "'256'"]),
    "more in a step than there are": (
        {"queries": 100, "per_step": 101},
        ["per_step is 101, more than queries 100"],
    ),
    "fewer than in a step of the default": ({"queries": 100}, ["per_step is 512, more than"]),
}


@pytest.mark.parametrize("case", BAD_POINTS)
def test_impossible_points_are_refused_with_their_key(case):
    points, expected = BAD_POINTS[case]
    raw = study()
    raw["datasets"]["parts"]["points"] = points
    message = refused(raw)
    assert "datasets.parts.points" in message
    for part in expected:
        assert part in message


@pytest.mark.parametrize("points", [None, {}, {"per_step": 100}])
def test_steps_on_some_points_cannot_stop_early(points):
    raw = study()
    raw["fit"]["target_psnr"] = 30.0
    raw["datasets"]["parts"]["points"] = points
    raw["datasets"]["spare"]["points"] = {"per_step": None}
    message = refused(raw)
    assert "parts: a step that sees points.per_step" in message and "spare" not in message
    assert "fit.target_psnr is reached; set one of them to null" in message
    raw["datasets"]["parts"]["fit"] = {"target_psnr": None}  # the pictures still may
    config = load_config(raw)
    assert config.fit_of("fashion_mnist").target_psnr == 30.0
    raw["fit"]["target_psnr"] = None
    raw["datasets"]["parts"]["fit"] = {"target_psnr": 30.0}
    assert "parts: a step that sees points.per_step" in refused(raw)


@pytest.mark.parametrize(
    ("model", "dataset", "reads"),
    [
        ("pointnet", "fashion_mnist", "points"),
        ("of_queries", "fashion_mnist", "queries"),
        ("pointnet", "theirs", "points"),
        ("of_queries", "theirs", "queries"),
        ("pixel_cnn", "parts", "pixels"),
        ("pixel_cnn", "spare", "pixels"),
        ("pixel_cnn", "theirs", "pixels"),
    ],
)
def test_a_model_reads_only_what_a_dataset_has(model, dataset, reads):
    good = {"datasets": ["parts"], "models": ["dws"], "schemes": ["none"]}
    raw = study(gap=[good, {"datasets": [dataset], "models": [model], "schemes": ["none"]}])
    expected = f"experiments: gap.1: the model {model!r} reads {reads}; {dataset!r} has none"
    assert expected in refused(raw)


def test_all_datasets_of_a_study_are_checked():
    raw = study(gap=[{"models": ["pointnet"], "schemes": ["none"]}])
    assert "the model 'pointnet' reads points; 'fashion_mnist' has none" in refused(raw)


@pytest.mark.parametrize("change", [{"views": [4]}, {"schemes": ["none", "sign_flip"]}])
@pytest.mark.parametrize("model", ["pointnet", "of_queries"])
def test_points_have_no_views_and_no_schemes(model, change):
    block = {"datasets": ["parts"], "models": [model], "schemes": ["none"], **change}
    message = refused(study(gap=[block]))
    assert f"gap.0: the model {model!r} reads" in message and "schemes [none]" in message


def test_pre_training_is_of_networks():
    block = {"datasets": ["parts"], "models": ["pointnet"], "schemes": ["translate"]}
    message = refused(study(contrastive=[block]))
    assert "contrastive.0: the model 'pointnet' reads points; pre-training is of" in message


@pytest.mark.parametrize("place", ["fit", "datasets.parts.fit"])
def test_a_schedule_with_a_typing_error_is_refused(place):
    raw = study()
    if place == "fit":
        raw["fit"]["schedule"] = "cosin"
    else:
        raw["datasets"]["parts"]["fit"] = {"schedule": "cosin"}
    message = refused(raw)
    assert "schedule: unknown 'cosin'; did you mean 'cosine'? valid: constant, cosine" in message
    assert place.removeprefix("datasets.") in message


def test_what_has_to_be_downloaded():
    assert download_name("ldraw10") == download_name("ldraw20") == "ldraw"
    for own in ("modelnet10", "modelnet40", "mnist", "cifar10", "fashion_mnist"):
        assert download_name(own) == own
    for nothing in ("fashion_mnist_subset", "folder", "mesh_folder", "inrs"):
        assert download_name(nothing) is None


def test_each_cell_says_what_its_model_reads():
    config = load_config(study())
    found = {cell.name: config.inputs_of(cell) for cell in config.all_cells.values()}
    assert found == {
        "parts-dws-none-1views": "weights",
        "fashion_mnist-dws-none-1views": "weights",
        "parts-pointnet-none-1views": "points",
        "parts-of_queries-none-1views": "queries",
        "fashion_mnist-pixel_cnn-none-1views": "pixels",
    }
    for name, inputs in found.items():
        cell = config.resolve(name)
        assert cell["inputs"] == inputs
        assert (cell["fit"] is None) == (inputs != "weights")
    assert {k for k, inputs in RAW_INPUTS.items() if inputs == "pixels"} == set(PIXEL_MODELS)


def test_shapes_that_only_models_of_points_read_are_not_fitted():
    config = load_config(study(gap=BLOCKS[1:]))
    assert config.used_datasets() == ["fashion_mnist", "parts"]
    assert config.fitted_datasets() == []
    assert load_config(study()).fitted_datasets() == ["fashion_mnist", "parts"]


def test_the_sampling_is_what_is_asked_of_the_points():
    config = load_config(study())
    sampling = config.sampling_of("parts")
    assert sampling == {"queries": 8192, "near": 0.8, "spread": 0.03, "surface": 256, "seed": 7}
    inspect.signature(sample_shapes).bind(None, **sampling)
    assert config.sampling_of("spare") == {**sampling, "surface": 1024, "seed": 0}
    # so another signal samples no points again
    raw = study()
    raw["datasets"]["parts"]["points"] |= {"signal": "occupancy", "truncation": 0.2, "per_step": 9}
    assert load_config(raw).sampling_of("parts") == sampling


def test_the_signal_is_that_of_shapes_alone():
    raw = study()
    raw["datasets"]["parts"]["points"] |= {"signal": "occupancy", "per_step": None, "queries": 99}
    config = load_config(raw)
    signal = config.signal_of("parts")
    assert (signal["signal"], signal["per_step"]) == ("occupancy", None)
    inspect.signature(shape_signals).bind(None, **signal)
    assert "queries" not in signal and "surface" not in signal
    assert config.signal_of("spare")["signal"] == "sdf"
    assert config.signal_of("fashion_mnist") is None
    assert config.signal_of("theirs") is None


def test_the_recorded_config_gives_the_same_study():
    config = load_config(study())
    assert load_config(config.model_dump()) == config


def test_the_study_of_shapes_compares_with_models_of_the_shapes_themselves():
    raw = copy.deepcopy(DEFAULT)
    update_config(raw, yaml.safe_load((ROOT / "workflow/configs/shapes.yaml").read_text()))
    config = load_config(raw)
    inputs = {config.inputs_of(cell) for cell in config.cells_of("gap").values()}
    assert inputs == {"weights", "points", "queries", "pixels"}


def test_the_signals_are_those_that_shapes_can_become():
    signals = get_args(PointsConfig.model_fields["signal"].annotation)
    assert signals == get_args(inspect.signature(shape_signals).parameters["signal"].annotation)


def test_only_shapes_are_rotated_about_an_axis():
    raw = study(schemes=[{"datasets": ["parts"], "models": ["dws"], "schemes": ["none", "turned"]}])
    raw["schemes"]["turned"] = {"augment": [{"kind": "rotate", "axis": "y"}]}
    load_config(raw)
    raw["experiments"]["schemes"][0]["datasets"].append("fashion_mnist")
    assert "'turned' rotates about the axis y; 'fashion_mnist' has pictures" in refused(raw)

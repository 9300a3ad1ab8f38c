"""The chain from a folder of meshes to the comparison of weights with points."""

import numpy as np
import pandas as pd
import pytest
import trimesh
import yaml
from running import copy_sources, snakemake, would_run

from weightspace.data.shapes.chosen import read_shapes
from weightspace.store import read_inrs

CONFIG = {
    "study": "solids",
    "fit": {
        "hidden": [8, 8],
        "steps": 40,
        "min_psnr": 1.0,
        "views": {"train": 2, "internal": 1, "val": 1, "test": 1},
        "shard_size": 20,
    },
    "datasets": {
        "fashion_mnist": {"train": 20, "val": 10, "test": 10},
        "solids": {
            "source": "mesh_folder",
            "path": "meshes",
            "train": 16,
            "val": 4,
            "test": 4,
            "seed": 0,
            "balance": "proportional",
            "points": {"queries": 256, "surface": 32, "per_step": 64},
            "fit": {"omega_0": 15.0, "schedule": "cosine", "lr": 0.004},
        },
    },
    "train": {"seeds": [0, 1], "updates": 12, "batch_size": 8, "warmup": 2, "evaluate_every": 6},
    "models": {
        "dws": {"kind": "dws", "lr": 0.001, "weight_decay": 0.1, "channels": 2, "depth": 2},
        "pixel_cnn": {"kind": "pixel_cnn", "lr": 0.001, "weight_decay": 0.1, "channels": 4},
        "pointnet": {"kind": "pointnet", "lr": 0.001, "weight_decay": 0.1, "width": 4},
        "pointnet_occupancy": {"kind": "pointnet_occupancy", "lr": 0.001, "weight_decay": 0.1},
    },
    "experiments": {
        "overfitting": [],
        "gap": [
            {"datasets": ["solids", "fashion_mnist"], "models": ["dws"], "schemes": ["none"]},
            {
                "datasets": ["solids"],
                "models": ["pointnet", "pointnet_occupancy"],
                "schemes": ["none"],
            },
            {"datasets": ["fashion_mnist"], "models": ["pixel_cnn"], "schemes": ["none"]},
        ],
        "views": [],
        "schemes": [
            {
                "datasets": ["solids"],
                "models": ["dws"],
                "schemes": ["none", "rotate", "mixup_aligned"],
            }
        ],
        "alignment": [
            {
                "datasets": ["solids"],
                "models": ["dws"],
                "schemes": ["none", "mixup_aligned"],
            }
        ],
    },
}
FIGURES = ("gap", "schemes", "alignment", "gallery.solids")
FIGURES += ("shape_quality.solids", "fit_quality.solids", "gallery.fashion_mnist")

pytestmark = pytest.mark.slow


def run(tree, *arguments, **settings):
    return snakemake(tree, *arguments, config="solids", **settings)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A copy of the sources in which the study has been run, with one bad mesh."""
    tree = tmp_path_factory.mktemp("tree")
    copy_sources(tree)
    draw = np.random.default_rng(0).uniform
    makers = {
        "box": lambda: trimesh.creation.box(draw(0.5, 1, 3)),
        "ring": lambda: trimesh.creation.annulus(draw(0.5, 0.7), 1, draw(0.3, 1)),
    }
    for name, make in makers.items():
        (tree / "meshes" / name).mkdir(parents=True)
        for i in range(12):
            make().export(tree / "meshes" / name / f"{i:02}.off")
    whole = (tree / "meshes/box/03.off").read_bytes()
    (tree / "meshes/box/03.off").write_bytes(whole[: len(whole) // 2])
    (tree / "workflow/configs/solids.yaml").write_text(yaml.safe_dump(CONFIG))
    run(tree, "--cores", "2")
    return tree


def test_every_result_is_there(finished):
    results = finished / "results/solids"
    for name in FIGURES:
        assert (results / "figures" / f"{name}.png").read_bytes().startswith(b"\x89PNG")
        assert (results / "figures" / f"{name}.pdf").read_bytes().startswith(b"%PDF")
    html = (results / "report.html").read_text()
    assert all(f'alt="{name}"' in html for name in FIGURES)


def test_a_bad_mesh_is_skipped_with_its_reason_and_the_others_are_used(finished):
    results = finished / "results/solids"
    shapes = read_shapes(results / "objects/solids.npz")
    (reason,) = shapes.skipped
    assert reason.startswith("box/03.off: truncated")
    assert reason in (results / "logs/shape_objects/solids.log").read_text()
    inrs = read_inrs(results / "datasets/solids.h5")
    assert set(inrs.columns["object_id"]) == set(shapes.object_ids) and len(shapes) == 23
    assert inrs.weights.layer_layout == (3, 8, 8, 1)
    assert inrs.header.coords["signal"] == "sdf" and inrs.header.config["schedule"] == "cosine"


def test_the_gap_is_between_weights_and_points_of_the_same_objects(finished):
    results = finished / "results/solids"
    gap = pd.read_csv(results / "tables/gap.csv", keep_default_na=False)
    read = gap[gap["dataset"] == "solids"].set_index("model")["inputs"].to_dict()
    assert read == {"dws": "weights", "pointnet": "points", "pointnet_occupancy": "queries"}
    judged = [
        set(
            pd.read_csv(results / "runs" / f"solids-{name}-none-1views/predictions.csv")[
                "object_id"
            ]
        )
        for name in ("dws", "pointnet", "pointnet_occupancy")
    ]
    assert judged[0] == judged[1] == judged[2]


def test_a_second_run_runs_nothing(finished):
    assert "Nothing to be done" in (again := run(finished)).stdout + again.stderr


@pytest.mark.parametrize(
    ("old", "new", "runs", "stay"),
    [
        ("spread: 0.03", "spread: 0.04", "sample_points", "shape_objects"),
        ("truncation: 0.1", "truncation: 0.2", "fit_shard", "sample_points"),
        ("updates: 12", "updates: 13", "train_cell", "fit_shard"),
    ],
)
def test_only_what_a_setting_touches_runs_again(finished, old, new, runs, stay):
    path = finished / "workflow/configs/solids.yaml"
    before = path.read_text()
    settings = yaml.safe_load(before)
    settings["datasets"]["solids"]["points"] |= {"spread": 0.03, "truncation": 0.1}
    text = yaml.safe_dump(settings)
    assert old in text
    try:
        path.write_text(text)
        assert would_run(finished, config="solids") == {}  # these are the defaults
        path.write_text(text.replace(old, new))
        found = would_run(finished, config="solids")
    finally:
        path.write_text(before)
    assert runs in found and stay not in found


def test_a_new_mesh_is_noticed(finished):
    new = finished / "meshes/ring/99.off"
    try:
        trimesh.creation.annulus(0.4, 1, 1).export(new)
        assert would_run(finished, config="solids")["shape_objects"] == 1
    finally:
        new.unlink()

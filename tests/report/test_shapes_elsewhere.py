"""Reports that were first written for pictures, given networks of shapes."""

import runpy
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

from laws import assert_same_function
from weightspace.data.coordinates import grid
from weightspace.data.shapes.points import ShapePoints
from weightspace.data.signals import shape_signals
from weightspace.dataset.inr_dataset import load_inr_dataset
from weightspace.dataset.reference import align_to_reference
from weightspace.inr_set import COLUMNS, Header, InrSet
from weightspace.report import alignment_quality
from weightspace.report.alignment_quality import matching_quality
from weightspace.report.collect import ReportError
from weightspace.report.figures.gallery import gallery_figure
from weightspace.report.midpoints import read_midpoints
from weightspace.rng import stream
from weightspace.siren import init_siren, siren
from weightspace.store import write_inrs
from weightspace.symmetry.permutation import permute
from weightspace.train.contrastive_cell import train_contrastive_cell
from weightspace.weights import Weights, lerp

OMEGA, OFFSET = 20.0, 0.5
N_OBJECTS, VIEWS = 12, 2
SCRIPTS = Path(__file__).parents[2] / "workflow" / "scripts"


def _header(w: Weights, coords: dict | None = None) -> Header:
    points = ShapePoints(
        object_ids=np.zeros(1, np.int64),
        queries=np.zeros((1, 5, 3), np.float32),
        distances=np.zeros((1, 5), np.float32),
        surface=np.zeros((1, 1, 3), np.float32),
    )
    signals = shape_signals(points, signal="sdf", truncation=0.1, near=0.8, spread=0.05)
    return Header(
        dataset="shapes",
        layer_layout=w.layer_layout,
        omega_0=OMEGA,
        output_offset=OFFSET,
        coords=signals.description if coords is None else coords,
        classes=("brick", "wheel"),
        commit="aaa",
        config={},
    )


def _columns() -> dict[str, np.ndarray]:
    object_id = np.repeat(np.arange(N_OBJECTS), VIEWS)
    known = {
        "object_id": object_id,
        "view": np.tile(np.arange(VIEWS), N_OBJECTS),
        "label": object_id // 2 % 2,
        "split": np.array(["train", "train", "val", "test"])[object_id // 2 % 4],
    }
    zeros = np.zeros(len(object_id))
    return {
        name: known.get(name, zeros).astype(str if name == "split" else dtype)
        for name, dtype in COLUMNS.items()
    }


def _write(path: Path, w: Weights, coords: dict | None = None) -> InrSet:
    inrs = InrSet(_header(w, coords), w, _columns())
    write_inrs(path, inrs)
    return inrs


def _networks(n: int = N_OBJECTS * VIEWS) -> Weights:
    return init_siren((3, 8, 8, 1), omega_0=OMEGA, generator=stream(0, "shapes"), batch_size=n)


@pytest.fixture
def shapes(tmp_path):
    path = tmp_path / "shapes.h5"
    return path, _write(path, _networks())


def _mean(table: pd.DataFrame, quantity: str) -> pd.DataFrame:
    own = table[table["quantity"] == quantity]
    return own.set_index(["pairs", "alignment"])["mean"].unstack()


def test_functions_of_shapes_are_compared_all_over_the_cube(shapes, monkeypatch):
    path, _ = shapes
    drawn = alignment_quality._read_pairs(path, 4, 0)[0]
    table, midpoints = matching_quality(path, pairs=4, lams=(0.3,))
    points = grid((24, 24, 24))
    f_a, f_b, mixed = (
        siren(w, points, omega_0=OMEGA, output_offset=OFFSET)
        for w in (drawn.a, drawn.b, lerp(drawn.a, drawn.b, torch.full((4,), 0.3)))
    )
    error = ((mixed - (0.3 * f_a + 0.7 * f_b)) ** 2).mean((1, 2))
    variance = torch.cat([f_a, f_b]).var(1, correction=0).mean()
    found = _mean(table, "function_error").loc[drawn.kind, "none"]
    assert found == pytest.approx((error / variance).mean().item(), rel=1e-4)
    assert len(midpoints.pictures) == len(midpoints.psnr) == 0  # no picture of a shape

    # Few networks at a time, as those of many points are, give the same table.
    monkeypatch.setattr(alignment_quality, "NUMBERS", 24**3 * 8 * 3)
    again = matching_quality(path, pairs=4, lams=(0.3,))[0]
    assert np.allclose(again["mean"], table["mean"], rtol=1e-4)


def test_aligned_shapes_of_one_orbit_have_no_error(tmp_path):
    one = _networks(1)
    same = one[torch.zeros(N_OBJECTS * VIEWS, dtype=torch.long)]
    perms = [
        torch.stack([torch.randperm(8, generator=stream(i, l)) for i in range(len(same))])
        for l in range(2)
    ]
    moved = permute(same, perms)
    inrs = _write(tmp_path / "orbit.h5", moved)
    table, _ = matching_quality(tmp_path / "orbit.h5", pairs=3, lams=(0.5,))
    error = _mean(table, "function_error")
    assert (error[["none", "randomised"]] > 0.1).all(axis=None)
    assert error.drop(columns=["none", "randomised"]).max(axis=None) < 1e-8
    aligned = align_to_reference(inrs, signed=True)
    assert aligned.header.coords == inrs.header.coords
    assert_same_function(aligned.weights, same, omega_0=OMEGA)
    assert aligned.weights.flatten().std(0).max() < 1e-6


def test_the_scripts_of_the_alignment_take_shapes(shapes, tmp_path, monkeypatch):
    # What they set is of the whole process.
    monkeypatch.setattr("weightspace.device.use_threads", lambda threads: None)
    monkeypatch.setattr("weightspace.memory.keep_freed_memory", lambda: None)

    def run(name, inputs, outputs, **settings):
        outputs = {key: str(tmp_path / file) for key, file in outputs.items()}
        job = SimpleNamespace(
            input=inputs, output=outputs, log=[str(tmp_path / f"{name}.log")], threads=1, **settings
        )
        runpy.run_path(str(SCRIPTS / f"{name}.py"), init_globals={"snakemake": job})
        return outputs

    measured = run(
        "matching_quality",
        {"inrs": str(shapes[0])},
        {"quality": "quality.csv", "examples": "examples.npz"},
        wildcards={"dataset": "ldraw10"},
        params={"settings": {"pairs": 2, "examples": 1, "seed": 0}},
    )
    assert len(read_midpoints(measured["examples"]).kinds) == 0
    endings = {"png": "a.png", "pdf": "a.pdf", "csv": "a.csv", "md": "a.md"}
    midpoints = {"midpoints_png": "m.png", "midpoints_pdf": "m.pdf"}
    inputs = {"quality": [measured["quality"]], "examples": [measured["examples"]], "metrics": []}
    outputs = run("alignment", inputs, endings | midpoints)
    assert all(Path(path).stat().st_size > 100 for path in outputs.values())
    assert "24 on each axis" in Path(outputs["md"]).read_text()


@pytest.mark.parametrize("coords", [{}, {"points": 5}])
def test_networks_of_unknown_points_are_refused(tmp_path, coords):
    _write(tmp_path / "unknown.h5", _networks(), coords)
    with pytest.raises(ValueError, match=r"unknown\.h5 has the coords .* state --shape"):
        matching_quality(tmp_path / "unknown.h5", pairs=2)


def test_the_gallery_of_pictures_names_that_of_shapes(shapes, tmp_path):
    with pytest.raises(ReportError, match="a picture needs a shape of two axes"):
        gallery_figure(shapes[0], tmp_path / "shapes.npz")


@pytest.mark.parametrize("pairs", ["augmented", "views"])
def test_pre_training_moves_shapes_in_space(shapes, pairs):
    steps = [{"kind": "rotate"}, {"kind": "rotate", "axis": "y"}, {"kind": "scale"}]
    training = {"batch_size": 4, "lr": 0.01, "weight_decay": 0.0, "warmup": 1, "evaluate_every": 2}
    result = train_contrastive_cell(
        load_inr_dataset(shapes[0]),
        model={"kind": "dws", "channels": 4, "depth": 2},
        embedding=3,
        scheme={"augment": [*steps, {"kind": "translate"}, {"kind": "self_mixup"}]},
        pairs=pairs,
        views=VIEWS,
        seeds=[0],
        label_fractions=[1.0],
        pretraining={"projection": 4, "temperature": 0.5, "updates": 2, **training},
        fine_tune={"updates": 2, **training},
        l2=[0.1],
    )
    assert not result.failed_seeds and not result.failures[0]
    assert all(np.isfinite(row["loss"]) for row in result.history)

"""The quality of fitted shapes: the numbers, the table and the figure."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from drawn import legend
from fitted_shapes import CLASSES, IDS, LABELS, SIREN, constant, fitted, network, shapes

from weightspace.data.shapes.chosen import read_shapes, write_shapes
from weightspace.fit.shape_quality import chamfer, iou, level_set
from weightspace.report import shape_quality
from weightspace.report.collect import ReportError
from weightspace.report.figures.shape_quality import shape_quality_figure
from weightspace.report.saving import save_figure
from weightspace.report.shape_quality import measure_shapes, shape_quality_table
from weightspace.report.tables import save_tables
from weightspace.rng import stream
from weightspace.store import write_inrs


@pytest.fixture
def inrs():
    return fitted()


@pytest.fixture
def files(inrs, tmp_path, monkeypatch):
    """The paths of the networks and of the shapes; measuring is coarse."""
    monkeypatch.setattr(shape_quality, "POINTS", 4000)
    monkeypatch.setattr(shape_quality, "RESOLUTION", 24)
    write_inrs(tmp_path / "inrs.h5", inrs)
    write_shapes(tmp_path / "shapes.npz", shapes())
    return tmp_path / "inrs.h5", tmp_path / "shapes.npz"


def test_every_row_is_what_the_network_of_view_0_and_its_mesh_give(files, inrs):
    done = []
    measured = measure_shapes(*files, progress=lambda i, n: done.append((i, n)))
    assert done == [(i, 6) for i in range(1, 7)]
    assert sorted(measured["object_id"]) == [10, 11, 12, 20, 21, 30]  # of 31 view 0 is lost
    read = read_shapes(files[1])
    for row in measured.to_dict("records"):
        place = list(IDS).index(row["object_id"])
        mesh, w = read.meshes[place], network(inrs, row["object_id"], 0)
        draw = {"points": 20_000, "generator": stream(1, place)}
        assert row["iou"] == pytest.approx(iou(w, mesh, **SIREN, **draw).item(), abs=0.05)
        surface = level_set(w, **SIREN, resolution=24)
        assert row["chamfer"] == pytest.approx(chamfer(mesh, surface, **draw), rel=0.1)
        entry = pd.DataFrame(inrs.columns).query(f"object_id == {row['object_id']} and view == 0")
        assert row["psnr"] == entry["psnr"].item() and row["split"] == entry["split"].item()
        assert (row["class"], row["title"]) == (CLASSES[LABELS[place]], f"{IDS[place]}.dat")
        assert (row["faces"], row["closed"]) == (len(mesh.faces), row["class"] != "bin")
        assert row["surface"]
    assert measured["iou"].min() > 0.6  # fitted at all, so a wrong mesh would be seen
    assert measured["iou"].between(0, 1).all() and measured["psnr"].nunique() == 6


@pytest.mark.parametrize(("objects", "counts"), [(2, (1, 1, 0)), (3, (1, 1, 1)), (5, (2, 1, 2))])
def test_of_many_objects_the_measured_ones_are_of_all_classes(files, objects, counts):
    measured = measure_shapes(*files, objects=objects)
    found = measured["class"].value_counts()
    assert tuple(int(found.get(name, 0)) for name in CLASSES) == counts
    assert measured["object_id"].is_unique
    everything = measure_shapes(*files).set_index("object_id")
    same = everything.loc[measured["object_id"], ["iou", "chamfer"]].to_numpy()
    assert (measured[["iou", "chamfer"]].to_numpy() == same).all()  # whatever else is measured


def test_half_of_the_measured_are_closed_as_far_as_there_are(files, monkeypatch):
    monkeypatch.setattr(shape_quality, "AT_ONCE", 4)
    # Five are closed and one, the bin, is open.
    for objects, closed in ((2, 1), (3, 2), (6, 5), (9, 5)):
        measured = measure_shapes(*files, objects=objects)
        assert measured["closed"].sum() == closed and len(measured) == min(objects, 6)


def test_networks_of_other_objects_are_refused(files, tmp_path):
    write_shapes(tmp_path / "other.npz", replace(shapes(), object_ids=IDS + 100))
    with pytest.raises(ReportError, match=r"inrs\.h5 has networks of other objects than .*other"):
        measure_shapes(files[0], tmp_path / "other.npz")


def test_the_rows_of_the_table_add_up(files):
    measured = measure_shapes(*files)
    table = shape_quality_table(measured)
    words = table.words.set_index(["class", "meshes"])
    counts = words["objects"].astype(int)
    assert counts["all", "closed"] == 5 and counts["all", "open"] == 1
    for (name, word), own in measured.assign(
        word=np.where(measured["closed"], "closed", "open")
    ).groupby(["class", "word"]):
        assert counts[name, word] == len(own)
        assert words.loc[(name, word), "mean IoU"] == f"{own['iou'].mean():.3f}"
        assert words.loc[(name, word), "mean Chamfer"] == f"{own['chamfer'].mean():.4f}"
    assert counts.sum() == 2 * 6
    assert set(words["no surface"]) == {"0"} and table.numbers is measured
    closed = shape_quality_table(measured[measured["closed"]]).words
    assert "open" not in set(closed["meshes"])


def test_the_figure_counts_every_object(files):
    measured = measure_shapes(*files)
    figure = shape_quality_figure(measured)
    assert legend(figure) == ["closed meshes (5)", "open meshes (1)"]
    for axes, value in zip(figure.axes, ("iou", "chamfer"), strict=True):
        assert sum(patch.get_height() for patch in axes.patches) == 6
        means = measured.groupby("closed")[value].mean()
        drawn = [line.get_xdata()[0] for line in axes.lines]
        assert drawn == pytest.approx([means[True], means[False]])


@pytest.mark.parametrize("everywhere", [False, True])
def test_a_network_without_surface_is_counted_and_has_no_distance(
    files, inrs, tmp_path, everywhere
):
    rows = (inrs.columns["object_id"] == 11) | everywhere
    write_inrs(tmp_path / "flat.h5", constant(inrs, torch.as_tensor(rows)))
    measured = measure_shapes(tmp_path / "flat.h5", files[1])
    flat = measured[~measured["surface"]]
    assert len(flat) == (6 if everywhere else 1)
    assert flat["chamfer"].isna().all() and (flat["iou"] == 0).all()
    assert measured[measured["surface"]]["chamfer"].notna().all()
    table = shape_quality_table(measured)
    words = table.words.set_index(["class", "meshes"])
    lost = words["no surface"].astype(int)
    assert lost["all"].sum() == len(flat) == lost.drop("all").sum()
    if everywhere:
        assert set(words["mean Chamfer"]) == {"-"} and set(words["mean IoU"]) == {"0.000"}
    else:
        known = measured["chamfer"].dropna()
        known = known[measured["closed"]]
        assert words.loc[("all", "closed"), "mean Chamfer"] == f"{known.mean():.4f}"
    save_tables([table], [tmp_path / "t.csv", tmp_path / "t.md"])
    figure = shape_quality_figure(measured)
    assert sum(p.get_height() for p in figure.axes[1].patches) == 6 - len(flat)
    save_figure(figure, [tmp_path / "quality.png"])

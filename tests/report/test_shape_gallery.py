"""The gallery of shapes: what is drawn in which panel, whole, upright and inside it."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
import trimesh
from fitted_shapes import IDS, SIREN, VIEWS, constant, fitted, network, shapes, without
from matplotlib.backends.backend_agg import FigureCanvasAgg
from mpl_toolkits.mplot3d import proj3d
from mpl_toolkits.mplot3d.art3d import Poly3DCollection

from weightspace.data.shapes.chosen import write_shapes
from weightspace.fit.shape_quality import iou, level_set
from weightspace.inr_set import InrSet
from weightspace.report.collect import ReportError
from weightspace.report.figures import shape_gallery
from weightspace.report.figures.shape_gallery import shape_gallery_figure
from weightspace.report.saving import save_figure
from weightspace.rng import stream
from weightspace.store import write_inrs


class Kept(Poly3DCollection):
    """A drawing that says which triangles it was given."""

    def __init__(self, triangles, **look):
        super().__init__(triangles, **look)
        self.triangles = triangles


@pytest.fixture
def inrs():
    return fitted()


@pytest.fixture
def files(inrs, tmp_path, monkeypatch):
    """The paths of the networks and of the shapes; drawing is coarse."""
    monkeypatch.setattr(shape_gallery, "POINTS", 4000)
    monkeypatch.setattr(shape_gallery, "RESOLUTION", 16)
    monkeypatch.setattr(shape_gallery, "Poly3DCollection", Kept)
    write_inrs(tmp_path / "inrs.h5", inrs)
    write_shapes(tmp_path / "shapes.npz", shapes())
    return tmp_path / "inrs.h5", tmp_path / "shapes.npz"


def _triangles(axes):
    """What a panel of the gallery draws, `(n, corner, coordinate)`."""
    (drawn,) = axes.collections
    return drawn.triangles


def _volume(triangles):
    a, b, c = triangles.transpose(1, 0, 2)
    return (a * np.cross(b, c)).sum() / 6


def test_objects_without_a_mesh_are_refused(files, tmp_path):
    write_shapes(tmp_path / "other.npz", replace(shapes(), object_ids=IDS + 100))
    with pytest.raises(ReportError, match=r"other\.npz lacks the objects \[20, 30\]"):
        shape_gallery_figure(files[0], tmp_path / "other.npz", n_objects=2)


def test_the_gallery_shows_meshes_above_their_views(files, inrs):
    figure = shape_gallery_figure(*files, n_objects=4)
    panels = np.array(figure.axes).reshape(1 + VIEWS, 4)
    chosen = (20, 30, 10, 21)  # one of each class in turn; 31 lost a view
    assert [axes.get_title() for axes in panels[0]] == ["ball", "bin", "brick", "ball"]
    for column, object_id in zip(panels.T, chosen, strict=True):
        mesh = shapes().meshes[list(IDS).index(object_id)]
        for view, axes in enumerate(column[1:]):
            w = network(inrs, object_id, view)
            own = iou(w, mesh, **SIREN, points=20_000, generator=stream(1)).item()
            name, found = axes.get_title().split(", IoU ")
            assert name == f"view {view}" and float(found) == pytest.approx(own, abs=0.06)
            surface = level_set(w, **SIREN, resolution=16)
            assert _volume(_triangles(axes)) == pytest.approx(_volume(surface.triangles))


@pytest.mark.parametrize(("dataset", "up"), [("ldraw10", 1), ("modelnet10", 2)])
def test_a_mesh_is_drawn_whole_and_upright(files, tmp_path, dataset, up):
    write_shapes(tmp_path / "named.npz", shapes(dataset))
    axes = shape_gallery_figure(files[0], tmp_path / "named.npz", n_objects=3, n_views=1).axes[2]
    mesh, drawn = shapes().meshes[1], _triangles(axes)
    # Small triangles, as the drawing needs; the same surface, neither mirrored nor inside out.
    sides = np.linalg.norm(np.roll(drawn, 1, axis=1) - drawn, axis=2)
    assert sides.max() <= shape_gallery.LONGEST
    normals = np.cross(drawn[:, 1] - drawn[:, 0], drawn[:, 2] - drawn[:, 0])
    whole = trimesh.Trimesh(mesh.vertices, mesh.faces)
    assert np.linalg.norm(normals, axis=1).sum() / 2 == pytest.approx(whole.area)
    assert _volume(drawn) == pytest.approx(whole.volume)
    assert np.ptp(drawn[..., 2]) == pytest.approx(np.ptp(mesh.vertices[:, up]))


def test_the_open_side_of_a_bin_is_on_top(files):
    axes = shape_gallery_figure(*files, n_objects=2, n_views=1).axes[1]
    drawn = _triangles(axes)
    normals = np.cross(drawn[:, 1] - drawn[:, 0], drawn[:, 2] - drawn[:, 0])
    assert normals[:, 2].min() < -1e-6 and normals[:, 2].max() < 1e-6  # a floor and no lid


def test_the_unit_ball_fills_its_panel(files, tmp_path):
    figure = shape_gallery_figure(*files, n_objects=1, n_views=1)
    FigureCanvasAgg(figure).draw()
    axes = figure.axes[0]
    points = _triangles(axes).reshape(-1, 3)
    x, y, _ = proj3d.proj_transform(*points.T, axes.get_proj())
    pixels = axes.transData.transform(np.column_stack([x, y]))
    low, high = pixels.min(0) - axes.bbox.min, axes.bbox.max - pixels.max(0)
    assert min(*low, *high) >= 0
    assert (np.ptp(pixels, axis=0) > 0.9 * axes.bbox.size).all()


def test_a_failed_view_a_flat_network_and_one_object(files, inrs, tmp_path):
    lost = without(inrs, (20, 1))
    flat = (lost.columns["object_id"] == 20) & (lost.columns["view"] == 0)
    part = constant(lost, torch.as_tensor(flat))
    # Every object has lost a view, so that none has more than the others.
    kept = (part.columns["view"] == 0) | (part.columns["object_id"] == 31)
    part = InrSet(
        part.header,
        part.weights[torch.as_tensor(kept)],
        {name: x[kept] for name, x in part.columns.items()},
    )
    write_inrs(tmp_path / "part.h5", part)
    figure = shape_gallery_figure(tmp_path / "part.h5", files[1], n_objects=100)
    panels = np.array(figure.axes).reshape(3, 7)
    for column in panels.T:
        is_31 = column[1].get_title() == "failed"
        assert (column[2].get_title() == "failed") != is_31
        assert [len(axes.collections) for axes in column[1:]].count(0) >= 1
    assert [axes.get_title() for axes in panels[1]].count("failed") == 1
    assert panels[1, 0].get_title() == "view 0, IoU 0.00" and not panels[1, 0].collections
    save_figure(figure, [tmp_path / "gallery.png", tmp_path / "gallery.pdf"])

    one = shape_gallery_figure(files[0], files[1], n_objects=1)
    assert len(one.axes) == 3 and one.get_figheight() < 7
    save_figure(one, [tmp_path / "one.png"])


def test_titles_of_a_gallery_stay_apart(files, tmp_path):
    names = ("ball", "bin with a rather long name", "brick_of_a_long_name_without_a_space")
    write_shapes(tmp_path / "named.npz", replace(shapes(), classes=names))
    figure = shape_gallery_figure(files[0], tmp_path / "named.npz", n_objects=6, n_views=1)
    FigureCanvasAgg(figure).draw()
    for row in np.array(figure.axes).reshape(2, 6):
        boxes = [axes.title.get_window_extent() for axes in row]
        assert boxes[0].x0 >= 0 and boxes[-1].x1 <= figure.bbox.width
        assert all(a.x1 < b.x0 for a, b in pairwise(boxes))
        assert max(box.y1 for box in boxes) <= figure.bbox.height

"""The figure of the shapes: meshes above the level sets of the networks of their views."""

from pathlib import Path

import pandas as pd
import torch
from matplotlib.colors import LightSource
from matplotlib.figure import Figure
from mpl_toolkits.mplot3d.art3d import Poly3DCollection

from weightspace.data.shapes.mesh import Mesh
from weightspace.fit.shape_quality import iou, level_set
from weightspace.report.collect import ReportError
from weightspace.report.figures.gallery import choose_objects
from weightspace.report.shape_quality import POINTS, shapes_by_id
from weightspace.report.style import PALETTE, WIDTH, report_style
from weightspace.rng import stream
from weightspace.store import read_columns, read_inrs

__all__ = ["shape_gallery_figure"]

RESOLUTION = 56
MESH, FITTED = PALETTE[5], PALETTE[4]
LIGHT = LightSource(azdeg=225, altdeg=45)


@report_style()
def shape_gallery_figure(
    inr_path: str | Path, shapes_path: str | Path, *, n_objects: int = 6, n_views: int = 3
) -> Figure:
    """Draw meshes, and below each the surfaces that the networks of its views give back.

    Args:
        inr_path: an assembled dataset of shapes, or one shard.
        shapes_path: the shapes, as `write_shapes` writes them.
        n_objects: the number of columns, at most.
        n_views: the number of surfaces per object, at most.

    Returns:
        The figure; the number above a surface is its IoU with the mesh.

    Raises:
        ReportError: if the networks are not of these objects.
    """
    shapes, places = shapes_by_id(shapes_path)
    columns = read_columns(inr_path)
    entries = pd.DataFrame({key: columns[key] for key in ("object_id", "view", "label")})
    chosen = choose_objects(entries, n_objects)
    if foreign := [object_id for object_id in chosen if object_id not in places]:
        raise ReportError(f"{shapes_path} lacks the objects {foreign}, of which there are networks")
    views = sorted(entries[entries["object_id"].isin(chosen)]["view"].unique())[:n_views]
    cell = WIDTH / len(chosen)
    figure = Figure(figsize=(WIDTH, (cell + 0.18) * (1 + len(views))), layout="constrained")
    size = (1 + len(views), len(chosen))
    grid = figure.subplots(*size, squeeze=False, subplot_kw={"projection": "3d"})
    for column, object_id in enumerate(chosen):
        place = places[object_id]
        mesh = shapes.meshes[place]
        _draw(grid[0, column], mesh, shapes.classes[shapes.labels[place]], MESH)
        for row, view in enumerate(views, start=1):
            own = (entries["object_id"] == object_id) & (entries["view"] == view)
            inrs = read_inrs(inr_path, entries.index[own].to_numpy())
            siren = {"omega_0": inrs.header.omega_0, "output_offset": inrs.header.output_offset}
            surface, title = None, "failed"
            if len(inrs.weights):
                surface = level_set(inrs.weights, **siren, resolution=RESOLUTION)
                generator = stream(0, "gallery", object_id)
                overlap = iou(inrs.weights, mesh, **siren, points=POINTS, generator=generator)
                title = f"view {view}, IoU {_text(overlap)}"
            _draw(grid[row, column], surface, title, FITTED)
    return figure


def _text(overlap: torch.Tensor) -> str:
    return f"{overlap.item():.2f}"


def _draw(axes, mesh: Mesh | None, title: str, colour: str) -> None:
    """Draw a mesh; the second coordinate, which is up in a model, is up."""
    axes.set_axis_off()
    axes.set_title(title, fontsize=7.5, fontweight="normal", pad=0)
    axes.set(xlim=(-0.7, 0.7), ylim=(-0.7, 0.7), zlim=(-0.7, 0.7))
    axes.set_box_aspect((1, 1, 1), zoom=1.5)
    axes.view_init(elev=25, azim=-55)
    if mesh is not None:
        triangles = mesh.triangles[:, :, [0, 2, 1]] * [1, -1, 1]
        axes.add_collection3d(
            Poly3DCollection(
                triangles,
                facecolors=colour,
                edgecolors="none",
                shade=True,
                lightsource=LIGHT,
                rasterized=True,
            )
        )

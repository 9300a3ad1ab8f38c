"""The figure of the shapes: meshes above the level sets of the networks of their views."""

import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.colors import LightSource
from matplotlib.figure import Figure
from mpl_toolkits.mplot3d.art3d import Poly3DCollection

from weightspace.data.shapes.chosen import read_shapes
from weightspace.data.shapes.mesh import Mesh
from weightspace.fit.shape_quality import iou, level_set
from weightspace.report.collect import ReportError
from weightspace.report.figures.gallery import choose_objects
from weightspace.report.shape_quality import POINTS, places_of
from weightspace.report.style import PALETTE, WIDTH, report_style
from weightspace.report.wording import number
from weightspace.rng import stream
from weightspace.store import read_columns, read_inrs

__all__ = ["draw_triangles", "shape_gallery_figure", "triangles_of"]

RESOLUTION = 56
MESH, FITTED = PALETTE[5], PALETTE[4]
LIGHT = LightSource(azdeg=225, altdeg=45)
LARGEST = 1.75  # inches of a panel, at most
LETTERS = 14  # of a title, to an inch
LONGEST = 0.1  # of the edges of the triangles that are drawn
ZOOM = 1.6  # the unit ball fills the panel
TITLE: dict[str, Any] = {"fontsize": 8, "fontweight": "normal", "pad": 0}
Z_UP = ("modelnet10", "modelnet40")  # of other sets the second coordinate is up


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
    places = places_of(shapes_path)
    columns = read_columns(inr_path)
    entries = pd.DataFrame({key: columns[key] for key in ("object_id", "view", "label")})
    chosen = choose_objects(entries, n_objects)
    if foreign := [object_id for object_id in chosen if object_id not in places]:
        raise ReportError(f"{shapes_path} lacks the objects {foreign}, of which there are networks")
    views = sorted(entries[entries["object_id"].isin(chosen)]["view"].unique())[:n_views]
    cell = min(LARGEST, WIDTH / len(chosen))
    size = (1 + len(views), len(chosen))
    figure = Figure(figsize=(cell * size[1], (cell + 0.18) * size[0]), layout="constrained")
    grid = figure.subplots(*size, squeeze=False, subplot_kw={"projection": "3d"})
    shapes = read_shapes(Path(shapes_path), [places[object_id] for object_id in chosen])
    for column, (object_id, mesh) in enumerate(zip(chosen, shapes.meshes, strict=True)):
        draw_triangles(grid[0, column], triangles_of(mesh, shapes.dataset), MESH)
        name = textwrap.fill(shapes.classes[shapes.labels[column]], max(1, int(LETTERS * cell)))
        grid[0, column].set_title(name, **TITLE)
        for row, view in enumerate(views, start=1):
            own = (entries["object_id"] == object_id) & (entries["view"] == view)
            inrs = read_inrs(inr_path, entries.index[own].to_numpy())
            siren = {"omega_0": inrs.header.omega_0, "output_offset": inrs.header.output_offset}
            surface, title = None, "failed"
            if len(inrs.weights):
                surface = level_set(inrs.weights, **siren, resolution=RESOLUTION)
                generator = stream(0, "gallery", object_id)
                overlap = iou(inrs.weights, mesh, **siren, points=POINTS, generator=generator)
                title = f"view {view}, IoU {number(overlap.item(), 2)}"
            draw_triangles(grid[row, column], triangles_of(surface, shapes.dataset), FITTED)
            grid[row, column].set_title(title, **TITLE)
    return figure


def triangles_of(mesh: Mesh | None, dataset: str) -> np.ndarray:
    """The faces with the third coordinate up; without any if there is no mesh."""
    if mesh is None:
        return np.empty((0, 3, 3))
    triangles = mesh.triangles
    return triangles if dataset in Z_UP else triangles[:, :, [0, 2, 1]] * [1, -1, 1]


def _cut(triangles: np.ndarray) -> np.ndarray:
    """Halve the triangles until they are small.

    The drawing sorts them by the distances of their centres, which misplaces large ones.
    """
    small = []
    while len(triangles):
        sides = np.linalg.norm(np.roll(triangles, -1, axis=1) - triangles, axis=2)
        large = sides.max(1) > LONGEST
        small.append(triangles[~large])
        # Each with its longest side from corner 0 to corner 1.
        turned = (sides[large].argmax(1)[:, None] + np.arange(3)) % 3
        a, b, c = np.take_along_axis(triangles[large], turned[:, :, None], 1).transpose(1, 0, 2)
        middle = (a + b) / 2
        triangles = np.concatenate([np.stack([a, middle, c], 1), np.stack([middle, b, c], 1)])
    return np.concatenate(small or [triangles])


def draw_triangles(axes, triangles: np.ndarray, colour: str) -> None:
    """Draw triangles in the unit ball, which fills the panel of a figure in 3D."""
    axes.set_axis_off()
    axes.set_proj_type("ortho")
    axes.set(xlim=(-1, 1), ylim=(-1, 1), zlim=(-1, 1))
    axes.set_box_aspect((1, 1, 1), zoom=ZOOM)
    axes.view_init(elev=25, azim=-55)
    if len(triangles):
        axes.add_collection3d(
            Poly3DCollection(
                _cut(triangles),
                facecolors=colour,
                edgecolors=colour,  # shaded as the faces; it closes the seams between them
                linewidths=0.3,
                shade=True,
                lightsource=LIGHT,
                rasterized=True,
            )
        )

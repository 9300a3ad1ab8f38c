"""The picture of one object of a file: what the networks of its views show."""

import textwrap
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from weightspace.fit.shape_quality import level_set
from weightspace.report.collect import ReportError
from weightspace.report.figures.gallery import render
from weightspace.report.figures.shape_gallery import draw_triangles, triangles_of
from weightspace.report.style import PALETTE, report_style
from weightspace.store import InrSet, read_columns, read_inrs

__all__ = ["object_figure"]

COLUMNS = 5  # of panels
PANEL = 2.4  # inches
RESOLUTION = 72  # of the grid on which the surface of a shape is looked for
SHOWN = 12  # ids that a message lists


@report_style()
def object_figure(
    path: str | Path, object_id: int | None = None, view: int | None = None
) -> Figure:
    """Draw what the networks of an object show: a picture, or the surface of a shape.

    The file alone is needed; each panel says the view and the PSNR of its fit.

    Args:
        path: a file of networks.
        object_id: of the object; None takes the first one.
        view: of the networks; None draws all of them.

    Returns:
        The figure; a panel for each view.

    Raises:
        ReportError: if there is no such object or view, or the networks are neither of pictures
            nor of shapes; the message lists what there is.
        StoreError: if the file cannot be read.
    """
    columns = read_columns(path)
    if object_id is None and len(columns["object_id"]):
        object_id = int(columns["object_id"].min())
    inrs = read_inrs(path, _rows(path, columns, object_id, view))
    n = len(inrs.weights)
    across = min(n, COLUMNS)
    down = -(-n // across)
    size = (max(PANEL * across, 3.2), (PANEL + 0.3) * down + 0.4)
    figure = Figure(figsize=size, layout="constrained")
    figure.suptitle(textwrap.fill(_title(inrs), int(11 * size[0])), fontsize=9)
    shaped = "signal" in inrs.header.coords
    axes = figure.subplots(
        down, across, squeeze=False, subplot_kw={"projection": "3d"} if shaped else {}
    ).ravel()
    for panel in axes[n:]:
        panel.set_axis_off()
    if shaped:
        _draw_shapes(axes[:n], inrs)
    else:
        _draw_pictures(axes[:n], inrs)
    for row, panel in enumerate(axes[:n]):
        panel.set_title(_quality(inrs, row), fontsize=8, fontweight="normal", pad=3)
    return figure


def _quality(inrs: InrSet, row: int) -> str:
    """The view and its PSNR, which is not known of imported networks."""
    view, psnr, steps = (inrs.columns[key][row] for key in ("view", "psnr", "steps"))
    return f"view {view}, {psnr:.1f} dB" if psnr or steps else f"view {view}"


def _rows(
    path: str | Path, columns: dict[str, np.ndarray], object_id: int | None, view: int | None
) -> np.ndarray:
    """Where the networks of the object lie in the file."""
    own = columns["object_id"] == object_id
    chosen = own if view is None else own & (columns["view"] == view)
    if chosen.any():
        return np.flatnonzero(chosen)
    failures = read_inrs(path, slice(0, 0)).failures
    lost = np.unique(failures["view"][failures["object_id"] == object_id]).tolist()
    failed = f"; the fits of its views {lost} failed" if lost else ""
    if own.any():
        views = np.unique(columns["view"][own]).tolist()
        raise ReportError(
            f"{path} has no view {view} of object {object_id}; it has the views {views}{failed}"
        )
    ids = np.unique(columns["object_id"])
    raise ReportError(
        f"{path} has no network of object {object_id}{failed}; it has those of {len(ids):,} "
        f"objects: {_some(ids)}"
    )


def _title(inrs: InrSet) -> str:
    """The object, its class and its split."""
    object_id, label, split = (inrs.columns[key][0] for key in ("object_id", "label", "split"))
    classes = inrs.header.classes
    name = classes[label] if classes else f"class {label}"
    return f"{inrs.header.dataset}, object {object_id}: {name} ({split})"


def _draw_pictures(panels: np.ndarray, inrs: InrSet) -> None:
    for axes, image in zip(panels, render(inrs), strict=True):
        axes.imshow(image.clip(0, 1), cmap="gray", vmin=0, vmax=1, interpolation="nearest")
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_visible(False)


def _draw_shapes(panels: np.ndarray, inrs: InrSet) -> None:
    """The surfaces on which the signal is that of the edge between inside and outside."""
    header = inrs.header
    for i, axes in enumerate(panels):
        surface = level_set(
            inrs.weights[i : i + 1],
            omega_0=header.omega_0,
            output_offset=header.output_offset,
            resolution=RESOLUTION,
        )
        draw_triangles(axes, triangles_of(surface, header.dataset), PALETTE[4])
        if surface is None:
            axes.text2D(0.5, 0.5, "no surface", ha="center", transform=axes.transAxes)


def _some(ids: np.ndarray) -> str:
    more = f", ... {ids[-1]}" if len(ids) > SHOWN else ""
    return ", ".join(map(str, ids[:SHOWN])) + more

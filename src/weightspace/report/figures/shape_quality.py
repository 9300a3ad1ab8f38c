"""The figure of the fits of shapes: the distributions of overlap and distance."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from weightspace.report.shape_quality import CLOSED
from weightspace.report.style import PALETTE, WIDTH, legend_above, report_style

__all__ = ["shape_quality_figure"]

BINS = 40


@report_style()
def shape_quality_figure(measured: pd.DataFrame) -> Figure:
    """Draw how IoU and Chamfer distance are distributed over closed and open meshes.

    Args:
        measured: as `measure_shapes` returns.

    Returns:
        The figure; a panel for each quantity.
    """
    figure = Figure(figsize=(WIDTH, 2.9), layout="constrained")
    left, right = figure.subplots(1, 2)
    _draw(left, measured, "iou", np.linspace(0, 1, BINS + 1))
    left.set_xlabel("IoU with the mesh; dashed: mean")
    left.set_ylabel("objects")
    top = float(np.nanmax(measured["chamfer"])) if measured["surface"].any() else 1.0
    _draw(right, measured, "chamfer", np.linspace(0, top, BINS + 1))
    right.set_xlabel("Chamfer distance (unit ball); dashed: mean")
    handles, _ = left.get_legend_handles_labels()
    legend_above(figure, handles)
    return figure


def _draw(axes, measured: pd.DataFrame, value: str, edges: np.ndarray) -> None:
    parts = [(word, measured[measured["closed"] == closed]) for word, closed in CLOSED]
    axes.hist(
        [own[value].dropna() for _, own in parts],
        bins=edges,
        stacked=True,
        color=PALETTE[:2],
        label=[f"{word} meshes ({len(own):,})" for word, own in parts],
    )
    for colour, (_, own) in zip(PALETTE, parts, strict=False):
        if own[value].notna().any():
            axes.axvline(own[value].mean(), color=colour, linestyle="--", linewidth=1.4)
    axes.yaxis.set_major_locator(MaxNLocator("auto", integer=True))
    axes.grid(visible=False, axis="x")

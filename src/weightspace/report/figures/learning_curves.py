"""The figure of the learning curves: training against validation, one panel per scheme."""

from itertools import product
from math import ceil
from typing import Literal

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from weightspace.report.labels import with_labels
from weightspace.report.style import INK, colours, percent_axis, report_style

__all__ = ["learning_curves_figure"]

COLUMNS = 3
CURVES: dict[str, Literal["-", "--"]] = {"train_accuracy": "--", "val_accuracy": "-"}


@report_style()
def learning_curves_figure(histories: pd.DataFrame) -> Figure:
    """Draw the accuracy on training and validation networks along the training.

    The gap between the dashed and the full line of one colour is the overfitting. Lines are
    means over seeds, bands reach from the lowest seed to the highest, the diamond is the mean
    of the selected updates.

    Args:
        histories: as `collect_histories` returns.

    Returns:
        The figure; a panel per scheme and setting, a colour per model.
    """
    histories = with_labels(histories)
    palette = colours(histories["series"])
    panels = list(histories.groupby(["setting", "scheme_label"], sort=False))
    n_columns = min(COLUMNS, len(panels))
    n_rows = ceil(len(panels) / n_columns)
    size = (1.2 + 3.1 * max(n_columns, 2), 1.2 + 2.2 * n_rows)
    figure = Figure(figsize=size, layout="constrained")
    grid = figure.subplots(n_rows, n_columns, sharex=True, sharey=True, squeeze=False)
    for axes, ((setting, scheme), panel) in zip(grid.flat, panels, strict=False):
        for series, own in panel.groupby("series", sort=False):
            _draw_series(axes, own, palette[str(series)])
        axes.set_title(_title(str(scheme), str(setting)), fontsize=10.5)
    for i, (row, column) in enumerate(product(range(n_rows), range(n_columns))):
        axes = grid[row, column]
        axes.set_visible(i < len(panels))
        if i + n_columns >= len(panels):  # nothing is drawn below
            axes.set_xlabel("update")
            axes.tick_params(labelbottom=True)
        if column == 0:
            axes.set_ylabel("accuracy")
    percent_axis(grid[0, 0], "y")
    grid[0, 0].set_ylim(0.0, 1.02)
    figure.legend(handles=_legend(palette), loc="outside upper center", ncols=6)
    return figure


def _title(scheme: str, setting: str) -> str:
    """The scheme and its setting, on two lines where one would be too long."""
    words = [scheme, setting] if setting else [scheme]
    return (", " if len(scheme) + len(setting) < 32 else "\n").join(words)


def _draw_series(axes: Axes, history: pd.DataFrame, colour: str) -> None:
    for column, dashes in CURVES.items():
        seeds = history.groupby("update")[column].agg(["mean", "min", "max"])
        axes.plot(seeds.index, seeds["mean"], color=colour, linestyle=dashes)
        axes.fill_between(seeds.index, seeds["min"], seeds["max"], color=colour, alpha=0.18, lw=0)
    best = history[history["update"] == history["best_update"]]
    axes.plot(
        best["update"].mean(),
        best["val_accuracy"].mean(),
        marker="D",
        markersize=6,
        color=colour,
        markeredgecolor="white",
    )


def _legend(palette: dict[str, str]) -> list[Line2D]:
    models = [Line2D([], [], color=colour, label=series) for series, colour in palette.items()]
    return [
        *models,
        Line2D([], [], color=INK, linestyle=CURVES["train_accuracy"], label="training"),
        Line2D([], [], color=INK, linestyle=CURVES["val_accuracy"], label="validation"),
        Line2D([], [], color=INK, linestyle="none", marker="D", label="selected"),
    ]

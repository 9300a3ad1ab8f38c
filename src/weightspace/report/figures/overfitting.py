"""The figure of the overfitting: learning curves on weights, by views, and on raw data."""

from textwrap import fill
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from weightspace.report.figures.levels import draw_levels, level_handles
from weightspace.report.figures.panels import panels
from weightspace.report.labels import display_name, setting_label, varying, with_labels
from weightspace.report.style import INK, colours, legend_above, report_style

__all__ = ["overfitting_figure"]

CURVES: dict[str, Any] = {"train_accuracy": "--", "val_accuracy": "-"}

LETTERS = 24  # of a title that are as wide as a panel
READ = {"weights": "weights", "pixels": "pictures", "points": "points", "queries": "points"}


@report_style()
def overfitting_figure(histories: pd.DataFrame) -> Figure:
    """Draw the accuracy on training and validation objects along the training.

    The gap between the dashed and the full line of one colour is the overfitting. Lines are
    means over seeds, bands reach from the lowest seed to the highest, the diamond is the mean
    of the selected updates.

    Args:
        histories: as `collect_histories` returns.

    Returns:
        The figure; a row of panels per dataset, in it a panel for the weights at each number
        of views and one for pictures or points, a colour per model.
    """
    histories = with_labels(histories, ["study"]).assign(panel=_panel(histories))
    histories = histories.sort_values(["inputs", "views"], ascending=[False, True], kind="stable")
    palette = colours(histories["series"])
    groups = list(histories.groupby(["dataset", "panel"], sort=False))
    figure, placed = panels([key for key, _ in groups], ylabel="accuracy", height=1.9)
    for axes, (_, panel) in zip(placed, groups, strict=True):
        for series, own in panel.groupby("series", sort=False):
            _draw_series(axes, own, palette[str(series)])
        draw_levels(axes, panel)
        axes.set_xlabel("update")
        axes.set_ylim(0.0, 1.02)
    legend_above(figure, _legend(palette, histories))
    return figure


def _panel(histories: pd.DataFrame) -> list[str]:
    """The panel of each row: what the models read, and the scheme and numbers that vary."""
    weights = histories[histories["inputs"] == "weights"]
    extra = varying(weights, ["objects", "budget"])
    several = bool(varying(histories, ["scheme"]))
    titles = []
    for row in histories.to_dict("records"):
        words = [READ[row["inputs"]]]
        if row["inputs"] == "weights":
            words.append(setting_label(**{key: row[key] for key in ["views", *extra]}))
        title = ", ".join(words + [display_name(row["scheme"])] * several)
        titles.append(fill(title, LETTERS))
    return titles


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
        color=colour,
        markeredgecolor="white",
    )


def _legend(palette: dict[str, str], histories: pd.DataFrame) -> list[Line2D]:
    models = [Line2D([], [], color=colour, label=series) for series, colour in palette.items()]
    return [
        *models,
        Line2D([], [], color=INK, linestyle=CURVES["train_accuracy"], label="training objects"),
        Line2D([], [], color=INK, linestyle=CURVES["val_accuracy"], label="validation objects"),
        Line2D([], [], color=INK, linestyle="none", marker="D", label="selected"),
        *level_handles(histories),
    ]

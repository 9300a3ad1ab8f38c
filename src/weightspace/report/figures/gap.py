"""The figure of the gap: models of weights beside models of raw data, a panel per dataset."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from weightspace.report.figures.levels import draw_levels, level_handles
from weightspace.report.figures.points import accuracy_limits
from weightspace.report.gap import WEIGHTS, gap_points
from weightspace.report.labels import display_name, with_labels
from weightspace.report.style import (
    INK,
    PALETTE,
    WIDTH,
    legend_above,
    percent_axis,
    report_style,
)

__all__ = ["gap_figure"]

ROW = 0.24  # inches
FROM_WEIGHTS, FROM_RAW = PALETTE[0], PALETTE[1]


@report_style()
def gap_figure(runs: pd.DataFrame) -> Figure:
    """Draw the test accuracy of every cell, models of raw data first, and its balanced accuracy.

    Args:
        runs: as `collect_runs` returns.

    Returns:
        The figure; a panel per dataset below each other.
    """
    points = gap_points(runs)
    parts = [(str(name), _rows(own)) for name, own in points.groupby("dataset", sort=False)]
    heights = [0.7 + ROW * len(own) for _, own in parts]
    figure = Figure(figsize=(WIDTH, 0.6 + sum(heights)), layout="constrained")
    grid = figure.subplots(len(parts), 1, squeeze=False, height_ratios=heights)[:, 0]
    for axes, (name, own) in zip(grid, parts, strict=True):
        _draw(axes, own)
        axes.set_title(display_name(name))
    grid[-1].set_xlabel("test accuracy")
    legend_above(figure, _legend(points), columns=3)
    return figure


def _rows(points: pd.DataFrame) -> pd.DataFrame:
    """The rows from the top: raw data first, the best of each first.

    Raw data have neither schemes nor views, so their rows name none.
    """
    order = points.assign(read=points["inputs"] == WEIGHTS)
    own = with_labels(order.sort_values(["read", "test_accuracy"], ascending=[True, False]))
    several = own.loc[own["read"], "scheme"].nunique() > 1
    scheme = own["scheme_label"].where(own["read"] & several, "")
    setting = own["setting"].where(own["read"], with_labels(own.assign(views=1))["setting"])
    parts = zip(own["series"], scheme, setting, strict=True)
    return own.assign(row=[", ".join(filter(None, part)) for part in parts])


def _draw(axes: Axes, points: pd.DataFrame) -> None:
    for y, row in enumerate(points.to_dict("records")):
        colour = FROM_WEIGHTS if row["inputs"] == WEIGHTS else FROM_RAW
        mean, half = row["test_accuracy"], row["test_ci95"]
        axes.errorbar(mean, y, xerr=half, fmt="o", color=colour, capsize=2)
        axes.plot(row["test_balanced_accuracy"], y, "D", color=colour, markerfacecolor="white")
    draw_levels(axes, points, "x")
    axes.set_xlim(accuracy_limits(points, ["test_accuracy", "test_balanced_accuracy"]))
    percent_axis(axes, "x")
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0)
    axes.set_yticks(range(len(points)), points["row"].tolist())
    axes.set_ylim(len(points) - 0.4, -0.6)


def _legend(points: pd.DataFrame) -> list[Line2D]:
    def line(label: str, **look: object) -> Line2D:
        return Line2D([], [], label=label, **{"color": INK, "linestyle": "none", **look})

    return [
        line("reads weights", marker="o", color=FROM_WEIGHTS),
        line("reads raw data", marker="o", color=FROM_RAW),
        line("accuracy, 95 % interval", marker="o", linestyle="-"),
        line("balanced accuracy", marker="D", markerfacecolor="white"),
        *level_handles(points),
    ]

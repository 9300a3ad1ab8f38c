"""The figure of the strengths: accuracy against the strength of each augmentation."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import NullLocator

from weightspace.report.figures.levels import draw_levels, level_handles
from weightspace.report.figures.panels import panels
from weightspace.report.figures.points import accuracy_limits, draw_points
from weightspace.report.labels import display_name, with_labels
from weightspace.report.style import INK, colours, legend_above, report_style

__all__ = ["strength_figure"]

TEST, VALIDATION = "test_accuracy", "val_accuracy"
BASELINE_DASHES: Any = (0, (5, 2))

UNITS = {  # what a strength is, and its unit, where its name alone does not say it
    ("rotate", "max_angle"): "largest angle (degrees)",
    ("scale", "low"): "smallest factor",
    ("scale", "high"): "largest factor",
    ("translate", "max_shift"): "largest shift (half widths of the domain)",
    ("gaussian_noise", "scale"): "noise (tensor deviations)",
    ("dropout", "probability"): "probability of an entry",
    ("quantile_dropout", "max_quantile"): "largest quantile",
    ("sign_flip", "probability"): "probability of a neuron",
    ("phase_shift", "high"): "largest shift (half turns)",
    ("phase_shift", "low"): "smallest shift (half turns)",
}


@report_style()
def strength_figure(points: pd.DataFrame) -> Figure:
    """Draw test and validation accuracy against the strength of each augmentation.

    The horizontal line is the scheme "none", its band the 95 % interval over seeds. The ring
    marks the strength with the best validation accuracy.

    Args:
        points: as `strength_points` returns.

    Returns:
        The figure; a panel per augmentation and dataset, a colour per model.
    """
    points = with_labels(points, ["study"])
    parts = zip(points["series"], points["setting"], strict=True)
    points["line"] = [", ".join(filter(None, part)) for part in parts]
    swept = points[points["augmentation"].notna()]
    names = swept["augmentation"].map(display_name)
    titles = names.where(swept.groupby("augmentation")["parameter"].transform("nunique") == 1)
    swept = swept.assign(title=titles.fillna(names + ", " + swept["parameter"].map(display_name)))
    groups = list(swept.groupby(["dataset", "title"], sort=False))
    palette = colours(points["line"])
    figure, placed = panels([key for key, _ in groups], ylabel="accuracy", height=1.7)
    for axes, ((dataset, _), own) in zip(placed, groups, strict=True):
        everything = points[points["dataset"] == dataset]
        none = everything[everything["augmentation"].isna()]
        _draw_panel(axes, own, none[none["line"].isin(own["line"])], palette)
        draw_levels(axes, everything)
        limits = accuracy_limits(everything, [TEST, VALIDATION])
        axes.set_ylim(limits)
    legend_above(figure, _legend(palette, points))
    return figure


def _draw_panel(
    axes: Axes, points: pd.DataFrame, none: pd.DataFrame, palette: dict[str, str]
) -> None:
    for row in none.to_dict("records"):
        mean, half, colour = row[TEST], np.nan_to_num(row["test_ci95"]), palette[row["line"]]
        axes.axhline(mean, color=colour, linestyle=BASELINE_DASHES, linewidth=1.0)
        axes.axhspan(mean - half, mean + half, color=colour, alpha=0.12, linewidth=0)
    for line, own in points.groupby("line", sort=False):
        colour = palette[str(line)]
        axes.plot(own["value"], own[VALIDATION], color=colour, linewidth=0.7)
        draw_points(axes, own["value"].to_numpy(), own, TEST, color=colour)
        best = own[own["chosen"]]
        axes.plot(best["value"], best[TEST], **_ring(colour))
    first = points.iloc[0]
    key = (str(first["augmentation"]), str(first["parameter"]))
    axes.set_xlabel(UNITS.get(key, display_name(key[1])))
    _spread(axes, points["value"].unique())


def _spread(axes: Axes, values: np.ndarray) -> None:
    """A tick at each strength; far apart they are spaced by their ratios."""
    if values.min() > 0 and values.max() >= 4 * values.min():
        axes.set_xscale("log", base=2)
        axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticks(values, [f"{value:g}" for value in values])
    axes.margins(x=0.1)


def _ring(colour: str) -> dict[str, Any]:
    look: dict[str, Any] = {"marker": "o", "markersize": 10, "linestyle": "none"}
    return look | {"markerfacecolor": "none", "markeredgecolor": colour, "markeredgewidth": 1.2}


def _legend(palette: dict[str, str], points: pd.DataFrame) -> list[Line2D]:
    return [
        *(Line2D([], [], color=colour, label=line) for line, colour in palette.items()),
        Line2D([], [], color=INK, marker="o", label="test"),
        Line2D([], [], color=INK, linewidth=0.7, label="validation"),
        Line2D([], [], **_ring(INK), label="best on validation"),
        Line2D([], [], color=INK, linestyle=BASELINE_DASHES, linewidth=1.0, label="none, test"),
        *level_handles(points),
    ]

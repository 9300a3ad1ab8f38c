"""The figure of the data equivalence: accuracy against training-set size, and the factor."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter

from weightspace.report.figures.levels import draw_levels, level_handles
from weightspace.report.figures.points import accuracy_limits, aside, draw_points
from weightspace.report.labels import display_name, setting_label, varying
from weightspace.report.statistics import BASELINE
from weightspace.report.style import (
    INK,
    QUIET,
    WIDTH,
    Looks,
    legend_above,
    line_looks,
    percent_axis,
    report_style,
    size_axis,
)

__all__ = ["equivalence_figure"]

ABOVE, BELOW = 6, 7  # matplotlib's triangles that point up and down from their base
BEYOND: dict[str, Any] = {"color": QUIET, "alpha": 0.18, "linewidth": 0}
ROW = ["study", "dataset", "model", "views", "budget"]


@report_style()
def equivalence_figure(points: pd.DataFrame) -> Figure:
    """Draw accuracy against training objects, and what each scheme is worth in more data.

    A factor with a triangle is beyond what the sizes trained without augmentation can show, and
    at least (pointing up) or at most (pointing down) as far from 1 as drawn; the grey areas
    are beyond. The whisker of a factor is its 95 % bootstrap interval, cut at these areas.

    Args:
        points: as `equivalence_points` returns.

    Returns:
        The figure; a row of two panels per dataset and model, a colour and marker per scheme.
        Schemes named leaky, which see excluded views, are dashed and hollow.
    """
    looks = _looks(points)
    rows = list(points.groupby(ROW, sort=False))
    extra = varying(points, ["views", "budget"])
    figure = Figure(figsize=(WIDTH, 0.8 + 2.6 * len(rows)), layout="constrained")
    grid = figure.subplots(len(rows), 2, squeeze=False)
    for (left, right), (_, own) in zip(grid, rows, strict=True):
        own = own.sort_values("objects")
        _draw_accuracies(left, own, looks)
        _draw_factors(right, own, looks)
        left.set_title(_title(own, varying(points, ["study", "dataset"]), extra), loc="left")
        for axes in (left, right):
            size_axis(axes, own["objects"])
            axes.set_xlabel("training objects")
    legend_above(figure, _legend(looks, points))
    return figure


def _title(row: pd.DataFrame, names: list[str], numbers: list[str]) -> str:
    first = row.iloc[0]
    words = [display_name(first[key]) for key in [*names, "model"]]
    setting = setting_label(**{key: int(first[key]) for key in numbers})
    return ", ".join([*words, setting] if setting else words)


def _draw_accuracies(axes: Axes, points: pd.DataFrame, looks: Looks) -> None:
    for place, (scheme, look) in enumerate(looks.items()):
        own = points[points["scheme"] == scheme]
        x = own["objects"].to_numpy() * aside(place, len(looks))
        draw_points(axes, x, own, "test_accuracy", **look)
    draw_levels(axes, points)
    axes.set_ylabel("test accuracy")
    axes.set_ylim(accuracy_limits(points, ["test_accuracy"]))
    percent_axis(axes, "y")


def _draw_factors(axes: Axes, points: pd.DataFrame, looks: Looks) -> None:
    ends = [1.0]
    for place, (scheme, scheme_look) in enumerate(looks.items()):
        own = points[(points["scheme"] == scheme) & points["factor"].notna()]
        x = own["objects"].to_numpy() * aside(place, len(looks), step=0.04)
        y, low, high = (
            own[key].clip(own["factor_least"], own["factor_most"]).to_numpy()
            for key in ("factor", "factor_low", "factor_high")
        )
        look: dict[str, Any] = scheme_look | {"linestyle": "none"}
        axes.vlines(x, low, high, color=look["color"], linewidth=1.0)
        for shape, shown in (
            (look["marker"], np.isfinite(own["factor"]) & (own["factor"] > 0)),
            (ABOVE, own["factor"] == np.inf),
            (BELOW, own["factor"] == 0),
        ):
            look["marker"] = shape
            axes.plot(x[shown], y[shown], **look)
        ends += [*y, *low[~np.isnan(low)], *high[~np.isnan(high)]]
    axes.axhline(1.0, color=INK, linewidth=1.0)
    axes.set_yscale("log", base=2)
    axes.set_ylim(min(*ends, 0.7) / 1.2, max(*ends, 1.4) * 1.2)
    low, high = axes.get_ylim()
    step = 0.5 if high / low < 6 else 1.0  # in doublings
    axes.set_yticks([y for y in 2.0 ** np.arange(-12, 13, step) if low <= y <= high])
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:.2g}" if y < 10 else f"{y:.0f}"))
    axes.set_ylabel("worth how many times the data")
    _shade_beyond(axes, points["objects"].to_numpy(), points[points["scheme"] == BASELINE])


def _shade_beyond(axes: Axes, sizes: np.ndarray, none: pd.DataFrame) -> None:
    """Shade the factors that "none" was not trained with enough, or few enough, objects to show."""
    if none.empty:
        return
    x = np.array([sizes.min() / 1.3, sizes.max() * 1.3])
    low, high = axes.get_ylim()
    most, least = none["objects"].max() / x, none["objects"].min() / x
    axes.fill_between(x, most, np.maximum(high, most), **BEYOND)
    axes.fill_between(x, np.minimum(low, least), least, **BEYOND)
    axes.set_xlim(*x)
    axes.set_ylim(low, high)


def _looks(points: pd.DataFrame) -> Looks:
    """The look of every scheme, first of the baseline; a leaky one is dashed and hollow."""
    looks = line_looks(scheme for scheme in points["scheme"] if scheme != BASELINE)
    for scheme, look in looks.items():
        if "leaky" in scheme:
            look |= {"linestyle": "--", "markerfacecolor": "white"}
    if BASELINE in set(points["scheme"]):
        looks = {BASELINE: {"color": INK, "marker": "o"}} | looks
    return looks


def _legend(looks: Looks, points: pd.DataFrame) -> list[Line2D | Patch]:
    schemes = [Line2D([], [], label=display_name(scheme), **look) for scheme, look in looks.items()]
    triangle: dict[str, Any] = {"color": INK, "linestyle": "none"}
    return [
        *schemes,
        *level_handles(points),
        Line2D([], [], marker=ABOVE, label="at least", **triangle),
        Line2D([], [], marker=BELOW, label="at most", **triangle),
        Patch(label="cannot be measured", **BEYOND),
    ]

"""The figure of accuracy against the number of views of each training object."""

from typing import Any

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from weightspace.report.labels import varying, with_labels
from weightspace.report.statistics import BASELINE, mean_over_seeds
from weightspace.report.style import (
    INK,
    QUIET,
    colours,
    message_figure,
    percent_axis,
    report_style,
)

__all__ = ["views_figure"]

SEED: dict[str, Any] = {"markersize": 4, "markerfacecolor": "none", "markeredgewidth": 1.0}


@report_style()
def views_figure(runs: pd.DataFrame, *, chance: float = 0.1) -> Figure:
    """Draw the test accuracy without augmentation against the views per training object.

    Args:
        runs: as `collect_runs` returns; the scheme "none" is used.
        chance: the accuracy of guessing, a fraction.

    Returns:
        The figure; a line per model (and number of objects and updates where these vary).
    """
    runs = runs[runs["scheme"] == BASELINE]
    if runs.empty:
        return message_figure(f'No cell of this study has the scheme "{BASELINE}".')
    runs = _with_lines(runs)
    figure = Figure(figsize=(7.2, 4.4), layout="constrained")
    axes = figure.subplots()
    views = sorted(runs["views"].unique())
    aside = 0.02 * (1 + max(views) - min(views))  # beside the mean, not below it
    legend: list[Any] = []
    for line, colour in colours(runs["line"]).items():
        own = runs[runs["line"] == line]
        axes.plot(own["views"] + aside, own["test_accuracy"], "o", color=colour, **SEED)
        by_views = own.groupby("views")["test_accuracy"]
        points = {int(str(v)): mean_over_seeds(accuracy) for v, accuracy in by_views}
        bars = axes.errorbar(
            list(points),
            [interval.mean for interval in points.values()],
            yerr=[interval.half_width for interval in points.values()],
            fmt="o-",
            color=colour,
            capsize=4,
            label=line,
        )
        legend.append(bars)
    legend.append(Line2D([], [], marker="o", linestyle="none", color=INK, **SEED, label="one seed"))
    legend.append(axes.axhline(chance, color=QUIET, linestyle=":", linewidth=1.2, label="chance"))
    axes.set_xticks(views)
    axes.set_xlim(min(views) - 0.5, max(views) + 0.5)
    axes.set_xlabel("views of each training object")
    axes.set_ylabel("test accuracy")
    percent_axis(axes, "y")
    figure.legend(handles=legend, loc="outside upper center", ncols=4)
    return figure


def _with_lines(runs: pd.DataFrame) -> pd.DataFrame:
    """Add the column `line`: the model and what else varies beside the views."""
    labelled = with_labels(runs.assign(views=1))
    setting = ", " + labelled["setting"]
    several = bool(varying(labelled, ["setting"]))
    line = labelled["series"] + (setting if several else "")
    return runs.assign(line=line)

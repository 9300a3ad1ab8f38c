"""The accuracies that need no network: of guessing, and of always answering one class."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from weightspace.report.statistics import chance_level
from weightspace.report.style import QUIET

__all__ = ["draw_chance", "draw_levels", "level_handles"]

_CHANCE = {"color": QUIET, "linestyle": ":", "linewidth": 1.2}
_MAJORITY = {"color": QUIET, "linestyle": (0, (4, 1.5, 1, 1.5)), "linewidth": 1.2}
_APART = 0.005  # the level of the most frequent class is drawn if it is that far from chance


def draw_chance(axes: Axes, chance: float, which: str = "y") -> None:
    """Draw the accuracy of guessing; `which` ("x" or "y") names the axis with the accuracies."""
    (axes.axhline if which == "y" else axes.axvline)(chance, **_CHANCE)


def draw_levels(axes: Axes, points: pd.DataFrame, which: str = "y") -> None:
    """Draw chance and, where it is another level, that of the most frequent class.

    Args:
        axes: where to draw.
        points: cells of one dataset, with the columns n_classes and majority_accuracy.
        which: the axis with the accuracies, "x" or "y".
    """
    draw_chance(axes, chance_level(points), which)
    if _has_majority(points):
        line = axes.axhline if which == "y" else axes.axvline
        line(points["majority_accuracy"].max(), **_MAJORITY)


def level_handles(points: pd.DataFrame) -> list[Line2D]:
    """The entries in the legend for what `draw_levels` draws of any of these datasets."""
    handles = [Line2D([], [], label="chance", **_CHANCE)]
    if any(_has_majority(own) for _, own in points.groupby("dataset")):
        handles.append(Line2D([], [], label="most frequent class", **_MAJORITY))
    return handles


def _has_majority(points: pd.DataFrame) -> bool:
    return bool(points["majority_accuracy"].max() - chance_level(points) > _APART)

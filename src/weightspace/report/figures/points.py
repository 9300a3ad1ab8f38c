"""Means with their intervals as points on a line, and the range of accuracy that shows them."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.container import ErrorbarContainer

from weightspace.report.statistics import chance_level

__all__ = ["accuracy_limits", "aside", "draw_points", "whisker_limits"]

MARGIN, WHISKER = 0.02, 0.12  # how far an axis goes beyond the points: at least, and at most


def draw_points(
    axes: Axes, x: np.ndarray, points: pd.DataFrame, value: str, **look: Any
) -> ErrorbarContainer:
    """Draw a column of means with the whiskers of their intervals, joined by a line.

    Args:
        axes: where to draw.
        x: the places `(n,)`.
        points: n rows with the column `value` and its `_ci95`; an unknown interval has no whisker.
        value: the column to draw.
        **look: of the line and the markers.
    """
    half = points[f"{value.removesuffix('_accuracy')}_ci95"]
    settings = {"marker": "o", "capsize": 2.5, "elinewidth": 1.0} | look
    return axes.errorbar(x, points[value], yerr=half, **settings)


def whisker_limits(points: pd.DataFrame, values: list[str]) -> tuple[float, float]:
    """The range of all means and, as far as they are short, their whiskers.

    The interval of two seeds is so long that an axis which holds it shows nothing else: such
    whiskers run off the panel.

    Args:
        points: with the columns `values` and their `_ci95`.
        values: those that are drawn.

    Returns:
        The lowest and the highest value; NaN if there is none.
    """
    low, high = [], []
    for value in values:
        half = points[f"{value.removesuffix('_accuracy')}_ci95"].fillna(0.0).clip(upper=WHISKER)
        low.append((points[value] - half).min())
        high.append((points[value] + half).max())
    return float(np.fmin.reduce(low)), float(np.fmax.reduce(high))


def accuracy_limits(points: pd.DataFrame, values: list[str]) -> tuple[float, float]:
    """The range of `whisker_limits` and of the accuracies that need no network, within [0, 1].

    These are chance and, where `points` has it, that of the most frequent class.
    """
    low, high = whisker_limits(points, values)
    levels = [chance_level(points)]
    if "majority_accuracy" in points:
        levels.append(points["majority_accuracy"].max())
    return (
        max(0.0, float(np.fmin(low, levels[0])) - MARGIN),
        min(1.0, float(np.fmax.reduce([high, *levels])) + MARGIN),
    )


def aside(place: int, of: int, step: float = 0.02) -> float:
    """A factor near 1 that sets the points of one of several lines beside those of the others."""
    return (1.0 + step) ** (place - (of - 1) / 2)

"""The figure of the alignment experiment: distances, functions along the path, accuracy."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.lines import Line2D
from matplotlib.ticker import PercentFormatter

from weightspace.report.alignment import NO_MIX
from weightspace.report.alignment_pairs import ALIGNMENTS, PAIR_KINDS
from weightspace.report.figures.levels import draw_levels
from weightspace.report.figures.points import whisker_limits
from weightspace.report.labels import display_name
from weightspace.report.statistics import BASELINE, chance_level
from weightspace.report.style import (
    INK,
    MARKERS,
    PALETTE,
    QUIET,
    WIDTH,
    legend_above,
    percent_axis,
    report_style,
)

__all__ = ["alignment_figure"]

LOOK: dict[str, dict[str, Any]] = {
    "none": {"color": INK},
    "randomised": {"color": QUIET, "linestyle": "--"},
    "permutation": {"color": PALETTE[0]},
    "signed": {"color": PALETTE[1]},
    "reference_permutation": {"color": PALETTE[5], "linestyle": "--"},
    "reference_signed": {"color": PALETTE[4], "linestyle": "--"},
}
Y = {alignment: y for y, alignment in enumerate(ALIGNMENTS)}
NEAR = 0.1  # the accuracy axis reaches down to chance if it is that close to the cells
HEIGHT = 2.5  # inches, of a row
MARGIN = 0.005  # how far an axis goes beyond the points


@report_style()
def alignment_figure(quality: pd.DataFrame, cells: pd.DataFrame | None = None) -> Figure:
    """Draw how close alignments bring networks, and what mixing with them is worth.

    Args:
        quality: as `matching_quality` returns.
        cells: as `alignment_cells` returns; None or empty leaves the accuracy out.

    Returns:
        The figure. For each dataset a row of the relative squared distance, over all weights
        and per layer, and one of the function error along the path, a panel per kind of pair;
        for each model and setting a row of the test accuracy and of its paired difference to
        the scheme "none".
    """
    datasets = list(quality.groupby("dataset", sort=False))
    series = [] if cells is None else list(cells.groupby("series", sort=False))
    n_rows = 2 * len(datasets) + len(series)
    figure = Figure(figsize=(WIDTH, HEIGHT * n_rows), layout="constrained")
    rows = iter(figure.subfigures(n_rows, 1, squeeze=False)[:, 0])
    for name, own in datasets:
        title = display_name(str(name)) if len(datasets) > 1 else ""
        _draw_distances(next(rows), title, own)
        _draw_paths(next(rows), title, own)
    for name, own in series:
        _draw_accuracies(next(rows), str(name), own)
    return figure


def _draw_distances(figure: SubFigure, name: str, quality: pd.DataFrame) -> None:
    quantities = [q for q in quality["quantity"].unique() if q.startswith("distance")]
    panels = figure.subplots(1, len(quantities), sharex=True, sharey=True, squeeze=False)[0]
    kinds = _present(quality["pairs"], PAIR_KINDS)
    for axes, quantity in zip(panels, quantities, strict=True):
        for row in quality[quality["quantity"] == quantity].to_dict("records"):
            y = Y[row["alignment"]] + _aside(kinds.index(row["pairs"]), len(kinds))
            look = {"color": LOOK[row["alignment"]]["color"], "markersize": 4}
            marker = MARKERS[kinds.index(row["pairs"])]
            axes.errorbar(row["mean"], y, xerr=row["ci95"], fmt=marker, capsize=2, **look)
        layer = quantity.removeprefix("distance_layer_")
        axes.set_title("all weights" if layer == "distance" else f"layer {layer}")
    _alignment_axis(panels[0])
    panels[0].set_xlim(left=0)
    figure.supxlabel("relative squared distance (independent networks: 2)", fontsize=9)
    handles = [
        Line2D([], [], color=INK, linestyle="none", marker=MARKERS[i], label=PAIR_KINDS[kind])
        for i, kind in enumerate(kinds)
    ]
    legend_above(figure, handles, title=name, columns=3)


def _draw_paths(figure: SubFigure, name: str, quality: pd.DataFrame) -> None:
    errors = quality[quality["quantity"] == "function_error"]
    kinds = _present(errors["pairs"], PAIR_KINDS)
    panels = figure.subplots(1, len(kinds), sharex=True, sharey=True, squeeze=False)[0]
    for axes, kind in zip(panels, kinds, strict=True):
        for alignment, own in errors[errors["pairs"] == kind].groupby("alignment", sort=False):
            look = LOOK[str(alignment)]
            lam, mean, half = _with_ends(own)
            axes.plot(lam, mean, label=ALIGNMENTS[str(alignment)], **look)
            axes.fill_between(lam, mean - half, mean + half, color=look["color"], alpha=0.2, lw=0)
        axes.set_title(PAIR_KINDS[kind], fontweight="normal")
        axes.set_xlabel("share lam of the first network")
    panels[0].set_ylabel("function error\n(1: variance of a signal)")
    panels[0].set_xlim(0, 1)
    panels[0].set_ylim(bottom=0)
    handles, _ = panels[0].get_legend_handles_labels()
    legend_above(figure, handles, title=name, columns=3)


def _with_ends(own: pd.DataFrame) -> np.ndarray:
    """The rows lam, mean and ci95, and the ends of the path, where there is no error at all."""
    inner = own[["lam", "mean", "ci95"]].to_numpy(dtype=float)
    inner = inner[(inner[:, 0] > 0) & (inner[:, 0] < 1)]
    return np.vstack([[0, 0, 0], inner, [1, 0, 0]]).T


def _draw_accuracies(figure: SubFigure, name: str, cells: pd.DataFrame) -> None:
    accuracy, difference = figure.subplots(1, 2, sharey=True)
    lams = list(dict.fromkeys(cells["lam"]))
    lams.sort(key=lambda lam: lam != NO_MIX)
    for row in cells.to_dict("records"):
        i = lams.index(row["lam"])
        y = Y[row["alignment"]] + _aside(i, len(lams))
        look = _filling(LOOK[row["alignment"]]["color"], i) | {"fmt": MARKERS[i], "capsize": 2}
        accuracy.errorbar(row["test_accuracy"], y, xerr=row["test_ci95"], **look)
        if row["scheme"] != BASELINE:
            difference.errorbar(row["difference"], y, xerr=row["difference_ci95"], **look)
    chance = chance_level(cells)
    low, high = whisker_limits(cells, ["test_accuracy"])
    if 0 <= low - chance < NEAR:
        low = chance
    draw_levels(accuracy, cells, "x")
    for mean in cells[cells["scheme"] == BASELINE]["test_accuracy"]:
        accuracy.axvline(mean, color=INK, linestyle="--", linewidth=1.0)
    difference.axvline(0, color=INK, linestyle="--", linewidth=1.0)
    accuracy.set_xlim(max(0.0, low - MARGIN), min(1.0, high + MARGIN))
    low, high = whisker_limits(cells.fillna({"difference": 0.0}), ["difference"])
    difference.set_xlim(low - MARGIN, high + MARGIN)
    accuracy.set_xlabel(f"test accuracy (chance: {100 * chance:.3g} %)")
    difference.set_xlabel("paired difference to none (points)")
    percent_axis(accuracy, "x")
    difference.xaxis.set_major_formatter(PercentFormatter(1.0, symbol=""))
    _alignment_axis(accuracy)
    handles = [
        Line2D([], [], marker=MARKERS[i], label=lam, linestyle="none", **_filling(INK, i))
        for i, lam in enumerate(lams)
    ]
    handles.append(Line2D([], [], color=INK, linestyle="--", linewidth=1.0, label="scheme none"))
    legend_above(figure, handles, title=name)


def _alignment_axis(axes: Axes) -> None:
    axes.set_yticks(list(Y.values()), list(ALIGNMENTS.values()))
    axes.set_ylim(len(Y) - 0.5, -0.5)  # the first one on top
    axes.tick_params(axis="y", length=0)


def _present(found: pd.Series, known: dict[str, str]) -> list[str]:
    return [name for name in known if name in set(found)]


def _aside(i: int, n: int) -> float:
    """Where the i-th of n marks of a row lies beside the middle of the row."""
    return 0.22 * (i - (n - 1) / 2)


def _filling(colour: str, i: int) -> dict[str, Any]:
    """Full marks and hollow ones in turn."""
    return {"color": colour, "markerfacecolor": colour if i % 2 == 0 else "white"}

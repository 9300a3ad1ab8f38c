"""The figure that compares the schemes: test accuracy with intervals, one panel per model."""

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from weightspace.report.labels import with_labels
from weightspace.report.statistics import BASELINE, comparison
from weightspace.report.style import INK, QUIET, colours, percent_axis, report_style

__all__ = ["schemes_figure"]

MARGIN, WHISKER = 0.02, 0.12  # how far the axis goes beyond the points: at least, and at most

SEED: dict[str, Any] = {"markersize": 7, "markeredgewidth": 1.2}


@report_style()
def schemes_figure(
    runs: pd.DataFrame, correctness: pd.DataFrame | None = None, *, chance: float = 0.1
) -> Figure:
    """Draw the test accuracy of every scheme: the mean, the interval and each seed.

    Rows are grouped by setting (views, objects, updates); the dashed line of a group is its
    scheme "none". With one seed there is no whisker.

    Args:
        runs: as `collect_runs` returns.
        correctness: as `collect_correctness` returns; adds the intervals over test objects.
        chance: the accuracy of guessing, a fraction.

    Returns:
        The figure; a panel per model, the rows shared.
    """
    table, runs = with_labels(comparison(runs, correctness)), with_labels(runs)
    rows = _rows(table)
    palette = colours(table["series"])
    size = (
        2.0 + max(5.0, (4.0 if len(palette) < 3 else 3.0) * len(palette)),
        1.5 + 0.3 * len(rows),
    )
    figure = Figure(figsize=size, layout="constrained")
    panels = figure.subplots(1, len(palette), sharex=True, sharey=True, squeeze=False)[0]
    for axes, (series, colour) in zip(panels, palette.items(), strict=True):
        own, seeds = table[table["series"] == series], runs[runs["series"] == series]
        _draw_baselines(axes, own, rows)
        _draw_cells(axes, own, seeds, rows, colour)
        axes.axvline(chance, color=QUIET, linestyle=":", linewidth=1.2)
        axes.set_title(series)
        axes.set_xlabel("test accuracy")
        axes.grid(visible=False, axis="y")
        axes.tick_params(axis="y", length=0)
    panels[0].set_yticks(range(len(rows)), [label for _, label in rows])
    panels[0].set_ylim(len(rows) - 0.5, -0.5)  # the first row on top
    for tick, (setting, label) in zip(panels[0].get_yticklabels(), rows, strict=True):
        tick.set_fontweight("bold" if setting and setting == label else "normal")
    panels[0].set_xlim(_limits(runs["test_accuracy"], table, chance))
    percent_axis(panels[0], "x")
    legend = _legend(table)
    n_columns = len(legend) if len(palette) > 1 else (len(legend) + 1) // 2
    figure.legend(handles=legend, loc="outside lower center", ncols=n_columns)
    return figure


def _rows(table: pd.DataFrame) -> list[tuple[str, str]]:
    """The rows from the top: (setting, scheme), under a heading where there are settings."""
    rows: list[tuple[str, str]] = []
    for setting, group in table.groupby("setting", sort=False):
        heading = [(str(setting), str(setting))] if setting else []
        rows += heading + [(str(setting), s) for s in dict.fromkeys(group["scheme_label"])]
    return rows


def _draw_baselines(axes: Axes, table: pd.DataFrame, rows: list[tuple[str, str]]) -> None:
    for row in table[table["scheme"] == BASELINE].to_dict("records"):
        own = [y for y, (setting, _) in enumerate(rows) if setting == row["setting"]]
        ends = (min(own) - 0.4, max(own) + 0.4)
        axes.plot([row["test_accuracy"]] * 2, ends, color=INK, linestyle="--", linewidth=1.0)


def _draw_cells(
    axes: Axes, table: pd.DataFrame, runs: pd.DataFrame, rows: list[tuple[str, str]], colour: str
) -> None:
    for row in table.to_dict("records"):
        y = rows.index((row["setting"], row["scheme_label"]))
        mean, objects = row["test_accuracy"], row.get("objects_ci95", 0.0)
        axes.plot([mean - objects, mean + objects], [y, y], color=colour, linewidth=6, alpha=0.25)
        axes.errorbar(mean, y, xerr=row["test_ci95"], fmt="o", color=colour, capsize=3)
        seeds = runs[runs["cell"] == row["cell"]]["test_accuracy"]
        axes.plot(seeds, [y + 0.27] * len(seeds), "|", color=INK, **SEED)  # below the mean


def _limits(seeds: pd.Series, table: pd.DataFrame, chance: float) -> tuple[float, float]:
    """All points and, as far as they go, the whiskers; very long ones run off the panel."""
    half = table["test_ci95"].fillna(0.0).clip(upper=WHISKER)
    if "objects_ci95" in table:
        half = half.combine(table["objects_ci95"].fillna(0.0), max)
    low = min(chance, seeds.min(), (table["test_accuracy"] - half).min())
    high = max(chance, seeds.max(), (table["test_accuracy"] + half).max())
    return max(0.0, low - MARGIN), min(1.0, high + MARGIN)


def _legend(table: pd.DataFrame) -> list[Line2D]:
    def line(label: str, **look: Any) -> Line2D:
        return Line2D([], [], label=label, **{"color": INK, "linestyle": "none", **look})

    entries = [
        line("mean, 95 % interval over seeds", marker="o", linestyle="-"),
        line("one seed", marker="|", **SEED),
        line("none", linestyle="--", linewidth=1.0),
        line("chance", linestyle=":", color=QUIET),
    ]
    if "objects_ci95" in table:
        entries.insert(1, line("over test objects", linestyle="-", linewidth=6, alpha=0.25))
    return entries

"""The figure of the schemes: test accuracy with intervals, a row of panels per dataset."""

from textwrap import fill
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from weightspace.report.figures.levels import draw_levels, level_handles
from weightspace.report.figures.points import accuracy_limits
from weightspace.report.labels import display_name, with_labels
from weightspace.report.schemes import shortest_budget
from weightspace.report.statistics import BASELINE, comparison
from weightspace.report.style import (
    INK,
    WIDTH,
    colours,
    legend_above,
    percent_axis,
    report_style,
)

__all__ = ["schemes_figure"]

SEED: dict[str, Any] = {"markersize": 4.5, "markeredgewidth": 0.9}
ROW = 0.21  # inches
LETTERS = 9  # of a title, per inch

Rows = list[tuple[str, str]]


@report_style()
def schemes_figure(runs: pd.DataFrame, correctness: pd.DataFrame | None = None) -> Figure:
    """Draw the test accuracy of every scheme: the mean, the interval and each seed.

    Rows are grouped by setting (views, objects); the dashed line of a group is its scheme
    "none". With one seed there is no whisker. The runs of a setting and model have the same
    number of updates: those with a longer budget are left to the table.

    Args:
        runs: as `collect_runs` returns.
        correctness: as `collect_correctness` returns; adds the intervals over test objects.

    Returns:
        The figure; a row of panels per dataset, in it a panel per model that it has.
    """
    runs = with_labels(shortest_budget(runs), ["study"])
    table = with_labels(comparison(runs, correctness), ["study"])
    palette = colours(table["series"])
    groups = [(str(name), own) for name, own in table.groupby("dataset", sort=False)]
    rows = {name: _rows(own) for name, own in groups}
    heights = [0.75 + ROW * len(rows[name]) for name, _ in groups]
    figure = Figure(figsize=(WIDTH, 0.75 + sum(heights)), layout="constrained")
    grid = figure.subplots(
        len(groups), len(palette), sharey="row", squeeze=False, height_ratios=heights
    )
    for line, (name, own) in zip(grid, groups, strict=True):
        seeds = runs[runs["dataset"] == name]
        heading = display_name(name) if len(groups) > 1 else ""
        _draw_dataset(line, own, seeds, rows[name], palette, heading)
    legend = _legend(table)
    legend_above(figure, legend, columns=3)
    return figure


def _draw_dataset(
    panels: Any,
    table: pd.DataFrame,
    runs: pd.DataFrame,
    rows: Rows,
    palette: dict[str, str],
    heading: str,
) -> None:
    """The panels of one dataset, one per model that it has, its title after the heading."""
    letters = int(LETTERS * WIDTH / len(panels))
    both = [name for name in ("test_ci95", "objects_ci95") if name in table]
    limits = accuracy_limits(table.assign(test_ci95=table[both].max(axis=1)), ["test_accuracy"])
    present = list(table["series"].unique())
    for axes in panels[len(present) :]:
        axes.remove()
    for axes, series in zip(panels, present, strict=False):
        own, colour = table[table["series"] == series], palette[series]
        _draw_baselines(axes, own, rows)
        _draw_cells(axes, own, runs[runs["series"] == series], rows, colour)
        draw_levels(axes, table, "x")
        axes.set_title(fill(f"{heading}: {series}", letters) if heading else series)
        axes.set_xlabel("test accuracy")
        axes.set_xlim(limits)
        percent_axis(axes, "x")
        axes.grid(visible=False, axis="y")
        axes.tick_params(axis="y", length=0)
    panels[0].set_yticks(range(len(rows)), [label for _, label in rows])
    panels[0].set_ylim(len(rows) - 0.4, -0.6)  # the first row on top
    for tick, (setting, label) in zip(panels[0].get_yticklabels(), rows, strict=True):
        tick.set_fontweight("bold" if setting and setting == label else "normal")


def _rows(table: pd.DataFrame) -> Rows:
    """The rows from the top: (setting, scheme), under a heading where there are settings."""
    rows: Rows = []
    for setting, group in table.groupby("setting", sort=False):
        heading = [(str(setting), str(setting))] if setting else []
        rows += heading + [(str(setting), s) for s in dict.fromkeys(group["scheme_label"])]
    return rows


def _draw_baselines(axes: Axes, table: pd.DataFrame, rows: Rows) -> None:
    for row in table[table["scheme"] == BASELINE].to_dict("records"):
        own = [y for y, (setting, _) in enumerate(rows) if setting == row["setting"]]
        ends = (min(own) - 0.4, max(own) + 0.4)
        axes.plot([row["test_accuracy"]] * 2, ends, color=INK, linestyle="--", linewidth=0.9)


def _draw_cells(
    axes: Axes, table: pd.DataFrame, runs: pd.DataFrame, rows: Rows, colour: str
) -> None:
    for row in table.to_dict("records"):
        y = rows.index((row["setting"], row["scheme_label"]))
        mean, objects = row["test_accuracy"], row.get("objects_ci95", 0.0)
        axes.plot([mean - objects, mean + objects], [y, y], color=colour, linewidth=5, alpha=0.25)
        axes.errorbar(mean, y, xerr=row["test_ci95"], fmt="o", color=colour, capsize=2, ms=3.5)
        seeds = runs[runs["cell"] == row["cell"]]["test_accuracy"]
        axes.plot(seeds, [y + 0.32] * len(seeds), "|", color=INK, **SEED)  # below the mean


def _legend(table: pd.DataFrame) -> list[Line2D]:
    def line(label: str, **look: Any) -> Line2D:
        return Line2D([], [], label=label, **{"color": INK, "linestyle": "none", **look})

    entries = [
        line("mean, 95 % interval over seeds", marker="o", linestyle="-"),
        line("one seed", marker="|", **SEED),
        line("none", linestyle="--", linewidth=0.9),
        *level_handles(table),
    ]
    if "objects_ci95" in table:
        entries.insert(1, line("over test objects", linestyle="-", linewidth=5, alpha=0.25))
    return entries

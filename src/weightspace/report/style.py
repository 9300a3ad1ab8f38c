"""How the figures look: sizes, colours and axes, independent of the reader's own settings."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.ticker import MaxNLocator, NullLocator

__all__ = [
    "INK",
    "MARKERS",
    "PALETTE",
    "QUIET",
    "WIDTH",
    "Looks",
    "colours",
    "legend_above",
    "line_looks",
    "message_figure",
    "percent_axis",
    "report_style",
    "size_axis",
]

WIDTH = 7.0
"""Inches: the width of a printed page between its margins; figures are drawn at this size."""

# Okabe and Ito 2008: told apart with any common colour vision.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
INK, QUIET = "#222222", "#8a8a8a"

Looks = dict[str, dict[str, Any]]
"""How the line of each name is drawn: its colour, its marker and whatever else."""

MARKERS = "osDXPph"  # no triangles: those point beyond what is measured

RC: dict[Any, Any] = {
    "font.size": 9,
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "axes.labelsize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": QUIET,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": "#e6e6e6",
    "grid.linewidth": 0.8,
    "text.color": INK,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "lines.linewidth": 1.6,
    "lines.markersize": 5,
    "savefig.dpi": 200,
    "pdf.fonttype": 42,  # real letters, that can be searched and edited
}


@contextmanager
def report_style() -> Iterator[None]:
    """Draw in the report's style, for the duration of a `with` block or of a function.

    It starts from matplotlib's own defaults, so that a reader's settings change nothing, and
    leaves these settings as they were. No figure of the report goes through pyplot.
    """
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(RC)
        yield


def colours(names: Iterable[str]) -> dict[str, str]:
    """One colour per distinct name, in the order of appearance."""
    return {name: PALETTE[i % len(PALETTE)] for i, name in enumerate(dict.fromkeys(names))}


def line_looks(names: Iterable[str]) -> Looks:
    """A colour and a marker per distinct name, no pair twice among the first 42.

    Black is left to a baseline, and the circle for as long as there are others.
    """
    hues = PALETTE[:-1]  # one fewer than there are markers
    return {
        name: {"color": hues[i % len(hues)], "marker": MARKERS[(i + 1) % len(MARKERS)]}
        for i, name in enumerate(dict.fromkeys(names))
    }


def percent_axis(axes: Axes, which: str) -> None:
    """Label the axis `which` ("x" or "y") of fractions in percent."""
    axis = axes.xaxis if which == "x" else axes.yaxis
    axis.set_major_locator(MaxNLocator("auto", steps=[1, 2, 5, 10]))
    axis.set_major_formatter(lambda x, _: f"{100 * x:g}%")  # as many digits as the ticks need


def size_axis(axes: Axes, sizes: Iterable[int]) -> None:
    """Make the x axis one of counts: doublings equally far apart, a tick at each count."""
    ticks = sorted(set(sizes))
    axes.set_xscale("log", base=2)
    axes.set_xticks(ticks, [f"{size:,}" for size in ticks])
    axes.xaxis.set_minor_locator(NullLocator())


def legend_above(
    figure: Figure | SubFigure,
    handles: Iterable[Artist],
    *,
    columns: int = 4,
    title: str | None = None,
) -> None:
    """Put a legend above all panels, in at most `columns` columns and as many as fit the width."""
    handles = list(handles)
    for ncols in range(columns, 0, -1):
        legend = figure.legend(
            handles=handles, title=title, loc="outside upper center", ncols=ncols
        )
        if ncols == 1 or legend.get_window_extent().width <= figure.bbox.width:
            return
        legend.remove()


@report_style()
def message_figure(message: str) -> Figure:
    """A figure that says why there is nothing to draw."""
    figure = Figure(figsize=(WIDTH, 1.6), layout="constrained")
    figure.text(0.5, 0.5, message, ha="center", va="center", wrap=True)
    return figure

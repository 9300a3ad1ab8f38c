"""How the figures look: sizes, colours and axes, independent of the reader's own settings."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

__all__ = ["INK", "PALETTE", "QUIET", "colours", "message_figure", "percent_axis", "report_style"]

# Okabe and Ito 2008: told apart with any common colour vision.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
INK, QUIET = "#222222", "#8a8a8a"

RC: dict[Any, Any] = {
    "font.size": 10.5,
    "axes.titlesize": 11.5,
    "axes.titleweight": "bold",
    "axes.labelsize": 10.5,
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
    "legend.frameon": False,
    "legend.fontsize": 10,
    "lines.linewidth": 1.8,
    "lines.markersize": 6,
    "savefig.dpi": 130,
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


def percent_axis(axes: Axes, which: str) -> None:
    """Label the axis `which` ("x" or "y") of fractions in percent."""
    axis = axes.xaxis if which == "x" else axes.yaxis
    axis.set_major_formatter(PercentFormatter(1.0, decimals=0))


@report_style()
def message_figure(message: str) -> Figure:
    """A figure that says why there is nothing to draw."""
    figure = Figure(figsize=(7.0, 1.6), layout="constrained")
    figure.text(0.5, 0.5, message, ha="center", va="center", wrap=True)
    return figure

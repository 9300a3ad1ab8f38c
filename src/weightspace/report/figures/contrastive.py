"""The figure of pre-training: test accuracy against the share of labels."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import NullLocator

from weightspace.report.contrastive import (
    PAIRS,
    PROTOCOLS,
    SCRATCH,
    SCRATCH_LONG,
    UNTRAINED,
)
from weightspace.report.figures.levels import draw_chance
from weightspace.report.figures.points import accuracy_limits, aside, draw_points
from weightspace.report.labels import display_name, setting_label, varying
from weightspace.report.statistics import chance_level
from weightspace.report.style import (
    INK,
    QUIET,
    WIDTH,
    Looks,
    legend_above,
    line_looks,
    message_figure,
    percent_axis,
    report_style,
)

__all__ = ["contrastive_figure"]

COLUMNS = ("linear_probe", "fine_tune")
ROW = ["study", "dataset", "model", "views", "objects"]
REFERENCES: Looks = {
    SCRATCH: {"color": INK, "linestyle": "--", "linewidth": 1.2},
    SCRATCH_LONG: {"color": INK, "linestyle": (0, (6, 1.5)), "linewidth": 0.9},
    UNTRAINED: {"color": INK, "linestyle": "-.", "linewidth": 0.9},
}


@report_style()
def contrastive_figure(points: pd.DataFrame) -> Figure:
    """Draw the accuracy of each pre-training against the share of labels, beside scratch.

    A point is the mean over seeds with its 95 % interval; the dashed line is training from
    scratch with the same labels, the thin one for as long as pre-training and fine-tuning
    together, beside probes the dash-dotted one a probe of the untrained
    encoder, their bands the intervals; the dotted line is chance.

    Args:
        points: as `contrastive_points` returns.

    Returns:
        The figure; a row per model (and dataset, views, objects where these vary), a column per
        protocol, a line per set of augmentations.
    """
    points = _with_lines(points)
    lines = dict.fromkeys(points[points["protocol"].isin(COLUMNS)]["line"])
    if not lines:
        return message_figure("No cell of this study was pre-trained; list schemes for it.")
    looks = line_looks(lines)
    rows = list(points.groupby(ROW, sort=False))
    figure = Figure(figsize=(WIDTH, 1.1 + 2.3 * len(rows)), layout="constrained")
    grid = figure.subplots(len(rows), len(COLUMNS), sharey="row", squeeze=False)
    for line, (_, own) in zip(grid, rows, strict=True):
        for axes, protocol in zip(line, COLUMNS, strict=True):
            _draw_panel(axes, own, protocol, looks)
            axes.set_title(f"{_title(own, points)}, {PROTOCOLS[protocol]}")
        line[0].set_ylabel("test accuracy")
        line[0].set_ylim(accuracy_limits(own, ["test_accuracy"]))
        percent_axis(line[0], "y")
    for axes in grid[-1]:
        axes.set_xlabel("training objects with a label (% of all)")
    legend_above(figure, _legend(looks, points))
    return figure


def _with_lines(points: pd.DataFrame) -> pd.DataFrame:
    """Add the column `line`: the augmentations, and the kind of pairs where there are several."""
    several = points[points["protocol"].isin(COLUMNS)]["pairs"].nunique() > 1
    line = points["scheme"].map(display_name)
    return points.assign(line=line + ", " + points["pairs"].map(PAIRS) if several else line)


def _title(own: pd.DataFrame, points: pd.DataFrame) -> str:
    """The model, and whatever else tells this row from the others."""
    first = own.iloc[0]
    names = ["model", *varying(points, ["study", "dataset"])]
    counts = {key: int(first[key]) for key in varying(points, ["views", "objects"])}
    parts = [*(display_name(first[key]) for key in names), setting_label(**counts)]
    return ", ".join(filter(None, parts))


def _draw_panel(axes: Axes, points: pd.DataFrame, protocol: str, looks: Looks) -> None:
    for name in REFERENCES if protocol == "linear_probe" else (SCRATCH, SCRATCH_LONG):
        own = points[points["protocol"] == name]
        if own.empty:
            continue
        x, mean, half = (own[key] for key in ("label_fraction", "test_accuracy", "test_ci95"))
        axes.plot(x, mean, **REFERENCES[name])
        axes.fill_between(x, mean - half, mean + half, color=INK, alpha=0.12, linewidth=0)
    for i, (line, look) in enumerate(looks.items()):
        own = points[(points["protocol"] == protocol) & (points["line"] == line)]
        if len(own):
            x = own["label_fraction"].to_numpy() * aside(i, len(looks), step=0.06)
            draw_points(axes, x, own, "test_accuracy", **look)
    draw_chance(axes, chance_level(points))
    fractions = sorted(points["label_fraction"].unique())
    axes.set_xscale("log")
    axes.set_xticks(fractions, [f"{100 * fraction:g}" for fraction in fractions])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlim(fractions[0] / 1.6, fractions[-1] * 1.6)


def _legend(looks: Looks, points: pd.DataFrame) -> list[Line2D]:
    drawn = [name for name in REFERENCES if (points["protocol"] == name).any()]
    return [
        *(Line2D([], [], label=line, **look) for line, look in looks.items()),
        *(Line2D([], [], label=PROTOCOLS[name], **REFERENCES[name]) for name in drawn),
        Line2D([], [], color=QUIET, linestyle=":", linewidth=1.2, label="chance"),
    ]

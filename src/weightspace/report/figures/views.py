"""The figure of the views: internal and external generalisation, and views against objects."""

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from weightspace.report.figures.levels import draw_levels, level_handles
from weightspace.report.figures.panels import panels
from weightspace.report.figures.points import accuracy_limits, aside, draw_points
from weightspace.report.labels import with_labels
from weightspace.report.statistics import BASELINE, summary
from weightspace.report.style import (
    INK,
    colours,
    legend_above,
    message_figure,
    report_style,
    size_axis,
)
from weightspace.report.views import MORE_OBJECTS, MORE_VIEWS, families

__all__ = ["views_figure"]

EXTERNAL, INTERNAL = "test_accuracy", "internal_accuracy"
LOOKS: dict[str, dict[str, Any]] = {
    EXTERNAL: {"linestyle": "-", "marker": "o"},
    INTERNAL: {"linestyle": "--", "marker": "o", "markerfacecolor": "white"},
    MORE_VIEWS: {"linestyle": "-", "marker": "s"},
    MORE_OBJECTS: {"linestyle": "-.", "marker": "^"},
}
WORDS = {
    EXTERNAL: "external: unseen objects",
    INTERNAL: "internal: new views of training objects",
    MORE_VIEWS: MORE_VIEWS,
    MORE_OBJECTS: MORE_OBJECTS,
}


@report_style()
def views_figure(runs: pd.DataFrame) -> Figure:
    """Draw accuracy without augmentation against the views per training object.

    Panel (a) has the largest number of objects: accuracy on unseen objects and on new views of
    the training objects. Panel (b), where there are smaller numbers too, compares training
    sets of equally many networks on unseen objects: more views of the same objects, or more
    objects, see `families`.

    Args:
        runs: as `collect_runs` returns; the scheme "none" is used.

    Returns:
        The figure; a row of panels per dataset, a colour per model.
    """
    runs = runs[runs["scheme"] == BASELINE]
    if runs.empty:
        return message_figure(f'No cell of this experiment has the scheme "{BASELINE}".')
    points = _with_lines(summary(runs, [EXTERNAL, INTERNAL]))
    palette = colours(points["line"])
    shown: list[tuple[str, str, dict[str, pd.DataFrame]]] = []
    for dataset, own in points.groupby("dataset", sort=False):
        most = own[own["objects"] == own["objects"].max()]
        measured = {EXTERNAL: most, INTERNAL: most[most[INTERNAL].notna()]}
        pair = families(own)
        shown.append((str(dataset), "(a) more views" if pair else "more views", measured))
        if pair:
            shown.append((str(dataset), "(b) equally many networks", pair))
    figure, placed = panels([part[:2] for part in shown], ylabel="accuracy", height=2.3)
    for axes, (dataset, _, lines) in zip(placed, shown, strict=True):
        own = points[points["dataset"] == dataset]
        _draw_lines(axes, lines, palette)
        draw_levels(axes, own)
        axes.set_ylim(accuracy_limits(own, [EXTERNAL, INTERNAL]))
    used = {name for *_, lines in shown for name, line in lines.items() if len(line)}
    legend_above(figure, _legend(palette, used, points), columns=3)
    return figure


def _with_lines(points: pd.DataFrame) -> pd.DataFrame:
    """Add the column `line`: the model, and the budget where there are several."""
    labelled = with_labels(points.assign(views=1, objects=1), ["study"])
    parts = zip(labelled["series"], labelled["setting"], strict=True)
    return points.assign(line=[", ".join(filter(None, part)) for part in parts])


def _draw_lines(axes: Axes, lines: dict[str, pd.DataFrame], palette: dict[str, str]) -> None:
    """Draw against views the two generalisations, or against networks the two families."""
    against_views = EXTERNAL in lines
    ticks: set[int] = set()
    for name, points in lines.items():
        for place, (line, own) in enumerate(points.groupby("line", sort=False)):
            own = own.sort_values("views" if against_views else "train_inrs")
            x = own["views"] if against_views else own["train_inrs"]
            ticks |= set(x) if against_views else set(own["views"] * own["objects"])
            draw_points(
                axes,
                x.to_numpy() * aside(place, len(palette)),
                own,
                name if against_views else EXTERNAL,
                color=palette[str(line)],
                **LOOKS[name],
            )
    size_axis(axes, ticks)
    axes.set_xlabel("views of each training object" if against_views else "training networks")


def _legend(palette: dict[str, str], used: set[str], points: pd.DataFrame) -> list[Line2D]:
    return [
        *(Line2D([], [], color=colour, label=line) for line, colour in palette.items()),
        *(
            Line2D([], [], color=INK, label=WORDS[name], **look)
            for name, look in LOOKS.items()
            if name in used
        ),
        *level_handles(points),
    ]

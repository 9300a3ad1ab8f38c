"""The panels of a figure as wide as a page: datasets below each other, three panels abreast."""

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from weightspace.report.labels import display_name
from weightspace.report.style import WIDTH, percent_axis

__all__ = ["panels"]

ABREAST = 3


def panels(
    keys: Sequence[tuple[Any, ...]], *, ylabel: str, height: float, legend: float = 0.7
) -> tuple[Figure, list[Axes]]:
    """Place one panel for each key (dataset, title), the panels of a dataset together.

    Args:
        keys: the dataset and the title of each panel, each pair once.
        ylabel: what all panels show in percent; the name of the dataset is added where there
            are several.
        height: inches of a panel.
        legend: inches kept for the legend.

    Returns:
        The figure and its panels in the order of `keys`. The panels of a dataset share their
        y axis.
    """
    datasets = list(dict.fromkeys(dataset for dataset, _ in keys))
    rows: list[list[tuple[Any, ...]]] = []
    for dataset in datasets:
        own = [key for key in keys if key[0] == dataset]
        rows += [own[i : i + ABREAST] for i in range(0, len(own), ABREAST)]
    n_columns = max(map(len, rows))
    figure = Figure(figsize=(WIDTH, legend + (height + 0.6) * len(rows)), layout="constrained")
    grid = figure.subplots(len(rows), n_columns, squeeze=False)
    placed: dict[tuple[Any, ...], Axes] = {}
    for line, row in zip(grid, rows, strict=True):
        for axes in line[len(row) :]:
            axes.remove()
        name = f"{display_name(row[0][0])}\n" if len(datasets) > 1 else ""
        line[0].set_ylabel(f"{name}{ylabel}")
        for axes, key in zip(line, row, strict=False):
            axes.set_title(key[1])
            percent_axis(axes, "y")
            first = next((a for (dataset, _), a in placed.items() if dataset == key[0]), axes)
            if first is not axes:
                axes.sharey(first)
            placed[key] = axes
    return figure, [placed[key] for key in keys]

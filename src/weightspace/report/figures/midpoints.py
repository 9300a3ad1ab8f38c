"""The figure of the midpoints: what lies between two networks, as pictures."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from weightspace.report.alignment_pairs import ALIGNMENTS, PAIR_KINDS
from weightspace.report.labels import display_name
from weightspace.report.midpoints import Midpoints
from weightspace.report.style import WIDTH, message_figure, report_style

__all__ = ["midpoints_figure"]

HEADINGS = {
    **{name: words.replace(", ", ",\n") for name, words in ALIGNMENTS.items()},
    "signed": "permut. +\nsign",
    "reference_permutation": "reference,\npermut.",
    "reference_signed": "reference,\npermut. +\nsign",
}
# Inches: the name of a dataset, the headings of the columns, the line under a picture.
TITLE, HEADER, CAPTION = 0.25, 0.5, 0.17


@report_style()
def midpoints_figure(midpoints: Mapping[str, Midpoints]) -> Figure:
    """Draw pairs of pictures, their mixture, and their mixed networks for each alignment.

    Args:
        midpoints: as `matching_quality` returns, by the name of the dataset. Those of
            networks of other things than pictures, as of shapes, are left out.

    Returns:
        The figure: a row per pair and lam, a column per alignment; under each mixed network
        its PSNR to the mixed picture.
    """
    groups = [
        (name, x, kind)
        for name, x in midpoints.items()
        if x.pictures.ndim == 5 and x.pictures.shape[-1] in (1, 3)
        for kind in dict.fromkeys(x.kinds.tolist())
    ]
    if not groups:
        return message_figure("There is no example, or the networks are not of pictures.")
    first = {name: kind for name, _, kind in reversed(groups)} if len(midpoints) > 1 else {}
    titles = [display_name(name) if first.get(name) == kind else "" for name, _, kind in groups]
    heights = [_height(x, kind) for _, x, kind in groups]
    heights = [h + TITLE * bool(title) for h, title in zip(heights, titles, strict=True)]
    heights[0] += HEADER
    figure = Figure(figsize=(WIDTH, sum(heights)), layout="constrained")
    figure.get_layout_engine().set(w_pad=0.01, h_pad=0.02)  # type: ignore[union-attr]
    parts = figure.subfigures(len(groups), 1, height_ratios=heights, squeeze=False)[:, 0]
    for part, (_, x, kind), title in zip(parts, groups, titles, strict=True):
        _draw_kind(part, x, kind, headings=part is parts[0])
        if title:
            part.suptitle(title, fontsize=9.5)
    return figure


def _height(midpoints: Midpoints, kind: str) -> float:
    """Inches that the rows of one kind of pair need."""
    _, n_columns, height, width, _ = midpoints.pictures.shape
    row = CAPTION + (WIDTH - 0.5) / n_columns * height / width
    return row * (midpoints.kinds == kind).sum()


def _draw_kind(figure: SubFigure, midpoints: Midpoints, kind: str, *, headings: bool) -> None:
    rows = np.flatnonzero(midpoints.kinds == kind)
    panels = figure.subplots(len(rows), midpoints.pictures.shape[1], squeeze=False)
    for axes, row in zip(panels, rows, strict=True):
        words = [*midpoints.classes[row], "", *(f"{x:.1f} dB" for x in midpoints.psnr[row])]
        for panel, picture, caption in zip(axes, midpoints.pictures[row], words, strict=True):
            _show(panel, picture, caption)
        axes[0].set_ylabel(f"lam {midpoints.lams[row]:g}", fontsize=8)
    if headings:
        names = ["first", "second", "mixed\npictures", *(HEADINGS[x] for x in midpoints.alignments)]
        for panel, name in zip(panels[0], names, strict=True):
            panel.set_title(name, fontsize=8, fontweight="normal", pad=3)
    figure.supylabel(PAIR_KINDS[kind], fontsize=8.5)


def _show(axes: Axes, picture: np.ndarray, caption: str) -> None:
    image = picture[..., 0] if picture.shape[-1] == 1 else picture
    axes.imshow(image, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    axes.set_xlabel(caption, labelpad=1.5, fontsize=7.5)
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)

"""The figure of the fit quality: the distribution of the PSNR in each split."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from weightspace.report.fit_quality import fit_quality_table
from weightspace.report.style import INK, PALETTE, WIDTH, report_style

__all__ = ["fit_quality_figure"]

BINS = 50


@report_style()
def fit_quality_figure(fits: pd.DataFrame) -> Figure:
    """Draw a histogram of the PSNR per split, with minimum, median and failures stated.

    Args:
        fits: as `read_fits` returns.

    Returns:
        The figure; a panel per split on one axis of PSNR in dB.
    """
    table = fit_quality_table(fits)
    kept = fits[~fits["failed"]]
    psnr = kept["psnr"].to_numpy(dtype=float)
    edges = np.histogram_bin_edges(psnr[np.isfinite(psnr)], bins=BINS)  # an exact fit has inf dB
    figure = Figure(figsize=(WIDTH, 0.8 + 1.5 * len(table)), layout="constrained")
    panels = figure.subplots(len(table), 1, sharex=True, squeeze=False)[:, 0]
    for axes, row in zip(panels, table.to_dict("records"), strict=True):
        axes.hist(
            kept[kept["split"] == row["split"]]["psnr"], bins=edges, color=PALETTE[0], alpha=0.7
        )
        for value, dashes in ((row["psnr_min"], ":"), (row["psnr_median"], "--")):
            axes.axvline(value, color=INK, linestyle=dashes, linewidth=1.2)
        axes.set_title(_title(row), fontsize=9, fontweight="normal", loc="left")
        axes.set_ylabel("networks")
        axes.yaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))
        axes.grid(visible=False, axis="x")
    panels[-1].set_xlabel("PSNR (dB); dotted: minimum, dashed: median")
    return figure


def _title(row: dict) -> str:
    return (
        f"{row['split']}: {row['inrs']:,} networks of {row['objects']:,} objects, "
        f"{row['failed']:,} failed; minimum {row['psnr_min']:.1f} dB, "
        f"median {row['psnr_median']:.1f} dB"
    )

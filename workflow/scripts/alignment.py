"""Draw and tabulate the quality of the alignments, and the accuracy of mixing with them."""

from typing import TYPE_CHECKING

import pandas as pd

from weightspace.job import job
from weightspace.report.alignment import alignment_cells, save_alignment
from weightspace.report.figures.alignment import alignment_figure
from weightspace.report.figures.midpoints import midpoints_figure
from weightspace.report.midpoints import read_midpoints
from weightspace.report.saving import save_figure

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job("alignment", snakemake.log[0]):
    inputs, outputs = snakemake.input, snakemake.output
    quality = pd.concat([pd.read_csv(path) for path in inputs["quality"]])
    examples = map(read_midpoints, inputs["examples"])
    midpoints = dict(zip(quality["dataset"].unique(), examples, strict=True))
    cells = alignment_cells(inputs["metrics"]) if inputs["metrics"] else None
    save_figure(alignment_figure(quality, cells), [outputs["png"], outputs["pdf"]])
    save_figure(midpoints_figure(midpoints), [outputs["midpoints_png"], outputs["midpoints_pdf"]])
    save_alignment(quality, cells, csv=outputs["csv"], md=outputs["md"])

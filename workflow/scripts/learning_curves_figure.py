"""Draw accuracy on training and validation objects along the training."""

from typing import TYPE_CHECKING

from weightspace.job import job
from weightspace.report.collect import collect_histories
from weightspace.report.figures.learning_curves import learning_curves_figure
from weightspace.report.saving import save_figure

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job("learning_curves_figure", snakemake.log[0]):
    histories = collect_histories(snakemake.input["metrics"], snakemake.input["histories"])
    save_figure(learning_curves_figure(histories), snakemake.output)

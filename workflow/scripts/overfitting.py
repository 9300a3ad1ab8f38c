"""Draw and tabulate how far training leaves validation behind."""

from typing import TYPE_CHECKING

from weightspace.job import job
from weightspace.report.collect import collect_histories, collect_runs
from weightspace.report.figures.overfitting import overfitting_figure
from weightspace.report.overfitting import overfitting_table
from weightspace.report.saving import save_figure
from weightspace.report.tables import save_tables

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job("overfitting", snakemake.log[0]):
    inputs, outputs = snakemake.input, snakemake.output
    histories = collect_histories(inputs["metrics"], inputs["histories"])
    save_figure(overfitting_figure(histories), [outputs["png"], outputs["pdf"]])
    save_tables(
        [overfitting_table(collect_runs(inputs["metrics"]))], [outputs["csv"], outputs["md"]]
    )

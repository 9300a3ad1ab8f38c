"""Draw and tabulate how far models of weights stay behind models of raw data."""

from typing import TYPE_CHECKING

from weightspace.job import job
from weightspace.report.collect import collect_runs
from weightspace.report.figures.gap import gap_figure
from weightspace.report.gap import gap_table
from weightspace.report.saving import save_figure
from weightspace.report.tables import save_tables

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job("gap", snakemake.log[0]):
    outputs = snakemake.output
    runs = collect_runs(snakemake.input["metrics"])
    save_figure(gap_figure(runs), [outputs["png"], outputs["pdf"]])
    save_tables([gap_table(runs)], [outputs["csv"], outputs["md"]])

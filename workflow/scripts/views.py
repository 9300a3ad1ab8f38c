"""Draw and tabulate accuracy against the number of views."""

from typing import TYPE_CHECKING

from weightspace.job import job
from weightspace.report.collect import collect_runs
from weightspace.report.figures.views import views_figure
from weightspace.report.saving import save_figure
from weightspace.report.tables import save_tables
from weightspace.report.views import views_table

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job("views", snakemake.log[0]):
    inputs, outputs = snakemake.input, snakemake.output
    runs = collect_runs(inputs["metrics"])
    save_figure(views_figure(runs), [outputs["png"], outputs["pdf"]])
    save_tables([views_table(runs)], [outputs["csv"], outputs["md"]])

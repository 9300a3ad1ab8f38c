"""Draw accuracy against the number of views."""

from typing import TYPE_CHECKING

from weightspace.job import job
from weightspace.report.collect import collect_runs
from weightspace.report.figures.views import views_figure
from weightspace.report.saving import save_figure

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job("views_figure", snakemake.log[0]):
    save_figure(views_figure(collect_runs(snakemake.input["metrics"])), snakemake.output)

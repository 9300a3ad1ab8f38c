"""Show pictures beside renderings of their views."""

from typing import TYPE_CHECKING

from weightspace.job import job
from weightspace.report.figures.gallery import gallery_figure
from weightspace.report.saving import save_figure

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(f"gallery_figure of {snakemake.wildcards['dataset']}", snakemake.log[0]):
    figure = gallery_figure(snakemake.input["inrs"], snakemake.input["objects"])
    save_figure(figure, snakemake.output)

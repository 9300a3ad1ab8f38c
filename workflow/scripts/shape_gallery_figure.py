"""Show shapes beside the level sets of the networks of their views."""

from typing import TYPE_CHECKING

from weightspace.job import job
from weightspace.report.figures.shape_gallery import shape_gallery_figure
from weightspace.report.saving import save_figure

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(f"shape_gallery_figure of {snakemake.wildcards['dataset']}", snakemake.log[0]):
    figure = shape_gallery_figure(snakemake.input["inrs"], snakemake.input["shapes"])
    save_figure(figure, snakemake.output)

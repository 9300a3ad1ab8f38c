"""Compare contrastive pre-training with training from scratch in a figure and a table."""

from typing import TYPE_CHECKING

from weightspace.job import job
from weightspace.report.contrastive import (
    collect_contrastive,
    contrastive_points,
    contrastive_table,
)
from weightspace.report.figures.contrastive import contrastive_figure
from weightspace.report.saving import save_figure
from weightspace.report.tables import save_tables

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job("contrastive", snakemake.log[0]):
    points = contrastive_points(collect_contrastive(snakemake.input["metrics"]))
    save_figure(contrastive_figure(points), [snakemake.output["png"], snakemake.output["pdf"]])
    save_tables([contrastive_table(points)], [snakemake.output["csv"], snakemake.output["md"]])

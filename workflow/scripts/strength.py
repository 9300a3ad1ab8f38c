"""Draw and tabulate accuracy against the strength of augmentations."""

from typing import TYPE_CHECKING

from weightspace.job import job
from weightspace.report.collect import collect_runs
from weightspace.report.figures.strength import strength_figure
from weightspace.report.saving import save_figure
from weightspace.report.strength import strength_points, strength_table
from weightspace.report.tables import save_tables

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job("strength", snakemake.log[0]):
    inputs, outputs = snakemake.input, snakemake.output
    points = strength_points(collect_runs(inputs["metrics"]), snakemake.params["sweeps"])
    save_figure(strength_figure(points), [outputs["png"], outputs["pdf"]])
    save_tables([strength_table(points)], [outputs["csv"], outputs["md"]])

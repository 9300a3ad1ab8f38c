"""Measure how well the networks of shapes show them."""

from typing import TYPE_CHECKING

from weightspace.device import use_threads
from weightspace.job import job
from weightspace.report.figures.shape_quality import shape_quality_figure
from weightspace.report.saving import save_figure
from weightspace.report.shape_quality import measure_shapes, shape_quality_table
from weightspace.report.tables import save_tables

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

name = f"shape_quality of {snakemake.wildcards['dataset']}"
with job(name, snakemake.log[0], unit="shapes") as progress:
    use_threads(snakemake.threads)
    inputs, outputs = snakemake.input, snakemake.output
    measured = measure_shapes(inputs["inrs"], inputs["shapes"], progress=progress)
    save_figure(shape_quality_figure(measured), [outputs["png"], outputs["pdf"]])
    save_tables([shape_quality_table(measured)], [outputs["csv"], outputs["md"]])

"""Compare the schemes in a figure and in tables."""

from typing import TYPE_CHECKING

from weightspace.job import job
from weightspace.report.collect import collect_correctness, collect_runs
from weightspace.report.figures.schemes import schemes_figure
from weightspace.report.saving import save_figure
from weightspace.report.schemes import schemes_tables
from weightspace.report.tables import save_tables

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job("schemes", snakemake.log[0]):
    inputs, outputs = snakemake.input, snakemake.output
    runs = collect_runs(inputs["metrics"])
    correctness = collect_correctness(inputs["metrics"], inputs["predictions"])
    save_figure(schemes_figure(runs, correctness), [outputs["png"], outputs["pdf"]])
    paths = [outputs["csv"], outputs["md"], outputs["tex"]]
    save_tables(schemes_tables(runs, correctness), paths)

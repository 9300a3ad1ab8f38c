"""Compare the schemes in a figure."""

from typing import TYPE_CHECKING

from weightspace.job import job
from weightspace.report.collect import collect_correctness, collect_runs
from weightspace.report.figures.schemes import schemes_figure
from weightspace.report.saving import save_figure

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job("schemes_figure", snakemake.log[0]):
    metrics = snakemake.input["metrics"]
    correctness = collect_correctness(metrics, snakemake.input["predictions"])
    save_figure(schemes_figure(collect_runs(metrics), correctness), snakemake.output)

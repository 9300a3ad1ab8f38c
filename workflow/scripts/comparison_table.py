"""Compare the cells in a table."""

from typing import TYPE_CHECKING

from weightspace.job import job
from weightspace.report.collect import collect_correctness, collect_runs
from weightspace.report.statistics import comparison
from weightspace.report.tables import save_comparison

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job("comparison_table", snakemake.log[0]):
    metrics = snakemake.input["metrics"]
    correctness = collect_correctness(metrics, snakemake.input["predictions"])
    save_comparison(comparison(collect_runs(metrics), correctness), snakemake.output)

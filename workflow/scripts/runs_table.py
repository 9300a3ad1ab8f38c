"""Gather all runs into one tidy table."""

from typing import TYPE_CHECKING

from weightspace.job import job
from weightspace.report.collect import collect_runs
from weightspace.report.saving import save_csv

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job("runs_table", snakemake.log[0]):
    save_csv(collect_runs(snakemake.input["metrics"]), snakemake.output[0])

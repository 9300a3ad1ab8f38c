"""Measure how close the alignments bring random pairs of networks."""

from typing import TYPE_CHECKING

from weightspace.device import use_threads
from weightspace.job import job
from weightspace.memory import keep_freed_memory
from weightspace.report.alignment_quality import matching_quality
from weightspace.report.midpoints import write_midpoints
from weightspace.report.saving import save_csv

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

name = f"matching_quality of {snakemake.wildcards['dataset']}"
with job(name, snakemake.log[0], unit="alignments") as progress:
    use_threads(snakemake.threads)
    keep_freed_memory()
    quality, midpoints = matching_quality(
        snakemake.input["inrs"],
        dataset=snakemake.wildcards["dataset"],
        **snakemake.params["settings"],
        progress=progress,
    )
    save_csv(quality, snakemake.output["quality"])
    write_midpoints(snakemake.output["examples"], midpoints)

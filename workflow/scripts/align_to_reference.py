"""Bring all networks of a dataset to one reference network."""

from typing import TYPE_CHECKING

from weightspace.dataset.reference import align_to_reference
from weightspace.device import use_threads
from weightspace.job import job
from weightspace.store import read_inrs, write_inrs

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

name = f"align {snakemake.wildcards['dataset']} to one reference"
with job(name, snakemake.log[0], unit="networks") as progress:
    use_threads(1)  # of each of the matching jobs, which run at the same time
    aligned = align_to_reference(
        read_inrs(snakemake.input["inrs"]),
        signed=snakemake.wildcards["reference"] == "signed",
        threads=snakemake.threads,
        progress=progress,
    )
    write_inrs(snakemake.output[0], aligned)

"""Fetch a dataset that is not bundled."""

from pathlib import Path
from typing import TYPE_CHECKING

from weightspace.data.sources import fetch
from weightspace.job import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

dataset = snakemake.wildcards["dataset"]
with job(f"download {dataset}", snakemake.log[0]) as progress:
    fetch(dataset, Path(snakemake.params["directory"]), progress=progress)

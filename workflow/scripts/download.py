"""Fetch a source that is not bundled."""

from pathlib import Path
from typing import TYPE_CHECKING

from weightspace.data.sources import fetch
from weightspace.job import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

source = snakemake.wildcards["source"]
with job(f"download {source}", snakemake.log[0], unit="B") as progress:
    directory = Path(snakemake.params["directory"])
    fetch(source, directory, progress=progress, say=progress.say)

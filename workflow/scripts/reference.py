"""Copy what is kept of a study in the repository."""

from pathlib import Path
from typing import TYPE_CHECKING

from weightspace.job import job
from weightspace.report.reference import write_reference

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job("reference", snakemake.log[0]):
    inputs = snakemake.input
    write_reference(
        Path(snakemake.output[0]).parent,
        config=inputs["config"],
        parts=inputs["parts"],
        metrics=inputs["metrics"],
        times=snakemake.params["times"],
    )
